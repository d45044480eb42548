"""Reading a store: synonyms, antonyms, why two words are related, and SQL."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from lexkit.arguments import require_choice, require_number, require_path, require_text
from lexkit.errors import ArgumentError, QueryError
from lexkit.sources.records import KINDS, Kind
from lexkit.store.chains import MOST_STEPS, Chain
from lexkit.store.index import Index
from lexkit.store.neighbors import find_neighbors
from lexkit.store.open_store import OpenStore
from lexkit.store.query import run_select
from lexkit.store.resolver import Resolver
from lexkit.store.results import Evidence, Neighbor, WordForm, unwanted
from lexkit.store.spelling import search_key
from lexkit.store.statistics import Statistics, collect_statistics
from lexkit.store.tables import find_tokenizer
from lexkit.store.tables import relations as relation_table
from lexkit.store.worth import draw_words
from lexkit.text import normalize_word

_CONTRADICTED = "contradicted:"


def open(path: str | os.PathLike[str]) -> Lexicon:
    """Open a store for reading; see `Lexicon`.

    Raises:
        StoreError: no such file, not a lexkit store, or of another schema version.
    """
    return Lexicon(path)


class Lexicon:
    """A store, open for reading. A context manager; threads may share one.

    The first look-up loads the words and relations (about 25 bytes a relation) and takes the longer for it;
    every further one is a search in memory.

    Args:
        path: a file that `lexkit.build` made.

    Raises:
        StoreError: no such file, not a lexkit store, or of another schema version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        require_path("path", path)
        self.path = Path(path)
        self._store = OpenStore(self.path)
        self._lock = threading.Lock()

    def __enter__(self) -> Lexicon:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; further questions are refused, and queries of other threads are given up."""
        self._store.close()

    def __contains__(self, word: str) -> bool:
        return bool(self.find(word))

    def find(self, word: str, *, forms: bool = False, kind: Kind | None = None) -> list[str]:
        """Return the word as the store spells it: itself, or else every word that differs only in case; or nothing.

        Where there is none of these, every word that is spelt like it in the eyes of who looks it up: other signs for
        apostrophes and hyphens, joiners, ss for a sharp s, Greek capitals without accents, full-width letters.

        With *forms*, return the words whose relations, all or of one *kind*, answer for it; see `synonyms`.
        """
        if kind is not None:
            require_choice("kind", kind, KINDS)
        return [self._index.word(word_id) for word_id in self._resolver.answering(word, forms, kind)]

    def forms(self, word: str) -> list[WordForm]:
        """Return what *word* is a form of: ran, of run; colour, of color; well known, of well-known.

        The store knows this of its own words, from sources and rules. Any other word is compared with them by the same
        rules; docs/forms.md.
        """
        return self._resolver.forms(word)

    def synonyms(
        self,
        word: str,
        *,
        direct: bool = False,
        same_pos: bool = False,
        source: str | None = None,
        min_confidence: float = 0,
        archaic: bool = True,
        offensive: bool = True,
        limit: int | None = None,
        forms: bool = False,
    ) -> list[Neighbor]:
        """Return the synonyms of *word*, the best first (`Neighbor.weight`).

        Args:
            word: looked up as it is written, and regardless of case where the store has no such word (see `find`); if
                several then are found (*POLISH*: Polish, polish), the answer is one list, each synonym in it once.
            direct: only those that a source states.
            same_pos: none of those that are derived across parts of speech (`Neighbor.same_pos`).
            source: only those for which this source is evidence.
            min_confidence: only those that are at least this likely to hold, from 0 to 1 (`Neighbor.confidence`).
            archaic: whether words that are archaic or obsolete in this sense are wanted.
            offensive: whether words that are offensive or vulgar in this sense are wanted.
            limit: the number of neighbours at most.
            forms: whether a form without stated synonyms answers with those of its lemma as well, as *ran* does with
                those of *run*; and another spelling always with those of the more usual one. See `forms`. Antonyms
                are the lemma's where no source states any relation of the form.

        Returns:
            Possibly nothing: the word is unknown (see `find`, `suggest`) or has no synonyms.

        Raises:
            QueryError: the store has no such source.
            ArgumentError: *limit* is not a number from 0 on, or *min_confidence* not one from 0 to 1.
        """
        chosen = {"direct": direct, "same_pos": same_pos, "source": source, "min_confidence": min_confidence}
        return self._neighbors(word, "synonym", {**chosen, "without": unwanted(archaic, offensive)}, limit, forms)

    def antonyms(
        self,
        word: str,
        *,
        direct: bool = False,
        same_pos: bool = False,
        source: str | None = None,
        min_confidence: float = 0,
        archaic: bool = True,
        offensive: bool = True,
        limit: int | None = None,
        forms: bool = False,
    ) -> list[Neighbor]:
        """Return the antonyms of *word*; as `synonyms`."""
        chosen = {"direct": direct, "same_pos": same_pos, "source": source, "min_confidence": min_confidence}
        return self._neighbors(word, "antonym", {**chosen, "without": unwanted(archaic, offensive)}, limit, forms)

    def _neighbors(
        self, word: str, kind: Kind, chosen: dict[str, Any], limit: int | None, forms: bool
    ) -> list[Neighbor]:
        require_number("limit", limit, 0)
        require_number("min_confidence", chosen["min_confidence"], 0, 1, whole=False)
        source = chosen["source"]
        if source is not None and source not in self._source_names:
            raise QueryError(f"no source {source!r} in {self.path}; it has {', '.join(self._source_names)}")
        ids = self._resolver.answering(word, forms, kind)
        same = {self._index.word(word_id) for word_id in ids} if forms else set()
        found = self._index.neighbors(ids, kind, **chosen)
        return list(islice((neighbor for neighbor in found if neighbor.word not in same), limit))

    def neighbors(
        self,
        words: Iterable[str],
        kind: Kind,
        *,
        direct: bool = False,
        min_confidence: float = 0,
        archaic: bool = True,
        offensive: bool = True,
    ) -> pa.Table:
        """Return the synonyms or antonyms of many words at once, in one pass over the store.

        Args:
            words: n words, looked up as `synonyms` does; a list, an Arrow array, or what else there is to go through.
            kind: ``synonym`` or ``antonym``.
            direct: only those that a source states.
            min_confidence: these and the next as for `synonyms`.
            archaic: whether archaic answers are wanted.
            offensive: whether offensive answers are wanted.

        Returns:
            n rows in the order of *words*: ``word`` (string, as asked) and ``neighbors`` (list of int32, places in
            `words()`), in the order of `synonyms`. The list's ``offsets`` and ``values`` are a sparse matrix of n rows
            in CSR form, and ``lexicon.words().take(values)`` the words. An unknown word has an empty list.

        Raises:
            ArgumentError: no such kind, something among *words* that is not a string, or *min_confidence* is
                not a number from 0 to 1.
        """
        require_choice("kind", kind, KINDS)
        require_number("min_confidence", min_confidence, 0, 1, whole=False)
        without = unwanted(archaic, offensive)
        with self._store.connection() as connection:
            return find_neighbors(connection, lambda: self._resolver, words, kind, direct, min_confidence, without)

    def relation(self, word: str, other: str, *, forms: bool = False) -> list[Kind]:
        """Return the kinds of relation between two words: none, one, or both where it is contested.

        With *forms*, as `synonyms`.
        """
        others = set(self.find(other, forms=forms))
        kinds: tuple[Kind, ...] = ("synonym", "antonym")
        return [kind for kind in kinds if any(n.word in others for n in getattr(self, kind + "s")(word, forms=forms))]

    def explain(self, word: str, other: str, *, forms: bool = False) -> list[Evidence]:
        """Return every piece of evidence for a relation between two words, derivations and contradicted ones included.

        Stated evidence comes first, then by kind and source. With *forms*, as `synonyms`.
        """
        ids, others = self._resolver.answering(word, forms), self._resolver.answering(other, forms)
        rows = self._rows(
            """
            SELECT kind, source, pos, sense, scope, coalesce(usage, []), rule, same_pos, from_a, from_b, from_kind
            FROM evidence
            WHERE (list_contains(?, word_a) AND list_contains(?, word_b))
               OR (list_contains(?, word_b) AND list_contains(?, word_a))
            ORDER BY rule IS NOT NULL, kind DESC, source, pos, sense, rule, from_a, from_b
            """,
            [ids, others, ids, others],
        )
        return [self._evidence(*row) for row in rows]

    def _evidence(
        self,
        kind: Kind,
        source: str,
        pos: str | None,
        sense: str | None,
        scope: str | None,
        usage: list[str],
        rule: str | None,
        same_pos: bool,
        from_a: int | None,
        from_b: int | None,
        from_kind: Kind | None,
    ) -> Evidence:
        contradicted = rule is not None and rule.startswith(_CONTRADICTED)
        origin = None
        if from_a is not None and from_b is not None and from_kind is not None:
            origin = (self._index.word(from_a), self._index.word(from_b), from_kind)
        rule = rule.removeprefix(_CONTRADICTED) if rule is not None else None
        return Evidence(kind, source, pos, sense, scope, tuple(usage), rule, same_pos, contradicted, origin)

    def suggest(self, word: str, limit: int = 5) -> list[str]:
        """Return the store's words most like *word* in spelling, the likest first; empty if nothing is near.

        Words of which *word* may be a misspelt form come before all: run for *runing*, happy for *happyer*.
        """
        require_text("word", word, "'happy'")
        if limit is None:
            raise ArgumentError("limit=None: give a whole number from 0 on")
        require_number("limit", limit, 0)
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        key = search_key(normalize_word(word))
        found = process.extract(
            key, self._resolver.keys, scorer=OSA.normalized_similarity, limit=limit * 4, score_cutoff=0.6
        )
        # equally like words: the one with more relations is the likelier meant
        ranked = sorted(found, key=lambda match: (-match[1], -self._index.degree(match[2]), match[2]))
        near = [self._index.word(match[2]) for match in ranked]
        return list(dict.fromkeys([*self._resolver.misspelt_lemmas(word), *near]))[:limit]

    def words(self) -> pa.Array:
        """Return all words in code point order, which is the order of their ids."""
        return self._index.words

    def relations(
        self,
        kind: Kind | None = None,
        tokenizer: str | None = None,
        max_tokens: int | None = None,
        *,
        contested: bool = True,
        min_confidence: float = 0,
        archaic: bool = True,
        offensive: bool = True,
    ) -> pa.Table:
        """Return whole relations, every unordered pair and kind once, in the order of the words and the kind.

        Args:
            kind: only this one.
            tokenizer: its token ids are wanted, too; see `tokenizer`.
            max_tokens: only pairs of words that both need at most this number of tokens, special ones not counted.
            contested: whether pairs that are in the store as both kinds are wanted.
            min_confidence: only those that are at least this likely to hold, from 0 to 1.
            archaic: whether pairs with a word that is archaic or obsolete in this relation are wanted.
            offensive: whether pairs with a word that is offensive or vulgar in this relation are wanted.

        Returns:
            Columns ``word_a``, ``word_b`` (string; ``word_a`` before ``word_b`` in code point order), ``kind``
            (string), ``direct`` (bool), ``n_sources`` (int32), ``sources`` (list of string), ``contested`` (bool),
            ``pos`` (list of string), ``same_pos`` (bool), ``usage_a``, ``usage_b`` (list of string), ``confidence``,
            ``weight_a``, ``weight_b`` (float); with *tokenizer* also ``token_ids_a``, ``token_ids_b`` (list of int32).

        Raises:
            QueryError: no such kind or tokenizer, or *max_tokens* without a tokenizer.
            ArgumentError: *min_confidence* is not a number from 0 to 1.
        """
        require_number("min_confidence", min_confidence, 0, 1, whole=False)
        if tokenizer is not None:
            tokenizer = self.tokenizer(tokenizer)
        with self._store.connection() as connection:
            return relation_table(
                connection,
                kind,
                tokenizer,
                max_tokens,
                contested=contested,
                min_confidence=min_confidence,
                without=unwanted(archaic, offensive),
            )

    def keep_rate(self, tokenizer: str) -> pa.Table:
        """Return what share of the relations needs at most 1, 2, ... tokens a word (DSKD, Table 2).

        Args:
            tokenizer: see `tokenizer`.

        Returns:
            Columns ``reading`` (both, partner, one_token_head: what the view `keep_rate` says of them), ``kind``,
            ``max_tokens`` (1 to 5) and ``percent`` (0 to 100), in this order.

        Raises:
            QueryError: no such tokenizer.
        """
        name = self.tokenizer(tokenizer)
        return self.sql(
            "SELECT * EXCLUDE (tokenizer) FROM keep_rate WHERE tokenizer = ?"
            " ORDER BY list_position(['both', 'partner', 'one_token_head'], reading), kind DESC, max_tokens",
            [name],
        )

    def tokenizers(self) -> list[str]:
        """Return the names of the tokenizers whose spans the store has."""
        return [name for (name,) in self._rows("SELECT tokenizer FROM tokenizer ORDER BY tokenizer", [])]

    def tokenizer(self, asked: str) -> str:
        """Return the name by which the store knows a tokenizer.

        Args:
            asked: that name, or what was given to `lexkit.tokenize` or `lexkit.build`.

        Raises:
            QueryError: the store has no such tokenizer.
        """
        require_text("tokenizer", asked, "'llama'")
        with self._store.connection() as connection:
            return find_tokenizer(connection, asked)

    def sources(self) -> list[str]:
        """Return the names of the sources, as evidence has them."""
        return [name for (name,) in self._rows("SELECT source FROM source ORDER BY source", [])]

    def statistics(self) -> Statistics:
        """Count what the store holds."""
        with self._store.connection() as connection:
            return collect_statistics(connection)

    def sql(
        self,
        query: str,
        params: Sequence[Any] | Mapping[str, Any] = (),
        *,
        timeout: float | None = None,
        max_rows: int | None = None,
    ) -> pa.Table:
        """Run one SELECT over the tables and views of the store, and return its rows.

        Args:
            query: SQL in DuckDB's dialect; ``?``, or ``$name``, stands for a parameter.
            params: values of the parameters, in their order or by name.
            timeout: seconds after which the query is given up; None waits. DuckDB ends some functions first that work
                on one huge value, such as ``repeat``.
            max_rows: rows beyond which the query is given up; None takes them all.

        Returns:
            Columns as the query names them. Two may have one name: tell them apart with ``AS``, or by their place;
            Arrow's ``to_pylist`` and ``to_pydict`` keep one of them.

        Raises:
            QueryError: not a single SELECT, an error in it, time over, too many rows, or too little memory.
        """
        with self._store.connection() as connection:
            return run_select(connection, query, params, timeout, max_rows)

    def _rows(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._store.connection() as connection:
            return connection.execute(sql, list(params)).fetchall()

    @cached_property
    def _source_names(self) -> list[str]:
        return self.sources()

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
        pos: str | None = None,
        direct: bool = False,
        min_confidence: float = 0,
        archaic: bool = True,
        offensive: bool = True,
        forms: bool = False,
    ) -> list[Chain]:
        """Return the shortest chains of synonyms and antonyms that lead from one word to another.

        Args:
            word: where the chains begin; looked up as for `synonyms`.
            other: where they end.
            limit: most chains to return.
            max_steps: longest chain to look for, 1 to 12 steps.
            pos: only steps in this part of speech, as `Neighbor.pos` names it.
            direct: only steps that a source states.
            min_confidence: only steps that are at least this likely to hold, from 0 to 1.
            archaic: whether words that are archaic or obsolete may be a step's answer.
            offensive: whether words that are offensive or vulgar may be a step's answer.
            forms: whether the lemma of a form may stand for it, as for `synonyms`.

        Returns:
            Chains of one length, that with the best answers (`Neighbor.weight`) first. None if a word is unknown, if
            both are the same word, or if no chain of *max_steps* leads from one to the other.

        Raises:
            ArgumentError: *limit*, *max_steps* or *min_confidence* is not a number in its range.
        """
        require_number("limit", limit, 0)
        require_number("max_steps", max_steps, 1, MOST_STEPS)
        require_number("min_confidence", min_confidence, 0, 1, whole=False)
        starts, goals = (self._resolver.answering(asked, forms) for asked in (word, other))
        if set(starts) & set(goals):
            return []
        return self._index.chains(
            starts,
            goals,
            limit=limit,
            max_steps=max_steps,
            pos=pos,
            direct=direct,
            min_confidence=min_confidence,
            without=unwanted(archaic, offensive),
        )

    def random(self, n: int = 1, *, pos: str | None = None, seed: int | None = None) -> list[str]:
        """Return words drawn at random from those that are worth looking at.

        These have several synonyms and an antonym that a source states, and are neither rare nor very common,
        offensive nor archaic. If the store has fewer of them than *n*, all of its words with relations count.

        Args:
            n: number of words; fewer come if the store has fewer.
            pos: only words with relations in this part of speech, as `Neighbor.pos` names it.
            seed: draws the same words of the same store again.

        Raises:
            ArgumentError: *n* is not a whole number from 1 on.
        """
        require_number("n", n, 1)
        with self._store.connection() as connection:
            return draw_words(connection, n, pos, seed)
