"""Find the words of a store that are meant by a word that a user asks for: itself, other spellings, and its lemmas."""

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
from lexkit.store.statistics import LANGUAGE
from lexkit.text import fold, normalize_word

_NO_JOINERS = dict.fromkeys(map(ord, "\u200c\u200d"), "")


class Resolver:
    """Finds the words of a store. Data that are not in the index are read when they are first needed.

    Args:
        index: index of the store.
        rows: function that runs a query on the store and returns its rows.
    """

    def __init__(self, index: Index, rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
        self.index = index
        self._rows = rows

    def ids(self, word: str) -> list[int]:
        """Return the ids of a word as it is written, or else of words that differ only in case, or else in spelling.

        Apostrophes and joiners make no difference: l'homme, l\u2019homme. `lexkit.store.spelling.search_key` defines
        which other spellings are considered.

        Raises:
            ArgumentError: *word* is not a string.
        """
        if not isinstance(word, str):
            raise ArgumentError(f"word={word!r}: give a word, such as 'happy'")
        normal = normalize_word(word)
        if not normal.translate(_NO_JOINERS).isprintable():
            return []  # not a word of a store; DuckDB cannot even look up a lone surrogate
        exact = [self.index.find(spelling) for spelling in (normal, *twins(normal))]
        found = list(dict.fromkeys(word_id for word_id in exact if word_id is not None))
        folded = fold(normal)
        by_case = [] if found or ends_as_capitals(folded) else self._by_case(folded)
        return found or by_case or self.by_key(normal)

    def _by_case(self, folded: str) -> list[int]:
        lower = self.index.find(folded)
        return sorted([*([lower] if lower is not None else []), *self._capitalized.get(folded, [])])

    def by_key(self, normal: str) -> list[int]:
        """Return the sorted ids of words with the same search key as a word that the store does not have."""
        key = search_key(normal)
        return sorted({*self._unusual.get(key, []), *self._by_case(key)})

    def forms(self, word: str) -> list[WordForm]:
        """Return the words of which a word is a form; see `lexkit.store.lexicon.Lexicon.forms`."""
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
        """Return the ids of the words whose relations answer for a word; *kind* limits which relations matter."""
        found = self.ids(word)
        if not forms:
            return found
        if not found:
            found = [word_id for form in self.forms(word) for word_id in self.ids(form.lemma)]
        for word_id in found:  # grows during the loop: colours, colour, color
            # left has relations of its own, so those of leave do not apply; named has only antonyms (unnamed)
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
        """The search keys of all words, in the order of their ids."""
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
        ((language,),) = self._rows(LANGUAGE)
        return str(language)
