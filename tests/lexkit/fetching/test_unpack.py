from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from lexkit.errors import FetchError
from lexkit.fetching.unpack import is_unpacked, unpack


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_whole_folder_and_what_it_came_from(tmp_path: Path) -> None:
    made = archive(tmp_path / "x.zip", {"brown/": b"", "brown/cats.txt": b"ca01 news\n", "brown/a/ca01": b"The/at"})
    folder = tmp_path / "corpora" / "brown"
    unpack(made, folder, "abc")
    assert (folder / "cats.txt").read_bytes() == b"ca01 news\n"
    assert (folder / "a" / "ca01").read_bytes() == b"The/at"
    assert is_unpacked(folder, "abc")
    assert not is_unpacked(folder, "another")
    assert [path.name for path in folder.parent.iterdir()] == ["brown"]


def test_what_was_there_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "brown"
    folder.mkdir()
    (folder / "stand-in").write_bytes(b"")
    (tmp_path / ".brown.new" / "left by a kill").mkdir(parents=True)
    assert not is_unpacked(folder, "abc")
    unpack(archive(tmp_path / "x.zip", {"brown/ca01": b"The/at"}), folder, "abc")
    assert files(folder) == {"ca01", ".lexkit-unpacked"}


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "brown/../../evil",
        "brown/..",
        "brown\\..\\..\\evil",
        "C:/evil",
        "brown/C:evil",
        "other/ca01",
        "brown",
        "//brown/evil",
    ],
)
def test_nothing_lands_elsewhere(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    folder = root / "cache" / "brown"
    folder.mkdir(parents=True)
    (folder / "old").write_bytes(b"")
    made = archive(tmp_path / "x.zip", {"brown/ca01": b"The/at", name: b"evil"})
    with pytest.raises(FetchError, match=r"is not below brown/; nothing was unpacked"):
        unpack(made, folder, "abc")
    assert files(root) == {"cache/brown/old"}


def test_a_link_leads_nowhere(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("brown/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        opened.writestr(link, "/etc/passwd")
    unpack(tmp_path / "x.zip", tmp_path / "brown", "abc")
    assert not (tmp_path / "brown" / "link").is_symlink()


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    whole = archive(tmp_path / "x.zip", {"brown/ca01": b"The/at" * 1000}).read_bytes()
    flipped = whole.replace(b"The/at", b"the/at", 1)
    for number, data in enumerate([b"", b"PK\x03\x04", whole[:-30], flipped]):
        broken = tmp_path / f"{number}.zip"
        broken.write_bytes(data)
        with pytest.raises(FetchError, match=r"broken archive \(.+\); fetch it again with --force"):
            unpack(broken, tmp_path / "brown", "abc")
    assert not (tmp_path / "brown").exists()
    assert not (tmp_path / ".brown.new").exists()


def test_the_same_name_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        opened.writestr("brown/ca01", b"one")
        opened.writestr("brown/./ca01", b"two")
    with pytest.raises(FetchError, match="broken archive"):
        unpack(tmp_path / "x.zip", tmp_path / "brown", "abc")


def test_an_archive_that_would_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lexkit.fetching.unpack._MAX_BYTES", 1000)
    bomb = tmp_path / "x.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("brown/ca01", bytes(1001))
    with pytest.raises(FetchError, match=r"more than 1,000 bytes"):
        unpack(bomb, tmp_path / "brown", "abc")
