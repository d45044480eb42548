"""The configuration of `lexkit distill senses`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lexkit_distill.config import Config
from lexkit_distill.sizes import parse_size

Anchor = Literal["predicted", "next", "input"]
DType = Literal["bfloat16", "float16", "float32"]
_COUNT = {"min": 1}


@dataclass(frozen=True)
class SensesConfig(Config):
    """How to build a sense dictionary."""

    teacher: str = field(metadata={"metavar": "NAME_OR_PATH"})
    """Teacher: a causal language model, as a folder or a name on the Hugging Face hub."""
    corpus: tuple[str, ...] = field(metadata={"metavar": "FILE|DIR|NAME"})
    """Text or JSONL (plain, gzip, bzip2, Zstandard), a folder of such files, or hub:NAME[/CONFIG][:SPLIT] for a data
    set on the Hugging Face hub. May be given several times."""
    output: str = field(metadata={"metavar": "DIR"})
    """Folder for the dictionary."""
    gguf: str | None = field(default=None, metadata={"metavar": "FILE"})
    """Read the teacher from this GGUF file in its folder."""
    k: int | Literal["adaptive"] = field(default=10, metadata={**_COUNT, "metavar": "N|adaptive"})
    """Number of senses per token; 'adaptive' chooses between 1 and --max-k for each token."""
    max_k: int = field(default=10, metadata=_COUNT)
    """Most senses per token with --k adaptive."""
    max_per_token: int = field(default=2000, metadata=_COUNT)
    """Most occurrences per token to sample from the corpus."""
    anchor: Anchor = "predicted"
    """Token that the hidden state at a position is assigned to: the token that the teacher predicts there, the true
    next token, or the token read there (input)."""
    max_length: int = field(default=512, metadata={"min": 2})
    """Tokens that the teacher reads at once; longer documents are split."""
    batch_tokens: int = field(default=8192, metadata=_COUNT)
    """Most tokens in a batch, including padding."""
    dtype: DType = "bfloat16"
    """Precision of the teacher's arithmetic."""
    quantize: Literal["4bit", "8bit"] | None = None
    """Quantise the weights of the teacher's layers with bitsandbytes as they are loaded."""
    device: str = field(default="auto", metadata={"metavar": "DEVICE"})
    """Where to run the teacher and the clustering: cpu, cuda, cuda:1, mps; auto uses a GPU if there is one."""
    device_map: Literal["auto"] | None = None
    """Spread the teacher's layers over all GPUs of this machine; for runs with one process."""
    disk_budget: int = field(default=50 * 10**9, metadata={"parse": parse_size, "metavar": "SIZE", "shown": "50GB"})
    """Most disk space that the sample may use while the dictionary is built. [default: {shown}]"""
    memory_budget: int = field(
        default=256 * 2**20, metadata={"parse": parse_size, "metavar": "SIZE", "shown": "256MiB"}
    )
    """Memory for hidden states that are waiting to be written, per process. [default: {shown}]"""
    seed: int = 0
    """Seed for the sample and the starting points of the clustering."""
    contexts: int = field(default=3, metadata={"min": 0})
    """Number of example contexts to keep for each sense, for 'lexkit distill inspect'."""
    sample: str | None = field(default=None, metadata={"metavar": "DIR"})
    """Keep the sample in this folder; if it already has one, use that, for example to cluster it with another --k.
    [default: in the output folder, deleted at the end]"""
