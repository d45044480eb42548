"""Unpack a downloaded .zip file: only below its own folder, and either all of it or nothing."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from lexkit.atomic_write import sync
from lexkit.errors import FetchError

_MARK = ".lexkit-unpacked"  # holds the checksum of the archive; a folder that lexkit did not unpack has no such file
_MAX_BYTES = 1 << 30


def is_unpacked(folder: Path, sha256: str) -> bool:
    """Whether *folder* holds the contents of the archive with that checksum."""
    try:
        return (folder / _MARK).read_text(encoding="ascii") == sha256
    except (OSError, UnicodeDecodeError):
        return False


def unpack(archive: Path, folder: Path, sha256: str) -> None:
    """Replace *folder* with the contents of the archive's only folder, which must have the same name.

    Args:
        archive: a .zip file.
        folder: created or replaced at the end; if the process is killed, the old folder, none, or the new one is there.
        sha256: checksum of the archive.

    Raises:
        FetchError: the archive is not a .zip file, is broken or too large, or has members outside the folder.
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
    """Extract the archive into the folder *new*, and return the folder *name* inside it.

    A symbolic link becomes a text file with the path of its target, so it leads nowhere.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            for member in members:
                name_is_odd = ".." in PurePosixPath(member.filename).parts or {*"\\:"} & {*member.filename}
                if name_is_odd or not member.filename.startswith(f"{name}/"):
                    outside = f"contains {member.filename!r}, which is not below {name}/"
                    raise FetchError(f"{archive}: {outside}; nothing was unpacked")
            # zipfile extracts no more bytes of a member than it declares, so the sum bounds what is written
            if sum(member.file_size for member in members) > _MAX_BYTES:
                raise FetchError(f"{archive}: unpacks to more than {_MAX_BYTES:,} bytes; fetch it again with --force")
            if len({PurePosixPath(member.filename) for member in members}) < len(members):
                raise zipfile.BadZipFile("a name occurs twice")
            opened.extractall(new)
            return new / name
    # zipfile raises RuntimeError for encrypted members, and a subclass of it for unknown compression methods
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, FileExistsError, NotADirectoryError) as error:
        raise FetchError(f"{archive}: broken archive ({error}); fetch it again with --force") from error
