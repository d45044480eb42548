"""Find and load a tokenizer, and decide on its name in a store."""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lexkit.arguments import user_path
from lexkit.bounded_process import run
from lexkit.errors import TokenizerError, first_line

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_FILE = "tokenizer.json"
_MEMORY, _SILENCE = 2 << 30, 60
"""Bytes of memory and seconds that a tokenizer may use for a few words."""
_MODELS = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.txt", "vocab.json", "tekken.json")
"""Files of tokenizers in other formats."""


class NamedTokenizer(NamedTuple):
    """A tokenizer as the user requested it."""

    name: str
    """Name of the tokenizer in a store."""
    location: str
    """A ``tokenizer.json``, a folder that contains one, or a name on the Hugging Face hub."""


def parse_tokenizer(text: str) -> NamedTokenizer:
    """Parse ``NAME=LOCATION`` or a location alone.

    Without a name, a tokenizer on the hub keeps its name there. Paths differ between machines, so a local one gets the
    name of its folder, or of its file if that is not ``tokenizer.json``.

    Raises:
        TokenizerError: the name or the location is missing.
    """
    path = user_path(text)
    name, given, location = text.partition("=")
    if given and not path.exists():
        if not name or not location:
            raise TokenizerError(f"{text!r}: not a tokenizer; give NAME=PATH, a path, or a hub name")
        return NamedTokenizer(name, location)
    if not text:
        raise TokenizerError("the name of the tokenizer is empty; give NAME=PATH, a path, or a hub name")
    if not _is_path(text, path):
        return NamedTokenizer(text, text)
    whole = Path(os.path.abspath(path))  # noqa: PTH100  # not resolve(): a link keeps its own name
    named = whole.parent if whole.name == _FILE else whole
    return NamedTokenizer(named.stem if named.suffix == ".json" else named.name, text)


def load_tokenizer(location: str) -> Tokenizer:
    """Load a tokenizer from a ``tokenizer.json``, a folder that contains one, or the Hugging Face hub.

    Raises:
        TokenizerError: it cannot be found or read.
    """
    from tokenizers import Tokenizer

    path = user_path(location)
    try:
        file = _file(path) if _is_path(location, path) else _downloaded(location)
        status = file.stat()
        _try(str(file), status.st_size, status.st_mtime_ns)
        return Tokenizer.from_file(str(file))
    except TokenizerError:
        raise
    except Exception as error:  # tokenizers raises plain Exception, and huggingface_hub many kinds
        raise TokenizerError(
            f"{location}: not a tokenizer that can be loaded ({first_line(error)}); give a tokenizer.json, its folder, "
            "or a hub name"
        ) from error


@lru_cache
def _try(file: str, size: int, changed: int) -> None:
    """Load the file in another process first, since it may crash the library; the result is remembered."""
    list(run("lexkit.tokens.trial", [file], _MEMORY, silence=_SILENCE))


def _downloaded(name: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import logging as hub_logging

    # Silence huggingface_hub's messages for each retry; a single line at the end suffices
    hub_logging.set_verbosity(logging.CRITICAL)
    return Path(hf_hub_download(name, _FILE))


def _is_path(text: str, path: Path) -> bool:
    return path.exists() or path.suffix in (".json", ".model") or path.is_absolute() or text.startswith((".", "~"))


def _file(path: Path) -> Path:
    if path.is_dir():
        return _file_of(path)
    if not path.is_file():
        raise TokenizerError(f"{path}: no such {_FILE}; check the path")
    if path.name in _MODELS:
        raise _other_form(path.parent, path.name)
    return path


def _file_of(folder: Path) -> Path:
    if (folder / _FILE).is_file():
        return folder / _FILE
    other = next((name for name in _MODELS if (folder / name).is_file()), None)
    if other is None:
        raise TokenizerError(f"{folder / _FILE}: no such {_FILE}; check the path")
    raise _other_form(folder, other)


def _other_form(folder: Path, name: str) -> TokenizerError:
    return TokenizerError(
        f'{folder / name}: a tokenizer in another format than {_FILE}; convert it with python -c "from '
        f"transformers import AutoTokenizer as A; A.from_pretrained('{folder}').save_pretrained('{folder}')\""
    )
