"""Read thesauri in MyThes, LibreOffice's format: a text file with an index, which is not needed here.

The first line names the encoding. Each entry is a line ``word|n``, followed by n lines with one meaning each,
``pos|term|term ...``. The terms are synonyms of the word unless a note in brackets says otherwise: ``unhappy
(antonym)``. ``data_sources/mythes_marks.toml`` lists what the notes mean in each language.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lexkit.errors import SourceError
from lexkit.sources.files import open_binary
from lexkit.sources.mythes_notes import SIGNS, Meaning, Notes, fault_of, ordered
from lexkit.sources.plugins import Reader
from lexkit.sources.read_report import OwnReason, ReadReport, Reason
from lexkit.sources.records import Headword, Record, Statement
from lexkit.sources.wordnet.synsets import ORIGIN, PRINCETON

_ENTRY = re.compile(r"(.+)\|([0-9]{1,9})")
_MEANING = re.compile(r"[-(|]")
"""How a line with a meaning begins; without this check, ``(noun)|1`` would be taken for an entry."""

ONE_SIDED = OwnReason("an unmarked term beside a related term, not confirmed by its own entry")
WRONG_ENCODING = OwnReason("a line not in the encoding that the first line names", bad=True)
MISSING_MEANINGS = OwnReason("an entry with fewer meanings than it declares", bad=True)

_WORDNET_HYPERNYM = "(generic term)"
"""Mark of hypernyms in the thesaurus made from WordNet; a thesaurus without it has another origin."""
_WORDNET_RELATED = "(related term)"

_ASCII = (
    bytes(range(0x20, 0x5C)) + b"]^_`" + bytes(range(0x61, 0x7E)) + b"\r\n",
    rb"\u0041",
    b"+AGE-",
    b"~{<:~}",
    b"a-b",
    b"xn--a-ecp",
    b"\x1b$B0!",
)
"""Text that encodings of these files decode as ASCII; UTF-7, HZ and punycode give some of it another meaning."""

_Line = tuple[str, str, int]
"""An entry, the text of one of its meanings, and the number of that line."""


def read(path: Path, report: ReadReport, language: str = "en") -> Iterator[Record]:
    """Yield the synonyms and antonyms of each entry as statements about the entry.

    Marks of style become labels of usage. Terms marked as hypernyms, hyponyms, similar or related terms are refused,
    and so are terms with an unknown mark. If a meaning has a related term, an unmarked term is refused too, unless its
    own entry lists this word as a synonym: the English thesaurus marks only the last of several related terms (``.22
    caliber``: ``diameter|diam (related term)``). Entries are in lower case. If a meaning has the entry itself among its
    terms, the word gets the spelling of that term (``aalost``: ``Aalost``). In files where most meanings do so, such as
    the German ones, the other meanings take the spelling from the rest of their entry (``herz``, ``Herz...``:
    ``Herz``).

    Args:
        path: the .dat file, plain or gzipped.
        report: counts lines read, and lines and terms refused.
        language: the language of the file, which does not say it itself. Its marks take precedence, and the English
            thesaurus, if it is made from WordNet, gets WordNet's licence and origin in the report.

    Raises:
        SourceError: the file cannot be read, or its first line does not name an encoding that Python knows.
    """
    with open_binary(path) as stream:
        encoding = _encoding(path, stream.readline())
        lines = list(_lines(stream, encoding, report))
    if language == "en" and any(_WORDNET_HYPERNYM in text for _, text, _ in lines):
        report.licence, report.origin = PRINCETON, ORIGIN
    notes = Notes(language)
    confirmed = _confirmed(lines, notes)
    spellings = _spellings(lines, notes)
    for line in lines:
        yield from _records(notes.meaning(*line), confirmed, spellings, report)


def _encoding(path: Path, line: bytes) -> str:
    name = line.removeprefix(codecs.BOM_UTF8).decode("ascii", "replace").strip()
    try:
        # Python's name for "microsoft-cp1251" and "CP-1251" is cp1251
        codec = codecs.lookup(re.sub(r"^(?:microsoft-)?cp-?", "cp", name, flags=re.IGNORECASE)).name
        # Refuse codecs that do not decode text (hex), and those that read ASCII in a way of their own (UTF-16)
        if any(sample.decode(codec) != sample.decode("ascii") for sample in _ASCII):
            raise LookupError(codec)
        return codec
    except (LookupError, ValueError) as error:
        raise SourceError(
            f"{path}, line 1: {name[:40]!r} is not an encoding; give a .dat file of MyThes, or convert it to UTF-8"
        ) from error


def _lines(stream: Iterable[bytes], encoding: str, report: ReadReport) -> Iterator[_Line]:
    entry, line_of_entry, missing = "", 0, 0
    for number, line in enumerate(stream, 2):
        if not line.strip():
            continue
        report.n_records += 1
        try:
            text = line.decode(encoding).strip()
        except UnicodeDecodeError:
            report.reject(WRONG_ENCODING, line.decode("ascii", "replace"), line=number)
            missing -= missing > 0
            continue
        head = None if missing and _MEANING.match(text) else _ENTRY.fullmatch(text)
        if head:
            if missing:
                report.reject(MISSING_MEANINGS, entry, line=line_of_entry)
            entry, line_of_entry, missing = head[1], number, int(head[2])
            if not missing:
                yield entry, "-", number
        elif missing:
            missing -= 1
            yield entry, text, number
        else:
            report.reject(Reason.MALFORMED, text, line=number)
    if missing:
        report.reject(MISSING_MEANINGS, entry, line=line_of_entry)


def _confirmed(lines: Sequence[_Line], notes: Notes) -> set[tuple[str, str]]:
    """Return pairs of a synonym that stands beside a related term and its entry, if the synonym's own entry agrees."""
    meanings = (notes.meaning(*line) for line in lines if _WORDNET_RELATED in line[1])
    wanted = {
        (text.lower(), meaning.entry) for meaning in meanings if meaning.has_related() for text in meaning.synonyms()
    }
    entries = {word for word, _ in wanted}
    given = (
        (meaning.entry, text.lower())
        for meaning in (notes.meaning(*line) for line in lines if line[0] in entries)
        for text in meaning.synonyms()
    )
    return wanted.intersection(given)


