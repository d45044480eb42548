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
    """How a sense dictionary is made."""

    teacher: str = field(metadata={"metavar": "NAME_OR_PATH"})
    """A causal language model: a folder, or a name on the Hugging Face hub."""
    corpus: tuple[str, ...] = field(metadata={"metavar": "FILE|DIR|NAME"})
    """Text or JSONL (plain, gzip, bzip2, Zstandard), a folder of such files, or hub:NAME[/CONFIG][:SPLIT] for a data
    set of the Hugging Face hub. May be given several times."""
    output: str = field(metadata={"metavar": "DIR"})
    """Folder for the dictionary."""
    gguf: str | None = field(default=None, metadata={"metavar": "FILE"})
    """Read the teacher from this GGUF file in its folder."""
    k: int | Literal["adaptive"] = field(default=10, metadata={**_COUNT, "metavar": "N|adaptive"})
    """Number of senses of a token; 'adaptive' chooses between 1 and --max-k for each token."""
    max_k: int = field(default=10, metadata=_COUNT)
    """Most senses that --k adaptive gives a token."""
    max_per_token: int = field(default=2000, metadata=_COUNT)
    """Most occurrences of a token in the sample."""
    anchor: Anchor = "predicted"
    """Which token the state at a position belongs to: the one that the teacher predicts there, the true next one, or
    the one read there."""
    max_length: int = field(default=512, metadata={"min": 2})
    """Tokens that the teacher sees at once; longer documents are cut."""
    batch_tokens: int = field(default=8192, metadata=_COUNT)
    """Tokens in a batch, padding included."""
    dtype: DType = "bfloat16"
    """Arithmetic of the teacher."""
    quantize: Literal["4bit", "8bit"] | None = None
    """Let bitsandbytes quantise the weights of the teacher's layers as they are loaded."""
    device: str = field(default="auto", metadata={"metavar": "DEVICE"})
    """Where to run the teacher and cluster tokens: cpu, cuda, cuda:1, mps; auto takes a GPU if there is one."""
    device_map: Literal["auto"] | None = None
    """Spread the layers of the teacher over all GPUs of this machine, for one process."""
    disk_budget: int = field(default=50 * 10**9, metadata={"parse": parse_size, "metavar": "SIZE", "shown": "50GB"})
    """Most disk space that the sample may take while the dictionary is made."""
    memory_budget: int = field(
        default=256 * 2**20, metadata={"parse": parse_size, "metavar": "SIZE", "shown": "256MiB"}
    )
    """Memory for hidden states that wait to be written, per process."""
    seed: int = 0
    """Seed for the sample and the starting points of the clustering."""
    contexts: int = field(default=3, metadata={"min": 0})
    """Occurrences to keep for each sense, with their words, for 'lexkit distill inspect'."""
    sample: str | None = field(default=None, metadata={"metavar": "DIR"})
    """Keep the sample in this folder, or use the sample that is already there, to cluster it again with another --k.
    [default: in the output folder, deleted at the end]"""
