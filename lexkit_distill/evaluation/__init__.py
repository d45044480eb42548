"""Evaluate models: on the paper's benchmarks (through lm-evaluation-harness), on held-out text, and on words."""
