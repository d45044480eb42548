"""Spans: the tokens of a word in running text, that is of a space and the word, without special tokens."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from lexkit.errors import TokenizerError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_BATCH = 25_000
"""Words encoded at once: enough for all cores, and few enough that their encodings are freed before they pile up."""
_BEFORE = "a"
_PROBES = ("word", "unkind", "ice cream", "naïve", "Paris")


def fingerprint(tokenizer: Tokenizer) -> str:
    """Return the SHA-256 (hex) of the tokenizer's own serialisation."""
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()


def leading(tokenizer: Tokenizer) -> str:
    """Return what to put before a word to get the tokens that it has in running text: a space or nothing.

    Most tokenizers want the space. Those in SentencePiece's old form (``tokenizer.json`` of Llama-2 and Mistral-7B)
    put a space of their own before any text, so that a second one would become a token of its own. Which of the two a
    tokenizer is shows when it cuts a few words after another word.

    Raises:
        TokenizerError: neither gives the tokens of running text.
    """

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    before = encode(_BEFORE)
    for lead in (" ", ""):
        if all(encode(f"{_BEFORE} {word}") == before + encode(lead + word) for word in _PROBES):
            return lead
    raise TokenizerError(
        f"the tokenizer cuts {_BEFORE + ' ' + _PROBES[0]!r} otherwise than its two words, so words have no spans of "
        "their own; choose another tokenizer"
    )


def spans(tokenizer: Tokenizer, words: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield batches of ``token_ids`` (list of int32) and ``n_tokens`` (int32), a row a word, in order.

    Truncation and padding of the tokenizer are turned off.

    Raises:
        TokenizerError: see `leading`.
    """
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lead = leading(tokenizer)
    batches = (words[start : start + _BATCH] for start in range(0, len(words), _BATCH))

    def encode(batch: Sequence[str]) -> list[Encoding]:
        return tokenizer.encode_batch_fast([lead + word for word in batch], add_special_tokens=False)

    # The next batch is encoded, outside Python's lock, while this one is looked through
    with ThreadPoolExecutor(1) as executor:
        waiting = [executor.submit(encode, batch) for batch in islice(batches, 1)]
        while waiting:
            encodings = waiting.pop().result()
            waiting += [executor.submit(encode, batch) for batch in islice(batches, 1)]
            yield _record_batch(encodings)


def _record_batch(encodings: Sequence[Encoding]) -> pa.RecordBatch:
    ids, offsets = array("i"), array("i", [0])
    for encoding in encodings:
        ids.fromlist(encoding.ids)
        offsets.append(len(ids))
    token_ids = pa.ListArray.from_arrays(_column(offsets), _column(ids))
    return pa.record_batch([token_ids, pc.list_value_length(token_ids)], names=["token_ids", "n_tokens"])


def _column(numbers: array[int]) -> pa.Array:
    # pa.array() would look at every number as an object
    return pa.Array.from_buffers(pa.int32(), len(numbers), [None, pa.py_buffer(numbers)])
