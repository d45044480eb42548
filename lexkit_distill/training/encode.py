"""Samples as token ids, with what each token is: a target or not, and of which word.

Everything here is by token; the position that predicts token j is t = j - 1 (`batches`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lexkit.text import fold
from lexkit_distill.errors import DataError
from lexkit_distill.senses.lexical import Relations
from lexkit_distill.senses.plan import chat_text
from lexkit_distill.training.samples import Sample

Int32 = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]
_READ = 512
_WORD = re.compile("[^\\W_]+(?:[-'\u2019](?!s\\b)[^\\W_]+)*")
"""A word of running text; well-known and don't are one, the dog of dog's is one."""


@dataclass(frozen=True)
class TokenData:
    """Rows of tokens, one after the other. A row is a sample, or a piece of a long text."""

    token_ids: Int32
    """(N,)"""
    is_target: Bool
    """(N,) whether the token is to be predicted."""
    words: Int32
    """(N,) what `Supervision` calls the word of a token."""
    offsets: npt.NDArray[np.int64]
    """(rows + 1,) row r is token_ids[offsets[r]:offsets[r + 1]]."""
    samples: int
    dropped: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(rows,) tokens of each row."""
        return np.diff(self.offsets)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of everything that training reads."""
        return _digest(self.token_ids, self.is_target, self.words, self.offsets)

    @cached_property
    def states_fingerprint(self) -> str:
        """SHA-256 (hex) of what the teacher's states depend on: all but the words."""
        return _digest(self.token_ids, self.is_target, self.offsets)


def _digest(*parts: np.ndarray) -> str:
    digest = sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


class WordFinder:
    """Finds which tokens of a text are words, or the last of words, that have relations.

    Args:
        relations: of a store; None finds nothing.
        vocabulary: V: a word of several tokens has the number V + its place in *relations*.
        multi_token_words: whether the last token of a longer word counts.
        spaced_only: only words of more than two letters after a space (a deviation of the authors' code).
    """

    def __init__(
        self,
        relations: Relations | None,
        vocabulary: int,
        *,
        multi_token_words: bool = False,
        spaced_only: bool = False,
    ) -> None:
        self._single = relations is not None
        self._spaced_only, self._vocabulary = spaced_only, vocabulary
        self._places: dict[str, int] = {}
        if relations is not None and multi_token_words:
            words = relations.words["word"].to_pylist()
            for place, word in enumerate(words):
                self._places.setdefault(fold(word), place)
            self._places.update({word: place for place, word in enumerate(words)})

    def words(self, text: str, token_ids: list[int], spans: list[tuple[int, int]]) -> Int32:
        """Return the word of each token (n,): its own id, V + a place, or -1.

        Args:
            text: what was cut.
            token_ids: (n,)
            spans: where each token begins and ends in the text.
        """
        found = np.full(len(token_ids), -1, dtype=np.int32)
        if not self._single:
            return found
        starts = {match.end(): match.start() for match in _WORD.finditer(text)}
        for number, (start, end) in enumerate(spans):
            begin = starts.get(end)
            if begin is None or end == start:
                continue
            while start < end and text[start].isspace():
                start += 1
            if self._spaced_only and not (end - begin > 2 and text[begin - 1 : begin].isspace()):
                continue
            if start == begin:
                found[number] = token_ids[number]
            elif start > begin and self._places:
                word = text[begin:end]
                place = self._places.get(word, self._places.get(fold(word), -1))
                if place >= 0:
                    found[number] = self._vocabulary + place
        return found


