"""Read a store: look up synonyms and antonyms, explain why words are related, and run SQL."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable
from functools import cached_property
from itertools import islice

import pyarrow as pa

from lexkit.arguments import require_choice, require_number, require_text
from lexkit.errors import QueryError, WordNotFound
from lexkit.sources.records import KINDS, Kind
from lexkit.store.chains import MOST_STEPS, Chain
from lexkit.store.default_path import default_path
from lexkit.store.explain import find_evidence
from lexkit.store.filters import Filter
from lexkit.store.index import Index
from lexkit.store.neighbors import find_neighbors, list_of_words
from lexkit.store.random_words import draw_words
from lexkit.store.resolver import Resolver
from lexkit.store.result_lists import Explanation, Neighbors
from lexkit.store.results import WordForm
from lexkit.store.spelling import search_key
from lexkit.store.store_reader import StoreReader
from lexkit.text import LONGEST_WORD, normalize_word


def open(path: str | os.PathLike[str] | None = None) -> Lexicon:
    """Open a store for reading; see `Lexicon`.

    Args:
        path: A file made by `lexkit.build`. By default, ``$LEXKIT_STORE`` or else ``lexkit.duckdb`` in the working
            folder, like the option ``--store`` of the command line.

    Raises:
        StoreError: The file does not exist, is not a lexkit store, or has another schema version.
    """
    return Lexicon(default_path() if path is None else path)


class Lexicon(StoreReader):
    """A store that is open for reading. It is a context manager, and threads may share it.

    The first look-up loads the words and relations into memory (about 25 bytes per relation), which takes a moment;
    later ones only search in memory.

    Args:
        path: A file made by `lexkit.build`; see also `lexkit.open`.

    Raises:
        StoreError: The file does not exist, is not a lexkit store, or has another schema version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self._lock = threading.Lock()

    def __contains__(self, word: str) -> bool:
        return bool(self.find(word))

    def find(self, word: str, *, forms: bool = False, kind: Kind | None = None) -> list[str]:
        """Return the word as the store spells it.

        This is the word itself. If the store does not have it, it is every word that differs only in case; and if there
        is none, every word that looks the same to a reader but has other characters for apostrophes and hyphens,
        joiners, ss for a sharp s, Greek capitals without accents, or full-width letters.

        Args:
            word: The word to look for.
            forms: Return the words whose relations are used for *word* instead: for *ran*, also *run*; see `synonyms`.
            kind: With *forms*, return the words that are used for this kind: ``"synonym"`` or ``"antonym"``.

        Returns:
            The spellings; an empty list if the store does not have the word.

        Raises:
            ArgumentError: *word* is not text, or there is no such kind.
        """
        if kind is not None:
            require_choice("kind", kind, KINDS)
        return [self._index.word(word_id) for word_id in self._resolver.answering(word, forms, kind)]

    def forms(self, word: str) -> list[WordForm]:
        """Return the words that *word* is a form of: run for ran, color for colour, well-known for well known.

        For words of the store, these come from sources and rules. The same rules are applied to other words;
        docs/forms.md describes them.
        """
        return self._resolver.forms(word)

    def synonyms(
        self,
        word: str,
        *,
        pos: str | Collection[str] | None = None,
        direct: bool = False,
        same_pos: bool = False,
        source: str | None = None,
        min_confidence: float = 0,
        archaic: bool = True,
        offensive: bool = True,
        limit: int | None = None,
        forms: bool = False,
        strict: bool = False,
    ) -> Neighbors:
        """Return the synonyms of *word*, the best first.

        Args:
            word: The word to look up. If the store does not have it in this spelling, case is ignored (see `find`). If
                several words are found (*Polish* and *polish* for *POLISH*), the result contains the synonyms of all
                of them, each once.
            pos: Use only relations in this part of speech, or in one of several: ``"adj"``, ``["noun", "verb"]``.
                Relations whose part of speech no source states are left out.
            direct: Use only relations that a source states.
            same_pos: Leave out relations that are derived across parts of speech (`Neighbor.same_pos`).
            source: Use only relations with evidence from this source.
            min_confidence: Lowest confidence of the relations to use, from 0 to 1 (`Neighbor.confidence`).
            archaic: Whether to include words that are archaic or obsolete in this sense.
            offensive: Whether to include words that are offensive or vulgar in this sense.
            limit: Most synonyms to return.
            forms: If *word* is an inflected form without stated synonyms, such as *ran*, include the synonyms of its
                lemma, *run*; if it is a variant spelling, always include those of the more common spelling; see
                `forms`. Antonyms of the lemma are included if no source states any relation of the form.
            strict: Raise `WordNotFound` if the store does not have the word, instead of returning an empty list.

        Returns:
            A list of `Neighbor`; empty if the word is unknown (see `suggest`) or has no synonyms.

        Raises:
            WordNotFound: With *strict*, the store does not have the word; the error names similar words.
            QueryError: The store has no such source.
            ArgumentError: *word* is not text, the store has no such part of speech, *limit* is not a number from 0 on,
                or *min_confidence* is not one from 0 to 1.
        """
        wanted = Filter(direct, same_pos, source, self._pos(pos), min_confidence, archaic, offensive)
        return self._neighbors(word, "synonym", wanted, limit, forms, strict)

    def antonyms(
        self,
        word: str,
        *,
        pos: str | Collection[str] | None = None,
        direct: bool = False,
        same_pos: bool = False,
        source: str | None = None,
        min_confidence: float = 0,
        archaic: bool = True,
        offensive: bool = True,
        limit: int | None = None,
        forms: bool = False,
        strict: bool = False,
    ) -> Neighbors:
        """Return the antonyms of *word*, the best first.

        The arguments, the result and the errors are those of `synonyms`.
        """
        wanted = Filter(direct, same_pos, source, self._pos(pos), min_confidence, archaic, offensive)
        return self._neighbors(word, "antonym", wanted, limit, forms, strict)

    def _neighbors(
        self, word: str, kind: Kind, wanted: Filter, limit: int | None, forms: bool, strict: bool
    ) -> Neighbors:
        require_number("limit", limit, 0)
        if wanted.source is not None and wanted.source not in self._source_names:
            known = ", ".join(self._source_names)
            raise QueryError(f"no source {wanted.source!r} in {self._store.path}; it has {known}")
        ids = self._answering(word, forms, strict, kind)
        same = {self._index.word(word_id) for word_id in ids} if forms else set()
        found = self._index.neighbors(ids, kind, wanted)
        return Neighbors(islice((neighbor for neighbor in found if neighbor.word not in same), limit))

    def neighbors(
        self,
        words: Iterable[str],
        kind: Kind,
        *,
        pos: str | Collection[str] | None = None,
        direct: bool = False,
        min_confidence: float = 0,
        archaic: bool = True,
        offensive: bool = True,
        forms: bool = False,
        strict: bool = False,
    ) -> pa.Table:
        """Return the synonyms or antonyms of many words at once, in one pass over the store.

        Args:
            words: A list of n words, an Arrow array, or any other iterable of words. Each word is looked up as in
                `synonyms`.
            kind: ``"synonym"`` or ``"antonym"``.
            pos: Use only relations in this part of speech, or in one of several; see `synonyms`.
            direct: Use only relations that a source states.
            min_confidence: Lowest confidence of the relations to use, from 0 to 1.
            archaic: Whether to include words that are archaic or obsolete in this sense.
            offensive: Whether to include words that are offensive or vulgar in this sense.
            forms: Also use the relations of lemmas; see `synonyms`.
            strict: Raise `WordNotFound` for the first word that the store does not have.

        Returns:
            A table of n rows in the order of *words*, with the columns ``word`` (string, as given) and ``neighbors``
            (list of int32: indices into `words()`, in the order of `synonyms`). The ``offsets`` and ``values`` of the
            list are a sparse matrix with n rows in CSR format, and ``lexicon.words().take(values)`` returns the words.
            The list of an unknown word is empty.

        Raises:
            WordNotFound: With *strict*, the store does not have one of the words.
            ArgumentError: There is no such kind or part of speech, one of the *words* is not a string, or
                *min_confidence* is not a number from 0 to 1.
        """
        require_choice("kind", kind, KINDS)
        wanted = Filter(direct, False, None, self._pos(pos), min_confidence, archaic, offensive)
        asked = list_of_words(words)
        if strict:
            for word in dict.fromkeys(asked):
                self._answering(word, forms, strict)
        with self._store.connection() as connection:
            return find_neighbors(connection, lambda: self._resolver, asked, kind, wanted, forms)

    def relation(
        self,
        word: str,
        other: str,
        *,
        pos: str | Collection[str] | None = None,
        min_confidence: float = 0,
        forms: bool = False,
        strict: bool = False,
    ) -> list[Kind]:
        """Return the kinds of relation between two words.

        Args:
            word: One of the words; their order does not matter.
            other: The other word.
            pos: Use only relations in this part of speech, or in one of several; see `synonyms`.
            min_confidence: Lowest confidence of the relations to use, from 0 to 1.
            forms: Also use the relations of lemmas; see `synonyms`.
            strict: Raise `WordNotFound` if the store does not have one of the words.

        Returns:
            ``[]``, ``["synonym"]``, ``["antonym"]``, or both if the sources disagree.

        Raises:
            WordNotFound: With *strict*, the store does not have one of the words.
            ArgumentError: A word is not text, the store has no such part of speech, or *min_confidence* is not a
                number from 0 to 1.
        """
        wanted = Filter(pos=self._pos(pos), min_confidence=min_confidence)
        others = {self._index.word(word_id) for word_id in self._answering(other, forms, strict)}
        kinds: tuple[Kind, ...] = ("synonym", "antonym")
        found = {kind: self._neighbors(word, kind, wanted, None, forms, strict) for kind in kinds}
        return [kind for kind in kinds if not others.isdisjoint(found[kind].words())]

    def explain(
        self,
        word: str,
        other: str,
        *,
        pos: str | Collection[str] | None = None,
        min_confidence: float = 0,
        forms: bool = False,
        strict: bool = False,
    ) -> Explanation:
        """Return all evidence for a relation between two words.

        It includes derivations, even those that a stated relation contradicts (`Evidence.contradicted`).

        Args:
            word: One of the words; their order does not matter.
            other: The other word.
            pos: Return only evidence in this part of speech, or in one of several.
            min_confidence: Lowest confidence of the relations whose evidence is returned, from 0 to 1. Any number above
                0 leaves out contradicted derivations.
            forms: Also use the relations of lemmas; see `synonyms`.
            strict: Raise `WordNotFound` if the store does not have one of the words.

        Returns:
            A list of `Evidence`, stated relations first, then sorted by kind and source. It is empty if the two words
            are not related.

        Raises:
            WordNotFound: With *strict*, the store does not have one of the words.
            ArgumentError: A word is not text, the store has no such part of speech, or *min_confidence* is not a
                number from 0 to 1.
        """
        wanted = Filter(pos=self._pos(pos), min_confidence=min_confidence)
        words, others = (self._answering(asked, forms, strict) for asked in (word, other))
        with self._store.connection() as connection:
            return find_evidence(connection, self._index, words, others, wanted)

    def _answering(self, word: str, forms: bool, strict: bool, kind: Kind | None = None) -> list[int]:
        """Return the ids of the words whose relations are used for a word."""
        ids = self._resolver.answering(word, forms, kind)
        if strict and not ids:
            raise WordNotFound(word, self._store.path, self.suggest(word))
        return ids

    def suggest(self, word: str, limit: int = 5) -> list[str]:
        """Return the words of the store with the most similar spelling, the most similar first.

        If the store does not have *word*, the words of which it is a form come first, and then those of which it may be
        a misspelt form: mouse for *mice*, run for *runing*.

        Args:
            word: The word to compare with.
            limit: Most words to return.

        Returns:
            Words; an empty list if no word is similar.

        Raises:
            ArgumentError: *word* is not text, or *limit* is not a number from 0 on.
        """
        require_text("word", word, "'happy'")
        require_number("limit", limit, 0, or_none=False)
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        key = search_key(normalize_word(word))
        if len(key) > 2 * LONGEST_WORD:  # no word is similar, and comparing would take long
            return []
        found = process.extract(
            key, self._resolver.keys, scorer=OSA.normalized_similarity, limit=limit * 4, score_cutoff=0.6
        )
        # among equally similar words, the one with more relations is more likely to be meant
        ranked = sorted(found, key=lambda match: (-match[1], -self._index.degree(match[2]), match[2]))
        near = [self._index.word(match[2]) for match in ranked]
        lemmas = [] if word in self else [form.lemma for form in self.forms(word)]
        return list(dict.fromkeys([*lemmas, *self._resolver.misspelt_lemmas(word), *near]))[:limit]

    def words(self) -> pa.Array:
        """Return all words in code point order, as a `pyarrow.StringArray`; the index of a word is its ``word_id``."""
        return self._index.words

    @property
    def _index(self) -> Index:
        return self._resolver.index

    @property
    def _resolver(self) -> Resolver:
        self._store.require_open()
        with self._lock:  # one thread loads, the others wait
            return self._loaded

    @cached_property
    def _loaded(self) -> Resolver:
        with self._store.connection() as connection:
            return Resolver(Index(connection), lambda query: self._rows(query, []))

    def chains(
        self,
        word: str,
        other: str,
        *,
        limit: int = 3,
        max_steps: int = MOST_STEPS,
        pos: str | Collection[str] | None = None,
        direct: bool = False,
        min_confidence: float = 0,
        archaic: bool = True,
        offensive: bool = True,
        forms: bool = False,
        strict: bool = False,
    ) -> list[Chain]:
        """Return the shortest chains of synonyms and antonyms that lead from one word to another.

        Args:
            word: The word where the chains begin.
            other: The word where they end.
            limit: Most chains to return.
            max_steps: Most steps of a chain, from 1 to 12.
            pos: Use only relations in this part of speech, or in one of several.
            direct: Use only relations that a source states.
            min_confidence: Lowest confidence of the relations to use, from 0 to 1.
            archaic: Whether a step may lead to a word that is archaic or obsolete in this sense.
            offensive: Whether a step may lead to a word that is offensive or vulgar in this sense.
            forms: Also use the relations of lemmas; see `synonyms`.
            strict: Raise `WordNotFound` if the store does not have one of the words.

        Returns:
            Chains of the same length, those with the best answers (`Neighbor.weight`) first. The list is empty if the
            store does not have one of the words, if both are the same word, or if no chain of at most *max_steps* steps
            connects them.

        Raises:
            WordNotFound: With *strict*, the store does not have one of the words.
            ArgumentError: *limit*, *max_steps* or *min_confidence* is not a number in its range, or the store has no
                such part of speech.
        """
        require_number("limit", limit, 0, or_none=False)
        require_number("max_steps", max_steps, 1, MOST_STEPS, or_none=False)
        wanted = Filter(
            pos=self._pos(pos),
            direct=direct,
            min_confidence=min_confidence,
            archaic=archaic,
            offensive=offensive,
        )
        starts, goals = (self._answering(asked, forms, strict) for asked in (word, other))
        if set(starts) & set(goals):
            return []
        return self._index.chains(starts, goals, wanted, limit=limit, max_steps=max_steps)

    def random(self, n: int = 1, *, pos: str | Collection[str] | None = None, seed: int | None = None) -> list[str]:
        """Return interesting words, drawn at random.

        These words have several synonyms and an antonym that a source states, and are neither rare nor very common. If
        the store has fewer than *n* of them, as for conjunctions, the rest are drawn from its other words with
        relations. Offensive words, archaic words and forms of other words are never drawn.

        Args:
            n: Number of words; fewer are returned if the store has fewer.
            pos: Draw only words with relations in this part of speech, or in one of several.
            seed: Seed for the draw, a whole number; the same store and seed give the same words.

        Returns:
            Words in no particular order.

        Raises:
            ArgumentError: *n* is not a whole number from 1 on, *seed* is not one from 0 on, or the store has no such
                part of speech.
        """
        require_number("n", n, 1, or_none=False)
        require_number("seed", seed, 0)
        wanted = self._pos(pos)
        with self._store.connection() as connection:
            return draw_words(connection, n, wanted, seed)
