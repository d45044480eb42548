from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexkit.errors import SourceError
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import Headword, Record, Statement
from lexkit.sources.wiktionary import reader


def read(path: Path, report: ReadReport, language: str = "en", **options: Any) -> Iterator[Record]:
    for batch in reader.read(path, report, language, **options):
        yield from batch.records()


@pytest.fixture
def read_lines(tmp_path: Path) -> Callable[..., tuple[list[Record], ReadReport]]:
    def read_them(*lines: Any, language: str = "en") -> tuple[list[Record], ReadReport]:
        file = tmp_path / "wiktionary.jsonl"
        file.write_bytes(b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines))
        report = ReadReport()
        return list(read(file, report, language)), report

    return read_them


def entry(word: str = "kind", **fields: Any) -> dict[str, Any]:
    return {"word": word, "lang_code": "en", "pos": "adj", **fields}


class TestRealFiles:
    def test_the_mini_dump(self, shared: Callable[[str], Path]) -> None:
        report = ReadReport()
        records = list(read(shared("wiktionary/wiktextract-1.99.7-mini.jsonl.gz"), report))
        assert sum(isinstance(r, Headword) for r in records) == 1900
        kinds = Counter(r.kind for r in records if isinstance(r, Statement))
        # 2,477 entry-level and 246 sense-level synonyms, 311 and 41 antonyms, less what is refused or another way to
        # write the word, plus split targets
        assert kinds == {"synonym": 2588, "antonym": 350}
        assert report.rejected[Reason.RUNNING_TEXT] == 4
        assert report.rejected[Reason.REDIRECT] == 15
        assert report.rejected[Reason.OTHER_LANGUAGE] == 1
        assert report.n_records == 1900 + 15 + 1
        assert report.n_bad == 0

    def test_every_linkage_is_read_or_counted(self, shared: Callable[[str], Path]) -> None:
        file = shared("wiktionary/kaikki-sample.jsonl")
        n_linkages = n_forms = 0
        for line in file.read_text(encoding="utf-8").splitlines():
            parsed = json.loads(line)
            for holder in [parsed, *parsed["senses"]]:
                n_linkages += len(holder.get("synonyms", [])) + len(holder.get("antonyms", []))
                n_forms += len(holder.get("form_of", [])) + len(holder.get("alt_of", []))
            captions = ("table-tags", "inflection-template")
            for form in parsed.get("forms", []):
                n_forms += form["form"] != parsed["word"] and not any(tag in captions for tag in form["tags"])
        report = ReadReport()
        records = [r for r in read(file, report) if not isinstance(r, Headword)]
        assert len(records) + report.n_rejected == n_linkages + n_forms

    def test_thesaurus_provenance_is_kept(self, shared: Callable[[str], Path]) -> None:
        records = read(shared("wiktionary/kaikki-sample.jsonl"), ReadReport())
        magical = [r for r in records if isinstance(r, Statement) and r.other == "unmagical"]
        assert magical
        assert all(r.kind == "antonym" and r.sense and r.sense.startswith("Thesaurus:magical") for r in magical)

    def test_other_languages_are_counted(self, shared: Callable[[str], Path]) -> None:
        file = shared("wiktionary/raw-mixed-languages.jsonl")
        report = ReadReport()
        records = list(read(file, report))
        assert sum(isinstance(r, Headword) for r in records) == 10
        assert report.rejected[Reason.OTHER_LANGUAGE] == 64
        finnish = list(read(file, ReadReport(), "fi"))
        assert any(isinstance(r, Statement) and r.other == "pieni" for r in finnish)


def test_sense_and_entry_linkages(read_lines: Callable[..., tuple[list[Record], ReadReport]]) -> None:
    records, report = read_lines(
        entry(
            senses=[{"glosses": ["general", "gentle"], "synonyms": [{"word": "nice"}]}],
            antonyms=[{"word": "cruel", "sense": "not gentle"}, {"word": "harsh", "source": "Thesaurus:kind"}],
        )
    )
    assert records == [
        Statement("kind", "nice", "synonym", "adj", "gentle"),
        Statement("kind", "cruel", "antonym", "adj", "not gentle"),
        Statement("kind", "harsh", "antonym", "adj", "Thesaurus:kind", "thesaurus"),
        Headword("kind"),
    ]
    assert report.n_rejected == 0


