"""Turn the lines of a block into records: what is read from an entry, what is refused, and why.

Raw files (``raw-wiktextract-data.jsonl``) and postprocessed files (kaikki.org) have the same fields as far as they
matter here: ``word``, ``lang_code``, ``pos``, ``senses``, the lists of linkages ``synonyms`` and ``antonyms`` both in a
sense and in the entry, the words of which a sense is a form (``form_of`` and ``alt_of``), and the entry's ``forms``. A
null field counts as missing.

Most bytes are never decoded. A line without the language's code in quotation marks belongs to another language; in the
other lines, one pass decodes the fields of `lexkit.sources.wiktionary.decoding`. This is faster than searching lines
for the names of the lists first and decoding only lines that have some.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lexkit.sources.batches import Batch
from lexkit.sources.parts_of_speech import common_names, read_pos
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import Form, FormKind, Headword, Statement
from lexkit.sources.wiktionary.blocks import MAX_LINE
from lexkit.sources.wiktionary.decoding import (
    ENTRY,
    GLOSSES,
    NONE,
    BaseWord,
    Entry,
    FormRow,
    Linkage,
    Sense,
    fault_of,
    without_nulls,
)
from lexkit.sources.wiktionary.forms import reason_against, row_kind, same_letters, spelling_kind
from lexkit.sources.wiktionary.labels import read_marks
from lexkit.sources.wiktionary.references import THESAURUS
from lexkit.sources.wiktionary.senses import find_senses
from lexkit.sources.wiktionary.targets import read_target
from lexkit.text import is_word, normalize_word

_Labels = tuple[str, ...]
_UNLABELLED: _Labels = ()
_About = tuple[Reason | None, _Labels, str | None]
"""Why the linkages of a sense are refused (or None), the labels of the word in that sense, and its gloss."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_STUB = b'["Wiktionary does not have any '
"""Beginning of the gloss of an entry that only says that Wiktionary does not have one."""


def parse_block(block: bytes, size: int, report: ReadReport, language: str, headwords: bool) -> tuple[int, list[Batch]]:
    """Return the number of lines in a block of whole lines, and its records.

    Every entry of the language gives a `Headword`, and each of its linkages a `Statement`. The sense of the statement
    is the gloss (of a sense-level linkage) or the linkage's own note (of an entry-level one), with the Thesaurus page
    from which it comes, if any. A synonym that is another spelling of the word gives a `Form` instead, and so do the
    entry's own forms and the words of which a sense is a form.

    Args:
        block: lines that end in line feeds; a byte order mark may precede the first.
        size: number of bytes of the block to read.
        report: counts lines read, and lines and linkages refused; lines are numbered from 1.
        language: Wiktionary's language code, such as ``en``.
        headwords: whether to include entries without relations.
    """
    reader = _Reader(report, language)
    reader.read(block, size)
    columns: list[tuple[type, list[list[Any]]]] = [(Statement, reader.statements), (Form, reader.forms)]
    batches = [Batch.of_columns(record_type, fields) for record_type, fields in columns if fields[0]]
    if headwords and reader.words:
        batches.append(Batch.of_columns(Headword, [reader.words]))
    return reader.n_lines, batches


