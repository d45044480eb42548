"""Encode documents as rows of token ids, and mark which tokens are predicted and which belong to words.

Arrays are indexed by token here. The position that predicts token j is t = j - 1 (see `batches`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lexkit.text import fold
from lexkit_distill.chat import ChatTemplate, RenderedChat, Span
from lexkit_distill.corpus import Document
from lexkit_distill.errors import DataError
from lexkit_distill.supervision.relations import Relations
from lexkit_distill.tokenization import TextEncoder

if TYPE_CHECKING:
    from tokenizers import Encoding

Int32 = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]
_READ = 512
"""Most documents to tokenize at a time; the tokenizer uses all CPUs for them."""
_CHARACTERS = 1 << 21
"""Most characters to tokenize at a time, since tokens with offsets need about 60 bytes per character."""
_WORD = re.compile("[^\\W_]+(?:[-'\u2019](?!s\\b)[^\\W_]+)*")
"""Pattern of a word in running text: well-known and don't are single words, dog's contains the word dog."""


class WordFinder:
    """Finds the tokens of a text that are whole words, and those that end a word with relations.

    Args:
        relations: relations of a store; None finds no words.
        vocabulary: rows of the head (V); a word of several tokens has the number V + its index in *relations*.
        multi_token_words: whether to find words of several tokens, at their last token.
        forms: whether a word of several tokens that is a form of a word in *relations* counts as that word.
        is_head: returns whether the relations of the word text[begin:end] may be used; by default, always.
    """

    def __init__(
        self,
        relations: Relations | None,
        vocabulary: int,
        *,
        multi_token_words: bool = False,
        forms: bool = False,
        is_head: Callable[[str, int, int], bool] = lambda *_: True,
    ) -> None:
        self._single = relations is not None
        self._is_head, self._vocabulary = is_head, vocabulary
        self._places: dict[str, int] = {}
        self._relations = relations if forms else None
        if relations is not None and multi_token_words:
            words = relations.words["word"].to_pylist()
            for place, word in enumerate(words):
                self._places.setdefault(fold(word), place)
            self._places.update({word: place for place, word in enumerate(words)})

    def words(self, text: str, token_ids: list[int], spans: list[tuple[int, int]]) -> Int32:
        """Return the word of each token (n,): the token's own id, V + the index of a longer word, or -1.

        Args:
            text: the text that was tokenized.
            token_ids: (n,) token ids of the text.
            spans: begin and end of each token in the text.
        """
        if not self._single:
            return np.full(len(token_ids), -1, dtype=np.int32)
        found = [-1] * len(token_ids)
        starts = {match.end(): match.start() for match in _WORD.finditer(text)}
        for number, (start, end) in enumerate(spans):
            begin = starts.get(end)
            if begin is None or end == start:
                continue
            if start < begin and text[start:begin].isspace():
                start = begin
            if start == begin and self._is_head(text, begin, end):
                found[number] = token_ids[number]
            elif start > begin and self._places and self._is_head(text, begin, end):
                place = self._place(text[begin:end])
                if place >= 0:
                    found[number] = self._vocabulary + place
        return np.array(found, dtype=np.int32)

    def _place(self, word: str) -> int:
        """Return the index of a word in the relations, or -1."""
        place = self._places.get(word)
        if place is None:
            place = self._places.get(fold(word), -1)
            if place < 0 and self._relations is not None:
                answering = self._relations.answering(word)
                place = next((self._places[lemma] for lemma in answering if self._places.get(lemma, -1) >= 0), -1)
                self._places[word] = place  # look up each word only once
        return place


class Row(NamedTuple):
    """A row as used in training, and the text that it comes from."""

    token_ids: Int32
    """(n,) token ids."""
    is_target: Bool
    """(n,) whether each token is predicted."""
    words: Int32
    """(n,) word of each token, as in `TokenData`."""
    read_texts: Callable[[], list[str]]
    """Computes `texts`, which only previews need."""

    @property
    def texts(self) -> list[str]:
        """(n,) part of the text that each token covers; joined over all rows of a text, the parts make up the text.

        Tokens added before or after the text (BOS, EOS) are represented by their names.
        """
        return self.read_texts()


class RowEncoder:
    """Encodes documents as rows of tokens.

    Plain texts are predicted completely. They are split into rows of *max_length* tokens that overlap by one token, so
    that every token is predicted once (except the first one if the tokenizer has no BOS). Of chats, and of prompts with
    completions, either the assistant's turns and completions or all tokens are predicted; they are never split.

    Args:
        encoder: encoder of the teacher.
        finder: finds words in a text.
        max_length: most tokens of a row.
        loss_on: which tokens of chats, and of prompts with completions, are predicted.
        too_long: what to do with chats and completions of more than *max_length* tokens.
        end_token: whether texts and completions end with the tokenizer's end-of-text token.
        dropped: counts what is left out, by reason.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        finder: WordFinder,
        *,
        max_length: int,
        loss_on: Literal["completion", "all"] = "completion",
        too_long: Literal["error", "drop"] = "error",
        end_token: bool = True,
        dropped: Counter[str],
    ) -> None:
        self._encoder, self._finder, self._template = encoder, finder, ChatTemplate(encoder.tokenizer)
        self._max_length, self._loss_on, self._too_long = max_length, loss_on, too_long
        self._end = encoder.end if end_token else None
        self._dropped = dropped

    def rows(self, samples: Iterable[Document]) -> Iterator[Row]:
        """Yield the rows of documents, in order.

        Raises:
            DataError: a document is too long, or contains a token that the model has no weights for.
            CorpusError: there is no chat template for a chat, or the template rejects it.
        """
        for marked in self._marked_together(samples):
            encodings = self._encoder.encode([mark.text for _, mark in marked])
            for (where, mark), encoding in zip(marked, encodings, strict=True):
                self._encoder.check(encoding.ids, where)
                for row in self._rows(where, mark, encoding):
                    if row.is_target.any():
                        yield row
                    else:
                        self._dropped["nothing to predict"] += 1

    def _marked_together(self, samples: Iterable[Document]) -> Iterator[list[tuple[str, _Marked]]]:
        """Yield groups of documents to tokenize together, each with its location for error messages."""
        marked: list[tuple[str, _Marked]] = []
        characters = 0
        for sample in samples:
            marked.append((sample.where, self._marked(sample)))
            characters += len(marked[-1][1].text)
            if len(marked) == _READ or characters >= _CHARACTERS:
                yield marked
                marked, characters = [], 0
        if marked:
            yield marked

    def _marked(self, sample: Document) -> _Marked:
        if sample.text is not None:
            text = (sample.prompt or "") + sample.text
            if sample.prompt and self._loss_on == "completion":
                return _Marked(text, [(len(sample.prompt), len(text))], False)
            return _Marked(text, None, not sample.prompt)
        messages, where, everything = sample.messages, sample.where, self._loss_on == "all"
        last = len(messages) - 1
        try:
            context = last if everything else sample.context_turns
            chat = self._template.render(messages, where, context_turns=context, tools=sample.tools)
        except DataError:
            if not everything:
                raise
            chat = RenderedChat(self._template.text(messages, where, tools=sample.tools), (), ended=True)
        return _Marked(chat.text, None if everything else list(chat.turns), False, chat.ended)

    def _rows(self, where: str, mark: _Marked, encoding: Encoding) -> Iterator[Row]:
        ids, spans = encoding.ids, encoding.offsets  # every access creates a new list
        words = self._finder.words(mark.text, ids, spans)
        is_target, ending = _targets(spans, mark.predicted), []
        if self._end is not None and not mark.ended and ids[-1:] != [self._end]:
            ids.append(self._end)
            words, is_target = np.append(words, np.int32(-1)), np.append(is_target, True)
            ending.append(self._end)
        first = self._encoder.beginning
        first = [] if ids[: len(first)] == first else first
        length = len(first) + len(ids)
        if mark.is_text:
            pieces = list(self._encoder.pieces(len(ids), self._max_length, overlap=1))
        elif length <= self._max_length:
            pieces = [slice(0, len(ids))]
        elif self._too_long == "drop":
            self._dropped["longer than --max-length"] += 1
            return
        else:
            raise DataError(
                f"{where}: {length:,} tokens, and --max-length is {self._max_length:,}; raise it if the model allows, "
                "shorten the document, or leave out long ones with --too-long drop"
            )
        for piece in pieces:
            begun = self._encoder.beginning if piece.start else first
            row = Row(
                np.array([*begun, *ids[piece]], dtype=np.int32),
                np.concatenate([np.zeros(len(begun), bool), is_target[piece]]),
                np.concatenate([np.full(len(begun), -1, np.int32), words[piece]]),
                partial(self._texts, mark.text, spans, ending, begun, piece),
            )
            row.is_target[0] = False
            if piece.start:  # the overlapping token was predicted at the end of the row before
                row.is_target[len(begun)] = False
            yield row

    def _texts(self, text: str, spans: list[Span], ending: list[int], begun: list[int], piece: slice) -> list[str]:
        texts = [*token_texts(text, spans), *map(self._name, ending)]
        return [*map(self._name, begun), *texts[piece]]

    def _name(self, token: int) -> str:
        return str(self._encoder.tokenizer.convert_ids_to_tokens(token))


