"""Whatever stands in a file, a store gets words, names, labels and glosses only, or one line of an error."""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from lexkit.errors import LexkitError
from lexkit.morphology.affixes import affixes_of, languages_with_affixes
from lexkit.sources import morpholex, mythes, pairs, plugin_reading, validation
from lexkit.sources.data_files import data_file
from lexkit.sources.frequency import frequencies
from lexkit.sources.offensive import offensive_words
from lexkit.sources.plugins import Plugin, Reader
from lexkit.sources.read_report import OwnReason, ReadReport, Reason
from lexkit.sources.records import FORM_KINDS, KINDS, USAGES, Analysis, Form, Group, Headword, Statement
from lexkit.sources.roget import reader as roget
from lexkit.sources.wiktionary import reader as wiktionary
from lexkit.sources.wordnet import reader as wordnet
from lexkit.text import normalize_word

Read = Callable[[Path, ReadReport], Any]
JOINERS = "\u200c\u200d\u180e"


def plugin(reader: Reader) -> Read:
    return partial(plugin_reading.read_with_plugin, plugin=Plugin("own", "own 1.0", reader), language="en")


ENTRY = {
    "word": "fast",
    "lang_code": "en",
    "pos": "adj",
    "senses": [
        {
            "glosses": ["at speed", "moving at speed"],
            "tags": ["slang"],
            "synonyms": [{"word": "swift", "tags": ["archaic"]}],
            "form_of": [{"word": "faster"}],
            "alt_of": [{"word": "faste"}],
        }
    ],
    "synonyms": [{"word": "quick", "sense": "of a horse"}, {"word": "rapid", "source": "Thesaurus:fast"}],
    "antonyms": [{"word": "slow", "sense_index": "1"}],
    "forms": [{"form": "fastest", "tags": ["superlative"]}],
}
WNDB = """\
00000100 00 a 02 fast 0 speedy(a) 0 002 & 00000200 a 0000 ! 00000300 a 0101 | at speed
00000200 00 s 02 swift 0 fleet(ip) 0 001 & 00000100 a 0000 | (slang) moving fast
00000300 00 a 01 slow(p) 0 001 ! 00000100 a 0101 | not fast
"""
LMF = """<?xml version="1.0" encoding="UTF-8"?><LexicalResource>
<Lexicon id="x" label="X" language="en" email="x@example.org" license="Some licence" version="1">
<LexicalEntry id="a"><Lemma writtenForm="fast" partOfSpeech="a"/><Sense id="a1" synset="s1">
<SenseRelation relType="antonym" target="b1"/></Sense></LexicalEntry>
<LexicalEntry id="b"><Lemma writtenForm="slow" partOfSpeech="a"/><Sense id="b1" synset="s2"/></LexicalEntry>
<LexicalEntry id="c"><Lemma writtenForm="quick" partOfSpeech="a"/><Sense id="c1" synset="s1"/></LexicalEntry>
<Synset id="s1" partOfSpeech="a" members="a1 c1"><Definition>at speed</Definition></Synset>
<Synset id="s2" partOfSpeech="a" members="b1"><Definition>not fast</Definition></Synset>
</Lexicon></LexicalResource>
"""
ROGET_TABLE = """\
head\tname\tpos\tparagraph\tgroup\tterm\tusage
274\tVelocity\tadj\t1\t1\tfast
274\tVelocity\tadj\t1\t2\tswift\tarchaic
274\tVelocity\tadj\t1\t2\tfleet\tslang,archaic
275\tSlowness\tadj\t1\t1\tslow\t
"""
ROGET = """\
#274. Velocity. -- N. velocity, speed, celerity; swiftness, rapidity.
     Adj. fast, speedy; swift, fleet [obs3].

#275. Slowness. -- N. slowness; languor, drawl.
     Adj. slow, slack; tardy, languid.
"""
MORPHOLEX = "Word\tPOS\tMorphoLexSegm\nunkind\tJJ\t<un<{(kind)}\nkindness\tNN\t{(kind)>ness>}\nkind\tJJ|NN\t{(kind)}\n"
FORMATS: dict[str, tuple[Read, str]] = {
    "wiktionary": (wiktionary.read, json.dumps(ENTRY, ensure_ascii=False) + "\n"),
    "roget": (roget.read, ROGET),
    "table of roget": (roget.read, ROGET_TABLE),
    "morpholex": (morpholex.read, MORPHOLEX),
    "morpholex with commas": (morpholex.read, MORPHOLEX.replace("\t", ",")),
    "pairs": (partial(pairs.read, kind="synonym"), "fast quick\nice cream\tgelato\nkind nice\n"),
    "mythes": (plugin(mythes.READER), "UTF-8\nfast|2\n(adj)|quick|swift (archaic)\n(noun)|slow (antonym)|diet\n"),
    "wndb": (plugin(wordnet.READER), WNDB),
    "lmf": (plugin(wordnet.READER), LMF),
}
HOSTILE = [
    "\x1b[2J\x1b]0;title\x07",
    "a\x00b",
    "\x9b2J",
    "\u202eevil\u2066",
    "e\u0301 \u00a0x\u2028y",
    "\ufeff\u200b",
    "\ue000\U0010ffff",
    "w" * 1001,
    "so " * 5000,
    "9" * 5000,
    "-1",
    "1e999",
    "nan",
    "",
    "|",
    "\t",
    '"',
    "\n",
    "{(x\x7f)}",
    "\udce9",
    "\\u0000\\u001b[2J",
    "\\ud800",
    "&#x202e;",
    "\ufffd",
]
TEXTS = (
    st.sampled_from(HOSTILE) | st.text(max_size=6) | st.text("a\u0301 -\u200d\x1b\t\u2029\U000e0041\u1160", max_size=6)
)


