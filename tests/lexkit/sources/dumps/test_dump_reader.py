from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from lexkit.errors import SourceError
from lexkit.sources.dumps import dump_reader
from lexkit.sources.dumps.dump_reader import is_dump, read_pages

ROOT = b'<mediawiki xml:lang="en">'
PAGE = b"<page><title>glad</title><revision><text>x</text></revision></page>"
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def file(data: bytes, name: str = "file") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return file


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b'<?xml version="1.0"?>\n', b"\xef\xbb\xbf \r\n<!-- x -->"])
def test_a_dump_is_known_by_its_content(write: Callable[..., Path], before: bytes) -> None:
    assert is_dump(write(before + ROOT))
    assert is_dump(write(bz2.compress(before + ROOT)))
    assert is_dump(write(lzma.compress(before + ROOT)))


@pytest.mark.parametrize(
    "data", [b"", b'{"word": "glad"}\n', b"BZh", bz2.compress(b'{"word": "glad"}\n'), b"\xff\xfe<\0"]
)
def test_other_files_are_no_dumps(write: Callable[..., Path], data: bytes) -> None:
    assert not is_dump(write(data))


def test_a_missing_file_and_a_folder_are_no_dumps(tmp_path: Path) -> None:
    assert not is_dump(tmp_path)
    assert not is_dump(tmp_path / "dump.xml.bz2")


def test_a_dump_cut_off_at_once_is_known_by_its_name(write: Callable[..., Path]) -> None:
    assert is_dump(write(bz2.compress(ROOT)[:20], "dump.xml.bz2"))
    assert is_dump(write(b"BZh9" + bytes(100), "dump.xml.bz2"))


@pytest.mark.parametrize(
    "pack", [bytes, bz2.compress, lzma.compress, lambda data: bz2.compress(data[:300]) + bz2.compress(data[300:])]
)
def test_the_pages_of_a_dump(write_dump: Callable[..., Path], pack: Callable[[bytes], bytes]) -> None:
    path = write_dump(pages={"glad": "&amp;lt; &lt;b> &quot;", "Ärger": ""})
    path.write_bytes(pack(path.read_bytes()))
    assert list(read_pages(path)) == [("wikitext", "glad", '&lt; <b> "'), ("wikitext", "Ärger", "")]


def test_redirects_models_and_elements_elsewhere(write: Callable[..., Path]) -> None:
    body = b"""<page><title>a</title><redirect title="b &amp; c"/><revision><text>#R</text></revision></page>
    <page><title>Module:m</title><ns>828</ns><revision><contributor><title>u</title></contributor>
    <model>Scribunto</model><text>return</text><content><model>json</model><text>{}</text></content></revision></page>
    <page><title>gone</title><revision><text deleted="deleted"/></revision></page>"""
    assert list(read_pages(write(ROOT + body + b"</mediawiki>"))) == [
        ("redirect", "a", "b & c"),
        ("Scribunto", "Module:m", "return"),
        ("wikitext", "gone", ""),
    ]


def test_blocks_may_end_anywhere(write_dump: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_dump()
    whole = list(read_pages(path))
    for size in range(1, 20):
        monkeypatch.setattr(dump_reader, "_BLOCK", size)
        assert list(read_pages(path)) == whole


def flip(data: bytes) -> bytes:
    packed = bytearray(bz2.compress(data))
    packed[len(packed) // 2] ^= 0xFF
    return bytes(packed)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: bz2.compress(data)[:-20], "broken bzip2 (ends in the middle of a stream)"),
        (lambda data: lzma.compress(data)[:-20], "broken xz (ends in the middle of a stream)"),
        (lambda data: bz2.compress(data[:300]) + b"x" + bz2.compress(data[300:]), "broken bzip2"),
        (flip, "broken bzip2"),
        (lambda data: data[:-14], "not well-formed XML"),
        (lambda data: data.replace(b"</title>", b"", 1), "line 5: not well-formed XML (mismatched tag)"),
        (lambda data: data.replace(b"glad", b"gl\xffd"), "not well-formed XML"),
        (lambda data: data.replace(b"glad", b"&nbsp;"), "not well-formed XML (undefined entity)"),
        (lambda data: data.replace(b"glad", b""), "line 5: a page without a title"),
        (lambda data: LAUGHS + data.replace(b"glad", b"&b;"), "line 1: XML with a DOCTYPE"),
        (lambda data: OUTSIDE + data.replace(b"glad", b"&a;"), "line 1: XML with a DOCTYPE"),
        (lambda data: b"<html><body>404</body></html>", "its root is 'html', not mediawiki"),
        (lambda data: data.replace(b'xml:lang="en"', b'xml:lang="fr"'), "its language is 'fr', not en"),
        (
            lambda data: data.replace(b"en.wikt", b"simple.wikt"),
            "its site is 'simple.wiktionary.org', not en.wiktionary",
        ),
        (lambda data: data.replace(b"en.wiktionary", b"en.wikipedia"), "its site is 'en.wikipedia.org', not en."),
        (lambda data: data.replace(b"<ns>0<", b"<ns>1<"), "a dump without articles"),
        (lambda data: ROOT + b"<siteinfo/></mediawiki>", "a dump without articles"),
        (lambda data: b"<", "not well-formed XML"),
    ],
)
def test_a_bad_dump_is_refused_in_one_line(
    write_dump: Callable[..., Path], spoil: Callable[[bytes], bytes], message: str
) -> None:
    path = write_dump("dump.xml")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(SourceError) as caught:
        list(read_pages(path))
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "endless",
    [
        ROOT + b"<page><title>",
        ROOT + b'<page><redirect title="',
        ROOT + b"<siteinfo><base>",
        ROOT + PAGE + b"<!-- ",
        ROOT + b"<page><revision><text>",
        b'<mediawiki xml:lang="',
    ],
)
def test_what_has_no_end_is_refused_before_it_fills_memory(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, endless: bytes
) -> None:
    monkeypatch.setattr(dump_reader, "MAX_PAGE", 1 << 21)
    path = write(bz2.compress(endless + b"a" * (1 << 23)))
    with pytest.raises(SourceError, match="2 MiB without a new page"):
        list(read_pages(path))
