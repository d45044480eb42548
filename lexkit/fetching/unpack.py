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
    try:
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)
        made = _extracted(archive, new, folder.name)
        (made / _MARK).write_text(sha256, encoding="ascii")
        for path in (*made.rglob("*"), made):
            sync(path)
        if folder.exists():
            folder.replace(old)
        made.replace(folder)
        sync(folder.parent)
    finally:
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _extracted(archive: Path, new: Path, name: str) -> Path:
    """Extract into the folder *new*, and return what the archive holds there: the folder *name*.

    A symbolic link is written as the text that it holds, so it leads nowhere.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            for member in members:
                name_is_odd = ".." in PurePosixPath(member.filename).parts or {*"\\:"} & {*member.filename}
                if name_is_odd or not member.filename.startswith(f"{name}/"):
                    outside = f"holds {member.filename!r}, which does not belong below {name}/"
                    raise FetchError(f"{archive}: {outside}; nothing was unpacked")
            # zipfile gives no more of a member than it declares, so the sum bounds what is written
            if sum(member.file_size for member in members) > _MAX_BYTES:
                raise FetchError(f"{archive}: unpacks to more than {_MAX_BYTES:,} bytes; it is not what it should be")
            if len({PurePosixPath(member.filename) for member in members}) < len(members):
                raise zipfile.BadZipFile("a name occurs twice")
            opened.extractall(new)
            return new / name
    # zipfile raises RuntimeError for encrypted members and, as one of its kinds, for compressions it does not know
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, FileExistsError, NotADirectoryError) as error:
        raise FetchError(f"{archive}: broken archive ({error}); fetch it again with --force") from error
