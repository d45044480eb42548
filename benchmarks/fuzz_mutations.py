"""Changing valid files into hostile ones: bytes, lines, and values of JSON; always the same for the same generator."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import re
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any

NASTY_TEXT = [
    "",
    " ",
    "\0",
    "\x1b[2J\x1b]0;x\x07",
    "\x9b31m",
    "\u202e\u2066kind",
    "\ufeff",
    "\u2028",
    "\r",
    "\\",
    '"',
    "'); DROP TABLE word; --",
    "=1+1",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "%s%n{0}",
    "../../etc/passwd",
    "e\u0301" * 40,
    "i\u0307",
    "\u00df",
    "\U0010ffff",
    "\u0300" * 5000,
    "a" * 131_073,
    "kind " * 30_000,
    "\u0f6b" * 70,
    "12345",
    "-",
    "un-" * 200,
    "\ud800",
]
NASTY_NUMBERS = [
    "0",
    "-1",
    "1e999",
    "-0.0",
    "NaN",
    "9" * 30,
    "9" * 5000,
    "18446744073709551616",
    "2147483648",
    "1e-400",
]
NASTY_BYTES = [
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xc3",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\r",
    b"\x0c",
    b"\x85",
    b"\xe2\x80\xa8",
    b"[" * 100_000,
    b'{"a":' * 20_000,
    b"(" * 3000,
    b"<a>" * 3000,
    b"<!DOCTYPE a [<!ENTITY b 'cc'>]>",
    b"&b;",
    b"\t" * 1000,
    b"|" * 1000,
    b"\n" * 1000,
    b"%PDF-1.4",
    b"<!doctype html>",
    b"PK\x03\x04",
    b"BZh9",
    b"\x1f\x8b\x08",
]
_LONGEST = 1 << 21
"""Bytes of an input, which may double several times."""
_DIGITS = re.compile(rb"[0-9]+")


def mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return *data* after one to four changes of bytes, lines or numbers."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        data = rng.choice(_BYTE_CHANGES)(data, rng)[:_LONGEST]
    return data


def _slice(data: bytes, rng: random.Random, longest: int = 200) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.randint(1, longest))


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 64)) if data else 0):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(data: bytes, rng: random.Random) -> bytes:
    start, end = _slice(data, rng)
    return data[:start] + data[end:]


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _double(data: bytes, rng: random.Random) -> bytes:
    start, end = _slice(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 2, 100, 2000)) + data[end:]


def _insert(data: bytes, rng: random.Random) -> bytes:
    nasty = rng.choice([*NASTY_BYTES, rng.choice(NASTY_TEXT).encode("utf-8", "surrogatepass"), rng.randbytes(20)])
    place = rng.randrange(len(data) + 1)
    return data[:place] + nasty + data[place:]


def _number(data: bytes, rng: random.Random) -> bytes:
    found = list(_DIGITS.finditer(data))
    if not found:
        return data
    match = rng.choice(found)
    return data[: match.start()] + rng.choice(NASTY_NUMBERS).encode() + data[match.end() :]


def _lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        lines[one], lines[other] = lines[other], lines[one]
    elif kind == 1:
        lines[one] = lines[one][: rng.randrange(len(lines[one]) + 1)] + lines[other]
    elif kind == 2:
        del lines[min(one, other) : max(one, other)]
    else:
        lines[one:one] = [lines[other]] * rng.choice((1, 50, 1000))
    return b"\n".join(lines)


def _word(data: bytes, rng: random.Random) -> bytes:
    """Put a nasty text in the place of a word, so that the form around it stays."""
    found = list(re.finditer(rb"[A-Za-z_]{2,}", data))
    if not found:
        return data
    match = rng.choice(found)
    return data[: match.start()] + rng.choice(NASTY_TEXT).encode("utf-8", "surrogatepass") + data[match.end() :]


_BYTE_CHANGES: list[Callable[[bytes, random.Random], bytes]] = [
    _flip,
    _cut,
    _truncate,
    _double,
    _insert,
    _number,
    _lines,
    _word,
    _word,
]


def mutated_json(data: bytes, rng: random.Random) -> bytes:
    """Return JSON, or one of its lines, with some values replaced, left out, repeated or renamed."""
    lines = data.split(b"\n")
    place = rng.choice([number for number, line in enumerate(lines) if line.strip()])
    whole = len(lines) <= 2 or lines[0].strip() in (b"{", b"[")
    value = json.loads(data if whole else lines[place])
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = _changed_value(value, rng)
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:
        text = _number(text, rng)
    if whole:
        return text
    lines[place] = text
    return b"\n".join(lines)


def _changed_value(value: Any, rng: random.Random) -> Any:  # noqa: ANN401
    """Return a value with one change, somewhere in it."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        kind = rng.randrange(8)
        if kind == 0:
            return {name: inner for name, inner in value.items() if name != key}
        if kind == 1:
            return {**value, rng.choice([*NASTY_TEXT, *value]): value[key]}
        return {**value, key: _changed_value(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        kind = rng.randrange(8)
        if kind == 0:
            return value[:place] + value[place + 1 :]
        if kind == 1:
            return value + [value[place]] * rng.choice((1, 100, 1000))
        return [*value[:place], _changed_value(value[place], rng), *value[place + 1 :]]
    nested: Any = "deep"
    for _ in range(rng.choice((3, 100, 900))):
        nested = [nested] if rng.random() < 0.5 else {"a": nested}
    others = [None, True, -1, 0, 1.5, 2**31, 2**63, 2**64, 10**400, [], {}, [[]], {"": None}, nested]
    return rng.choice([*others, *NASTY_TEXT, *NASTY_TEXT])


def compressed(data: bytes, kind: str) -> bytes:
    """Return data as gzip, bzip2, xz or Zstandard, the same bytes each time."""
    if kind == "gz":
        return gzip.compress(data, 1, mtime=0)
    if kind == "bz2":
        return bz2.compress(data, 1)
    if kind == "xz":
        return lzma.compress(data, preset=0)
    import pyarrow as pa

    return bytes(pa.compress(data, codec="zstd", asbytes=True))


COMPRESSIONS = ("gz", "bz2", "xz", "zst")


@cache
def _bomb(kind: str) -> bytes:
    return compressed(b"a" * (1 << 26), kind) * 128


def mutated_compressed(data: bytes, rng: random.Random, change: Callable[[bytes, random.Random], bytes]) -> bytes:
    """Return what is changed before it is compressed, or afterwards, or is too large once decompressed."""
    kind = rng.choice(COMPRESSIONS)
    draw = rng.random()
    if draw < 0.01:
        return compressed(data, kind) + _bomb("zst" if kind == "zst" else "gz")
    packed = compressed(change(data, rng) if draw < 0.6 else data, kind)
    if draw < 0.6:
        return packed
    stray = rng.choice((b"\0", b"x", b"\0\0\0", packed, compressed(data, rng.choice(COMPRESSIONS)), rng.randbytes(9)))
    return packed + stray if draw < 0.75 else mutated_bytes(packed, rng)


def mutated_zip(data: bytes, rng: random.Random, change: Callable[[bytes, random.Random], bytes]) -> bytes:
    """Return a .zip of which one file, a name, or the archive itself is changed."""
    if rng.random() < 0.25:
        return mutated_bytes(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(files))
    if rng.random() < 0.1:
        files[rng.choice(("../outside", "/tmp/outside", name.upper(), "a/" * 200 + "b"))] = files.pop(name)
    else:
        files[name] = change(files[name], rng)
    return zipped(files)


def zipped(files: dict[str, bytes]) -> bytes:
    """Return files as a .zip, the same bytes each time."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return target.getvalue()
