"""Spans: the tokens of a word in running text, that is of a space and the word, without special tokens."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, islice
from typing import TYPE_CHECKING

import pyarrow as pa

from lexkit.errors import TokenizerError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_BATCH = 25_000
"""Words encoded at once: enough for all cores, and few enough that their encodings are freed before they pile up."""
_GROUP = 250
"""Words in one encoding, as if they were a text that somebody else had cut into words: to make an encoding and take its
ids out costs more than most words do."""
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
        f"the tokenizer cuts {_BEFORE + ' ' + _PROBES[0]!r} differently from its two words, so words have no spans of "
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
    encode = _encode_groups if _keeps_apart(tokenizer, lead) else _encode_each

    # The next batch is encoded, outside Python's lock, while this one is looked through
    with ThreadPoolExecutor(1) as executor:
        waiting = [executor.submit(encode, tokenizer, lead, batch) for batch in islice(batches, 1)]
        while waiting:
            encodings = waiting.pop().result()
            waiting += [executor.submit(encode, tokenizer, lead, batch) for batch in islice(batches, 1)]
            yield _record_batch(encodings)


def _encode_groups(tokenizer: Tokenizer, lead: str, words: Sequence[str]) -> list[tuple[int, Encoding]]:
    """Return encodings, each with the number of its words."""
    texts = [lead + word for word in words]
    groups = [texts[start : start + _GROUP] for start in range(0, len(texts), _GROUP)]
    # not encode_batch_fast, which does not tell which word a token is of
    encodings = tokenizer.encode_batch(groups, is_pretokenized=True, add_special_tokens=False)
    return list(zip(map(len, groups), encodings, strict=True))


def _encode_each(tokenizer: Tokenizer, lead: str, words: Sequence[str]) -> list[tuple[int, Encoding]]:
    encodings = tokenizer.encode_batch_fast([lead + word for word in words], add_special_tokens=False)
    return [(1, encoding) for encoding in encodings]


def _keeps_apart(tokenizer: Tokenizer, lead: str) -> bool:
    """Whether words that are encoded in a group get the tokens that each gets alone, and can be told apart."""
    alone = _record_batch(_encode_each(tokenizer, lead, _PROBES))
    together = _encode_groups(tokenizer, lead, _PROBES)
    told = all(place is not None for _, encoding in together for place in encoding.word_ids)
    return told and _record_batch(together).equals(alone)


def _record_batch(encodings: Sequence[tuple[int, Encoding]]) -> pa.RecordBatch:
    ids, counts = array("i"), array("i")
    for n_words, encoding in encodings:
        ids.fromlist(encoding.ids)
        if n_words == 1:
            counts.append(len(encoding))
        else:
            n_tokens = Counter(encoding.word_ids)
            counts.extend(n_tokens[place] for place in range(n_words))
    offsets = array("i", accumulate(counts, initial=0))
    token_ids = pa.ListArray.from_arrays(_column(offsets), _column(ids))
    return pa.record_batch([token_ids, _column(counts)], names=["token_ids", "n_tokens"])


def _column(numbers: array[int]) -> pa.Array:
    # pa.array() would look at every number as an object
    return pa.Array.from_buffers(pa.int32(), len(numbers), [None, pa.py_buffer(numbers)])