@pytest.mark.parametrize(
    ("target", "words", "reason"),
    [
        ("nice#Adjective", ["nice"], None),
        ("C#", ["C#"], None),
        ("there, there", ["there, there"], None),
        ("hell (17th century)", ["hell"], None),
        ("* abt", ["abt"], None),
        ("\u00fee, \u1e8fe, ye", ["\u00fee", "\u1e8fe", "ye"], None),
        ("lock, stock and barrel", ["lock, stock and barrel"], None),
        ("Template:l", [], Reason.PLACEHOLDER),
        ("Thesaurus:nice", [], Reason.THESAURUS_PAGE),
        ("toilet and Thesaurus:bathroom", ["toilet"], Reason.THESAURUS_PAGE),
        ("or See also Thesaurus:grass", [], Reason.THESAURUS_PAGE),
        ("&", [], Reason.NOT_A_WORD),
        ("", [], Reason.EMPTY_TARGET),
        (" kind ", [], Reason.SELF),
    ],
)
def test_targets(
    read_lines: Callable[..., tuple[list[Record], ReadReport]], target: str, words: list[str], reason: Reason | None
) -> None:
    records, report = read_lines(entry(synonyms=[{"word": target}]))
    assert [r.other for r in records if isinstance(r, Statement)] == words
    assert list(report.rejected) == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"word": "a"', Reason.INVALID_JSON),
        (b"[1, 2]", Reason.NOT_AN_OBJECT),
        (b"2. Inexistence", Reason.INVALID_JSON),
        (b'{"word": "caf\xe9", "lang_code": "en"}', Reason.INVALID_UTF8),
        (b'{"word": 3, "lang_code": "en"}', Reason.WRONG_TYPE),
        (b'{"word": "a", "lang_code": "en", "synonyms": 1}', Reason.WRONG_TYPE),
        (b'{"word": "a", "lang_code": "en", "senses": [{"synonyms": [{"word": 3}]}]}', Reason.WRONG_TYPE),
        (b'{"word": "", "lang_code": "en"}', Reason.NO_WORD),
        (b'{"lang_code": "en"}', Reason.NO_WORD),
        (b'{"word": "a", "lang_code": "en", "x": "\\ud800"}', Reason.INVALID_JSON),
        (b"[" * 100_000, Reason.INVALID_JSON),
    ],
)
def test_bad_lines_are_counted_and_the_rest_is_read(
    read_lines: Callable[..., tuple[list[Record], ReadReport]], line: bytes, reason: Reason
) -> None:
    records, report = read_lines(entry("one"), line, entry("two"))
    assert records == [Headword("one"), Headword("two")]
    assert report.rejected == {reason: 1}
    assert report.n_bad == 1
    assert report.first_bad == f"line 2: {reason.value}"


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl.gz"
    content = "\n".join(json.dumps(entry(f"word{i}")) for i in range(5000)).encode()
    file.write_bytes(gzip.compress(content)[:-100])
    with pytest.raises(SourceError, match=r"cut\.jsonl\.gz: broken gzip .*; download it again"):
        list(read(file, ReadReport()))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["word", "senses", "glosses", "form_of", "tags", "x"]), inner)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["word", "lang_code", "pos", "senses", "synonyms", "antonyms", "forms", "redirect"]),
        json_values,
    )
)
def test_whatever_an_object_holds_it_is_read_or_counted(tmp_path_factory: pytest.TempPathFactory, line: Any) -> None:
    file = tmp_path_factory.getbasetemp() / "any.jsonl"
    file.write_text(json.dumps({"lang_code": "en", **line}), encoding="utf-8")
    report = ReadReport()
    records = list(read(file, report))
    assert report.n_records == 1
    assert records or report.n_rejected
