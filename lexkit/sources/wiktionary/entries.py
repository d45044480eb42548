"""Makes records of the lines of a block: what of an entry is read, what is refused, and why.

Raw files (``raw-wiktextract-data.jsonl``) and postprocessed ones (kaikki.org) have the same fields as far as
they matter here: ``word``, ``lang_code``, ``pos``, ``senses``, lists of linkages ``synonyms`` and ``antonyms`` both in
a sense and in the entry, the words a sense is a form of (``form_of`` and ``alt_of``), and the ``forms`` of the entry.
A field that is null is absent.

Most bytes are never decoded. A line without the language's code in quotation marks is of another language; of the rest,
only the fields below, in one pass. What few senses need, glosses and tags, is passed over as raw JSON until then: this
takes less time than to search lines for the names of the lists first, and to decode only those that have some.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from lexkit.sources.batches import Batch
from lexkit.sources.records import Form, FormKind, Headword, Statement
from lexkit.sources.tally import Reason, Tally
from lexkit.sources.wiktionary.blocks import MAX_LINE
from lexkit.sources.wiktionary.forms import reason_against, row_kind, same_letters, spelling_kind
from lexkit.sources.wiktionary.labels import read_marks
from lexkit.sources.wiktionary.targets import read_target
from lexkit.text import is_word, normalize_word

_NONE = msgspec.Raw(b"[]")


class _Linkage(msgspec.Struct, gc=False):
    word: str | None = None
    sense: str | None = None
    sense_index: str | int | None = None
    source: str | None = None
    tags: msgspec.Raw = _NONE
    topics: msgspec.Raw = _NONE


class _Base(msgspec.Struct, gc=False):
    """A word that the word of an entry is a form of."""

    word: str | None = None


class _Row(msgspec.Struct, gc=False):
    """A form of the word of an entry."""

    form: str | None = None
    tags: msgspec.Raw = _NONE


class _Sense(msgspec.Struct, gc=False):
    glosses: msgspec.Raw = _NONE
    sense_index: str | int | None = None
    synonyms: list[_Linkage] | None = None
    antonyms: list[_Linkage] | None = None
    form_of: list[_Base] | None = None
    alt_of: list[_Base] | None = None
    tags: msgspec.Raw = _NONE
    topics: msgspec.Raw = _NONE


class _Entry(msgspec.Struct, gc=False):
    word: str | None = None
    lang_code: str | None = None
    redirect: str | None = None
    pos: str | None = None
    senses: list[_Sense] | None = None
    synonyms: list[_Linkage] | None = None
    antonyms: list[_Linkage] | None = None
    forms: list[_Row] | None = None


_POS = re.compile(r"[\w-]+")
_ANY = msgspec.json.Decoder()
_ENTRY = msgspec.json.Decoder(_Entry)
_GLOSSES = msgspec.json.Decoder(list[str] | None)
_UNLABELLED: tuple[str, ...] = ()
_About = tuple[Reason | None, tuple[str, ...], str | None]
"""Why the linkages of a sense are refused, if they are, the labels of the word in it, and its gloss."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse_block(block: bytes, size: int, tally: Tally, language: str, headwords: bool) -> tuple[int, list[Batch]]:
    """Return the number of lines in a block of whole lines, and its records.

    Every entry of the language gives a `Headword`. Every linkage of it gives a `Statement` whose sense is the gloss of
    the sense (sense-level), the linkage's own note (entry-level), and the Thesaurus page it comes from, if any; a
    synonym that is another way to write the word gives a `Form` instead. So do the entry's own forms, and the words of
    which a sense is a form.

    Args:
        block: lines, ended by line feeds; a byte order mark may stand before the first.
        size: how many bytes of the block are meant.
        tally: counts lines read, and lines and linkages refused; lines are numbered from 1.
        language: Wiktionary's language code, such as ``en``.
        headwords: whether entries without relations are wanted, too.
    """
    reader = _Reader(tally, language)
    reader.read(block, size)
    columns: list[tuple[type, list[list[Any]]]] = [(Statement, reader.statements), (Form, reader.forms)]
    batches = [Batch.of_columns(record_type, fields) for record_type, fields in columns if fields[0]]
    if headwords and reader.words:
        batches.append(Batch.of_columns(Headword, [reader.words]))
    return reader.n_lines, batches


