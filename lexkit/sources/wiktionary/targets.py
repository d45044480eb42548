"""What the text of a linkage names: usually a word, sometimes a list, a cross reference, a note or debris of a page."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from lexkit.sources.tally import Reason
from lexkit.sources.wiktionary.labels import labels_of_note
from lexkit.text import is_word, normalize_word

Target = tuple[Sequence[str], tuple[str, ...], Reason | None]
"""The words that a linkage names, the labels that a note in brackets gives them, and why something was left out."""

# What is neither a reference nor running text begins otherwise
_PLAIN = re.compile(r"(?!to |see |and |or |more |[A-Z])[A-Za-z]+(?:[ '-][A-Za-z]+)*")
_ENTITY = re.compile(r"&(?:[a-zA-Z]+|#\d+|#x[\da-fA-F]+);")
# Each is replaced by what a reader of the page sees of it
_MARKUP = [
    (re.compile(r"<ref\b[^<>]*>.*?</ref>|<[/!]?[a-z][^<>]*>|\[\d+\]", re.DOTALL | re.IGNORECASE), ""),
    (re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]"), r"\1"),
    (re.compile(r"\{\{(?:l|ll|link|m|mention)\|[\w-]+\|([^{}|]+)[^{}]*\}\}"), r"\1"),
    (re.compile(r"'{2,}"), ""),
]
_DEBRIS = re.compile(
    r"""\||\{\{|\}\}|\[\[|\]\]|</?[a-z]|=\s*["']|UNIQ-|-QINU|^[\w-]+\s*:[^;]*;$|^[a-z]+(?:-[a-z]+)+\s*:\s*\S""",
    re.IGNORECASE,
)
_PAGE = re.compile(
    r"^:?(?:w|(?i:appendix|category|citations|file|help|image|module|project|reconstruction|rhymes|special|talk|user|"
    r"wikipedia|wikisource|wikispecies|wiktionary)):\s*\S"
)
_THESAURUS = re.compile(
    r"(?:^|[\s,;]+)(?:(?:and|or|see|also|more|at)[\s:]+)*(?:Thesaurus|Wikisaurus)\s*:.*$", re.IGNORECASE | re.DOTALL
)
_REFERENCE = re.compile(
    r"(?:^|[,;]\s*)(?:(?:and|or)\s+)*(?:see\s+(?:also|above|below|under)\b|see\s*:|more\s+at\b|cf\.).*$",
    re.IGNORECASE | re.DOTALL,
)
_SECTION = re.compile(r"(?<=.)#(?=\w).*$", re.DOTALL)  # but "C#" is a word
_NOTES = re.compile(r"(?:\s+(?:\([^()]*\)|\[[^\[\]]*\]))+$")
_FIRST_NOTE = re.compile(r"^\(([^()]*)\)\s+")
_BULLET = re.compile(r"^(?:[*·•,;:]|\):)\s+")
_LAST_SIGN = re.compile(r"\s+[-\u2013\u2014]+$|(?<=\w\w)[,;:]+$")
_COMMA = re.compile(r"[,;]\s+")
# A sentence has ended, or a note of five words or more speaks of the word. "Mr. Right" and "Prof. X" are words, as are
# "English as a second language" and "for what it is worth"
_SENTENCE = re.compile(r"\b[a-z]{4,}[.?!]\s+\w")
_REMARK = re.compile(
    r"[A-Z](?=(?:\S+\s+){4})(?:.*\s)?(?:is|are|was|were|means|negates|refers|denotes|used)\s", re.DOTALL
)
_SAYINGS = frozenset({"phrase", "proverb", "intj", "prep_phrase"})


def read_target(text: str, pos: str | None) -> Target:
    """Return the words that a linkage of a word with the part of speech *pos* names.

    Markup is replaced by what it shows; notes in brackets, a ``#section`` and references to other pages are cut off;
    so is "to" before a verb. Commas and semicolons part targets if every part is a single word and none comes twice
    ("þe, ẏe, ye"). Otherwise the target stays whole, since "X, Y and Z" cannot be told from an idiom such as "lock,
    stock and barrel", nor "X and Y" from "rain cats and dogs".
    """
    if (text.isalpha() and "saurus" not in text) or _PLAIN.fullmatch(text):
        return (normalize_word(text),), (), None
    if text.startswith("Template:"):
        return (), (), Reason.PLACEHOLDER
    target, reason = _without_references(normalize_word(_shown(text)))
    if reason is not None and not target:
        return (), (), reason
    if _DEBRIS.search(target):
        return (), (), Reason.MARKUP
    target, labels = _without_notes(target)
    if pos == "verb" and target.startswith("to "):
        target = target[3:]
    if _SENTENCE.search(target) or (pos not in _SAYINGS and _REMARK.match(target)):
        return (), (), Reason.RUNNING_TEXT
    parts = _COMMA.split(target)
    is_list = len(set(parts)) == len(parts) and not any(" " in part for part in parts)
    targets = parts if is_list else [target]
    words = [part for part in targets if is_word(part)]
    if len(words) < len(targets):
        reason = Reason.NOT_A_WORD if target else Reason.NO_WORD
    return words, labels, reason


def _shown(text: str) -> str:
    """Return what a reader of the page sees of some markup."""
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    if any(sign in text for sign in ("<", "[", "{{", "''")):
        for pattern, shown in _MARKUP:
            text = pattern.sub(shown, text)
    return text


def _without_references(text: str) -> tuple[str, Reason | None]:
    """Cut off a reference to another page, and return the reason if there was one."""
    if "saurus" in text:
        target = _THESAURUS.sub("", text)
        if target != text or text in ("Thesaurus", "Wikisaurus"):
            return target if target != text else "", Reason.THESAURUS_PAGE
    target = _REFERENCE.sub("", text)
    if target != text or _PAGE.match(text):
        return target if target != text else "", Reason.CROSS_REFERENCE
    return text, None


def _without_notes(text: str) -> tuple[str, tuple[str, ...]]:
    """Cut off notes and signs around a target, and return the labels that the notes give it."""
    target = _BULLET.sub("", text)
    labels: tuple[str, ...] = ()
    if target.endswith((")", "]")) and (notes := _NOTES.search(target)):
        target, labels = target[: notes.start()], labels_of_note(re.sub(r"[^\w-]+", ", ", notes[0]).strip(", "))
    # Other brackets at the beginning hold words that may be left out: "(as) good as gold"
    if (note := _FIRST_NOTE.match(target)) and (first := labels_of_note(note[1])):
        target, labels = target[note.end() :], first
    return normalize_word(_LAST_SIGN.sub("", _SECTION.sub("", target))), labels
