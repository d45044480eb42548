from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import lexkit
from lexkit.reporting.keep_rate import keep_rate_panels, short_names
from lexkit.reporting.page import write_report
from lexkit.reporting.relations import pack_relations

_VOID = {"meta", "link", "input", "br", "hr", "img"}


class Page(HTMLParser):
    """A page in pieces: elements with attributes, text by element, what scripts and styles hold."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        text = path.read_text(encoding="utf-8")
        self.feed(re.sub(r"(?<=id=\"data\">)[A-Za-z0-9+/=]*(?=</script>)", "", text))  # a megabyte takes minutes
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] in (["script"], ["style"]):
            self.raw.append((*self.elements[-1], data))
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def scripts(self) -> list[str]:
        return [data for tag, attributes, data in self.raw if tag == "script" and attributes.get("id") != "data"]


def report(store: Path, path: Path, **options: Any) -> Page:
    with lexkit.open(store) as lexicon:
        write_report(lexicon, path, **options)
    return Page(path)


@pytest.fixture(scope="module")
def starter_page(starter_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return report(starter_store, tmp_path_factory.mktemp("report") / "report.html")


def unpacked(text: str) -> dict[str, Any]:
    return json.loads(gzip.decompress(base64.b64decode(text)))  # type: ignore[no-any-return]


def carried(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The relations of a page as a reader of the documented format finds them."""
    found, row = [], 0
    for first, count in enumerate(document["counts"]):
        second = first
        for _ in range(count):
            second += document["steps"][row]
            kind, direct, contested, n_sources, *names = document["labels"][document["label"][row]]
            words = document["words"][first], document["words"][second]
            weights = document["weight_a"][row] / 4, document["weight_b"][row] / 4
            more = document["confidence"][row] / 100, n_sources
            found.append((*words, kind, direct, contested, *map(",".join, names), *weights, *more))
            row += 1
    return found