def is_visible(text: str) -> bool:
    bad = ("Cc", "Cs", "Co", "Zl", "Zp")
    return not any(
        unicodedata.category(c) in bad or "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" for c in text
    )


def is_tidy(text: str) -> bool:
    return (
        text == text.strip(" " + JOINERS)
        and "  " not in text
        and not re.search(r"[^\S ]", text)
        and unicodedata.is_normalized("NFC", text)
    )


def is_stored_word(text: str) -> bool:
    invisible = [c for c in text if unicodedata.category(c) in ("Cf", "Cn") and c not in JOINERS]
    has_letter = any(unicodedata.category(c).startswith("L") for c in text)
    return len(text) <= 1000 and has_letter and not invisible and is_visible(text) and is_tidy(text)


def is_stored_text(text: str | None) -> bool:
    return text is None or (0 < len(text) <= 10_000 and is_visible(text) and is_tidy(text))


def is_stored_name(text: str | None) -> bool:
    return text is None or (0 < len(text) <= 50 and all(c.isalnum() or c in "_-" for c in text))


def fits(record: Any) -> bool:
    """Say once more, in other words, what a store may hold."""
    if isinstance(record, Headword):
        return is_stored_word(record.word)
    if isinstance(record, Form):
        return is_stored_word(record.word) and is_stored_word(record.lemma) and record.kind in FORM_KINDS
    if isinstance(record, Analysis):
        morphemes = (*record.prefixes, *record.roots, *record.suffixes)
        words = is_stored_word(record.word) and all(map(is_visible, morphemes)) and is_stored_text(record.segmentation)
        return words and all(map(is_stored_name, record.pos))
    names = is_stored_name(record.pos) and is_stored_name(record.scope) and is_stored_text(record.sense)
    if isinstance(record, Statement):
        labels = {*record.usage, *record.other_usage} <= set(USAGES)
        words = is_stored_word(record.word) and is_stored_word(record.other) and record.word != record.other
        return words and names and labels and record.kind in KINDS
    n = len(record.words)
    labels = len(record.usage) in (0, n) and set(itertools.chain(*record.usage)) <= set(USAGES)
    apart = all(1 <= a < b <= n for a, b in record.apart)
    return (
        all(map(is_stored_word, record.words))
        and 1 < n == len(set(record.words)) <= 1000
        and names
        and labels
        and apart
    )


def read_valid(read: Read, path: Path) -> tuple[list[Any], ReadReport] | None:
    """Return what a store would get, or None where one line says why it gets nothing."""
    report = ReadReport()
    try:
        records = [record for batch in validation.keep_valid(read(path, report), report) for record in batch.records()]
    except LexkitError as error:
        assert "\n" not in str(error)
        assert is_visible(str(error))
        return None
    assert [record for record in records if not fits(record)] == []
    assert all(example.isprintable() and len(example) < 400 for example in report.examples.values())
    assert report.first_bad is None or report.first_bad.isprintable()
    assert all(isinstance(reason, (Reason, OwnReason)) and n > 0 for reason, n in report.rejected.items())
    assert 0 <= report.n_records < 100
    return records, report


def write(path: Path, name: str, data: bytes) -> Path:
    if name != "wndb":
        path = path / "file"
        path.write_bytes(data)
        return path
    for part in ("noun", "verb", "adv"):
        (path / f"data.{part}").write_bytes(b"00000100 03 n 02 hot_dog 0 sausage 1 000 | a meal\n")
    (path / "data.adj").write_bytes(data)
    return path


