"""The options that all look-ups share: strict, pos, min_confidence and forms."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import lexkit
from lexkit import ArgumentError, Lexicon, QueryError, StoreError, WordNotFound

TYPO = "hapyness"
LOOK_UPS: dict[str, Callable[..., Any]] = {
    "synonyms": lambda lexicon, word, **options: lexicon.synonyms(word, **options),
    "antonyms": lambda lexicon, word, **options: lexicon.antonyms(word, **options),
    "relation": lambda lexicon, word, **options: lexicon.relation(word, "kind", **options),
    "relation, the other word": lambda lexicon, word, **options: lexicon.relation("kind", word, **options),
    "explain": lambda lexicon, word, **options: lexicon.explain(word, "kind", **options),
    "explain, the other word": lambda lexicon, word, **options: lexicon.explain("kind", word, **options),
    "neighbors": lambda lexicon, word, **options: lexicon.neighbors(["kind", word], "synonym", **options),
}
look_ups = pytest.mark.parametrize("ask", LOOK_UPS.values(), ids=LOOK_UPS)


@pytest.fixture(scope="module")
def lexicon(starter_store: Path) -> Iterator[Lexicon]:
    with lexkit.open(starter_store) as opened:
        yield opened


def words_of(lexicon: Lexicon, word: str, kind: Any, **options: Any) -> list[str]:
    """What `neighbors` answers for one word."""
    (places,) = lexicon.neighbors([word], kind, **options)["neighbors"]
    found: list[str] = lexicon.words().take(places.values).to_pylist()
    return found


class TestStrict:
    @look_ups
    def test_a_typo_raises_and_names_similar_words(self, lexicon: Lexicon, ask: Callable[..., Any]) -> None:
        with pytest.raises(WordNotFound) as caught:
            ask(lexicon, TYPO, strict=True)
        assert caught.value.word == TYPO
        assert caught.value.similar == lexicon.suggest(TYPO)
        assert str(caught.value).startswith(f"'{TYPO}' is not in {lexicon.path}; similar words: happiness, ")
        assert isinstance(caught.value, QueryError)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301

    @look_ups
    def test_without_it_a_typo_is_unrelated(self, lexicon: Lexicon, ask: Callable[..., Any]) -> None:
        found = ask(lexicon, TYPO)
        assert found == [] or found["neighbors"].to_pylist()[1] == []

    @look_ups
    @pytest.mark.parametrize("word", ["", " ", "\udcff", "a\x00b", "q" * 100_000], ids=repr)
    def test_what_is_not_a_word(self, lexicon: Lexicon, ask: Callable[..., Any], word: str) -> None:
        with pytest.raises((WordNotFound, ArgumentError)) as caught:
            ask(lexicon, word, strict=True)
        assert len(str(caught.value)) < 1_000 or isinstance(caught.value, ArgumentError)
        assert len(str(caught.value).splitlines()) == 1

    @look_ups
    @pytest.mark.parametrize("strict", [False, True])
    def test_none_is_refused_either_way(self, lexicon: Lexicon, ask: Callable[..., Any], strict: bool) -> None:
        with pytest.raises(ArgumentError, match="None"):
            ask(lexicon, None, strict=strict)

    @look_ups
    def test_words_of_the_store_answer_as_ever(self, lexicon: Lexicon, ask: Callable[..., Any]) -> None:
        for word in ("happy", "HAPPY", "  happy ", "God", "GOD"):
            assert ask(lexicon, word, strict=True) == ask(lexicon, word)

    def test_a_word_without_synonyms_is_not_missing(self, lexicon: Lexicon) -> None:
        (row,) = lexicon.sql(
            "SELECT word FROM word WHERE word NOT IN (SELECT word FROM synonyms) ORDER BY word_id LIMIT 1"
        ).to_pylist()
        assert lexicon.synonyms(row["word"], strict=True) == []

    def test_a_form_is_found_where_forms_answer(self, lexicon: Lexicon) -> None:
        assert lexicon.find("overcame") == []
        with pytest.raises(WordNotFound):
            lexicon.synonyms("overcame", strict=True)
        assert lexicon.synonyms("overcame", strict=True, forms=True) == lexicon.synonyms("overcome")
        table = lexicon.neighbors(["overcame"], "synonym", strict=True, forms=True)
        assert table["neighbors"].to_pylist()[0] != []

    def test_neighbors_names_the_first_that_is_missing(self, lexicon: Lexicon) -> None:
        with pytest.raises(WordNotFound, match="'zzq'"):
            lexicon.neighbors(iter(["kind", "zzq", "zzx"]), "synonym", strict=True)

    def test_a_closed_store_says_that_it_is_closed(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as opened:
            pass
        for ask in LOOK_UPS.values():
            with pytest.raises(StoreError, match="is closed"):
                ask(opened, TYPO, strict=True)

    def test_threads(self, starter_store: Path) -> None:
        def ask(word: str) -> object:
            try:
                return shared.synonyms(word, strict=True, pos="adj", limit=3)
            except WordNotFound as error:
                return error.similar

        with lexkit.open(starter_store) as shared, ThreadPoolExecutor(8) as pool:
            words = ["happy", TYPO, "kind", "KIND", ""] * 10
            assert list(pool.map(ask, words)) == [ask(word) for word in words]


class TestPos:
    @pytest.mark.parametrize("pos", ["noun", "adj", ["noun", "verb"], ("adj",), {"verb"}], ids=str)
    def test_it_keeps_relations_in_these(self, lexicon: Lexicon, pos: Any) -> None:
        wanted = {pos} if isinstance(pos, str) else set(pos)
        for word in ("kind", "light", "clear"):
            for kind in ("synonym", "antonym"):
                look_up = getattr(lexicon, f"{kind}s")
                found = look_up(word, pos=pos)
                assert found == [neighbor for neighbor in look_up(word) if wanted & set(neighbor.pos)]
                assert words_of(lexicon, word, kind, pos=pos) == found.words()
        assert lexicon.synonyms("light", pos=pos)

    def test_relation_and_explain(self, lexicon: Lexicon) -> None:
        assert lexicon.relation("kind", "sort") == lexicon.relation("kind", "sort", pos=["noun", "adj"]) == ["synonym"]
        assert lexicon.relation("kind", "sort", pos="adj") == []
        assert {item.pos for item in lexicon.explain("kind", "sort", pos="noun")} == {"noun"}
        assert lexicon.explain("kind", "sort", pos="adj") == []

    def test_relations(self, lexicon: Lexicon) -> None:
        everything, adverbs = lexicon.relations("antonym"), lexicon.relations("antonym", pos="adv")
        rows = [row for row in everything.to_pylist() if "adv" in row["pos"]]
        assert adverbs.to_pylist() == rows != []

    @pytest.mark.parametrize("pos", ["adjective", "n", "", ["adj", "typo"], ["adj", None], [["adj"]]], ids=str)
    def test_an_unknown_one_is_refused_with_those_that_there_are(self, lexicon: Lexicon, pos: Any) -> None:
        asked = [*LOOK_UPS.values(), lambda lexicon, word, **options: lexicon.relations(**options)]
        for ask in asked:
            with pytest.raises(ArgumentError, match=r"no such part of speech in the store; it has adj, adv, conj, "):
                ask(lexicon, "kind", pos=pos)

    @pytest.mark.parametrize("pos", [[], 5, iter(["adj"])])
    def test_what_is_not_a_list_of_them(self, lexicon: Lexicon, pos: Any) -> None:
        with pytest.raises(ArgumentError, match=r"give one part of speech or a list, such as \['adj', 'noun'\]"):
            lexicon.synonyms("kind", pos=pos)

    def test_those_of_a_store(self, lexicon: Lexicon) -> None:
        known = lexicon.parts_of_speech()
        assert known == sorted(known)
        assert {"adj", "adv", "noun", "verb"} <= set(known)
        assert all(lexicon.relations(pos=pos).num_rows for pos in known)
        assert lexicon.relations(pos=known).num_rows < lexicon.relations().num_rows  # some have none

    def test_a_store_that_knows_none(self, tmp_path: Path) -> None:
        (tmp_path / "pairs").write_text("a b", encoding="utf-8")
        lexkit.build(tmp_path / "s.duckdb", pairs=[("synonym", tmp_path / "pairs")])
        with lexkit.open(tmp_path / "s.duckdb") as opened, pytest.raises(ArgumentError, match="it has none"):
            opened.synonyms("a", pos="noun")


class TestMinConfidence:
    def test_relation_and_explain_agree_with_the_relations(self, lexicon: Lexicon) -> None:
        rows = lexicon.sql(
            "SELECT a.word AS a, b.word AS b, kind, confidence FROM relation JOIN word a ON a.word_id = word_a"
            " JOIN word b ON b.word_id = word_b WHERE NOT contested ORDER BY hash(word_a, word_b) LIMIT 50"
        ).to_pylist()
        for row in rows:
            for least in (0.2, 0.5, 0.9):
                wanted = [row["kind"]] if row["confidence"] >= least else []
                assert lexicon.relation(row["a"], row["b"], min_confidence=least) == wanted
                evidence = lexicon.explain(row["a"], row["b"], min_confidence=least)
                assert sorted({item.kind for item in evidence}) == wanted

    def test_zero_keeps_contradicted_evidence(self, lexicon: Lexicon) -> None:
        (row, *_) = lexicon.sql(
            "SELECT a.word AS a, b.word AS b FROM evidence JOIN word a ON a.word_id = word_a"
            " JOIN word b ON b.word_id = word_b WHERE rule LIKE 'contradicted:%' ORDER BY ALL LIMIT 1"
        ).to_pylist()
        assert any(item.contradicted for item in lexicon.explain(row["a"], row["b"]))
        assert not any(item.contradicted for item in lexicon.explain(row["a"], row["b"], min_confidence=0.01))

    @look_ups
    @pytest.mark.parametrize("least", [-0.1, 1.1, "0.5", None, float("nan"), True], ids=str)
    def test_numbers_that_cannot_be(self, lexicon: Lexicon, ask: Callable[..., Any], least: float) -> None:
        with pytest.raises(ArgumentError, match=r"min_confidence=.*: give a number from 0 to 1"):
            ask(lexicon, "kind", min_confidence=least)


class TestForms:
    def test_many_words_answer_as_each_does(self, lexicon: Lexicon) -> None:
        words = ["mice", "happier", "ran", "colours", "left", "kind", "overcame", "no such word", "", "KINDER", "mice"]
        words += lexicon.words().to_pylist()[::997]
        for kind in ("synonym", "antonym"):
            places = lexicon.neighbors(words, kind, forms=True)["neighbors"]  # type: ignore[arg-type]
            look_up = getattr(lexicon, f"{kind}s")
            found = [lexicon.words().take(each.values).to_pylist() for each in places]
            assert found == [look_up(word, forms=True).words() for word in words]
            assert found[0] != [] or kind == "antonym"

    def test_options_hold_for_lemmas(self, lexicon: Lexicon) -> None:
        found = lexicon.synonyms("happier", forms=True, pos="adj", min_confidence=0.9)
        assert found.words() == words_of(lexicon, "happier", "synonym", forms=True, pos="adj", min_confidence=0.9)
        assert found == [n for n in lexicon.synonyms("happier", forms=True) if n.confidence >= 0.9 and "adj" in n.pos]
        assert found != []
