"""Makes records of the lines of a block: what of an entry is read, what is refused, and why.

Raw files (``raw-wiktextract-data.jsonl``) and postprocessed ones (kaikki.org) have the same fields as far as
they matter here: ``word``, ``lang_code``, ``pos``, ``senses``, and lists of linkages ``synonyms`` and ``antonyms``
both in a sense and in the entry.

Most bytes are never decoded. A line without the language's code in quotation marks is of another language; of a line
without the names of the linkages only the word is read; of the rest, only the fields below.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from lexkit.sources.batches import Batch
from lexkit.sources.records import Headword, Statement
from lexkit.sources.tally import Reason, Tally
from lexkit.sources.wiktionary.blocks import MAX_LINE
from lexkit.text import is_word, normalize_word

_NONE = msgspec.Raw(b"[]")


class _Linkage(msgspec.Struct, gc=False):
    word: str = ""
    sense: str | None = None
    source: str | None = None
    tags: msgspec.Raw = _NONE


class _Sense(msgspec.Struct, gc=False):
    glosses: list[str] = []
    synonyms: list[_Linkage] = []
    antonyms: list[_Linkage] = []
    tags: msgspec.Raw = _NONE


class _Head(msgspec.Struct, gc=False):
    word: str = ""
    lang_code: str = ""
    redirect: str | None = None


class _Entry(_Head, gc=False):
    pos: str | None = None
    senses: msgspec.Raw = _NONE
    synonyms: list[_Linkage] = []
    antonyms: list[_Linkage] = []


_ANY = msgspec.json.Decoder()
_HEAD = msgspec.json.Decoder(_Head)
_ENTRY = msgspec.json.Decoder(_Entry)
_SENSES = msgspec.json.Decoder(list[_Sense])
_TAGS = msgspec.json.Decoder(list[str])
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SECTION = re.compile(r"(?<=.)#(?=\w).*$", re.DOTALL)  # but "C#" is a word
_COMMA = re.compile(r"[,;]\s+")
_THESAURUS = re.compile(r"(?:^|\s+)(?:(?:and|or|see|also|more|at)\s+)*Thesaurus:.*$", re.IGNORECASE | re.DOTALL)
_NOTE = re.compile(r"\s+(?:\([^()]*\)|\[[^\[\]]*\])$")
_BULLET = re.compile(r"^(?:[*·•]|\):)\s+")
# Errors are no words. Other tags (obsolete, rare, informal, abbreviation ...) say how a word is used, and stay;
# "symbol" and "numeral" alone are given to ordinary words, too ("decimal point", "policy racket").
_ERRORS = frozenset({"misspelling", "misconstruction"})
_NUMERALS = frozenset({"Roman", "Arabic"})


def parse_block(block: bytes, size: int, tally: Tally, language: str, headwords: bool) -> tuple[int, list[Batch]]:
    """Return the number of lines in a block of whole lines, and its records.

    Every entry of the language gives a `Headword`, every linkage of it a `Statement` whose sense is the gloss of the
    sense (sense-level), the linkage's own note (entry-level), and the Thesaurus page it comes from, if any.

    Args:
        block: lines, ended by line feeds; a byte order mark may stand before the first.
        size: how many bytes of the block are meant.
        tally: counts lines read, and lines and linkages refused; lines are numbered from 1.
        language: Wiktionary's language code, such as ``en``.
        headwords: whether entries without relations are wanted, too.
    """
    reader = _Reader(tally, language)
    reader.read(block, size)
    batches = [Batch.of_columns(Statement, reader.statements)] if reader.statements[0] else []
    if headwords and reader.words:
        batches.append(Batch.of_columns(Headword, [reader.words]))
    return reader.n_lines, batches


class _Reader:
    """Reads lines into columns: a list a field, since a tuple a record costs as much as all the rest."""

    def __init__(self, tally: Tally, language: str) -> None:
        self.words: list[str] = []
        self.statements: list[list[Any]] = [[] for _ in Statement._fields]
        self._tally = tally
        self._language = language
        self._code = f'"{language}"'.encode()
        self.n_lines = 0
        # Looking for the code pays only where there are other languages to pass over
        self._mixed = False

    def read(self, block: bytes, size: int) -> None:
        tally, view = self._tally, memoryview(block)
        start = len(_BYTE_ORDER_MARK) if block.startswith(_BYTE_ORDER_MARK) else 0
        while start < size:
            end = block.find(b"\n", start, size)
            if end < 0:
                end = size
            self.n_lines += 1
            if end > start:
                tally.n_records += 1
                if end - start > MAX_LINE:
                    tally.reject(Reason.TOO_LONG, _shown(block, start, end), line=self.n_lines)
                elif self._mixed and self._is_other_language(block, start, end):
                    tally.reject(Reason.OTHER_LANGUAGE, _shown(block, start, end), line=self.n_lines)
                else:
                    # "synonyms" and "antonyms", and some others that do no harm
                    decoder = _HEAD if block.find(b'onyms"', start, end) < 0 else _ENTRY
                    n_statements = len(self.statements[0])
                    try:
                        self._entry(decoder.decode(view[start:end]))
                    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                        self._refuse(block[start:end], n_statements)
            start = end + 1

    def _refuse(self, line: bytes, n_statements: int) -> None:
        if line.isspace():
            self._tally.n_records -= 1
            return
        for column in self.statements:  # all of a line or nothing
            del column[n_statements:]
        self._tally.reject(_fault(line), _shown(line, 0, len(line)), line=self.n_lines)

    def _is_other_language(self, block: bytes, start: int, end: int) -> bool:
        return (
            block.find(self._code, start, end) < 0
            and block.find(b'"redirect"', start, end) < 0
            and block.startswith(b"{", start)
            and block.endswith((b"}", b"}\r"), start, end)
        )

    def _entry(self, entry: _Head) -> None:
        tally, line = self._tally, self.n_lines
        if entry.redirect is not None:
            tally.reject(Reason.REDIRECT, f"-> {entry.redirect}", line=line)
        elif entry.lang_code != self._language:
            self._mixed = True
            tally.reject(Reason.OTHER_LANGUAGE, f"{entry.word} ({entry.lang_code})", line=line)
        elif not (word := normalize_word(entry.word)):
            tally.reject(Reason.NO_WORD, f"an entry ({entry.lang_code})", line=line)
        elif not is_word(word):
            tally.reject(Reason.NOT_A_WORD, word, line=line)
        else:
            if isinstance(entry, _Entry):
                # before anything is kept of it: the senses are decoded only now, and may turn out to be none
                senses = _SENSES.decode(entry.senses) if b'onyms"' in memoryview(entry.senses).tobytes() else ()
                for sense in senses:
                    self._linkages(word, entry.pos, sense.synonyms, sense.antonyms, sense)
                self._linkages(word, entry.pos, entry.synonyms, entry.antonyms, None)
            self.words.append(word)

    def _linkages(
        self, word: str, pos: str | None, synonyms: list[_Linkage], antonyms: list[_Linkage], of: _Sense | None
    ) -> None:
        if not synonyms and not antonyms:
            return
        error = _disqualified(of.tags) if of is not None else None
        # wiktextract lists a gloss after the more general ones it stands under
        gloss = of.glosses[-1] if of is not None and of.glosses else None
        words, others, kinds, parts, senses, scopes, usages, other_usages = self.statements
        for kind, linkages in (("synonym", synonyms), ("antonym", antonyms)):
            for linkage in linkages:
                reason = error or _disqualified(linkage.tags)
                if reason is not None:
                    self._tally.reject(reason, linkage.word, line=self.n_lines, where=word)
                    continue
                note = gloss or linkage.sense or None
                if linkage.source:
                    note = f"{linkage.source}: {note}" if note else linkage.source
                for target in self._targets(linkage.word, word):
                    if target == word:
                        self._tally.reject(Reason.SELF, target, line=self.n_lines, where=word)
                        continue
                    words.append(word)
                    others.append(target)
                    kinds.append(kind)
                    parts.append(pos)
                    senses.append(note)
                    scopes.append(None)
                    usages.append(None)
                    other_usages.append(None)

    def _targets(self, text: str, word: str) -> Sequence[str]:
        """Return the words that a linkage names, usually one.

        A trailing note in brackets and a ``#section`` are cut off. Commas and semicolons part targets if every part
        is a single word and none comes twice ("þe, ẏe, ye"). Otherwise the target stays whole, since "X, Y and Z"
        cannot be told from an idiom such as "lock, stock and barrel", nor "X and Y" from "rain cats and dogs".
        """
        if text.isalpha() and text.isascii():
            return (text,)
        tally, line = self._tally, self.n_lines
        if text.startswith("Template:"):
            tally.reject(Reason.PLACEHOLDER, text, line=line, where=word)
            return ()
        target = text
        if "Thesaurus:" in text:
            target = _THESAURUS.sub("", text)
            tally.reject(Reason.THESAURUS_PAGE, text, line=line, where=word)
            if not target:
                return ()
        target = normalize_word(_SECTION.sub("", _NOTE.sub("", _BULLET.sub("", target))))
        parts = _COMMA.split(target)
        is_list = len(set(parts)) == len(parts) and not any(" " in part for part in parts)
        targets = parts if is_list else [target]
        words = [part for part in targets if is_word(part)]
        if len(words) < len(targets):
            tally.reject(Reason.NOT_A_WORD if target else Reason.NO_WORD, text, line=line, where=word)
        return words


def _shown(block: bytes, start: int, end: int) -> str:
    return block[start : min(end, start + 200)].decode("utf-8", "replace").strip()


def _fault(line: bytes) -> Reason:
    """Say what is wrong with a line that cannot be decoded as an entry."""
    try:
        value = _ANY.decode(line.decode())
    except UnicodeDecodeError:
        return Reason.INVALID_UTF8
    except (msgspec.DecodeError, RecursionError):
        return Reason.INVALID_JSON
    return Reason.WRONG_TYPE if isinstance(value, dict) else Reason.NOT_AN_OBJECT


def _disqualified(raw: msgspec.Raw) -> Reason | None:
    if raw is _NONE:
        return None
    tags = _TAGS.decode(raw)
    if not _ERRORS.isdisjoint(tags):
        return Reason.MISSPELLING
    return Reason.NUMERAL if "numeral" in tags and not _NUMERALS.isdisjoint(tags) else None