def _spellings(lines: Sequence[_Line], notes: Notes) -> dict[str, str]:
    """Return the spelling of entries for meanings that do not give it, by the entry as it is in the file.

    The result is empty unless most meanings give the spelling. The English thesaurus has the entry among the terms only
    if its spelling differs, so a meaning of ``polish`` without ``Polish`` belongs to the word in lower case.
    """
    found: dict[str, Counter[str]] = {}
    n_own = 0
    for line in lines:
        if line[0].lower() in line[1].lower() or SIGNS.search(line[0]):
            meaning = notes.meaning(*line)
            if own := meaning.own_spelling():
                found.setdefault(meaning.entry, Counter())[own.word] += 1
                n_own += 1
    if n_own * 2 <= len(lines):
        return {}
    return {entry: entry if entry in words else words.most_common(1)[0][0] for entry, words in found.items()}


def _records(
    meaning: Meaning, confirmed: set[tuple[str, str]], spellings: dict[str, str], report: ReadReport
) -> Iterator[Record]:
    n_bad = report.n_bad
    entry, head = meaning.entry.lower(), meaning.head
    word, usage = spellings.get(meaning.entry, meaning.entry), head.usage
    if own := meaning.own_spelling():
        word, usage = own.word, ordered({*usage, *own.usage}) if own.usage else usage
    if fault := fault_of(word):
        report.reject(fault, word, line=meaning.line)
        return
    report.line = meaning.line
    has_related = meaning.has_related()
    has_statement = False
    for text, own_relation, other_usage, note in meaning.terms:
        relation = own_relation or head.relation
        if relation == "synonym" and text.lower() == entry:
            continue
        if relation == "synonym" and has_related and (text.lower(), meaning.entry) not in confirmed:
            relation = ONE_SIDED
        if relation == "synonym" or relation == "antonym":
            has_statement = True
            yield Statement(word, text, relation, head.pos, head.sense, None, usage, other_usage)
        else:
            report.reject(relation, f"{word}: {text} ({note})" if note else f"{word}: {text}", line=meaning.line)
    if not has_statement:
        yield Headword(word)
    report.n_bad = min(report.n_bad, n_bad + 1)  # count the line once, even if several of its terms are bad


READER = Reader(
    title="MyThes, the format of LibreOffice's thesauri",
    reads="a .dat file, for example th_en_US_v2.dat",
    read=read,
    licence=None,
    licence_note="each thesaurus has its own; the English one, made from WordNet, has LicenseRef-WordNet-3.0",
    citation="LibreOffice: Dictionaries, The Document Foundation, https://github.com/LibreOffice/dictionaries.",
)