class _Reader:
    """Reads lines into columns: a list a field, since a tuple a record costs as much as all the rest."""

    def __init__(self, tally: Tally, language: str) -> None:
        self.words: list[str] = []
        self.statements: list[list[Any]] = [[] for _ in Statement._fields]
        self.forms: list[list[Any]] = [[] for _ in Form._fields]
        self._tally = tally
        self._language = language
        self._code = f'"{language}"'.encode()
        self.n_lines = 0
        # Looking for the code pays only where there are other languages to pass over
        self._mixed = False

    def read(self, block: bytes, size: int) -> None:
        tally, view = self._tally, memoryview(block)
        statements, forms = self.statements[0], self.forms[0]
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
                    n_statements, n_forms = len(statements), len(forms)
                    try:
                        self._entry(_ENTRY.decode(view[start:end]))
                    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                        self._refuse(block[start:end], n_statements, n_forms)
            start = end + 1

    def _refuse(self, line: bytes, n_statements: int, n_forms: int) -> None:
        if line.isspace():
            self._tally.n_records -= 1
            return
        for columns, n in ((self.statements, n_statements), (self.forms, n_forms)):  # all of a line or nothing
            for column in columns:
                del column[n:]
        self._tally.reject(_fault(line), _shown(line, 0, len(line)), line=self.n_lines)

    def _is_other_language(self, block: bytes, start: int, end: int) -> bool:
        return (
            block.find(self._code, start, end) < 0
            and block.find(b'"redirect"', start, end) < 0
            and block.startswith(b"{", start)
            and block.endswith((b"}", b"}\r"), start, end)
        )

    def _entry(self, entry: _Entry) -> None:
        word = normalize_word(entry.word or "")
        if entry.redirect is not None:
            self._reject(Reason.REDIRECT, f"-> {entry.redirect}")
        elif entry.lang_code != self._language:
            self._mixed = True
            self._reject(Reason.OTHER_LANGUAGE, f"{entry.word} ({entry.lang_code})")
        elif not word:
            self._reject(Reason.NO_WORD, f"an entry ({entry.lang_code})")
        elif not is_word(word):
            self._reject(Reason.NOT_A_WORD, word)
        else:
            self._lists(word, entry)
            self.words.append(word)

    def _reject(self, reason: Reason, example: str, where: str = "") -> None:
        self._tally.reject(reason, example, line=self.n_lines, where=where)

    def _lists(self, word: str, entry: _Entry) -> None:
        senses, pos = entry.senses or (), entry.pos if entry.pos and _POS.fullmatch(entry.pos) else None
        for sense in senses:
            if sense.synonyms:
                self._linkages(word, pos, "synonym", sense.synonyms, _about(sense))
            if sense.antonyms:
                self._linkages(word, pos, "antonym", sense.antonyms, _about(sense))
            if sense.form_of:
                self._bases(word, sense.form_of, sense, "inflection")
            if sense.alt_of:
                self._bases(word, sense.alt_of, sense, "spelling")
        if entry.synonyms:
            self._linkages(word, pos, "synonym", entry.synonyms, _about_all(senses), senses)
        if entry.antonyms:
            self._linkages(word, pos, "antonym", entry.antonyms, _about_all(senses), senses)
        if entry.forms:
            for row in entry.forms:
                self._row(word, row)

    def _linkages(
        self,
        word: str,
        pos: str | None,
        kind: str,
        linkages: list[_Linkage],
        about: _About,
        senses: Sequence[_Sense] = (),
    ) -> None:
        """Read linkages of a sense, or those of an entry, which may say of which of its *senses* they are."""
        words, others, kinds, parts, notes, scopes, usages, other_usages = self.statements
        for linkage in linkages:
            if linkage.sense_index is not None and senses:
                about = _about(_sense_at(linkage.sense_index, senses))
            reason, labels, gloss = about
            targets, other_labels = self._targets(word, pos, linkage, reason)
            note, scope = _place(linkage, gloss)
            for other in targets:
                if other == word:
                    self._reject(Reason.SELF, other, word)
                elif kind == "synonym" and same_letters(word, other):
                    self._form(other, word, spelling_kind(word, other))
                else:
                    words.append(word)
                    others.append(other)
                    kinds.append(kind)
                    parts.append(pos)
                    notes.append(note)
                    scopes.append(scope)
                    usages.append(labels)
                    other_usages.append(other_labels)

    def _targets(
        self, word: str, pos: str | None, linkage: _Linkage, reason: Reason | None
    ) -> tuple[Sequence[str], tuple[str, ...]]:
        """Return the words that a linkage names, with their labels; none if there is a reason against it."""
        text, labels = linkage.word or "", _UNLABELLED
        if linkage.tags is not _NONE or linkage.topics is not _NONE:
            own_reason, labels = read_marks(linkage.tags, linkage.topics)
            reason = reason or own_reason
        if reason is None:
            targets, noted, reason = read_target(text, pos)
            if noted:
                labels = tuple(dict.fromkeys(labels + noted))
        else:
            targets = ()
        if reason is not None:
            self._reject(reason, text, word)
        return targets, labels

    def _bases(self, word: str, bases: list[_Base], of: _Sense, kind: FormKind) -> None:
        """Keep the word as a form of others, if the sense's tags say that it is one."""
        reason = reason_against(bytes(of.tags))
        for base in bases:
            text = base.word or ""
            lemmas = read_target(text, None)[0] if reason is None else ()
            # What follows the word in the text may come with it: "BBL Initialism of be back later"
            if len(lemmas) != 1 or lemmas[0].count(" ") > word.count(" ") + 1:
                self._reject(reason or Reason.NOT_A_FORM, text, word)
            elif lemmas[0] == word:
                self._reject(Reason.SELF, text, word)
            else:
                self._form(word, lemmas[0], kind if kind == "inflection" else spelling_kind(word, lemmas[0]))

    def _row(self, word: str, row: _Row) -> None:
        """Keep an item of an entry's own forms, unless it is the word itself or of more words ("more expansive")."""
        kind = row_kind(bytes(row.tags))
        form = normalize_word(row.form or "")
        if kind is None or form == word:
            return
        if isinstance(kind, Reason) or form.count(" ") != word.count(" ") or not is_word(form):
            self._reject(kind if isinstance(kind, Reason) else Reason.NOT_A_FORM, form, word)
        else:
            self._form(form, word, kind if kind == "inflection" else spelling_kind(word, form))

    def _form(self, word: str, lemma: str, kind: FormKind) -> None:
        words, lemmas, kinds = self.forms
        words.append(word)
        lemmas.append(lemma)
        kinds.append(kind)