class _Marked(NamedTuple):
    text: str
    predicted: list[Span] | None
    """Predicted parts of the text; None for all of it."""
    is_text: bool
    """Whether the document is a plain text, which may be split into rows."""
    ended: bool = False
    """Whether the text already has its end, so that no end-of-text token is added."""


def token_texts(text: str, spans: list[Span]) -> list[str]:
    """Return the part of *text* that each token covers (n,); joined, the parts make up the text.

    A character that several tokens encode belongs to the first of them. Characters that no token covers (space that the
    tokenizer drops) belong to the next token, or to the last one.
    """
    if not spans:
        return []
    ends = np.maximum.accumulate([end for _, end in spans]).tolist()
    ends[-1] = len(text)
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _targets(offsets: list[Span], predicted: list[Span] | None) -> Bool:
    """Return whether each token (n,) covers a predicted character; space before a token belongs to that token."""
    if predicted is None:
        return np.ones(len(offsets), dtype=bool)
    spans = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    ends = spans[:, 1]
    starts = np.minimum(spans[:, 0], np.r_[0, np.maximum.accumulate(ends)[:-1]])
    is_target: Bool = np.zeros(len(ends), dtype=bool)
    for begin, end in predicted:
        if begin < end:  # an empty answer without an end has nothing to predict
            is_target |= (starts < end) & (ends > begin)
    return is_target
