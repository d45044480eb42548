"""Split a paragraph of Roget into its terms: groups between semicolons, terms between commas.

Everything that is not a term is removed: cross references (``&c 494``, ``&c (event) 151``, ``&c adj.``), notes in
brackets or braces, quotations with their authors. Marks of language, use or field (``[Lat.]``, ``[obs3]``, ``^``,
``|``) become labels of `lexkit.sources.records.USAGES` on the term before them.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from lexkit.sources.data_files import data_file
from lexkit.sources.offensive import offensive_words
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import USAGES
from lexkit.sources.roget.layouts import Head, Paragraph
from lexkit.text import fold, is_word, normalize_word


class Term(NamedTuple):
    """A term of the thesaurus and its place."""

    head: str
    """Number of the head, such as ``100a``."""
    name: str
    """Name of the head."""
    pos: str
    paragraph: int
    """Number of the paragraph among those of the head and part of speech, from 1."""
    group: int
    """Number of the semicolon group in the paragraph, from 1."""
    term: str
    usage: tuple[str, ...] = ()
    """Labels of `lexkit.sources.records.USAGES`, in their order."""


# A mark is replaced by a character that stands for its label, so that it stays with its term when the text is split.
_CODES = {label: chr(0xE000 + number) for number, label in enumerate(USAGES)}
_CODE = "\ue000-\ue0ff"
_ANY_CODE = re.compile(rf"[{_CODE}]")
_SPACE_AND_CODES = " \t\n" + "".join(_CODES.values())
_REFERENCE = re.compile(
    r"[&*7]\s?c\b\.?"  # "&c"; the scans also have "*c." and "7c."
    r"(?:,?\s*\([^()]*\)\s*(?:&c\.?)?)?"  # what the head is about
    r"(?:\s*\[[^\[\]]*\])?"
    # numbers of heads, or a part of speech; one full stop belongs to the reference, a second one to the sentence,
    # unless a preposition is left of that: "be the due &c n.. of;"
    r"(?:,?\s*\d+[a-z]?(?:\.\d+)*(?:\s+\d+[a-z]?\b)*"
    r"|,?\s*(?:n|v|adj|adv|phr|pron|int)\b"
    r"(?:\s?\.{1,2}(?=\s+(?:of|to|for|on|upon|with|from|in|into|at|by)\s*(?:[;,.:!?&(\[]|$))|\.)?)?",
    re.IGNORECASE,
)
_REFERENCE_WITHOUT_ET_CETERA = re.compile(r"\([^()]*\)\s*\d+[a-z]?(?:\.\d+)?")
_PARENTHESIS = re.compile(r"\([^()]*\)")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_BRACE = re.compile(r"\{[^{}]*\}")
_GREEK = re.compile(r"<gr/(?:(?!<gr/).)*?/gr>")
# Some paragraph breaks are lost in the scans: "proportion. link, tie, bond of union."
_GROUP_BREAK = re.compile(rf";|(?<=[a-z\])\"{_CODE}]{{3}})\s*\.\s+(?=[a-z])|(?<=[a-z{_CODE}])\s+\.\s+(?=[a-z])")
_EXCLAMATION_BREAK = re.compile(r"[!?,]+")  # "hush! silence! soft!"
_QUESTION_BREAK = re.compile(rf",|[!?][\s{_CODE}]+(?=[a-z])")  # "how? in what way?"
_ABBREVIATION = re.compile(r"^(?:\w\. ?)+\w$")
# references that lost their "&c", and footnotes: "garret 653", "653 attic", "xenogenesis1", "misbeliever.1"
_LABEL_NUMBER = re.compile(r"\s+\d+[a-z]?(?:\.\d+)?$|(?<=[a-z]{3})\.?\d$|^\d{3}[a-z]?\s+(?=[a-z])")
_UNCLOSED_QUOTE = re.compile(r"(?<=\s)'(?=[^']*$)")
_SEE = re.compile(r"^see\b.*\d|^see (?:also )?[A-Z]")
_ATTRIBUTED = "\x01"
_LONGEST = 1000
"""Maximum number of characters in a term before it is cleaned."""
_EDGES = " \t\"'`|^*!?.:,-_=+/"
_SIGNS = re.compile(r"[|^*\"]|\s[!'](?=\s|$)|[\x00-\x1f]")
_SPACE_BEFORE_COMMA = re.compile(r"\s+,")
_LOOSE_HYPHEN = re.compile(r"\s-(?=\w)")
_LEFTOVER = re.compile(r"[\[\](){}<>=\\#$%@~&]")
_MARKS = {
    mark: label
    for label, marks in {
        "foreign": "lat latin fr french it ital italian g ger german gr grk grl greek sp span spanish jap japan "
        "japanese rus russ russian afrik afrikaans port dut dutch hind hindi turk pers chin heb arab swed norw dan",
        "regional": "us am amer brit british england english austral can scot scots scotch ir ire irish welsh anglo "
        "ind",
        "obsolete": "obs obs2 obs3 obsolete",
        "archaic": "archaic",
        "slang": "slang cant",
        "informal": "coll colloq",
        "vulgar": "vulg vulgar",
        "humorous": "joc jocose jocular iron ironic ironical ironically sarc",
        "euphemistic": "euph euphem",
        "offensive": "derog derogatory pej",
        "dialect": "dial dialect",
        "rare": "rare",
        "figurative": "fig",
        "historical": "hist",
        "technical": "med law chem anat biol gram gramm comp math microbiol microb micro phys geom engin eng physiol "
        "physio bioch biochem ocean oceanography astron parl parliamentary heral her mil naut mus bot zool geol psych "
        "philos theol rhet arith log print theat arch topo",
        # not labels of usage
        "": "tr tran trans n all contr contraction abbr pref usu esp mediev chemsub isa exlist ref transitive "
        "intransitive pigments functions list saying politics terminology crim",
    }.items()
    for mark in marks.split()
}
_MARK_AFTER_STOP = re.compile(rf"([!?])\s*([{_CODE}]+)")  # "adieu! [Fr.]"
_DAGGER = re.compile(r"\|!?|\^")
_ASTERISK = re.compile(rf"\s?(?<!\*)\*+(?=\s*(?:[,;.!{_CODE}]|$))")
"""Mark of slang in etext #22."""


