"""Unpacking a fetched .zip: only below its folder, and all of it or nothing."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from lexkit.atomic_write import sync
from lexkit.errors import FetchError

_MARK = ".lexkit-unpacked"  # holds the checksum of the archive; what somebody else put there has none
_MAX_BYTES = 1 << 30
_BLOCK = 1 << 20


def is_unpacked(folder: Path, sha256: str) -> bool:
    """Whether *folder* holds what was in the archive of that checksum."""
    try:
        return (folder / _MARK).read_text(encoding="ascii") == sha256
    except (OSError, UnicodeDecodeError):
        return False


def unpack(archive: Path, folder: Path, sha256: str) -> None:
    """Make *folder* hold the contents of the archive's only folder, which has the same name; replace what is there.

    Args:
        archive: a .zip.
        folder: appears, or is replaced, at the end; a kill leaves the old one, none, or the new one.
        sha256: of the archive.

    Raises:
        FetchError: not a .zip, a broken one, one with other members than files below the folder, or too large.
        OSError: the folder cannot be written.
    """
    new, old = (folder.with_name(f".{folder.name}.{state}") for state in ("new", "old"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir()
    try:
        _unpack_into(archive, new, folder.name)
        (new / _MARK).write_text(sha256, encoding="ascii")
        sync(new / _MARK)
        if folder.exists():
            folder.replace(old)
        new.replace(folder)
        sync(folder.parent)
    finally:
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _unpack_into(archive: Path, new: Path, name: str) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            # zipfile gives no more of a member than it declares, so the sum bounds what is written
            if sum(member.file_size for member in members) > _MAX_BYTES:
                raise FetchError(f"{archive}: unpacks to more than {_MAX_BYTES:,} bytes; it is not what it should be")
            targets = [new.joinpath(*_place(archive, member, name)) for member in members]
            for member, target in zip(members, targets, strict=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("xb") as stream:
                    shutil.copyfileobj(source, stream, _BLOCK)
                sync(target)
    # zipfile raises RuntimeError for encrypted members and, as one of its kinds, for compressions it does not know
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, FileExistsError) as error:
        raise FetchError(f"{archive}: broken archive ({error}); fetch it again with --force") from error


def _place(archive: Path, member: zipfile.ZipInfo, name: str) -> tuple[str, ...]:
    """Return where a member belongs below the folder, as the names on the way to it.

    A symbolic link is written as the text that it holds, so it leads nowhere.
    """
    path = PurePosixPath(member.filename)
    first, *rest = path.parts
    if first != name or not rest or ".." in rest or "\\" in member.filename or ":" in member.filename:
        raise FetchError(
            f"{archive}: holds {member.filename!r}, which does not belong below {name}/; nothing was unpacked"
        )
    return tuple(rest)
