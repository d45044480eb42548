"""References to other pages in the text of a linkage: "see also folly", "siehe Hund", "犬を参照", "Appendix:Folly".

``data_sources/wiktionary_words.tsv`` lists the words that the editions use, by kind and language:

- ``reference``: a reference in any language, alone or before a word, at the beginning or after a sign;
- ``see``: a reference in its own language only, after a sign, or before a colon or a single word unless the entry is a
  verb or a phrase;
- ``bare``: a reference if the text consists of it alone;
- ``after``: an ordinary verb, which is a reference only after a sign or before a colon;
- ``phrase``: real phrases that begin like ``see`` or ``after``;
- ``prefix`` and ``suffix``: references written together with the word, as in Chinese and Japanese;
- ``template``, ``thesaurus``, ``page``: namespaces, which precede a colon;
- ``rest`` ("etc."), ``article`` and ``range`` ("to"), and the languages that write an ``ordinal`` with a full stop.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from lexkit.sources.data_files import data_file
from lexkit.sources.read_report import Reason

LIST = "wiktionary_words.tsv"
_SAYINGS = frozenset({"verb", "phrase", "proverb", "intj", "prep_phrase"})


@cache
def words_of(kind: str, language: str | None = None) -> frozenset[str]:
    """Return the words of a kind, for one language or for all."""
    found: set[str] = set()
    for line in data_file(LIST).read_text(encoding="utf-8").rstrip("\n").split("\n")[1:]:
        of_kind, of_language, words = line.split("\t")
        if of_kind == kind and language in (None, of_language):
            found.update(words.split("|"))
    return frozenset(found)


@cache
def languages_with(kind: str) -> frozenset[str]:
    """Return the languages that have words of a kind."""
    rows = (line.split("\t") for line in data_file(LIST).read_text(encoding="utf-8").split("\n") if line)
    return frozenset(language for of_kind, language, _ in rows if of_kind == kind)


def _any(words: Iterable[str]) -> str:
    """Return a pattern that matches any of *words*, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word))) or r"(?!)"


def _written(words: Iterable[str]) -> str:
    """Return a pattern that matches any of *words*, with or without capitals.

    Very short words stay as they are: "S. aureus" is not a German reference.
    """
    found = set(words)
    found |= {form for word in found if len(word) > 2 for form in (word[0].upper() + word[1:], word.title())}
    found |= {word.upper() for word in found if " " in word}
    return _any(found)


_SIGN = r"(?:^[^\w\s]*\s*|\s*[,;:、，；،؛→⇒]\s*|\s+[/–—]\s+)(?:(?:and|or|und|et|y|e|i|и)\s+)?"  # noqa: RUF001
_REFERENCE = re.compile(rf"{_SIGN}(?:{_written(words_of('reference'))})(?![\w-]).*$", re.DOTALL)
_LEADING = words_of("see") | words_of("after") | words_of("reference")
FIRST_WORDS = frozenset(words.lower().split(" ")[0].rstrip(":.") for words in _LEADING)
"""First words, in lower case, of texts that may be references."""
_THESAURI = _any(words_of("thesaurus"))
_PAGE_OF_THESAURUS = re.compile(
    rf"(?:^|[\s,;]+)(?:(?:and|or|at|also|more|{_any(_LEADING)})[\s:]+)*(?:{_THESAURI})\s*:.*$",
    re.IGNORECASE | re.DOTALL,
)
_PAGE = re.compile(rf"^:?(?:w|(?i:{_any(words_of('page'))}))\s?:\s*\S")
TEMPLATE = re.compile(rf"(?i:{_any(words_of('template'))})\s*:")
_PREFIXES, _SUFFIXES = tuple(words_of("prefix")), tuple(words_of("suffix"))
THESAURUS = tuple(f"{name}:" for name in words_of("thesaurus"))
"""Beginnings of the names of pages in the editions' thesauri."""


def is_joined(text: str) -> bool:
    """Whether a text is a reference written together with its word. Either part alone is an ordinary word."""
    return (text.startswith(_PREFIXES) and text not in _PREFIXES) or (
        text.endswith(_SUFFIXES) and text not in _SUFFIXES
    )


_ONE_WORD = r"(?:[^\s,;.]{2}|[^\x00-\u2fff])[^\s,;]*"  # "s. d." is an abbreviation


@cache
def _of_language(language: str) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Return a language's patterns of references at the beginning and after a sign, and of phrases that are not."""
    see, after = words_of("see", language), words_of("after", language)
    first = re.compile(rf"\W*(?:(?:{_written(see)})\s+{_ONE_WORD}$|(?:{_written(see | after)})\s*[:\uff1a]\s*\S)")
    later = re.compile(
        rf"(?:^\s*[→⇒]|(?<=\S)\s*[,;:、\uff0c\uff1b→⇒])\s*(?:{_written(see | after)})[\s:\uff1a]+\S.*$", re.DOTALL
    )
    phrases = re.compile(rf"\W*(?:{_any(words_of('phrase', language))})(?!\w)", re.IGNORECASE)
    return first, later, phrases


def without_references(text: str, pos: str | None, language: str) -> tuple[str, Reason | None]:
    """Remove a reference to another page, and return the remaining text and the reason if there was one."""
    if ":" in text and (target := _PAGE_OF_THESAURUS.sub("", text)) != text:
        return target, Reason.THESAURUS_PAGE
    if _PAGE.match(text) or is_joined(text.rstrip("。.")):
        return "", Reason.CROSS_REFERENCE
    target = _REFERENCE.sub("", text)
    first, later, phrases = _of_language(language)
    if (found := later.search(target)) and not phrases.match(found[0]):
        target = target[: found.start()]
    if first.match(target) and not phrases.match(target) and (pos not in _SAYINGS or re.search(r"[:\uff1a→⇒]", target)):
        target = ""
    return target, Reason.CROSS_REFERENCE if target != text else None
