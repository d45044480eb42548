"""What `lexkit distill senses` can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import click

from lexkit_distill.config import parse_size

Anchor = Literal["predicted", "next", "input"]
DType = Literal["bfloat16", "float16", "float32"]


def parse_k(value: str) -> str:
    """Return a number above 0, or 'adaptive', as it is.

    Raises:
        click.BadParameter: anything else.
    """
    if value == "adaptive" or (value.isdecimal() and int(value) > 0):
        return value
    raise click.BadParameter(f"{value!r} is neither a number above 0 nor 'adaptive'.")


@dataclass(frozen=True)
class SensesConfig:
    """How a sense dictionary is made."""

    teacher: str = field(metadata={"metavar": "NAME_OR_PATH"})
    """A causal language model: a folder, or a name on the Hugging Face hub."""
    corpus: tuple[str, ...] = field(metadata={"metavar": "FILE|DIR|NAME"})
    """Text or JSONL (plain, gzip, bzip2, Zstandard), a folder of such files, or hub:NAME[/CONFIG][:SPLIT] for a data
    set of the Hugging Face hub. May be given several times."""
    output: str = field(metadata={"metavar": "DIR"})
    """The dictionary to make."""
    gguf: str | None = field(default=None, metadata={"metavar": "FILE"})
    """Read the teacher from this GGUF file in its folder."""
    k: str = field(default="10", metadata={"type": parse_k, "metavar": "N|adaptive"})
    """Senses a token; 'adaptive' chooses between 1 and --max-k for each."""
    max_k: int = field(default=10, metadata={"type": click.IntRange(min=1)})
    """The most senses that --k adaptive gives a token."""
    max_per_token: int = field(default=2000, metadata={"type": click.IntRange(min=1)})
    """Occurrences of a token in the sample."""
    anchor: Anchor = "predicted"
    """Which token the state at a position belongs to: the one that the teacher predicts there, the true next one, or
    the one read there."""
    max_length: int = field(default=512, metadata={"type": click.IntRange(min=2)})
    """Tokens of text the teacher sees at once; longer documents are cut."""
    batch_tokens: int = field(default=8192, metadata={"type": click.IntRange(min=1)})
    """Tokens in a batch, padding included."""
    dtype: DType = "bfloat16"
    """Arithmetic of the teacher."""
    device: str = field(default="auto", metadata={"metavar": "DEVICE"})
    """Where the teacher runs and tokens are clustered: cpu, cuda, cuda:1, mps; auto takes a GPU where there is one."""
    disk_budget: int = field(default=50 * 10**9, metadata={"type": parse_size, "metavar": "SIZE", "shown": "50GB"})
    """Most disk space that the sample may take while the dictionary is made."""
    memory_budget: int = field(default=256 * 2**20, metadata={"type": parse_size, "metavar": "SIZE", "shown": "256MiB"})
    """Memory for hidden states that wait to be written, for each process."""
    seed: int = 0
    """Chooses the sample and the starts of the clustering."""
    contexts: int = field(default=3, metadata={"type": click.IntRange(min=0)})
    """Occurrences to keep for each sense, in words, for 'lexkit distill inspect'."""
    sample: str | None = field(default=None, metadata={"metavar": "DIR"})
    """Keep the sample here, or use the one that is here already (to cluster anew with another --k). [default: in the
    output, removed at the end]"""
