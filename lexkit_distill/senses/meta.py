"""The metadata of a sense dictionary (``meta.json``) and the names of its files; needs neither torch nor Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from lexkit.atomic_write import write_json
from lexkit.errors import first_line
from lexkit_distill.errors import DictionaryError

FORMAT = 1
SENSES, INDEX, META, TOKENIZER, CONTEXTS = (
    "senses.safetensors",
    "index.parquet",
    "meta.json",
    "tokenizer.json",
    "contexts.parquet",
)


@dataclass(frozen=True)
class Meta:
    """Metadata of a dictionary: its teacher, options, sizes and fingerprints."""

    format: int
    lexkit_version: str
    teacher: str
    teacher_fingerprint: str
    tokenizer_fingerprint: str
    layer: str
    anchor: str
    k: str
    max_per_token: int
    seed: int
    corpus_fingerprint: str
    dtype: str
    rows: int
    hidden_size: int
    tokens: int
    words: int = 0
    max_tokens: int | None = None
    store_fingerprint: str | None = None
    digest: str | None = None
    """SHA-256 (hex) of the rows; None in dictionaries written by older versions."""
    teacher_values: str | None = None
    """`Teacher.values_digest`, which identifies the same weights in other files."""


def read_meta(path: Path) -> Meta:
    """Read ``meta.json``.

    Raises:
        DictionaryError: the dictionary is missing, unfinished or damaged, or has a newer format.
    """
    if not path.is_dir():
        raise DictionaryError(f"{path}: no such sense dictionary; make it with 'lexkit distill senses --output {path}'")
    file = path / META
    if not file.exists():
        raise DictionaryError(
            f"{path}: not a finished sense dictionary (no {META}); make it with 'lexkit distill senses --output {path}'"
        )
    try:
        values = msgspec.json.decode(file.read_bytes())
        if values["format"] > FORMAT:
            raise DictionaryError(f"{path}: format {values['format']} is newer than this lexkit; update lexkit")
        return msgspec.convert(values, Meta)
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise DictionaryError(f"{file}: damaged ({first_line(error)}); build the dictionary again") from error


def write_meta(path: Path, meta: Meta) -> None:
    """Write ``meta.json``, which completes a dictionary."""
    write_json(path / META, meta)


def check_new(output: Path) -> None:
    """Check that a folder does not contain a dictionary yet.

    Raises:
        DictionaryError: it contains one.
    """
    if (output / META).exists():
        raise DictionaryError(f"{output}: already contains a sense dictionary; delete it, or choose another --output")
