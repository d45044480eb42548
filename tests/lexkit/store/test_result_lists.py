"""What prompts, notebooks and data frames show of a store and its answers."""

from __future__ import annotations

import copy
import pickle
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import lexkit
from lexkit import Evidence, Explanation, Lexicon, Neighbor, Neighbors

NASTY = "<script>alert('&')</script>\x1b[2J\u202e"
NEIGHBOR = Neighbor(NASTY, True, 1, ("<b>",), False, (), True, (), 0.5, 1.0)
EVIDENCE = Evidence("synonym", "roget", None, NASTY, None, (), None, True, False, None)


@pytest.fixture(scope="module")
def lexicon(starter_store: Path) -> Iterator[Lexicon]:
    with lexkit.open(starter_store) as opened:
        yield opened


class Cells(HTMLParser):
    """The rows of tables, as text; anything that is not part of a table fails."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.caption = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        assert tag in {"table", "caption", "tr", "th", "td"}
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"th", "td"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] == "caption":
            self.caption += data
        else:
            self.rows[-1][-1] += data


class TestPrompt:
    def test_a_neighbor_is_short(self, lexicon: Lexicon) -> None:
        (found,) = lexicon.synonyms("kind", limit=1)
        assert repr(found) == (
            "Neighbor('kindly', direct=True, sources=('roget', 'wiktionary'), pos=('adj',), confidence=0.99)"
        )

    def test_evidence_leaves_out_what_says_nothing(self, lexicon: Lexicon) -> None:
        derived, stated = lexicon.explain("kind", "friendly")[0], lexicon.explain("happy", "sad")[0]
        assert "rule='un-+un-', derived_from=('unfriendly', 'unkind', 'synonym')" in repr(derived)
        assert repr(stated) == (
            "Evidence('antonym', source='wiktionary', pos='adj', sense='Feeling or causing grief.')"
        )

    def test_long_glosses_are_cut(self) -> None:
        shown = repr(EVIDENCE._replace(sense="x" * 10_000))
        assert shown == f"Evidence('synonym', source='roget', sense='{'x' * 57}...')"

    def test_control_characters_are_escaped(self) -> None:
        for shown in (repr(NEIGHBOR), repr(EVIDENCE), repr(Neighbors([NEIGHBOR]))):
            assert shown.isprintable()

    def test_a_list_shows_its_first_ten(self, lexicon: Lexicon) -> None:
        found = lexicon.synonyms("kind")
        lines = repr(found).splitlines()
        assert len(lines) == 11
        assert lines[-1] == f" ... {len(found) - 10} more]"
        assert (repr(found[:1]), repr(found[:0])) == (f"[{found[0]!r}]", "[]")
        assert repr(found[:2]) == f"[{found[0]!r},\n {found[1]!r}]"

    def test_slices_copies_and_sums_have_the_same_type(self, lexicon: Lexicon) -> None:
        found, others = lexicon.synonyms("kind"), lexicon.antonyms("kind")
        for some in (found[1:3], found.copy(), copy.copy(found), found + others):
            assert isinstance(some, Neighbors)
        assert (found + others).words() == found.words() + others.words()
        assert found + [1] == [*found, 1]  # noqa: RUF005
        assert found.copy() == found is not found.copy()

    def test_a_lexicon(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as opened:
            assert repr(opened) == f"Lexicon({str(starter_store)!r})"
        assert repr(opened) == f"Lexicon({str(starter_store)!r}, closed)"


class TestNotebook:
    def test_a_list_is_a_table(self, lexicon: Lexicon) -> None:
        found = lexicon.synonyms("kind", limit=3)
        header, *rows = Cells(found._repr_html_()).rows
        assert header == list(Neighbor._fields)
        assert [row[0] for row in rows] == found.words()
        assert rows[0] == ["kindly", "yes", "2", "roget, wiktionary", "no", "adj", "yes", "", "0.99", "3.43"]

    def test_a_long_list_says_how_much_it_shows(self, lexicon: Lexicon) -> None:
        found = Neighbors(lexicon.synonyms("kind") * 10)
        shown = Cells(found._repr_html_())
        assert (len(shown.rows), shown.caption) == (51, f"50 of {len(found)}")

    def test_evidence_and_single_answers(self, lexicon: Lexicon) -> None:
        found = lexicon.explain("kind", "friendly")
        header, first, _ = Cells(found._repr_html_()).rows
        assert dict(zip(header, first, strict=True))["derived_from"] == "unfriendly, unkind, synonym"
        assert dict(Cells(found[0]._repr_html_()).rows)["rule"] == "un-+un-"
        assert dict(Cells(lexicon.synonyms("kind")[0]._repr_html_()).rows)["word"] == "kindly"

    def test_nothing_is_a_table_without_rows(self, lexicon: Lexicon) -> None:
        assert Cells(lexicon.synonyms("no such word")._repr_html_()).rows == [list(Neighbor._fields)]
        assert Cells(lexicon.explain("no such word", "kind")._repr_html_()).rows == [list(Evidence._fields)]

    def test_everything_is_escaped(self) -> None:
        for shown in (NEIGHBOR, EVIDENCE, Neighbors([NEIGHBOR]), Explanation([EVIDENCE])):
            html = shown._repr_html_()
            assert "<script>" not in html
            assert html.isprintable()
            assert any("<script>alert('&')</script>\\u001b[2J\\u202e" in row for row in Cells(html).rows)

    def test_a_store(self, lexicon: Lexicon) -> None:
        shown = Cells(lexicon._repr_html_())
        counts = lexicon.statistics()
        assert shown.caption == repr(lexicon)
        assert dict(shown.rows) == {
            "language": "en",
            "words": f"{counts.words:,}",
            "pairs of synonyms": f"{counts.kinds[0].relations:,}",
            "pairs of antonyms": f"{counts.kinds[1].relations:,}",
            "sources": "affix, morpholex, roget, wiktionary",
            "tokenizers": "",
        }

    def test_a_store_whose_name_is_markup(self, tmp_path: Path) -> None:
        (tmp_path / "pairs").write_text("a b", encoding="utf-8")
        path = tmp_path / "<b>&.duckdb"
        lexkit.build(path, pairs=[("synonym", tmp_path / "pairs")])
        with lexkit.open(path) as opened:
            assert Cells(opened._repr_html_()).caption == repr(opened)
        assert "<b>" not in opened._repr_html_()

    def test_a_closed_store_is_not_read(self, starter_store: Path) -> None:
        opened = lexkit.open(starter_store)
        opened.close()
        assert opened._repr_html_().endswith("&#x27;, closed)")

    def test_a_store_without_a_language_is_damaged(self, starter_store: Path, tmp_path: Path) -> None:
        path = tmp_path / "s.duckdb"
        path.write_bytes(starter_store.read_bytes())
        with duckdb.connect(str(path)) as connection:
            connection.execute("DELETE FROM meta WHERE key = 'language'")
        with lexkit.open(path) as lexicon:
            assert lexicon._repr_html_() == f"Lexicon(&#x27;{path}&#x27;)"
            with pytest.raises(lexkit.StoreError, match=r"damaged .*no language\); build it again"):
                lexicon.suggest("hapy")

    def test_a_damaged_store(self, starter_store: Path, tmp_path: Path) -> None:
        path = tmp_path / "damaged.duckdb"
        content = starter_store.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])
        try:
            opened = lexkit.open(path)
        except lexkit.StoreError:
            return
        with opened:
            assert path.name in opened._repr_html_()

    def test_while_another_thread_closes_it(self, starter_store: Path) -> None:
        for _ in range(5):
            opened = lexkit.open(starter_store)
            with ThreadPoolExecutor(4) as pool:
                shown = [pool.submit(opened._repr_html_) for _ in range(8)]
                opened.close()
                assert all("Lexicon(" in future.result() for future in shown)


class TestLists:
    def test_they_are_lists(self, lexicon: Lexicon) -> None:
        found = lexicon.synonyms("kind")
        assert isinstance(found, list)
        assert found == list(found)
        assert found.words() == [neighbor.word for neighbor in found]
        assert isinstance(found[2:4], Neighbors)
        assert isinstance(lexicon.explain("happy", "sad")[::2], Explanation)
        assert found[2:4] == list(found)[2:4]
        assert isinstance(found[-1], Neighbor)
        assert lexicon.antonyms("no such word") == []

    def test_they_can_be_copied_and_pickled(self, lexicon: Lexicon) -> None:
        found = lexicon.explain("kind", "friendly")
        for again in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found))):  # noqa: S301
            assert type(again) is Explanation
            assert again == found


class TestDataFrames:
    def test_arrow(self, lexicon: Lexicon) -> None:
        for found in (lexicon.synonyms("kind"), lexicon.explain("kind", "friendly"), lexicon.explain("happy", "sad")):
            rows = found.to_arrow().to_pylist()
            plain = [
                {name: list(value) if isinstance(value, tuple) else value for name, value in row._asdict().items()}
                for row in found
            ]
            assert rows == plain

    def test_pandas_and_polars(self, lexicon: Lexicon) -> None:
        found = lexicon.synonyms("kind")
        assert list(found.to_pandas()["word"]) == found.to_polars()["word"].to_list() == found.words()
        assert list(found.to_pandas().columns) == found.to_polars().columns == list(Neighbor._fields)
        assert lexicon.explain("happy", "sad").to_polars()["kind"].unique().to_list() == ["antonym"]

    def test_nothing_has_the_same_columns(self, lexicon: Lexicon) -> None:
        found, nothing = lexicon.synonyms("kind"), lexicon.synonyms("no such word")
        assert nothing.to_arrow().schema == found.to_arrow().schema
        assert nothing.to_arrow().schema.field("sources").type == pa.list_(pa.string())
        assert len(nothing.to_pandas()) == len(nothing.to_polars()) == 0
        assert list(nothing.to_pandas().columns) == list(found.to_pandas().columns)

    @pytest.mark.parametrize(("library", "name"), [("pandas", "pandas"), ("polars", "Polars")])
    def test_a_library_that_is_missing(
        self, lexicon: Lexicon, library: str, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = lexicon.synonyms("kind")
        monkeypatch.setitem(sys.modules, library, None)
        message = f"to_{library}() needs {name}; install it with pip install {library}"
        with pytest.raises(lexkit.LexkitError, match=re.escape(message)):
            getattr(found, f"to_{library}")()
