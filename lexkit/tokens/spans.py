"""Spans: the tokens of a word in running text, that is, of a space and the word, without special tokens.

A word that a tokenizer cannot encode has no span: it returns its unknown token, returns nothing, or drops a part.
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
"""Number of words encoded at a time: enough to use all cores, and few enough to keep the encodings in memory."""
_GROUP = 250
"""Number of words in one encoding, passed as a text that is already split into words. Making an encoding and reading
its ids takes longer than most words do."""
_BEFORE = "a"
_PROBES = ("word", "unkind", "ice cream", "naïve", "Paris")
_NOT_IN_VOCABULARIES = "\U000f1234"
"""A private-use character, which no vocabulary has."""


class _Model(msgspec.Struct):
    """The unknown token in the serialisation of a tokenizer."""

    unk_token: str | None = None
    unk_id: int | None = None


class _Serialised(msgspec.Struct):
    model: _Model


def fingerprint(tokenizer: Tokenizer) -> str:
    """Return the SHA-256 (hex) of the tokenizer's own serialisation."""
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """Return the id of a tokenizer's unknown token, or None if it has none."""
    model = msgspec.json.decode(tokenizer.to_str(), type=_Serialised).model
    found: int | None = model.unk_id if model.unk_token is None else tokenizer.token_to_id(model.unk_token)
    return found


def leading_space(tokenizer: Tokenizer) -> str:
    """Return what to put before a word to get the tokens that it has in running text: a space or nothing.

    Most tokenizers need the space. Those in SentencePiece's old form (``tokenizer.json`` of Llama-2 and Mistral-7B) add
    a space before any text, and would turn a second one into a token of its own. To find out, a few words are encoded
    after another word.

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
    except Exception as error:  # tokenizers raises plain Exception
        raise TokenizerError(
            f"the tokenizer cannot encode English words ({first_line(error)}); choose another tokenizer"
        ) from error
    raise TokenizerError(
        f"the tokenizer splits {_BEFORE + ' ' + _PROBES[0]!r} differently from its two words, so words have no spans "
        "of their own; choose another tokenizer"
    )


def spans(tokenizer: Tokenizer, words: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield batches with the columns ``token_ids`` (list of int32) and ``n_tokens`` (int32), one row for each word.

    Both are null for a word that the tokenizer cannot encode. This turns off the tokenizer's truncation and padding.

    Raises:
        TokenizerError: see `leading_space`.
    """
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lead, unk = leading_space(tokenizer), unknown_id(tokenizer)
    batches = (words[start : start + _BATCH] for start in range(0, len(words), _BATCH))
    encode: _Encode = _encode_groups if _keeps_apart(tokenizer, lead) else _encode_each
    if unk is None and _drops_unknown(tokenizer):
        encode = _encode_complete

    # The next batch is encoded, outside Python's lock, while this one is converted
    with ThreadPoolExecutor(1) as executor:
        waiting = [executor.submit(encode, tokenizer, lead, batch) for batch in islice(batches, 1)]
        while waiting:
            encodings = waiting.pop().result()
            waiting += [executor.submit(encode, tokenizer, lead, batch) for batch in islice(batches, 1)]
            yield _record_batch(encodings, unk)


def _encode_groups(tokenizer: Tokenizer, lead: str, words: Sequence[str]) -> _Encodings:
    """Encode words in groups; return the number of words and the encoding of each group."""
    texts = [lead + word for word in words]
    groups = [texts[start : start + _GROUP] for start in range(0, len(texts), _GROUP)]
    # not encode_batch_fast, which does not say to which word a token belongs
    encodings = tokenizer.encode_batch(groups, is_pretokenized=True, add_special_tokens=False)
    return list(zip(map(len, groups), encodings, strict=True))


def _encode_each(tokenizer: Tokenizer, lead: str, words: Sequence[str]) -> _Encodings:
    encodings = tokenizer.encode_batch_fast([lead + word for word in words], add_special_tokens=False)
    return [(1, encoding) for encoding in encodings]


def _encode_complete(tokenizer: Tokenizer, lead: str, words: Sequence[str]) -> _Encodings:
    """Encode words one by one, with None for a word that has characters which the tokenizer lacks."""
    alphabet = {*"".join(tokenizer.get_vocab(with_added_tokens=True)), " "}

    def complete(text: str) -> Encoding | None:
        try:
            encoding = tokenizer.encode(text, add_special_tokens=False)
        except Exception:  # tokenizers raises plain Exception for characters outside the vocabulary
            return None
        return encoding if alphabet.issuperset(_model_input(tokenizer, text)) else None

    return [(1, complete(lead + word)) for word in words]


def _model_input(tokenizer: Tokenizer, text: str) -> str:
    """Return *text* as the tokenizer passes it to its model, normalized and split."""
    if tokenizer.normalizer is not None:
        text = tokenizer.normalizer.normalize_str(text)
    if tokenizer.pre_tokenizer is None:
        return text
    return "".join(piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))


def _drops_unknown(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer without an unknown token drops characters outside its vocabulary, or fails on them."""
    texts = (f"{_NOT_IN_VOCABULARIES}a", "a")
    try:
        with_it, without = (tokenizer.encode(text, add_special_tokens=False).ids for text in texts)
    except Exception:  # as above
        return True
    return bool(with_it == without)


def _keeps_apart(tokenizer: Tokenizer, lead: str) -> bool:
    """Whether each word in a group gets the tokens that it gets alone, and every token names its word.

    Without numpy, which tokenizers does not depend on, encoding a group ends in a panic.
    """
    if find_spec("numpy") is None:
        return False
    alone = _record_batch(_encode_each(tokenizer, lead, _PROBES))
    together = _encode_groups(tokenizer, lead, _PROBES)
    are_named = all(place is not None for _, encoding in together if encoding for place in encoding.word_ids)
    return are_named and _record_batch(together).equals(alone)


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
    """Return the places of words that have no tokens or contain the unknown token."""
    lacking = {place for place, count in enumerate(counts) if count == 0} if 0 in counts else set()
    if unk is not None and unk in ids:
        lacking.update(bisect_right(offsets, place) - 1 for place, token in enumerate(ids) if token == unk)
    return lacking


def _column(numbers: array[int]) -> pa.Array:
    # pa.array() would convert every number to an object
    return pa.Array.from_buffers(pa.int32(), len(numbers), [None, pa.py_buffer(numbers)])