def _about(sense: _Sense | None) -> _About:
    if sense is None:
        return None, _UNLABELLED, None
    glosses = _GLOSSES.decode(sense.glosses)
    # wiktextract lists a gloss after the more general ones it stands under
    return *read_marks(sense.tags, sense.topics), glosses[-1] if glosses else None


def _about_all(senses: Sequence[_Sense]) -> _About:
    """Return what holds in whichever sense of an entry: the labels that all of them have."""
    labels = _UNLABELLED
    for i, sense in enumerate(senses):
        own = read_marks(sense.tags, sense.topics)[1]
        labels = tuple(label for label in labels if label in own) if i else own
        if not labels:
            break
    return None, labels, None


def _place(linkage: _Linkage, gloss: str | None) -> tuple[str | None, str | None]:
    """Return what a linkage says of its sense, with the Thesaurus page it comes from, and its scope."""
    note = gloss or linkage.sense or None
    if not linkage.source:
        return note, None if note else "entry"
    scope = "thesaurus" if linkage.source.startswith("Thesaurus:") else None
    return f"{linkage.source}: {note}" if note else linkage.source, scope


def _sense_at(index: str | int, senses: Sequence[_Sense]) -> _Sense | None:
    """Return the sense with a label or, if none has it, at a place counted from 1."""
    for sense in senses:
        if sense.sense_index is not None and str(sense.sense_index) == str(index):
            return sense
    place = int(index) if str(index).isdecimal() else 0
    return senses[place - 1] if 1 <= place <= len(senses) else None


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
