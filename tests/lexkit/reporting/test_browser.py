"""The report as its reader has it, in a real Chromium without a window."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import lexkit
from lexkit.reporting.page import write_report
from lexkit.store.spans import tokenize

WORD = "happy"
GRAPH = "[...document.querySelectorAll('#graph a')]"
HREF = "a => decodeURIComponent(a.getAttribute('href').slice(6))"
COUNT = "document.getElementById('table-status').textContent"

SCRIPTS = "שמח\tglad\nשמח\tmerry\nl’homme\tadulte\nStraße\tWeg\nοδός\tδρόμος\nısparta\tşehir\nמים\tmayim\n"  # noqa: RUF001

pytestmark = pytest.mark.slow


def page_of(store: Path, folder: Path, **options: Any) -> Path:
    with lexkit.open(store) as lexicon:
        return write_report(lexicon, folder / "report.html", **options).path


@pytest.fixture(scope="module")
def page(browser: Any, starter_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_of(starter_store, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def keep_rate_page(
    browser: Any, starter_store: Path, write_tokenizer: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("keep-rate")
    store = Path(shutil.copy(starter_store, folder / "store.duckdb"))
    tokenize(store, [str(write_tokenizer(folder / "bytes" / "tokenizer.json"))])
    return page_of(store, folder, limit=100)


@pytest.fixture(scope="module")
def hostile_page(browser: Any, hostile_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_of(hostile_store, tmp_path_factory.mktemp("hostile"))


def row_count(store: Path, condition: str) -> int:
    with lexkit.open(store) as lexicon:
        joined = "relation JOIN word a ON a.word_id = word_a JOIN word b ON b.word_id = word_b"
        return int(lexicon.sql(f"SELECT count(*) AS n FROM {joined} WHERE {condition}")["n"][0].as_py())


def fill(browser: Any, name: str, text: str) -> None:
    browser.run(f"{{ const f = document.querySelector('{name}'); f.focus(); f.value = ''; }}")
    browser.type(text)


@pytest.fixture(scope="module")
def scripts(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "pairs.tsv").write_text(SCRIPTS, encoding="utf-8")
    lexkit.build(folder / "s.duckdb", language="xx", pairs=[("synonym", folder / "pairs.tsv")])
    return page_of(folder / "s.duckdb", folder)


class TestScripts:
    @pytest.mark.parametrize(
        ("asked", "word"),
        [("l'homme", "l’homme"), ("STRASSE", "Straße"), ("ΟΔΟΣ", "οδός"), ("ISPARTA", "ısparta")],  # noqa: RUF001
    )
    def test_a_word_is_found_in_every_spelling(self, browser: Any, scripts: Path, asked: str, word: str) -> None:
        browser.open(scripts, fragment=f"#word={quote(asked)}")
        assert browser.run("document.querySelector('#graph text.center').textContent") == word

    def test_words_from_right_to_left_reorder_nothing(self, browser: Any, scripts: Path) -> None:
        browser.open(scripts, fragment=f"#word={quote('שמח')}")
        assert browser.run("document.querySelector('#graph text.center').textContent") == "שמח"
        lefts = browser.run(
            "[...document.querySelectorAll('#relations tbody tr')]"
            ".map(row => [...row.cells].map(cell => Math.round(cell.getBoundingClientRect().left)))"
        )
        assert all(row == sorted(row) for row in lefts)
        assert browser.run("[...document.querySelectorAll('.word a')].every(a => a.dir === 'auto')")
        assert browser.run("getComputedStyle(document.querySelector('#graph text')).unicodeBidi") == "plaintext"
        titles = browser.run("[...document.querySelectorAll('#graph title')].map(title => title.textContent)")
        assert all(title.startswith("\u2068") and "\u2069: synonym" in title for title in titles)


class TestExploring:
    def test_the_word_of_the_address_is_drawn(self, browser: Any, page: Path, starter_store: Path) -> None:
        browser.open(page, fragment=f"#word={WORD}")
        with lexkit.open(starter_store) as lexicon:
            expected = {kind: [n.word for n in getattr(lexicon, kind)(WORD)] for kind in ("synonyms", "antonyms")}
        for kind, words in expected.items():
            assert words
            shown = browser.run(f"[...document.querySelectorAll('#{kind} .words a')].map(a => a.textContent)")
            assert sorted(shown) == sorted(words)
            drawn = browser.run(f"{GRAPH}.filter(a => a.querySelector('.{kind[:-1]}')).map({HREF})")
            assert sorted(drawn) == sorted(words[:18])
        assert browser.run("document.querySelector('#graph text.center').textContent") == WORD
        assert (browser.complaints(), browser.requests()) == ([], [])

    def test_kinds_differ_by_more_than_colour(self, browser: Any, page: Path) -> None:
        browser.open(page, fragment=f"#word={WORD}")
        sides = browser.run(
            "(() => { const middle = graph.getBoundingClientRect(), x = middle.x + middle.width / 2;"
            " const at = kind => [...new Set([...document.querySelectorAll('#graph .node.' + kind)].map(n =>"
            " n.tagName + Math.sign(n.getBoundingClientRect().x - x)))];"
            " return [at('synonym'), at('antonym')]; })()"
        )
        assert sides == [["circle-1"], ["path1"]]
        dashes = "getComputedStyle(document.querySelector('#graph .spoke.{}')).strokeDasharray"
        assert browser.run(dashes.format("synonym")) == "none"
        assert browser.run(dashes.format("antonym")) != "none"

    def test_the_picture_is_always_the_same(self, browser: Any, page: Path) -> None:
        pictures = []
        for _ in range(2):
            browser.open(page, fragment=f"#word={WORD}")
            pictures.append(browser.run("graph.innerHTML"))
        assert pictures[0] == pictures[1]

    def test_labels_stay_within_the_picture_and_apart(self, browser: Any, page: Path) -> None:
        for width in (360, 1200):
            browser.open(page, width=width, touch=width < 500, fragment=f"#word={WORD}")
            boxes = browser.run(f"{GRAPH}.map(a => a.lastChild.getBoundingClientRect()).map(r => [r.x, r.right, r.y])")
            assert all(left >= 0 and right <= width for left, right, _ in boxes)
            for side in (True, False):
                rows = sorted(y for left, _, y in boxes if (left < width / 2) == side)
                assert all(below - above >= 24 for above, below in pairwise(rows))

    def test_a_word_is_chosen_by_keyboard_alone(self, browser: Any, page: Path) -> None:
        browser.open(page)
        fill(browser, "#word", "unhap")
        options = browser.run("[...suggestions.children].map(o => o.firstChild.textContent)")
        assert options[0].startswith("unhap")
        assert browser.run("word.getAttribute('aria-expanded')") == "true"
        browser.press("ArrowDown")
        active = browser.run(
            "document.getElementById(word.getAttribute('aria-activedescendant')).firstChild.textContent"
        )
        assert active == options[0]
        browser.press("Enter")
        browser.wait(f"explored.textContent === '{options[0]}'")
        assert browser.run("location.hash") == f"#word={options[0]}"
        assert browser.run("suggestions.hidden")

    def test_nodes_of_the_graph_are_links(self, browser: Any, page: Path) -> None:
        browser.open(page, fragment=f"#word={WORD}")
        target = browser.run(f"{GRAPH}.map({HREF})[0]")
        browser.run(f"{GRAPH}[0].focus()")
        assert browser.run("document.querySelectorAll('#graph .chord.followed').length") > 0
        browser.press("Enter")
        browser.wait(f"explored.textContent === {target!r}")
        browser.run("history.back()")
        browser.wait(f"explored.textContent === {WORD!r}")

    def test_a_miss_says_so_and_offers_others(self, browser: Any, page: Path, starter_store: Path) -> None:
        browser.open(page)
        fill(browser, "#word", "appines")
        browser.press("Enter")
        browser.wait(
            "document.getElementById('explore-status').textContent.startsWith('“appines” is not on this page.')"
        )
        with lexkit.open(starter_store) as lexicon:
            similar = lexicon.suggest("appines", 5)
        links = browser.run("[...document.querySelectorAll('#explore-status a')].map(a => a.textContent)")
        assert links[0] == similar[0] == "happiness"
        assert browser.run("neighborhood.hidden && neighbors.hidden")  # nothing of the word before it stays
        assert browser.run("document.getElementById('explore-status').getBoundingClientRect().bottom < innerHeight")
        browser.run("document.querySelector('#explore-status a').click()")
        browser.wait("explored.textContent === 'happiness' && !neighborhood.hidden")

    def test_a_miss_that_is_like_nothing(self, browser: Any, page: Path) -> None:
        browser.open(page, fragment="#word=qqqqxzqqqq")
        status = browser.run("document.getElementById('explore-status').textContent")
        assert status == "“qqqqxzqqqq” is not on this page. No similar words found; check the spelling."

    def test_a_page_that_lacks_words_says_where_they_are(
        self, browser: Any, starter_store: Path, tmp_path: Path
    ) -> None:
        browser.open(page_of(starter_store, tmp_path, limit=400), fragment="#word=appines")
        status = browser.run("document.getElementById('explore-status').textContent")
        assert "; lexkit lookup searches the whole store." in status

    def test_it_says_what_the_page_lacks_of_a_word(self, browser: Any, starter_store: Path, tmp_path: Path) -> None:
        browser.open(page_of(starter_store, tmp_path, limit=400))
        partial = browser.run(
            "location.hash = document.querySelector('#relations tbody tr .word a').hash, document.querySelector("
            "'#relations tbody tr .word a').textContent"
        )
        browser.wait(f"explored.textContent === {partial!r}")
        with lexkit.open(starter_store) as lexicon:
            total = len(lexicon.synonyms(partial)) + len(lexicon.antonyms(partial))
        status = browser.run("document.getElementById('explore-status').textContent")
        assert "; this page lacks " in status
        assert status.endswith(f" of the store\u2019s {total:,}.")


class TestTable:
    def test_rows_are_found(self, browser: Any, page: Path, starter_store: Path) -> None:
        browser.open(page)
        assert browser.run(COUNT).endswith(f" of {row_count(starter_store, 'true'):,} relations")
        fill(browser, "#filter [name=text]", "KIND")
        n = row_count(starter_store, "contains(lower(a.word), 'kind') OR contains(lower(b.word), 'kind')")
        assert browser.run(COUNT) == f"1\u201325 of {n:,} relations"
        first = browser.run("document.querySelector('#relations tbody .word').textContent")
        assert first.lower() == "kind"  # the very word before those that only hold it
        for name, value in (("kind", "antonym"), ("source", "wiktionary"), ("how", "derived")):
            field = f"document.querySelector('#filter [name={name}]')"
            browser.run(f"{field}.value = '{value}', {field}.dispatchEvent(new Event('input', {{bubbles: true}}))")
        n = row_count(
            starter_store,
            "(contains(lower(a.word), 'kind') OR contains(lower(b.word), 'kind')) AND kind = 'antonym' AND NOT direct"
            " AND list_contains(string_split(sources, ','), 'wiktionary')",
        )
        assert n > 0
        assert browser.run(COUNT).endswith(f" of {n:,} relations")
        fill(browser, "#filter [name=text]", "no such word")
        assert browser.run(COUNT) == "No relation of this page matches."

    def test_it_opens_on_what_most_sources_know(self, browser: Any, page: Path, starter_store: Path) -> None:
        browser.open(page)
        rows = browser.run(
            "[...document.querySelectorAll('#relations tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
        )
        with lexkit.open(starter_store) as lexicon:
            most = lexicon.sql("SELECT max(n_sources) AS n FROM relation WHERE direct")["n"][0].as_py()
            for word, kind, other, *_ in rows:
                neighbors = {n.word: n for n in getattr(lexicon, f"{kind}s")(word)}
                assert neighbors[other].direct
                assert neighbors[other].n_sources == most
        assert {kind for _, kind, *_ in rows} == {"synonym", "antonym"}

    @pytest.mark.parametrize(
        ("column", "cell", "key"),
        [("word", 0, str.casefold), ("other", 2, str.casefold), ("confidence", 5, lambda text: int(text[:-1]))],
    )
    def test_a_heading_sorts_both_ways_and_back(
        self, browser: Any, page: Path, column: str, cell: int, key: Callable[[str], Any]
    ) -> None:
        browser.open(page, fragment="#text=happ")
        shown = f"[...document.querySelectorAll('#relations tbody tr')].map(r => r.cells[{cell}].textContent)"
        heading = f"document.querySelector('#relations th[data-column={column}]')"
        before = browser.run(shown)
        for _ in range(2):
            browser.run(f"{heading}.firstChild.click()")
            falling = browser.run(f"{heading}.getAttribute('aria-sort')") == "descending"
            keys = [key(text) for text in browser.run(shown)]
            assert keys == sorted(keys, reverse=falling)
            assert browser.run("document.querySelector('#filter [name=sort]').value") == "-" * falling + column
        browser.run(f"{heading}.firstChild.click()")
        assert not browser.run(f"{heading}.hasAttribute('aria-sort')")
        assert browser.run(shown) == before

    def test_the_address_keeps_word_filter_order_and_page(self, browser: Any, page: Path) -> None:
        state = (
            "(() => [explored.textContent, document.getElementById('relations').innerText,"
            " ...new FormData(filter).values()])()"
        )
        browser.open(page, fragment="#word=happy")
        fill(browser, "#filter [name=text]", "un")
        for name, value in (("kind", "antonym"), ("source", "wiktionary"), ("how", "stated"), ("sort", "-other")):
            field = f"document.querySelector('#filter [name={name}]')"
            browser.run(f"{field}.value = '{value}', {field}.dispatchEvent(new Event('input', {{bubbles: true}}))")
        browser.run("next.click()")
        address = "#text=un&kind=antonym&source=wiktionary&how=stated&sort=-other&page=2&word=happy"
        browser.wait(f"location.hash === '{address}'")
        before = browser.run(state)
        assert before[0] == "happy"
        browser.open(page, fragment=address)
        assert browser.run(state) == before
        browser.wait("Math.abs(document.getElementById('relations').getBoundingClientRect().top) < 100")
        # another word leaves the table as it is, and going back brings the word back
        browser.run("document.querySelector('#synonyms .words a').click()")
        browser.wait("location.hash.startsWith('#word=') && location.hash.includes('&sort=-other&page=2')")
        assert browser.run(state)[1:] == before[1:]
        browser.run("history.back()")
        browser.wait("explored.textContent === 'happy'")
        # a section is a place, and changes nothing
        browser.run("location.hash = '#sources'")
        assert browser.run(state) == before

    @pytest.mark.parametrize(
        "fragment",
        ["#sort=nothing&page=x", "#source=none&page=999999&kind=%E0%A4%A", "#text=%", "#word=&page=-3", "#&="],
    )
    def test_an_address_that_makes_no_sense_shows_the_page(self, browser: Any, page: Path, fragment: str) -> None:
        browser.open(page, fragment=fragment)
        assert browser.run(COUNT).endswith((" relations", "matches."))
        assert browser.complaints() == []

    def test_a_word_may_look_like_an_address(self, browser: Any, page: Path) -> None:
        browser.open(page, fragment="#word=R&D&sort=word")
        assert browser.run("word.value") == "R&D"
        assert browser.run("document.querySelector('#filter [name=sort]').value") == "word"

    def test_pages_are_turned(self, browser: Any, page: Path) -> None:
        browser.open(page)
        assert browser.run("previous.disabled")
        rows = "[...document.querySelectorAll('#relations tbody tr')].map(r => r.textContent)"
        first = browser.run(rows)
        browser.run("next.click()")
        assert browser.run(COUNT).startswith("26\u201350 of ")
        assert not set(first) & set(browser.run(rows))
        browser.run("previous.click()")
        assert browser.run(rows) == first


class TestSections:
    def test_every_section_is_in_the_contents(self, browser: Any, page: Path) -> None:
        browser.open(page)
        links = browser.run("[...document.querySelectorAll('#contents a')].map(a => a.hash.slice(1))")
        assert links == browser.run("[...document.querySelectorAll('main > section[id]')].map(s => s.id)")
        browser.run("document.querySelector('#contents [href=\"#relations\"]').click()")
        browser.wait("Math.abs(document.querySelector('#relations').getBoundingClientRect().top) < 100")
        # the contents stay in view, and hide no title
        assert browser.run("document.querySelector('#contents').getBoundingClientRect().top") == 0
        browser.wait(
            "document.getElementById('relations-title').getBoundingClientRect().top"
            " >= document.querySelector('#contents').getBoundingClientRect().bottom"
        )

    def test_one_keep_rate_chart_at_a_time(self, browser: Any, keep_rate_page: Path) -> None:
        browser.open(keep_rate_page)
        shown = (
            "[...document.querySelectorAll('#keep-rate figure')].filter(f => f.offsetHeight)"
            ".map(f => [f.dataset.kind, f.dataset.reading])"
        )
        assert browser.run(shown) == [["synonym", "both words"]]
        for name, value, expected in (
            ("kind", "antonym", ["antonym", "both words"]),
            ("reading", "partner of any word", ["antonym", "partner of any word"]),
        ):
            field = f"document.querySelector('#keep-rate-choice [name={name}]')"
            browser.run(f"{field}.value = '{value}', {field}.dispatchEvent(new Event('input', {{bubbles: true}}))")
            assert browser.run(shown) == [expected]
        browser.open(keep_rate_page, scripts=False)
        assert len(browser.run(shown)) == 4  # no word is one token of these


class TestScreens:
    @pytest.mark.parametrize("width", [360, 390, 768])
    def test_no_sideways_scrolling_and_targets_for_fingers(self, browser: Any, page: Path, width: int) -> None:
        browser.open(page, width=width, height=800, touch=True, fragment=f"#word={WORD}")
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert browser.run("document.documentElement.scrollWidth") == width
        sizes = browser.run(
            "[...document.querySelectorAll("
            "'button, input, select, summary, .words a, .top a, #contents a, #graph .target')]"
            ".filter(e => e.getClientRects().length).map(e => e.getBoundingClientRect())"
            ".map(r => [Math.min(r.width, 44), r.height])"
        )
        assert len(sizes) > 30
        assert min(height for _, height in sizes) >= 32
        assert min(w for w, _ in sizes) >= 20

    def test_hostile_words_fit_a_phone(self, browser: Any, hostile_page: Path) -> None:
        browser.open(hostile_page, width=360, height=800, touch=True)
        assert browser.run("document.documentElement.scrollWidth") == 360

    def test_light_and_dark(self, browser: Any, page: Path) -> None:
        ground = "getComputedStyle(document.body).backgroundColor"
        browser.open(page)
        light = browser.run(ground)
        browser.open(page, dark=True)
        dark = browser.run(ground)
        assert light != dark
        browser.run("theme.click()")
        assert browser.run(ground) == light
        browser.open(page, dark=True)  # the choice is kept
        assert browser.run(ground) == light
        browser.run("theme.click()")
        assert browser.run(ground) == dark
        browser.run("localStorage.clear()")

    @pytest.mark.parametrize("dark", [False, True])
    def test_contrast(self, browser: Any, page: Path, dark: bool) -> None:
        browser.open(page, dark=dark)
        ratios = browser.run(
            """(() => {
              const light = (css) => {
                const [r, g, b] = css.match(/[\\d.]+/g).map((v) => v / 255)
                  .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              const ground = light(getComputedStyle(document.body).backgroundColor);
              const ratio = (css) => (Math.max(light(css), ground) + 0.05) / (Math.min(light(css), ground) + 0.05);
              return ["body", ".quiet", "h3.synonym", "h3.antonym", ".kind.synonym", "thead th", "a",
                      "#contents a", "#relations th button", "#explore-status"]
                .map((s) => ratio(getComputedStyle(document.querySelector(s)).color));
            })()"""
        )
        assert min(ratios) >= 4.5

    def test_counts_without_scripts(self, browser: Any, page: Path, starter_store: Path) -> None:
        browser.open(page, scripts=False)
        text = browser.run("document.body.innerText")
        with lexkit.open(starter_store) as lexicon:
            for kind in lexicon.statistics().kinds:
                assert f"{kind.relations:,}" in text
        assert "need JavaScript" in text
        assert browser.run(
            "[...document.querySelectorAll('.interactive, #theme, #loading')].every(e => !e.offsetHeight)"
        )


def test_hostile_words_are_only_words(browser: Any, hostile_page: Path, hostile_words: dict[str, str]) -> None:
    for name, word in hostile_words.items():
        browser.open(hostile_page, fragment="#word=" + quote(word, safe=""))
        assert browser.run("explored.textContent") == word, name
        others = [other for other in hostile_words.values() if other != word]
        links = browser.run("[...document.querySelectorAll('#synonyms .words a')].map(a => a.textContent)")
        assert sorted(links) == sorted(others)
        fill(browser, "#word", word)
        assert browser.run("suggestions.firstChild.firstChild.textContent") == word
        assert browser.run("document.querySelectorAll('img, body script:not(#data):not([type=module])').length") == 0
        assert (browser.complaints(), browser.requests()) == ([], [])
    # from word to word by the links that the page makes
    browser.run(
        "[...document.querySelectorAll('#synonyms .words a')].find(a => a.textContent.startsWith('100%')).click()"
    )
    browser.wait(f"explored.textContent === {hostile_words['fragment']!r}")
