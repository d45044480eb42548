"""Read WN-LMF 1.0 to 1.4, the XML of the Global WordNet Association (https://globalwordnet.github.io/schemas/).

Lexical entries have a lemma and senses, senses belong to synsets, and senses and synsets have relations. A file may
contain lexicons of several languages. expat reads it in one pass, so memory grows with the lexicons of the language,
not with the file.

The library `wn` has a well-maintained reader. It is not used here, because it needs twice the memory (it builds
dictionaries of the whole file), refuses files whose first two lines are not formatted as it expects, and depends on an
HTTP client.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, NamedTuple
from xml.parsers import expat

from lexkit.errors import SourceError
from lexkit.sources.catalog import is_non_commercial
from lexkit.sources.read_report import OwnReason, ReadReport, Reason
from lexkit.sources.wordnet.synsets import NO_TARGET, ORIGIN, PRINCETON, Pointer, Synset

NO_WORDS = OwnReason("a synset without words")

_BLOCK = 1 << 16
_POS = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv", "t": "phrase", "c": "conj", "p": "prep"}
_ANTONYMS = {"antonym", "anto_gradable", "anto_simple", "anto_converse"}
_LICENCES = (
    (re.compile(r"creativecommons\.org/publicdomain/zero/1\.0|\bcc0\b", re.IGNORECASE), "CC0-1.0"),
    (re.compile(r"(?:creativecommons\.org/licenses/|\bcc[ -])(by[a-z-]*)[/ -]v?(\d\.\d)", re.IGNORECASE), "CC-{}-{}"),
    (re.compile(r"wordnet\.princeton\.edu|\bwordnet[ -]3\.[01]\b", re.IGNORECASE), PRINCETON),
)


class _Sense(NamedTuple):
    id: str
    entry: str
    """The id of the sense's lexical entry."""
    lemma: str


@dataclass(slots=True)
class _Header:
    """The attributes and relations of a synset."""

    pos: str
    members: tuple[str, ...]
    """Ids of the synset's senses or of their entries, in order; empty in WN-LMF 1.0."""
    where: str
    gloss: str | None = None
    antonyms: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()


def read(place: str, stream: IO[bytes], report: ReadReport, language: str) -> Iterator[tuple[str, Synset]]:
    """Yield the synsets of the lexicons of *language* with their keys, in the order of the file.

    Args:
        place: name of the file in error messages.
        stream: the XML.
        report: counts synsets read, including those of other languages, and what is refused; the licence and the
            origin of the lexicons are set in it.
        language: a code such as ``en``, which also matches a lexicon in ``en-GB``.

    Raises:
        SourceError: the file is not XML or not WN-LMF, or it declares entities.
    """
    lexicons = _Lexicons(place, report, language.lower())
    try:
        lexicons.read(stream)
    except (expat.ExpatError, LookupError, ValueError) as error:  # unknown encodings raise the latter two
        raise SourceError(f"{place}: broken XML ({error}); download it again") from error
    yield from lexicons.synsets()