class _Reader:
    """Reads lines into columns, one list for each field. Making a tuple for each record would double the time."""

    def __init__(self, report: ReadReport, language: str) -> None:
        self.words: list[str] = []
        self.statements: list[list[Any]] = [[] for _ in Statement._fields]
        self.forms: list[list[Any]] = [[] for _ in Form._fields]
        self._report = report
        self._language = language
        self._code = f'"{language}"'.encode()
        self._common = common_names()
        self.n_lines = 0
        # Searching for the language's code pays off only in files with other languages
        self._mixed = False

    def read(self, block: bytes, size: int) -> None:
        view, find, decode = memoryview(block), block.find, ENTRY.decode
        statements, forms = self.statements[0], self.forms[0]
        is_long = size > MAX_LINE
        start = len(_BYTE_ORDER_MARK) if block.startswith(_BYTE_ORDER_MARK) else 0
        n_lines = n_empty = 0
        while start < size:
            end = find(b"\n", start, size)
            if end < 0:
                end = size
            n_lines += 1
            self.n_lines = n_lines
            if end == start:
                n_empty += 1
            elif not ((is_long or self._mixed) and self._passes_over(block, start, end)):
                n_statements, n_forms = len(statements), len(forms)
                try:
                    self._entry(decode(view[start:end]))
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    line = block[start:end]
                    entry = without_nulls(line)
                    if entry is None or not self._reads(entry):
                        self._refuse(line, n_statements, n_forms)
            start = end + 1
        self._report.n_records += n_lines - n_empty

    def _passes_over(self, block: bytes, start: int, end: int) -> bool:
        """Count and skip a line that is too long or belongs to another language; return whether it does."""
        if end - start > MAX_LINE:
            reason = Reason.TOO_LONG
        elif self._mixed and self._is_other_language(block, start, end):
            reason = Reason.OTHER_LANGUAGE
        else:
            return False
        self._reject(reason, _shown(block, start, end))
        return True

    def _reads(self, entry: Entry) -> bool:
        try:
            self._entry(entry)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return True

    def _refuse(self, line: bytes, n_statements: int, n_forms: int) -> None:
        if line.isspace():
            self._report.n_records -= 1
            return
        # keep no record of a line that is refused
        for columns, n in ((self.statements, n_statements), (self.forms, n_forms)):
            for column in columns:
                del column[n:]
        self._report.reject(fault_of(line), _shown(line, 0, len(line)), line=self.n_lines)

    def _is_other_language(self, block: bytes, start: int, end: int) -> bool:
        return (
            block.find(self._code, start, end) < 0
            and block.find(b'"redirect"', start, end) < 0
            and block.startswith(b"{", start)
            and block.endswith((b"}", b"}\r"), start, end)
        )

    def _entry(self, entry: Entry) -> None:
        word, senses = entry.word or "", entry.senses or ()
        is_plain = word.isascii() and word.isalpha()
        if not is_plain:
            word = normalize_word(word)
        if entry.redirect is not None or entry.lang_code != self._language or not (is_plain or is_word(word)):
            self._leave_out(entry, word)
        elif senses and senses[0].tags is NONE and bytes(senses[0].glosses).startswith(_STUB) and _is_stub(senses):
            self._reject(Reason.STUB, word)
        else:
            self._lists(word, entry, senses)
            self.words.append(word)

    def _leave_out(self, entry: Entry, word: str) -> None:
        if entry.redirect is not None:
            self._reject(Reason.REDIRECT, f"-> {entry.redirect}")
        elif entry.lang_code != self._language:
            self._mixed = True
            self._reject(Reason.OTHER_LANGUAGE, f"{entry.word} ({entry.lang_code})")
        elif not word:
            self._reject(Reason.NO_WORD, f"an entry ({entry.lang_code})")
        else:
            self._reject(Reason.NOT_A_WORD, word)

    def _reject(self, reason: Reason, example: str, where: str = "") -> None:
        self._report.reject(reason, example, line=self.n_lines, where=where)

    def _pos(self, word: str, name: str) -> str | None:
        """Return the common name of a part of speech, and count unknown ones."""
        pos, is_known = read_pos(name)
        if not is_known:
            self._reject(Reason.UNKNOWN_POS, name, word)
        return pos

    def _lists(self, word: str, entry: Entry, senses: Sequence[Sense]) -> None:
        name = entry.pos
        pos = self._common[name] if name in self._common else self._pos(word, name) if name else None
        for sense in senses:
            if sense.synonyms or sense.antonyms:
                about = self._about(word, sense)
                if sense.synonyms:
                    self._linkages(word, pos, "synonym", sense.synonyms, about)
                if sense.antonyms:
                    self._linkages(word, pos, "antonym", sense.antonyms, about)
            if sense.form_of:
                self._bases(word, sense.form_of, sense, "inflection")
            if sense.alt_of:
                self._bases(word, sense.alt_of, sense, "spelling")
        if entry.synonyms:
            self._of_entry(word, pos, "synonym", entry.synonyms, senses)
        if entry.antonyms:
            self._of_entry(word, pos, "antonym", entry.antonyms, senses)
        if entry.forms:
            self._rows(word, entry.forms)

    def _of_entry(
        self, word: str, pos: str | None, kind: str, linkages: list[Linkage], senses: Sequence[Sense]
    ) -> None:
        """Read linkages of an entry, which may name the *senses* to which they belong."""
        about = _about_all(senses)
        if senses:
            for linkage in linkages:
                if linkage.sense_index:
                    self._of_senses(word, pos, kind, linkages, senses, about)
                    return
        self._linkages(word, pos, kind, linkages, about)

    def _of_senses(
        self,
        word: str,
        pos: str | None,
        kind: str,
        linkages: list[Linkage],
        senses: Sequence[Sense],
        about: _About,
    ) -> None:
        """Read linkages that name their senses; *about* applies to those that do not."""
        abouts = [self._about(word, sense) for sense in senses]
        labels = [sense.sense_index for sense in senses]
        for linkage in linkages:
            named = find_senses(linkage.sense_index, labels) if linkage.sense_index else ()
            if linkage.sense_index and not named:
                self._reject(Reason.UNKNOWN_SENSE, str(linkage.sense_index), word)
            for one in [abouts[i] for i in named] or [about]:
                self._linkages(word, pos, kind, [linkage], one)

    def _linkages(self, word: str, pos: str | None, kind: str, linkages: Sequence[Linkage], about: _About) -> None:
        """Read linkages that all belong to the same sense, or to none."""
        words, others, kinds, parts, notes, scopes, usages, other_usages = self.statements
        reason, labels, gloss = about
        initial, n_before = word[0].lower(), len(others)
        for linkage in linkages:
            text = linkage.word
            targets: Sequence[str]
            is_bare = linkage.tags is NONE and linkage.topics is NONE and linkage.raw_tags is NONE
            if is_bare and reason is None and text and text.isascii() and text.isalpha() and "saurus" not in text:
                targets, other_labels = (text,), _UNLABELLED
            else:
                targets, other_labels = self._targets(word, pos, linkage, reason)
            note = gloss or linkage.sense or None
            scope = None if note else "entry"
            if linkage.source:
                note, scope = _sourced(linkage.source, note)
            for other in targets:
                if other == word:
                    self._reject(Reason.SELF, other, word)
                elif kind == "synonym" and other[0].lower() == initial and same_letters(word, other):
                    self._form(other, word, spelling_kind(word, other))
                else:
                    others.append(other)
                    notes.append(note)
                    scopes.append(scope)
                    other_usages.append(other_labels)
        n_new = len(others) - n_before
        words += [word] * n_new
        kinds += [kind] * n_new
        parts += [pos] * n_new
        usages += [labels] * n_new

    def _targets(
        self, word: str, pos: str | None, linkage: Linkage, reason: Reason | None
    ) -> tuple[Sequence[str], _Labels]:
        """Return the words that a linkage names, with their labels; no words if the linkage is refused."""
        text, labels = linkage.word or "", _UNLABELLED
        if linkage.tags is not NONE or linkage.topics is not NONE or linkage.raw_tags is not NONE:
            own_reason, labels = self._marks(word, linkage)
            reason = reason or own_reason
        if reason is None:
            targets, noted, reason = read_target(text, pos, self._language)
            if noted:
                labels = tuple(dict.fromkeys(labels + noted))
        else:
            targets = ()
        if reason is not None:
            self._reject(reason, text, word)
        return targets, labels

    def _marks(self, word: str, holder: Linkage | Sense) -> tuple[Reason | None, _Labels]:
        """Return why the tags of *holder* refuse it (or None), and its labels; count unknown marks."""
        reason, labels, unknown = read_marks(holder.tags, holder.topics, holder.raw_tags)
        for mark in unknown:
            self._reject(Reason.UNKNOWN_MARK, mark, word)
        return reason, labels

    def _about(self, word: str, sense: Sense) -> _About:
        glosses = GLOSSES.decode(sense.glosses)
        # wiktextract lists a gloss after the more general glosses above it
        return *self._marks(word, sense), glosses[-1] if glosses else None

    def _bases(self, word: str, bases: list[BaseWord], of: Sense, kind: FormKind) -> None:
        """Add the word as a form of *bases*, if the tags of the sense say that it is one."""
        reason = reason_against(bytes(of.tags))
        for base in bases:
            text = base.word or ""
            if reason is None and text.isascii() and text.isalpha():
                lemmas: Sequence[str] = (text,)
            else:
                lemmas = read_target(text, None, self._language)[0] if reason is None else ()
            # The text may contain what follows the word on the page: "BBL Initialism of be back later"
            if len(lemmas) != 1 or lemmas[0].count(" ") > word.count(" ") + 1:
                self._reject(reason or Reason.NOT_A_FORM, text, word)
            elif lemmas[0] == word:
                self._reject(Reason.SELF, text, word)
            else:
                self._form(word, lemmas[0], kind if kind == "inflection" else spelling_kind(word, lemmas[0]))

    def _rows(self, word: str, rows: list[FormRow]) -> None:
        """Add the entry's own forms, except the word itself and forms of several words ("more expansive")."""
        words, lemmas, kinds = self.forms
        n_spaces = word.count(" ")
        for row in rows:
            kind, form = row_kind(bytes(row.tags)), row.form or ""
            if not (form.isascii() and form.isalpha()):
                form = normalize_word(form)
            if kind is None or form == word:
                continue
            if isinstance(kind, Reason) or form.count(" ") != n_spaces or not is_word(form):
                self._reject(kind if isinstance(kind, Reason) else Reason.NOT_A_FORM, form, word)
            else:
                words.append(form)
                lemmas.append(word)
                kinds.append(kind if kind == "inflection" else spelling_kind(word, form))

    def _form(self, word: str, lemma: str, kind: FormKind) -> None:
        words, lemmas, kinds = self.forms
        words.append(word)
        lemmas.append(lemma)
        kinds.append(kind)


def _is_stub(senses: Sequence[Sense]) -> bool:
    """Whether an entry only says that Wiktionary does not have one."""
    return all(bytes(sense.glosses).startswith(_STUB) for sense in senses)


def _about_all(senses: Sequence[Sense]) -> _About:
    """Return what applies to every sense of an entry: the labels that all of them have."""
    common: _Labels | None = None
    for sense in senses:
        is_bare = sense.tags is NONE and sense.topics is NONE and sense.raw_tags is NONE
        own = _UNLABELLED if is_bare else read_marks(sense.tags, sense.topics, sense.raw_tags)[1]
        common = own if common is None else tuple(label for label in common if label in own)
        if not common:
            break
    return None, common or _UNLABELLED, None


def _sourced(source: str, note: str | None) -> tuple[str, str | None]:
    """Return a note together with the page from which a linkage comes, and the scope of the linkage."""
    return f"{source}: {note}" if note else source, "thesaurus" if source.startswith(THESAURUS) else None


def _shown(block: bytes, start: int, end: int) -> str:
    return block[start : min(end, start + 200)].decode("utf-8", "replace").strip()
