"""Spans: the tokens of a word in running text, that is of a space and the word, without special tokens."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from lexkit.errors import TokenizerError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_BATCH = 50_000


def load_tokenizer(name: str) -> Tokenizer:
    """Load a tokenizer: a ``tokenizer.json``, a folder that holds one, or a name on the Hugging Face hub.

    Raises:
        TokenizerError: it cannot be found or read.
    """
    from huggingface_hub.utils import logging as hub_logging
    from tokenizers import Tokenizer

    path = Path(name)
    if path.is_dir():
        path = path / "tokenizer.json"
    try:
        if path.is_file():
            return Tokenizer.from_file(str(path))
        if path.suffix == ".json" or path.is_absolute() or Path(name).is_dir():
            raise TokenizerError(f"{path}: no such tokenizer.json; check the path")
        # The hub's client tells of every retry; one line at the end says it all
        hub_logging.set_verbosity(logging.CRITICAL)
        return Tokenizer.from_pretrained(name)
    except TokenizerError:
        raise
    except Exception as error:  # the library raises plain Exception, and the hub's client many others
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TokenizerError(
            f"{name}: not a tokenizer that can be loaded ({reason}); give a tokenizer.json, its folder, or a hub name"
        ) from error


def fingerprint(tokenizer: Tokenizer) -> str:
    """Return the SHA-256 (hex) of the tokenizer's own serialisation."""
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()


def spans(tokenizer: Tokenizer, words: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield batches of ``token_ids`` (list of int32) and ``n_tokens`` (int32), a row a word, in order."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for start in range(0, len(words), _BATCH):
        texts = [" " + word for word in words[start : start + _BATCH]]
        ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        yield pa.record_batch(
            [pa.array(ids, pa.list_(pa.int32())), pa.array([len(row) for row in ids], pa.int32())],
            names=["token_ids", "n_tokens"],
        )
