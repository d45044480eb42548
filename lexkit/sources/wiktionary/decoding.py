"""The fields of an entry that are decoded from a line, under wiktextract's names.

Glosses and tags, which are needed for few senses, stay raw JSON until then.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lexkit.sources.read_report import Reason

NONE = msgspec.Raw(b"[]")
"""Default value of lists that are missing from a line."""


class Linkage(msgspec.Struct, gc=False):
    """A linkage: a synonym or an antonym as a page lists it."""

    word: str | None = None
    sense: str | None = None
    sense_index: str | int | None = None
    source: str | None = None
    tags: msgspec.Raw = NONE
    topics: msgspec.Raw = NONE
    raw_tags: msgspec.Raw = NONE


class BaseWord(msgspec.Struct, gc=False):
    """A word of which an entry's word is a form."""

    word: str | None = None


class FormRow(msgspec.Struct, gc=False):
    """A form of an entry's word: a row of the table of forms."""

    form: str | None = None
    tags: msgspec.Raw = NONE


class Sense(msgspec.Struct, gc=False):
    """A sense of an entry's word."""

    glosses: msgspec.Raw = NONE
    sense_index: str | int | None = None
    synonyms: list[Linkage] | None = None
    antonyms: list[Linkage] | None = None
    form_of: list[BaseWord] | None = None
    alt_of: list[BaseWord] | None = None
    tags: msgspec.Raw = NONE
    topics: msgspec.Raw = NONE
    raw_tags: msgspec.Raw = NONE


class Entry(msgspec.Struct, gc=False):
    """An entry, a word as one part of speech. A line is one entry."""

    word: str | None = None
    lang_code: str | None = None
    redirect: str | None = None
    pos: str | None = None
    senses: list[Sense] | None = None
    synonyms: list[Linkage] | None = None
    antonyms: list[Linkage] | None = None
    forms: list[FormRow] | None = None


ENTRY = msgspec.json.Decoder(Entry)
GLOSSES = msgspec.json.Decoder(list[str | None] | None)
_ANY = msgspec.json.Decoder()


def without_nulls(line: bytes) -> Entry | None:
    """Return the entry of a line that could not be decoded because its lists contain nulls; None for other faults."""
    if b"null" not in line:
        return None
    try:
        ENTRY.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return ENTRY.decode(msgspec.json.encode(_pruned(_ANY.decode(line))))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
    return None  # the line can be decoded; its fault was found later


def _pruned(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_pruned(item) for item in value if item is not None]
    return {key: _pruned(item) for key, item in value.items()} if isinstance(value, dict) else value


def fault_of(line: bytes) -> Reason:
    """Return why a line cannot be decoded as an entry."""
    try:
        value = _ANY.decode(line.decode())
    except UnicodeDecodeError:
        return Reason.INVALID_UTF8
    except (msgspec.DecodeError, RecursionError):
        return Reason.INVALID_JSON
    return Reason.WRONG_TYPE if isinstance(value, dict) else Reason.NOT_AN_OBJECT