@pytest.mark.parametrize("name", FORMATS)
class TestEveryReader:
    def test_takes_its_format(self, name: str, tmp_path: Path) -> None:
        read, text = FORMATS[name]
        result = read_valid(read, write(tmp_path, name, text.encode()))
        assert result is not None
        assert result[0]
        assert result[1].n_rejected == 0

    @settings(
        max_examples=40,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_lets_in_only_what_a_store_may_hold(self, name: str, tmp_path: Path, data: st.DataObject) -> None:
        read, text = FORMATS[name]
        for _ in range(data.draw(st.integers(1, 2))):
            field = data.draw(st.sampled_from(list(re.finditer(r"\w+|[^\w\s]", text))))
            new = data.draw(TEXTS)
            keeps = data.draw(st.sampled_from(["", field[0]]))
            text = f"{text[: field.start()]}{keeps}{new}{text[field.end() :]}"
        result = read_valid(read, write(tmp_path, name, text.encode("utf-8", "surrogateescape")))
        if result is not None and name == "pairs":
            records, report = result
            assert report.n_records == len(records) + report.n_rejected
        if result is not None and name.startswith("morpholex"):
            records, report = result
            unknown = report.rejected.get(Reason.UNKNOWN_POS, 0)
            assert report.n_records == len(records) + report.n_rejected - unknown


WORDS = st.sampled_from(["kind", "good", "ice cream", "naïve", "東京"])
"""Words that a store may hold, of which a field may be spoilt."""
SPOILT = st.one_of(
    TEXTS,
    st.sampled_from(
        ["\x1b[2J", "kin\0d", "12345", "a" * 2000, " - x ", "noun, verb", "kind", "\u202ekind", "", "k\u0301ind"]
    ),
    st.none(),
    st.integers(),
    st.binary(max_size=2),
    st.just(("kind", "kind")),
)
LABELS = st.lists(st.sampled_from(USAGES), max_size=2, unique=True).map(tuple)
NAMES = st.none() | st.sampled_from(["noun", "old_thesaurus", "prep-phrase"])
SENSES = st.none() | st.just("of a good nature")
VALID = st.one_of(
    st.builds(Headword, WORDS),
    st.builds(Statement, WORDS, WORDS, st.sampled_from(KINDS), NAMES, SENSES, NAMES, LABELS, LABELS),
    st.builds(Form, WORDS, WORDS, st.sampled_from(FORM_KINDS)),
    st.builds(Group, st.lists(WORDS, min_size=2, max_size=4, unique=True).map(tuple), NAMES, SENSES, NAMES),
)


@st.composite
def records(draw: st.DrawFn) -> Any:
    """A record, of which often one field is spoilt, or one word of a group."""
    record = draw(VALID)
    if draw(st.booleans()):
        return record
    field, spoilt = draw(st.sampled_from(record._fields)), draw(SPOILT)
    if field == "words" and draw(st.booleans()):
        spoilt = (*record.words, spoilt)
    return record._replace(**{field: spoilt})


def faults(record: Any) -> list[str]:
    """What is wrong with a record of a store, decided independently of `lexkit.sources.validation`."""
    wrong = [
        word
        for name in ("word", "other", "lemma")
        if (word := getattr(record, name, "x")) is not None and not is_stored_word(word)
    ]
    wrong += [word for word in getattr(record, "words", ()) if not is_stored_word(word)]
    names = [name for key in ("pos", "scope") if (name := getattr(record, key, None)) is not None]
    wrong += [name for name in names if not is_stored_name(name)]
    labels = [*getattr(record, "usage", ()), *getattr(record, "other_usage", ())]
    wrong += [label for label in labels if isinstance(label, str) and label not in USAGES]
    if (sense := getattr(record, "sense", None)) is not None and not is_stored_text(sense):
        wrong.append(sense)
    if isinstance(record, (Statement, Form)) and record[0] == record[1]:
        wrong.append("itself")
    return wrong


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(given_records=st.lists(records(), max_size=4))
def test_plugins_get_in_only_what_a_store_may_hold(given_records: list[Any]) -> None:
    def read(path: Path, report: ReadReport, language: str) -> Iterator[Any]:
        for record in given_records:
            report.n_records += 1
            yield record

    result = read_valid(plugin(Reader("t", "r", read, None, None)), Path("file"))
    event("a wrong type" if result is None else "read")
    if result is None:
        return
    kept, report = result
    assert [fault for record in kept for fault in faults(record)] == []
    right = [record for record in given_records if not faults(record) and not isinstance(record, Group)]
    assert [record for record in right if record not in kept] == []
    lost = [r for r in given_records if isinstance(r, (Statement, Form)) and faults(r)]
    assert report.n_rejected >= len([record for record in lost if record not in kept and not _mended(record, kept)])


def _mended(record: Any, kept: list[Any]) -> bool:
    """Whether a record with the same words, but for what nobody sees in them, has been let in."""
    names = [name for name in ("word", "other", "lemma") if hasattr(record, name)]
    words = [normalize_word(getattr(record, name)) for name in names]
    return any(type(one) is type(record) and [getattr(one, name) for name in names] == words for one in kept)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Statement("kind", "good", "synonym", "noun, verb"), Reason.NOT_A_NAME),
        (Statement("kind", "good", "synonym", None, None, " - x "), Reason.NOT_A_NAME),
        (Statement("kind", "good", "synonym", scope="indirect"), Reason.NOT_A_NAME),
        (Group(("kind", "good"), scope="indirect"), Reason.NOT_A_NAME),
        (Statement("kind", "\u202ekind", "synonym"), Reason.SELF),
        (Statement("kind", "12345", "synonym"), Reason.NOT_A_WORD),
        (Headword("a" * 1001), Reason.NOT_A_WORD),
        (Group(tuple(f"word{chr(97 + n % 26)}{'a' * (n // 26)}" for n in range(1001))), Reason.TOO_MANY),
        (Statement("kind", "good", "synonym", usage=("nice",)), Reason.UNKNOWN_LABEL),
        (Statement("kind", "good", "synonym", None, "a" * 10001), Reason.LONG_GLOSS),
    ],
)
def test_each_rule_is_asked(record: Any, reason: Reason) -> None:
    def read(path: Path, report: ReadReport, language: str) -> Iterator[Any]:
        report.n_records += 1
        yield record

    result = read_valid(plugin(Reader("t", "r", read, None, None)), Path("file"))
    assert result is not None
    assert result[1].rejected == {reason: 1}
    assert len(result[0]) == (reason is Reason.LONG_GLOSS)


