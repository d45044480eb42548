"""Which words of a store answer for a word that somebody asks for: itself, other spellings of it, and its lemmas."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from lexkit.errors import ArgumentError
from lexkit.sources.records import FormKind, Kind
from lexkit.store.forms import RULES, misspelt_lemmas, propose_forms
from lexkit.store.index import Index
from lexkit.store.results import WordForm
from lexkit.store.spelling import ends_as_capitals, find_unusual, search_key, twins
from lexkit.text import fold, normalize_word

_NO_JOINERS = dict.fromkeys(map(ord, "\u200c\u200d"), "")


class Resolver:
    """Finds the words of a store; what it needs beside the index is read when it is first needed.

    Args:
        index: of the store.
        rows: runs a query on the store and returns its rows.
    """

    def __init__(self, index: Index, rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
        self.index = index
        self._rows = rows

    def ids(self, word: str) -> list[int]:
        """Return the ids of a word as it is written, or else of all that differ only in case, or else in spelling.

        Any apostrophes and any joiners are as it is written: l'homme, l\u2019homme. What other spellings count,
        `lexkit.store.spelling.search_key` says.

        Raises:
            ArgumentError: *word* is not text.
        """
        if not isinstance(word, str):
            raise ArgumentError(f"word={word!r}: give a word, such as 'happy'")
        normal = normalize_word(word)
        if not normal.translate(_NO_JOINERS).isprintable():
            return []  # no word of a store, and a lone surrogate could not even be asked for
        exact = [self.index.find(spelling) for spelling in (normal, *twins(normal))]
        found = list(dict.fromkeys(word_id for word_id in exact if word_id is not None))
        folded = fold(normal)
        by_case = [] if found or ends_as_capitals(folded) else self._by_case(folded)
        return found or by_case or self.by_key(normal)

    def _by_case(self, folded: str) -> list[int]:
        lower = self.index.find(folded)
        return sorted([*([lower] if lower is not None else []), *self._capitalized.get(folded, [])])

    def by_key(self, normal: str) -> list[int]:
        """Return the ids of the words that are spelt like one that the store does not have, in their order."""
        key = search_key(normal)
        return sorted({*self._unusual.get(key, []), *self._by_case(key)})

    def forms(self, word: str) -> list[WordForm]:
        """Return what a word is a form of; see `lexkit.store.lexicon.Lexicon.forms`."""
        ids = self.ids(word)
        if ids:
            return [
                WordForm(self.index.word(word_id), self.index.word(lemma), kind, source)
                for word_id in ids
                for lemma, kind, source in self._forms.get(word_id, ())
            ]
        normal = normalize_word(word)
        if not normal.translate(_NO_JOINERS).isprintable():
            return []
        for form in dict.fromkeys((normal, fold(normal), search_key(normal))):
            if found := propose_forms(form, self.index, self._language):
                lemmas = dict.fromkeys((candidate.lemma, candidate.kind) for candidate in found)
                return [WordForm(form, lemma, kind, RULES) for lemma, kind in lemmas]
        return []

    def misspelt_lemmas(self, word: str) -> list[str]:
        """Return the words that a misspelt form may be of; see `lexkit.store.forms.misspelt_lemmas`."""
        return misspelt_lemmas(search_key(normalize_word(word)), self.index, self._language)

    def answering(self, word: str, forms: bool, kind: Kind | None = None) -> list[int]:
        """Return the ids of the words whose relations, all or of one kind, answer for a word."""
        found = self.ids(word)
        if not forms:
            return found
        if not found:
            found = [word_id for form in self.forms(word) for word_id in self.ids(form.lemma)]
        for word_id in found:  # which grows meanwhile: colours, colour, color
            # left is a word of its own, whose antonyms are not those of leave; named has antonyms only (unnamed)
            is_stated = self.index.is_stated(word_id, synonyms=kind == "synonym")
            for lemma, form_kind, _ in self._forms.get(word_id, ()):
                if lemma not in found and (form_kind == "spelling" or not is_stated):
                    found.append(lemma)
        return found

    @cached_property
    def _capitalized(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for word_id, folded in self._rows("SELECT word_id, folded FROM word WHERE word <> folded ORDER BY word_id"):
            found.setdefault(folded, []).append(word_id)
        return found

    @cached_property
    def _unusual(self) -> dict[str, list[int]]:
        return find_unusual(self.index.words)

    @cached_property
    def keys(self) -> list[str]:
        """The keys of all words, by their ids."""
        keys = [folded for (folded,) in self._rows("SELECT folded FROM word ORDER BY word_id")]
        for key, word_ids in self._unusual.items():
            for word_id in word_ids:
                keys[word_id] = key
        return keys

    @cached_property
    def _forms(self) -> dict[int, list[tuple[int, FormKind, str]]]:
        found: dict[int, list[tuple[int, FormKind, str]]] = {}
        for word_id, *form in self._rows("SELECT word_id, lemma_id, kind, source FROM form ORDER BY rowid"):
            found.setdefault(word_id, []).append(tuple(form))
        return found

    @cached_property
    def _language(self) -> str:
        ((language,),) = self._rows("SELECT value FROM meta WHERE key = 'language'")
        return str(language)
