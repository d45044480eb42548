"""What a sense dictionary was made of (``meta.json``), and the names of its files; read without torch and Arrow."""

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
    """What a dictionary was made of."""

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
    """SHA-256 (hex) of the rows; None in dictionaries of older versions."""
    teacher_values: str | None = None
    """`Teacher.values_digest`, by which the same weights in other files are recognised."""


def read_meta(path: Path) -> Meta:
    """Read ``meta.json``.

    Raises:
        DictionaryError: no such dictionary, unfinished, damaged, or of a newer format.
    """
    if not path.is_dir():
        raise DictionaryError(f"{path}: no such sense dictionary; make it with 'lexkit distill senses --output {path}'")
    file = path / META
    if not file.exists():
        raise DictionaryError(
            f"{path}: no finished sense dictionary (no {META}); make it with 'lexkit distill senses --output {path}'"
        )
    try:
        values = msgspec.json.decode(file.read_bytes())
        if values["format"] > FORMAT:
            raise DictionaryError(f"{path}: of format {values['format']}, newer than this lexkit; update lexkit")
        return msgspec.convert(values, Meta)
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise DictionaryError(f"{file}: damaged ({first_line(error)}); make the dictionary again") from error


def write_meta(path: Path, meta: Meta) -> None:
    """Write ``meta.json``, which makes the files beside it a dictionary."""
    write_json(path / META, meta)


def check_new(output: Path) -> None:
    """Make sure that a folder does not hold a dictionary yet.

    Raises:
        DictionaryError: there is one.
    """
    if (output / META).exists():
        raise DictionaryError(
            f"{output}: a sense dictionary is there already; choose another --output, or delete it first"
        )
