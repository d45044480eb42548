"""What is decoded of a line: the fields of an entry that matter here, as wiktextract names them.

What few senses need, glosses and tags, is passed over as raw JSON until then.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lexkit.sources.read_report import Reason

NONE = msgspec.Raw(b"[]")
"""The value of lists that a line does not have."""


class Linkage(msgspec.Struct, gc=False):
    """A word that is named as a synonym or an antonym."""

    word: str | None = None
    sense: str | None = None
    sense_index: str | int | None = None
    source: str | None = None
    tags: msgspec.Raw = NONE
    topics: msgspec.Raw = NONE
    raw_tags: msgspec.Raw = NONE


class Base(msgspec.Struct, gc=False):
    """A word that the word of an entry is a form of."""

    word: str | None = None


class Row(msgspec.Struct, gc=False):
    """A form of the word of an entry."""

    form: str | None = None
    tags: msgspec.Raw = NONE


class Sense(msgspec.Struct, gc=False):
    """A sense of the word of an entry."""

    glosses: msgspec.Raw = NONE
    sense_index: str | int | None = None
    synonyms: list[Linkage] | None = None
    antonyms: list[Linkage] | None = None
    form_of: list[Base] | None = None
    alt_of: list[Base] | None = None
    tags: msgspec.Raw = NONE
    topics: msgspec.Raw = NONE
    raw_tags: msgspec.Raw = NONE


class Entry(msgspec.Struct, gc=False):
    """A word as one part of speech; a line holds one entry."""

    word: str | None = None
    lang_code: str | None = None
    redirect: str | None = None
    pos: str | None = None
    senses: list[Sense] | None = None
    synonyms: list[Linkage] | None = None
    antonyms: list[Linkage] | None = None
    forms: list[Row] | None = None


ENTRY = msgspec.json.Decoder(Entry)
GLOSSES = msgspec.json.Decoder(list[str | None] | None)
_ANY = msgspec.json.Decoder()


def without_nulls(line: bytes) -> Entry | None:
    """Return the entry of a line that could not be decoded because of nulls in its lists; None for any other."""
    if b"null" not in line:
        return None
    try:
        ENTRY.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return ENTRY.decode(msgspec.json.encode(_pruned(_ANY.decode(line))))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
    return None  # what is wrong with it came up after it was decoded


def _pruned(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_pruned(item) for item in value if item is not None]
    return {key: _pruned(item) for key, item in value.items()} if isinstance(value, dict) else value


def fault_of(line: bytes) -> Reason:
    """Say what is wrong with a line that cannot be decoded as an entry."""
    try:
        value = _ANY.decode(line.decode())
    except UnicodeDecodeError:
        return Reason.INVALID_UTF8
    except (msgspec.DecodeError, RecursionError):
        return Reason.INVALID_JSON
    return Reason.WRONG_TYPE if isinstance(value, dict) else Reason.NOT_AN_OBJECT