def encode(
    samples: Iterable[Sample],
    tokenizer: Any,  # noqa: ANN401  # a transformers tokenizer
    finder: WordFinder,
    *,
    max_length: int,
    loss_on: Literal["completion", "all"] = "completion",
    too_long: Literal["error", "drop"] = "error",
    dropped: Counter[str],
) -> TokenData:
    """Cut samples into tokens.

    A text is all target, and is cut into rows of *max_length* that overlap by a token, so that every token but the
    first is predicted once. Of a prompt with completion, and of a chat, the targets are the completion or the
    assistant's turns (with the end of the turn), or everything.

    Args:
        samples: in order.
        tokenizer: the teacher's.
        finder: of words.
        max_length: tokens of a row.
        loss_on: what is a target.
        too_long: what becomes of a chat or completion of more than *max_length* tokens.
        dropped: counts what is left out, by reason.

    Raises:
        DataError: no samples, or one that is too long.
        CorpusError: chats without a chat template, or that it refuses.
    """
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    parts: list[tuple[Int32, Bool, Int32]] = []
    number = 0
    source = iter(samples)
    while some := list(islice(source, _READ)):
        marked = [_marked(sample, tokenizer, loss_on) for sample in some]
        for sample, mark, encoding in zip(some, marked, _encodings(backend, some, marked), strict=True):
            number += 1
            ids = np.array(encoding.ids, dtype=np.int32)
            is_target = _targets(encoding, mark.targets)
            words = finder.words(mark.text, encoding.ids, encoding.offsets)
            whole = mark.targets is not None
            if whole and len(ids) > max_length:
                if too_long == "drop":
                    dropped["longer than --max-length"] += 1
                    continue
                raise DataError(
                    f"{sample.where}: {len(ids):,} tokens, and --max-length is {max_length:,}; raise it as far as the "
                    "model allows, shorten the sample, or leave such ones out with --too-long drop"
                )
            for start in range(0, max(len(ids) - 1, 0), max_length - 1):
                rows = slice(start, start + max_length)
                if is_target[start + 1 : start + max_length].any():
                    parts.append((ids[rows], is_target[rows], words[rows]))
                else:
                    dropped["nothing to predict"] += 1
    if not parts:
        raise DataError("the training data hold nothing to predict: no samples, or only empty ones; check --data")
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    offsets = np.r_[0, np.cumsum([len(ids) for ids, _, _ in parts])].astype(np.int64)
    return TokenData(columns[0], columns[1], columns[2], offsets, number, dict(dropped))


@dataclass(frozen=True)
class _Marked:
    text: str
    targets: list[tuple[int, int]] | None
    """Spans of the text that are to be predicted; None for a plain text, all of which is."""
    is_chat: bool


def _marked(sample: Sample, tokenizer: Any, loss_on: str) -> _Marked:  # noqa: ANN401
    if sample.text is not None:
        text = sample.prompt + sample.text
        if not sample.prompt:
            return _Marked(text, None, False)
        begin = 0 if loss_on == "all" else len(sample.prompt)
        return _Marked(text, [(begin, len(text))], False)
    text = chat_text(sample.messages, sample.where, tokenizer)
    spans = [(0, len(text))] if loss_on == "all" else list(_turns(sample, text, tokenizer))
    return _Marked(text, spans, True)


def _turns(sample: Sample, text: str, tokenizer: Any) -> Iterator[tuple[int, int]]:  # noqa: ANN401
    """Where the assistant's turns are in a rendered chat: from the content to the end of the turn."""
    turns = [number for number, message in enumerate(sample.messages) if message["role"] == "assistant"]
    for number in turns[-1:] if sample.last_turn_only else turns:
        before = chat_text(sample.messages[:number], sample.where, tokenizer) if number else ""
        after = chat_text(sample.messages[: number + 1], sample.where, tokenizer)
        begin = text.find(str(sample.messages[number]["content"]).strip(), len(before))
        if not text.startswith(before) or not text.startswith(after.rstrip()) or begin < 0:
            raise DataError(
                f"{sample.where}: the chat template changes earlier turns when others follow, so that completions "
                "cannot be told from prompts; use --loss-on all, or 'prompt' and 'completion'"
            )
        yield begin, len(after.rstrip())


def _encodings(backend: Any, some: list[Sample], marked: list[_Marked]) -> list[Any]:  # noqa: ANN401
    result: list[Any] = [None] * len(some)
    for is_chat in (False, True):  # a chat template writes the special tokens itself
        places = [place for place, mark in enumerate(marked) if mark.is_chat == is_chat]
        texts = [marked[place].text for place in places]
        encoded = backend.encode_batch(texts, add_special_tokens=not is_chat)
        for place, encoding in zip(places, encoded, strict=True):
            result[place] = encoding
    return result


def _targets(encoding: Any, spans: list[tuple[int, int]] | None) -> Bool:  # noqa: ANN401
    """(n,) whether each token ends in one of the spans and is not empty; special tokens a tokenizer adds are not."""
    added = np.array(encoding.special_tokens_mask, dtype=bool)
    if spans is None:
        return np.asarray(~added)
    ends = np.array([end for _, end in encoding.offsets])
    is_target: Bool = np.zeros(len(ends), dtype=bool)
    for begin, end in spans:
        is_target |= (ends > begin) & (ends <= end)
    return np.asarray(is_target & ~added)
