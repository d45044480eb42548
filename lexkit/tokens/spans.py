"""Spans: the tokens of a word in running text, that is of a space and the word, without special tokens.

A word that a tokenizer cannot write has no span: it answers with its unknown token, with nothing, or leaves a part out.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import accumulate, islice
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from lexkit.errors import TokenizerError, first_line

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

    _Encodings = Sequence[tuple[int, Encoding | None]]
    _Encode = Callable[[Tokenizer, str, Sequence[str]], _Encodings]

_BATCH = 25_000
"""Words encoded at once: enough for all cores, and few enough that their encodings are freed before they pile up."""
_GROUP = 250
"""Words in one encoding, as if they were a text that somebody else had cut into words: to make an encoding and take its
ids out costs more than most words do."""
_BEFORE = "a"
_PROBES = ("word", "unkind", "ice cream", "naïve", "Paris")
_UNHEARD_OF = "\U000f1234"
"""A character for private use, which no vocabulary has."""


class _Model(msgspec.Struct):
    """What the serialisation of a tokenizer says of its unknown token."""

    unk_token: str | None = None
    unk_id: int | None = None


class _Serialised(msgspec.Struct):
    model: _Model


def fingerprint(tokenizer: Tokenizer) -> str:
    """Return the SHA-256 (hex) of the tokenizer's own serialisation."""
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()


def unknown(tokenizer: Tokenizer) -> int | None:
    """Return the id of the token with which a tokenizer answers for what its vocabulary lacks; None if it has none."""
    model = msgspec.json.decode(tokenizer.to_str(), type=_Serialised).model
    found: int | None = model.unk_id if model.unk_token is None else tokenizer.token_to_id(model.unk_token)
    return found


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

    try:
        before = encode(_BEFORE)
        for lead in (" ", ""):
            if all(encode(f"{_BEFORE} {word}") == before + encode(lead + word) for word in _PROBES):
                return lead
    except Exception as error:  # the library raises plain Exception
        raise TokenizerError(
            f"the tokenizer cannot cut English words ({first_line(error)}); choose another tokenizer"
        ) from error
    raise TokenizerError(
        f"the tokenizer cuts {_BEFORE + ' ' + _PROBES[0]!r} differently from its two words, so words have no spans of "
        "their own; choose another tokenizer"
    )


def spans(tokenizer: Tokenizer, words: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield batches of ``token_ids`` (list of int32) and ``n_tokens`` (int32), a row a word, in order.

    Both are null for a word that the tokenizer cannot write.

    Truncation and padding of the tokenizer are turned off.

    Raises:
        TokenizerError: see `leading`.
    """
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lead, unk = leading(tokenizer), unknown(tokenizer)
    batches = (words[start : start + _BATCH] for start in range(0, len(words), _BATCH))
    encode: _Encode = _encode_groups if _keeps_apart(tokenizer, lead) else _encode_each
    if unk is None and _is_silent(tokenizer):
        encode = _encode_written

    # The next batch is encoded, outside Python's lock, while this one is looked through
    with ThreadPoolExecutor(1) as executor:
        waiting = [executor.submit(encode, tokenizer, lead, batch) for batch in islice(batches, 1)]
        while waiting:
            encodings = waiting.pop().result()
            waiting += [executor.submit(encode, tokenizer, lead, batch) for batch in islice(batches, 1)]
            yield _record_batch(encodings, unk)


def _encode_groups(tokenizer: Tokenizer, lead: str, words: Sequence[str]) -> _Encodings:
    """Return encodings, each with the number of its words."""
    texts = [lead + word for word in words]
    groups = [texts[start : start + _GROUP] for start in range(0, len(texts), _GROUP)]
    # not encode_batch_fast, which does not tell which word a token is of
    encodings = tokenizer.encode_batch(groups, is_pretokenized=True, add_special_tokens=False)
    return list(zip(map(len, groups), encodings, strict=True))


def _encode_each(tokenizer: Tokenizer, lead: str, words: Sequence[str]) -> _Encodings:
    encodings = tokenizer.encode_batch_fast([lead + word for word in words], add_special_tokens=False)
    return [(1, encoding) for encoding in encodings]


def _encode_written(tokenizer: Tokenizer, lead: str, words: Sequence[str]) -> _Encodings:
    """Return encodings, None for a word of which the tokenizer lacks a part."""
    alphabet = {*"".join(tokenizer.get_vocab(with_added_tokens=True)), " "}

    def written(text: str) -> Encoding | None:
        try:
            encoding = tokenizer.encode(text, add_special_tokens=False)
        except Exception:  # the library raises nothing more special for what a vocabulary lacks
            return None
        return encoding if alphabet.issuperset(_as_the_model_sees(tokenizer, text)) else None

    return [(1, written(lead + word)) for word in words]


def _as_the_model_sees(tokenizer: Tokenizer, text: str) -> str:
    if tokenizer.normalizer is not None:
        text = tokenizer.normalizer.normalize_str(text)
    if tokenizer.pre_tokenizer is None:
        return text
    return "".join(piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))


def _is_silent(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer without an unknown token passes over what its vocabulary lacks, or fails at it."""
    try:
        with_it, without = (tokenizer.encode(text, add_special_tokens=False).ids for text in (f"{_UNHEARD_OF}a", "a"))
    except Exception:  # as above
        return True
    return bool(with_it == without)


def _keeps_apart(tokenizer: Tokenizer, lead: str) -> bool:
    """Whether words that are encoded in a group get the tokens that each gets alone, and can be told apart.

    Without numpy, which is not among its dependencies, the library ends in a panic where it is given a group.
    """
    if find_spec("numpy") is None:
        return False
    alone = _record_batch(_encode_each(tokenizer, lead, _PROBES))
    together = _encode_groups(tokenizer, lead, _PROBES)
    told = all(place is not None for _, encoding in together if encoding for place in encoding.word_ids)
    return told and _record_batch(together).equals(alone)


def _record_batch(encodings: _Encodings, unk: int | None = None) -> pa.RecordBatch:
    ids, counts = array("i"), array("i")
    for n_words, encoding in encodings:
        if encoding is None:
            counts.append(0)
            continue
        ids.fromlist(encoding.ids)
        if n_words == 1:
            counts.append(len(encoding))
        else:
            n_tokens = Counter(encoding.word_ids)
            counts.extend(n_tokens[place] for place in range(n_words))
    offsets = array("i", accumulate(counts, initial=0))
    token_ids = pa.ListArray.from_arrays(_column(offsets), _column(ids))
    columns = [token_ids, _column(counts)]
    lacking = _lacking(ids, offsets, counts, unk)
    if lacking:
        is_there = pa.array([place not in lacking for place in range(len(counts))])
        columns = [pc.if_else(is_there, column, None) for column in columns]
    return pa.record_batch(columns, names=["token_ids", "n_tokens"])


def _lacking(ids: array[int], offsets: array[int], counts: array[int], unk: int | None) -> set[int]:
    """Return the places of the words that have no tokens, or an unknown one."""
    lacking = {place for place, count in enumerate(counts) if count == 0} if 0 in counts else set()
    if unk is not None and unk in ids:
        lacking.update(bisect_right(offsets, place) - 1 for place, token in enumerate(ids) if token == unk)
    return lacking


def _column(numbers: array[int]) -> pa.Array:
    # pa.array() would look at every number as an object
    return pa.Array.from_buffers(pa.int32(), len(numbers), [None, pa.py_buffer(numbers)])
