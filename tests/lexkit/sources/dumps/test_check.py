from __future__ import annotations

import bz2
from collections.abc import Callable
from pathlib import Path

import pytest

from lexkit.errors import SourceError
from lexkit.sources.dumps import check
from lexkit.sources.dumps.check import check_dump, is_dump

ROOT = b'<mediawiki xml:lang="en">'
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


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


@pytest.mark.parametrize("name", ["dump.xml", "dump.xml.bz2"])
def test_pages_and_edition_of_a_dump(write_dump: Callable[..., Path], name: str) -> None:
    told: list[int] = []
    dump = check_dump(write_dump(name, edition="fr"), told.append)
    assert (dump.n_pages, dump.edition) == (3, "fr")
    assert told[-1] == 3


def test_pages_across_blocks_are_counted_once(write_dump: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_dump()
    for size in range(1, 20):
        monkeypatch.setattr(check, "_BLOCK", size)
        assert check_dump(path).n_pages == 3


def test_a_multistream_dump_is_read_to_its_end(write_dump: Callable[..., Path]) -> None:
    path = write_dump("dump.xml")
    data = path.read_bytes()
    path.write_bytes(bz2.compress(data[:300]) + bz2.compress(data[300:]))
    assert check_dump(path).n_pages == 3


def cut(data: bytes) -> bytes:
    return bz2.compress(data)[:-20]


def flip(data: bytes) -> bytes:
    packed = bytearray(bz2.compress(data))
    packed[len(packed) // 2] ^= 0xFF
    return bytes(packed)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut, "its bzip2 data end too early; download it again"),
        (flip, "broken bzip2"),
        (lambda data: data[:-14], "not well-formed XML"),
        (lambda data: data.replace(b"</title>", b"", 1), "line 4: not well-formed XML (mismatched tag)"),
        (lambda data: data.replace(b"glad", b"gl\xffd"), "not well-formed XML"),
        (lambda data: BOMB + data, "a DOCTYPE, which MediaWiki dumps do not have"),
        (lambda data: b'<?xml version="1.0" encoding="UTF-16"?>' + data, "XML"),
        (lambda data: b'<?xml version="1.0" encoding="latin-1"?>' + data, "XML in the encoding latin-1"),
        (lambda data: b"<html><body>404</body></html>", "no MediaWiki dump (<html>"),
        (lambda data: ROOT + b"<siteinfo/></mediawiki>", "a dump without pages"),
        (lambda data: b"<", "not well-formed XML"),
    ],
)
def test_a_bad_dump_is_refused_in_one_line(
    write_dump: Callable[..., Path], spoil: Callable[[bytes], bytes], message: str
) -> None:
    path = write_dump("dump.xml")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(SourceError) as caught:
        check_dump(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_page_without_end_is_refused_before_it_fills_memory(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "MAX_PAGE", 1 << 21)
    path = write(bz2.compress(ROOT + b"<page>" + bytes(1 << 24).replace(b"\0", b"a")))
    with pytest.raises(SourceError, match="2 MiB without a new page"):
        check_dump(path)