class TestRelations:
    def test_all_are_carried_as_they_are(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            document = unpacked(pack_relations(lexicon, 1_000_000).text)
            table = lexicon.sql(
                "SELECT a.word, b.word AS other, kind, direct, contested, sources, pos, usage_a, usage_b,"
                " round(4 * weight_a) / 4 AS weight_a, round(4 * weight_b) / 4 AS weight_b,"
                " round(confidence, 2) AS confidence, n_sources FROM relation"
                " JOIN word a ON a.word_id = word_a JOIN word b ON b.word_id = word_b"
            )
        assert sorted(carried(document)) == sorted(tuple(row.values()) for row in table.to_pylist())
        assert len(document["labels"]) == len(set(map(str, document["labels"])))

    def test_a_limit_keeps_the_best_connected_words_whole(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            packed = pack_relations(lexicon, 500)
            document = unpacked(packed.text)
            best = lexicon.sql(
                "SELECT word, count(*) AS n FROM (SELECT word FROM synonyms UNION ALL SELECT word FROM antonyms)"
                " GROUP BY word ORDER BY n DESC, word LIMIT 3"
            ).to_pylist()
        rows = carried(document)
        assert len(rows) == packed.n_relations == 500
        assert {word for row in rows for word in row[:2]} == set(document["words"])
        assert len(document["words"]) == packed.n_words
        for word, n in (row.values() for row in best):
            assert sum(word in row[:2] for row in rows) == n
            assert document["degrees"][document["words"].index(word)] == n

    def test_none(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            assert carried(unpacked(pack_relations(lexicon, 0).text)) == []


class TestPage:
    def test_it_loads_nothing(self, starter_page: Page) -> None:
        for tag, attributes in starter_page.elements:
            assert tag not in {"img", "iframe", "object", "embed", "base", "video", "audio", "image"}
            for name in ("src", "srcset", "action", "data", "poster", "background", "xlink:href"):
                assert name not in attributes, (tag, attributes)
            href = attributes.get("href") or "#"
            assert href.startswith("#") or href == "data:,", (tag, attributes)
            assert "style" not in attributes  # the policy would refuse it
            assert not any(name.startswith("on") for name in attributes)
        for _, _, text in starter_page.raw:
            addresses = re.findall(r"(?:https?:)?//[\w.-]+\.[\w./-]+", text)
            assert set(addresses) <= {"http://www.w3.org/2000/svg"}  # a name, not an address
            assert not re.search(r"url\(|@import|\bimport\b[ (]|fetch\(|XMLHttp|WebSocket|sendBeacon", text)

    def test_its_policy_lets_only_its_own_scripts_and_style_run(self, starter_page: Page) -> None:
        (policy,) = [a["content"] for _, a in starter_page.elements if a.get("http-equiv") == "Content-Security-Policy"]
        assert policy is not None
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "http" not in policy
        styles = [text for tag, _, text in starter_page.raw if tag == "style"]
        for directive, texts in (("script-src", starter_page.scripts()), ("style-src", styles)):
            (allowed,) = re.findall(rf"{directive} ([^;]+)", policy)
            digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
            assert allowed.split() == [f"'sha256-{digest}'" for digest in digests]

    def test_counts_are_in_the_text(self, starter_page: Page, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            counts = lexicon.statistics()
        for kind in counts.kinds:
            assert f"{kind.relations:,}" in starter_page.text
            assert f"{kind.stated:,}\u00a0stated" in starter_page.text
        for source in counts.sources:
            numbers = [f"{n:,}" for n in (source.n_records, source.n_rejected, source.synonyms, source.antonyms)]
            assert [source.source, *numbers, source.licence, source.uri] in starter_page.rows

    def test_overlap_of_sources(self, starter_page: Page, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            stated = lexicon.sql("SELECT kind, source, word_a, word_b FROM evidence WHERE rule IS NULL").to_pylist()
        pairs = {
            source: {(r["word_a"], r["word_b"]) for r in stated if r["source"] == source and r["kind"] == "antonym"}
            for source in ("roget", "wiktionary")
        }
        both, n = len(pairs["roget"] & pairs["wiktionary"]), len(pairs["wiktionary"])
        assert both > 0
        cells = [
            "wiktionary",
            f"{both:,}{100 * both / n:.1f} %",
            f"{n:,}all",
            f"{n - both:,}{100 * (n - both) / n:.1f} %",
        ]
        assert cells in starter_page.rows

    def test_contested_pairs(
        self, starter_store: Path, starter_page: Page, hostile_store: Path, tmp_path: Path
    ) -> None:
        with lexkit.open(starter_store) as lexicon:
            joined = "relation JOIN word a ON a.word_id = word_a JOIN word b ON b.word_id = word_b"
            pairs = lexicon.sql(f"SELECT DISTINCT a.word, b.word AS other FROM {joined} WHERE contested").to_pylist()
            both = [{(n.word, n.contested) for n in lexicon.synonyms(pair["word"])} for pair in pairs]
        assert all((pair["other"], True) in neighbors for pair, neighbors in zip(pairs, both, strict=True))
        shown = [row for row in starter_page.rows if row[:2] in [[pair["word"], pair["other"]] for pair in pairs]]
        assert 0 < len(shown) <= min(len(pairs), 12)
        assert f"disagree on {len(pairs):,} pairs" in starter_page.text
        page = report(hostile_store, tmp_path / "report.html")
        assert "disagree on 1 pair, " in page.text
        assert "#how=contested" not in [attributes.get("href") for _, attributes in page.elements]

    def test_contents_name_sections_that_are_there(
        self, starter_page: Page, hostile_store: Path, tmp_path: Path
    ) -> None:
        for page in (starter_page, report(hostile_store, tmp_path / "report.html")):
            sections = [f"#{a['id']}" for tag, a in page.elements if tag == "section" and "id" in a]
            links = [a.get("href") for tag, a in page.elements if tag == "a"]
            start = links.index("#explore")
            assert links[start : start + len(sections)] == sections

    def test_the_same_store_gives_the_same_page(self, starter_store: Path, tmp_path: Path) -> None:
        for name in ("a.html", "b.html"):
            report(starter_store, tmp_path / name, limit=5000)
        assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()

    def test_it_says_what_it_leaves_out(self, starter_store: Path, starter_page: Page, tmp_path: Path) -> None:
        page = report(starter_store, tmp_path / "few.html", limit=1000)
        with lexkit.open(starter_store) as lexicon:
            total = sum(kind.relations for kind in lexicon.statistics().kinds)
        assert f"This page carries 1,000 of {total:,} relations" in page.text
        assert f"The other {total - 1000:,} can be neither searched nor drawn" in page.text
        assert "This page carries" not in starter_page.text

    def test_hostile_words_stay_words(
        self, hostile_store: Path, hostile_words: dict[str, str], starter_page: Page, tmp_path: Path
    ) -> None:
        page = report(hostile_store, tmp_path / "report.html")
        assert {tag for tag, _ in page.elements} <= {tag for tag, _ in starter_page.elements}
        assert page.scripts() == starter_page.scripts()
        text = page.text
        for word in hostile_words.values():
            assert word in text  # among the best-connected ones
        assert "<i>synonyms.txt" in text
        (start,) = [a["data-start"] for _, a in page.elements if "data-start" in a]
        assert start == hostile_words["tag"]

    def test_paths_of_the_machine_stay_out(self, hostile_store: Path, tmp_path: Path) -> None:
        report(hostile_store, tmp_path / "report.html")
        assert str(hostile_store.parent) not in (tmp_path / "report.html").read_text(encoding="utf-8")

    def test_a_store_without_relations(self, tmp_path: Path) -> None:
        source = tmp_path / "words.jsonl"
        source.write_text('{"word": "kind", "lang_code": "en", "pos": "adj", "senses": [{"glosses": ["x"]}]}\n')
        lexkit.build(tmp_path / "empty.duckdb", wiktionary=[source])
        page = report(tmp_path / "empty.duckdb", tmp_path / "report.html")
        assert "reasons for 0 relations" in page.text
        assert "Contested pairs" not in page.text


def rates(**more: list[str]) -> pa.Table:
    columns = {
        "tokenizer": ["b/x.json"] * 4 + ["a/x.json"] * 4,
        "kind": ["antonym", "antonym", "synonym", "synonym"] * 2,
        "max_tokens": [2, 1, 1, 2] * 2,
        "percent": [100.0, 50.0, 0.0, 75.0, 90.0, 40.0, 10.0, 65.0],
    }
    return pa.table(columns | more)


class TestKeepRate:
    def test_points(self) -> None:
        panels = keep_rate_panels(rates())
        assert [(panel.kind, panel.reading) for panel in panels] == [("synonym", ""), ("antonym", "")]
        assert [(curve.tokenizer, curve.style) for curve in panels[1].curves] == [("a/x.json", 0), ("b/x.json", 1)]
        points = panels[1].curves[1].points
        assert [point[2:] for point in points] == [(1, 50.0), (2, 100.0)]
        (x1, y1, *_), (x2, y2, *_) = points
        assert x1 < x2
        assert y1 > y2  # a picture's y points down

    def test_readings_are_panels_of_their_own(self) -> None:
        readings = ("later", "one_token_head", "both")
        panels = keep_rate_panels(pa.concat_tables([rates(reading=[reading] * 8) for reading in readings]))
        titles = ["both words"] * 2 + ["partner of a one-token word"] * 2 + ["later"] * 2
        assert [(panel.reading, panel.kind) for panel in panels] == list(
            zip(titles, ["synonym", "antonym"] * 3, strict=True)
        )

    def test_names_are_cut_where_they_stay_different(self) -> None:
        assert short_names(["/data/llama/tokenizer.json", "org/model"]) == {
            "/data/llama/tokenizer.json": "llama/tokenizer.json",
            "org/model": "org/model",
        }
        same = ["/a/x/t.json", "/b/x/t.json"]
        assert short_names(same) == {name: name for name in same}

    def test_no_tokenizer(self, starter_page: Page) -> None:
        assert keep_rate_panels(rates().slice(0, 0)) == []
        assert "This store knows no tokenizer." in starter_page.text


class TestCommand:
    def test_report(self, run: Callable[..., Any], hostile_store: Path, tmp_path: Path) -> None:
        done = run("report", "--store", hostile_store)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.fullmatch(r"report\.html: 30 of 30 relations, 0\.\d MB\n", done.stdout)
        assert Page(tmp_path / "report.html").text

    def test_json_and_limit(self, run: Callable[..., Any], hostile_store: Path, tmp_path: Path) -> None:
        done = run("report", "--store", hostile_store, "-o", "x.html", "--limit", "3", "--json")
        size = (tmp_path / "x.html").stat().st_size
        assert json.loads(done.stdout) == {"path": "x.html", "bytes": size, "relations": 30, "carried": 3}

    def test_only_a_page_is_replaced(self, run: Callable[..., Any], hostile_store: Path, tmp_path: Path) -> None:
        store = Path(shutil.copy(hostile_store, tmp_path / "lexkit.duckdb"))
        before = store.read_bytes()
        done = run("report", "--output", "lexkit.duckdb")
        message = (
            "error: lexkit.duckdb: exists and is not an HTML page, so it is not replaced; choose another --output\n"
        )
        assert (done.returncode, done.stdout, done.stderr) == (1, "", message)
        assert store.read_bytes() == before
        for _ in range(2):
            assert run("report", "--quiet").returncode == 0

    def test_failures_are_one_line_and_leave_the_old_page(
        self, run: Callable[..., Any], hostile_store: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "old.html").write_text("<!DOCTYPE html>old")
        for arguments, message in (
            (["--store", hostile_store, "-o", "no/report.html"], "no/report.html.*: No such file or directory"),
            (["--store", "none.duckdb", "-o", "old.html"], "none.duckdb: no such store"),
        ):
            done = run("report", *arguments)
            assert (done.returncode, done.stdout) == (1, "")
            assert re.match(rf"error: .*{message}.*\n\Z", done.stderr), done.stderr
        assert run("report", "--store", hostile_store, "-o", ".").returncode == 2  # a folder
        assert (tmp_path / "old.html").read_text() == "<!DOCTYPE html>old"
        assert [path.name for path in tmp_path.iterdir()] == ["old.html"]