class _Lexicons:
    """Collects the lexicons of one language, element by element."""

    def __init__(self, place: str, report: ReadReport, language: str) -> None:
        self._place, self._report, self._language = place, report, language
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start_root
        self._parser.EntityDeclHandler = self._refuse_entity
        self._handlers: dict[str, Callable[[dict[str, str]], None]] = {}
        self._entry = self._lemma = self._sense = ""
        self._senses: defaultdict[str, list[_Sense]] = defaultdict(list)
        self._ids: set[str] = set()
        self._antonyms: list[tuple[str, str]] = []
        self._header = _Header("", (), "")
        self._headers: dict[str, _Header] = {}
        self._text: list[str] = []

    def read(self, stream: IO[bytes]) -> None:
        n_bytes = 0
        # Expat parses an incomplete tag from its start again, so double the block size each time to stay linear
        while block := stream.read(max(_BLOCK, n_bytes - self._parser.CurrentByteIndex)):
            n_bytes += len(block)
            self._parser.Parse(block)
        self._parser.Parse(b"", True)

    def synsets(self) -> Iterator[tuple[str, Synset]]:
        """Yield the collected synsets; call this after the file has been read."""
        places: dict[str, tuple[str, int]] = {}
        for key, senses in self._senses.items():
            if key in self._headers:
                order = {member: n for n, member in enumerate(self._headers[key].members)}
                senses.sort(key=lambda sense: order.get(sense.id, order.get(sense.entry, len(order))))
                places.update((sense.id, (key, number)) for number, sense in enumerate(senses, 1))
            else:
                self._report.reject(NO_TARGET, f"{senses[0].lemma}: {key}", where=senses[0].id)
        pointers: defaultdict[str, list[Pointer]] = defaultdict(list)
        for sense, target in self._antonyms:
            if sense in places:
                key, number = places[sense]
                other, other_number = places.get(target, (target, 1))
                pointers[key].append(Pointer(other, number, other_number))
        for key, header in self._headers.items():
            if key not in self._senses:
                self._report.reject(NO_WORDS, header.gloss or key, where=header.where)
                continue
            words = tuple(sense.lemma for sense in self._senses[key])
            antonyms = (*pointers[key], *(Pointer(target, 0, 0) for target in header.antonyms))
            yield key, Synset(words, _POS.get(header.pos), header.gloss, antonyms, header.heads, header.where)

    def _refuse_entity(self, name: str, *_: object) -> None:
        raise SourceError(f"{self._place}: declares the entity {name[:40]!r}, which WN-LMF does not need; remove it")

    def _start_root(self, name: str, attributes: dict[str, str]) -> None:
        if name != "LexicalResource":
            raise SourceError(f"{self._place}: XML of <{name[:40]}>, not WN-LMF; give a <LexicalResource>")
        self._parser.StartElementHandler = self._start

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if handle := self._handlers.get(name):
            handle(attributes)
        elif name in ("Lexicon", "LexiconExtension"):
            self._start_lexicon(attributes)

    def _start_lexicon(self, attributes: dict[str, str]) -> None:
        language = attributes.get("language", "").lower()
        if language != self._language and not language.startswith(f"{self._language}-"):
            self._handlers = {"Synset": self._refuse_synset}
            return
        self._handlers = {
            "LexicalEntry": self._start_entry,
            "Lemma": self._start_lemma,
            "Sense": self._start_sense,
            "SenseRelation": self._start_sense_relation,
            "Synset": self._start_synset,
            "SynsetRelation": self._start_synset_relation,
            "Definition": self._start_definition,
        }
        report, licence = self._report, _licence(attributes.get("license", ""))
        report.licence = " AND ".join(dict.fromkeys(filter(None, (report.licence, licence)))) or None
        report.origin = ORIGIN if self._language == "en" else attributes.get("id")

    def _refuse_synset(self, attributes: dict[str, str]) -> None:
        self._report.n_records += 1
        self._report.reject(Reason.OTHER_LANGUAGE, attributes.get("id", ""), line=self._parser.CurrentLineNumber)

    def _start_entry(self, attributes: dict[str, str]) -> None:
        self._entry, self._lemma = attributes.get("id", ""), ""

    def _start_lemma(self, attributes: dict[str, str]) -> None:
        self._lemma = attributes.get("writtenForm", "")

    def _start_sense(self, attributes: dict[str, str]) -> None:
        key, synset, self._sense = attributes.get("id"), attributes.get("synset"), ""
        if not (self._lemma and key and synset):
            self._report.reject(Reason.MALFORMED, key or self._lemma, line=self._parser.CurrentLineNumber)
        elif key in self._ids:
            self._report.reject(Reason.DUPLICATE, key, line=self._parser.CurrentLineNumber)
        else:
            self._ids.add(key)
            self._sense = key
            self._senses[synset].append(_Sense(key, self._entry, self._lemma))

    def _start_sense_relation(self, attributes: dict[str, str]) -> None:
        if self._sense and attributes.get("relType") in _ANTONYMS:
            self._antonyms.append((self._sense, attributes.get("target", "")))

    def _start_synset(self, attributes: dict[str, str]) -> None:
        self._report.n_records += 1
        line, key = self._parser.CurrentLineNumber, attributes.get("id", "")
        members = tuple(attributes.get("members", "").split())
        self._header = _Header(attributes.get("partOfSpeech", ""), members, f"line {line}")
        if not key or key in self._headers:
            self._report.reject(Reason.DUPLICATE if key else Reason.MALFORMED, key, line=line)
        else:
            self._headers[key] = self._header

    def _start_synset_relation(self, attributes: dict[str, str]) -> None:
        relation, target = attributes.get("relType"), attributes.get("target", "")
        if relation in _ANTONYMS:
            self._header.antonyms += (target,)
        elif relation == "similar" and self._header.pos == "s":
            self._header.heads += (target,)

    def _start_definition(self, attributes: dict[str, str]) -> None:
        if self._header.gloss is None:  # the first of several
            self._text = []
            self._parser.CharacterDataHandler = self._text.append
            self._parser.EndElementHandler = self._end_definition

    def _end_definition(self, name: str) -> None:
        self._header.gloss = " ".join("".join(self._text).split()) or None
        self._parser.CharacterDataHandler = self._parser.EndElementHandler = None


def _licence(text: str) -> str | None:
    """Return the SPDX identifier of a licence that is named by its address or in words, or else the text itself.

    An identifier is returned only if it agrees with the whole text on whether commercial use is forbidden.
    """
    for pattern, form in _LICENCES:
        if found := pattern.search(text):
            name = form.format(*(part.upper() for part in found.groups()))
            if is_non_commercial(name) == is_non_commercial(text):
                return name
    return " ".join(text.split()) or None