class TestScreens:
    """What columns are searched for finds whatever the rules would refuse."""

    def test_letters_that_are_never_doubtful_are_words_in_any_company(self) -> None:
        letters = [c for c in map(chr, range(0x20000)) if re.fullmatch(f"[{validation._LETTERS}]", c)]
        assert [c for c in letters if not is_stored_word(c)] == []
        last = {unicodedata.normalize("NFD", c)[-1] for c in map(chr, range(0x20000)) if unicodedata.decomposition(c)}
        composing = {c for c in last if unicodedata.combining(c) or "\u1100" <= c <= "\u11ff"}
        assert composing.isdisjoint(letters)

    @settings(max_examples=200, derandomize=True, deadline=None, database=None)
    @given(
        text=TEXTS.filter(lambda text: "\udce9" not in text)
        | st.text("aZ é9'(\u0301\u0645ね\u3099\u11a8가", max_size=5)
    )
    def test_agree_with_the_rules(self, text: str) -> None:
        column = pa.chunked_array([[text, None]], pa.string())
        for rule, is_stored in ((validation.WORD, is_stored_word), (validation.TEXT, is_stored_text)):
            assert rule.faults(column) == ([] if rule.holds(text) else [text])
            assert not rule.holds(text) or is_stored(text)


class TestCarriedLists:
    """The files of data_sources hold what a store may hold."""

    @pytest.mark.parametrize("path", sorted(data_file("").glob("frequency_*")), ids=lambda path: path.name)
    def test_frequencies_are_finite_and_of_words(self, path: Path) -> None:
        table = frequencies(path.name[len("frequency_") : -len(".tsv.gz")])
        assert pa.compute.min_max(table["zipf"]).as_py()["min"] >= 0
        assert pa.compute.all(pa.compute.less(table["zipf"], 9)).as_py()
        assert [text for text in table["folded"].to_pylist() if not text.isprintable() or len(text) > 100] == []

    def test_lists_of_words_hold_words(self) -> None:
        archaic = pa.csv.read_csv(data_file("archaic.tsv"), parse_options=pa.csv.ParseOptions(delimiter="\t"))["word"]
        words = [entry.word for entry in offensive_words()] + archaic.to_pylist()
        assert [word for word in words if not is_stored_word(word)] == []
        assert {entry.label for entry in offensive_words()} <= set(USAGES)

    @pytest.mark.parametrize("language", languages_with_affixes())
    def test_affixes_are_letters(self, language: str) -> None:
        affixes = affixes_of(language)
        assert affixes is not None
        names = [affix.name for affix in affixes.affix] + [form.form for affix in affixes.affix for form in affix.forms]
        assert [name for name in names if not is_stored_word(name)] == []
