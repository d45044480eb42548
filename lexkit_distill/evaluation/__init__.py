"""What a model can do: benchmarks of the paper (through lm-evaluation-harness), held-out text, and words."""
