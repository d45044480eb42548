"""Cuts a paragraph of Roget into its terms: groups between semicolons, terms between commas.

What is not a term goes: cross references (``&c 494``, ``&c (event) 151``, ``&c adj.``), notes in brackets or
braces, marks of language, use or field (``[Lat.]``, ``[obs3]``, ``^``, ``|``), quotations with their authors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lexkit.sources.roget.layouts import Head, Paragraph
from lexkit.sources.tally import Reason, Tally
from lexkit.text import is_word, normalize_word


class Term(NamedTuple):
    """One fact of the thesaurus: this term stands here."""

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


_REFERENCE = re.compile(
    r"[&*7]\s?c\b\.?"  # "&c"; the scans also have "*c." and "7c."
    r"(?:,?\s*\([^()]*\)\s*(?:&c\.?)?)?"  # what the head is about
    r"(?:\s*\[[^\[\]]*\])?"
    # numbers of heads, or a part of speech, of which one stop belongs to the reference, a second to the sentence
    r"(?:,?\s*\d+[a-z]?(?:\.\d+)*(?:\s+\d+[a-z]?\b)*|,?\s*(?:n|v|adj|adv|phr|pron|int)\b\.?)?",
    re.IGNORECASE,
)
_REFERENCE_WITHOUT_ET_CETERA = re.compile(r"\([^()]*\)\s*\d+[a-z]?(?:\.\d+)?")
_PARENTHESIS = re.compile(r"\([^()]*\)")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_BRACE = re.compile(r"\{[^{}]*\}")
_GREEK = re.compile(r"<gr/.*?/gr>")
# The scans lose some paragraph breaks: "proportion. link, tie, bond of union."
_GROUP_BREAK = re.compile(r";|(?<=[a-z^|\])\"]{3})\s*\.\s+(?=[a-z])|(?<=[a-z])\s+\.\s+(?=[a-z])")
_EXCLAMATION_BREAK = re.compile(r"[!?,]+")  # "hush! silence! soft!"
_QUESTION_BREAK = re.compile(r",|[!?]\s+(?=[a-z])")  # "how? in what way?"
_ABBREVIATION = re.compile(r"^(?:\w\. ?)+\w$")
# references that lost their "&c", and footnotes: "garret 653", "653 attic", "xenogenesis1", "misbeliever.1"
_LABEL_NUMBER = re.compile(r"\s+\d+[a-z]?(?:\.\d+)?$|(?<=[a-z]{3})\.?\d$|^\d{3}[a-z]?\s+(?=[a-z])")
_UNCLOSED_QUOTE = re.compile(r"(?<=\s)'(?=[^']*$)")
_SEE = re.compile(r"^see\b.*\d|^see (?:also )?[A-Z]")
_ATTRIBUTED = "\x01"
_EDGES = " \t\"'`|^*!?.:,-_=+/"
_LEFTOVER = re.compile(r"[\[\](){}<>=\\#$%@~&]")
_MARKS = frozenset(
    # languages
    "lat latin fr french it ital italian g ger german gr grk grl greek sp span spanish jap japan japanese rus russ "
    "russian afrik afrikaans port ir ire irish scot scots scotch welsh dut dutch hind hindi turk pers chin heb arab "
    "swed norw dan tr tran trans mediev anglo ind "
    # use
    "obs obs3 obsolete us am amer n slang all coll colloq vulg vulgar contr contraction joc iron ironic ironical "
    "sarc abbr arch brit english england austral can euph euphem pej derog pref usu esp rare dial cant jocose "
    # fields
    "med law chem anat biol gram gramm comp math microbiol microb micro phys geom engin eng physiol physio bioch "
    "biochem ocean oceanography astron parl parliamentary heral her mil naut mus bot zool geol psych philos theol "
    "rhet arith log print theat chemsub isa exlist ref hist transitive intransitive pigments functions list".split()
)


def parse_terms(head: Head, tally: Tally) -> Iterator[Term]:
    """Yield the terms of *head* in the order of the book; count what is refused in *tally*.

    Phrases (``Phr.``) are proverbs and sayings with commas of their own, so each group of them is one term.
    """
    numbers: dict[str, int] = {}
    for paragraph in head.paragraphs:
        groups = [terms for text in _groups(paragraph) if (terms := _group(head, paragraph, text, tally))]
        if not groups:
            continue
        number = numbers[paragraph.pos] = numbers.get(paragraph.pos, 0) + 1
        for group, terms in enumerate(groups, 1):
            for term in terms:
                yield Term(head.number, head.name, paragraph.pos, number, group, term)


def _groups(paragraph: Paragraph) -> list[str]:
    text = _GREEK.sub(" ", _BRACE.sub(" ", paragraph.text))
    text = _REFERENCE.sub(" ", text)
    text = _REFERENCE_WITHOUT_ET_CETERA.sub(" ", text)
    text = _PARENTHESIS.sub("", text)
    while _BRACKET.search(text):  # from the inside out
        text = _BRACKET.sub(_bracket, text)
    return _GROUP_BREAK.split(text)


def _bracket(match: re.Match[str]) -> str:
    """Authors are remembered, everything else in brackets goes: notes, marks, explanations."""
    content = match[1].strip()
    marks = re.findall(r"[a-z0-9]+", content.replace(".", "").lower())
    is_author = content[:1].isupper() and not any(mark in _MARKS for mark in marks) and "," not in content
    after_text = bool(re.search(r"[^\s;,.]\s*$", match.string[: match.start()]))
    return _ATTRIBUTED if is_author and after_text else " "


def _group(head: Head, paragraph: Paragraph, text: str, tally: Tally) -> list[str]:
    terms: list[str] = []
    for part in _parts(text, paragraph.pos):
        if not part.strip(_EDGES):
            continue  # what stood here was a note or a reference
        tally.n_records += 1
        reason, term = _clean(part, paragraph.pos)
        if reason is None and term in terms:
            reason = Reason.DUPLICATE
        if reason is None:
            terms.append(term)
        else:
            example = " ".join(part.replace(_ATTRIBUTED, " [...]").split())
            tally.reject(reason, example, line=paragraph.line, where=f"head {head.number}")
    return terms


def _parts(text: str, pos: str) -> list[str]:
    if pos == "phrase":
        return [text]
    return (_EXCLAMATION_BREAK if pos == "intj" else _QUESTION_BREAK).split(text)


def _clean(part: str, pos: str) -> tuple[Reason | None, str]:
    text = normalize_word(part.replace(_ATTRIBUTED, " ").replace("|!", " "))
    text = re.sub(r"[|^*\"]|\s[!'](?=\s|$)|[\x00-\x1f]", " ", text)
    text = re.sub(r"\s-(?=\w)", " ", re.sub(r"\s+,", ",", text))
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