def parse_terms(head: Head, report: ReadReport) -> Iterator[Term]:
    """Yield the terms of *head* in the order of the book, and count refused ones in *report*.

    Phrases (``Phr.``) are proverbs and sayings that contain commas, so each group of them is one term.
    """
    numbers: dict[str, int] = {}
    for paragraph in head.paragraphs:
        groups = [terms for text in _groups(head.number, paragraph) if (terms := _group(head, paragraph, text, report))]
        if not groups:
            continue
        number = numbers[paragraph.pos] = numbers.get(paragraph.pos, 0) + 1
        for group, terms in enumerate(groups, 1):
            for term, usage in terms.items():
                yield Term(head.number, head.name, paragraph.pos, number, group, term, usage)


@cache
def _corrections() -> dict[tuple[str, str], list[tuple[re.Pattern[str], str]]]:
    """Return corrections of missing breaks and other slips, by head and part of speech."""
    found = defaultdict(list)
    text = data_file("roget_corrections.tsv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        written = r"\s+".join(map(re.escape, row["written"].split()))
        found[row["head"], row["pos"]].append((re.compile(rf"(?<!\w){written}(?!\w)"), row["meant"]))
    return found


def _groups(head: str, paragraph: Paragraph) -> list[str]:
    text = _GREEK.sub(" ", _BRACE.sub(" ", paragraph.text))
    text = _REFERENCE.sub(" ", text)
    text = _REFERENCE_WITHOUT_ET_CETERA.sub(" ", text)
    text = _PARENTHESIS.sub("", text)
    while _BRACKET.search(text):  # innermost brackets first
        text = _BRACKET.sub(_bracket, text)
    text = _ASTERISK.sub(_CODES["slang"], _DAGGER.sub(_CODES["obsolete"], text))
    for written, meant in _corrections().get((head, paragraph.pos), ()):
        text = written.sub(meant, text)
    # Except in sayings, a colon is a semicolon that was scanned badly.
    return _GROUP_BREAK.split(text if paragraph.pos == "phrase" else text.replace(":", ";"))


def _bracket(match: re.Match[str]) -> str:
    """Replace authors and marks of usage in brackets by codes, and remove other notes."""
    content = match[1].strip()
    marks = _marks(content)
    is_author = content[:1].isupper() and not any(mark in _MARKS for mark in marks) and "," not in content
    if is_author:
        before = match.string[: match.start()].rstrip(_SPACE_AND_CODES)
        if before and before[-1] not in ";,.":  # after text
            return _ATTRIBUTED
    marks = _marks(re.split("[:,@]", content, maxsplit=1)[0])  # [Lat: you too]
    labels = [_MARKS.get(mark) for mark in marks]
    return "".join(_CODES[label] for label in labels if label) + " " if None not in labels else " "


def _marks(content: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", content.replace("U. S", "US").replace(".", "").lower())


def _group(head: Head, paragraph: Paragraph, text: str, report: ReadReport) -> dict[str, tuple[str, ...]]:
    terms: dict[str, tuple[str, ...]] = {}
    for marked in _parts(text, paragraph.pos):
        part = _ANY_CODE.sub("", marked)
        if not part.strip(_EDGES):
            continue  # only a note or a reference was here
        report.n_records += 1
        reason, term = _clean(part, paragraph.pos)
        if reason is None and term in terms:
            reason = Reason.DUPLICATE
        if reason is None:
            terms[term] = _usage(head.number, term, marked)
        else:
            example = " ".join(part.replace(_ATTRIBUTED, " [...]").split())
            report.reject(reason, example, line=paragraph.line, where=f"head {head.number}")
    return terms


@cache
def _insults() -> dict[tuple[str, str], str]:
    """Return the labels of words that are offensive only under certain heads, by head and word."""
    return {(head, entry.word): entry.label for entry in offensive_words() for head in entry.heads}


def _usage(head: str, term: str, marked: str) -> tuple[str, ...]:
    """Return the labels whose marks are in *marked*.

    On a name, the mark for obsolete words only means that a spelling checker did not know it, so it is ignored.
    """
    insult = _insults().get((head, fold(term)))
    if insult is None and not _ANY_CODE.search(marked):
        return ()
    return tuple(
        label
        for label, code in _CODES.items()
        if label == insult or (code in marked and not (label == "obsolete" and term[:1].isupper()))
    )


def _parts(text: str, pos: str) -> list[str]:
    if pos == "phrase":
        return [text]
    text = _MARK_AFTER_STOP.sub(r"\2\1", text)
    return (_EXCLAMATION_BREAK if pos == "intj" else _QUESTION_BREAK).split(text)


def _clean(part: str, pos: str) -> tuple[Reason | None, str]:
    if len(part) > _LONGEST:
        return Reason.NOT_A_WORD, part
    text = normalize_word(part.replace(_ATTRIBUTED, " "))
    if not text.isalpha():
        text = _SPACE_BEFORE_COMMA.sub(",", _SIGNS.sub(" ", text))
        text = _LOOSE_HYPHEN.sub(" ", text)
    term = normalize_word(text.strip(_EDGES))
    if text.rstrip(" .!?").endswith("'"):
        term = _UNCLOSED_QUOTE.sub("", term)  # "cry 'wolf!'" has lost its closing quote with the edges
    if _ATTRIBUTED in part and (pos == "phrase" or term.count(" ") >= 3):
        return Reason.QUOTATION, term
    if _SEE.search(term):
        return Reason.CROSS_REFERENCE, term
    term = _LABEL_NUMBER.sub("", term).strip(_EDGES)
    if _ABBREVIATION.match(term):
        term += "."
    if _LEFTOVER.search(term):
        return Reason.LEFTOVER, term
    if not is_word(term):
        return Reason.NOT_A_WORD, term
    return None, term
