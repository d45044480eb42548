from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lexkit.atomic_write import lock, new_file, write_atomically

HOLDER = """
import sys
from pathlib import Path
from lexkit.atomic_write import lock
held = lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_file_that_fails_halfway_is_what_it_was_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "figures"
    write_atomically(path, b"old")
    with pytest.raises(OSError, match=r"No space left on device: .*figures'$"), new_file(path) as beside:
        beside.write_bytes(b"half")
        raise OSError(28, "as a library words it")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("figures", b"old")]


def test_what_a_killed_writer_left_is_no_part_of_the_next_file(tmp_path: Path) -> None:
    (tmp_path / "figures.new").write_bytes(b"half")
    with new_file(tmp_path / "figures") as beside:
        assert not beside.exists()
        beside.write_bytes(b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["figures"]


def test_a_lock_is_of_one_process_and_goes_with_it_however_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert lock(tmp_path / "lock") is None
        holder.kill()
        held = lock(tmp_path / "lock", wait=True)
    assert held is not None
    held.close()


def test_a_lock_that_its_holder_removes_is_nobodys(tmp_path: Path) -> None:
    """Whoever opened the file before it was removed must not take it for that which the next one makes."""
    path = tmp_path / "lock"
    first = lock(path)
    assert first is not None
    path.unlink()
    second = lock(path)
    assert second is not None
    assert lock(path) is None
    for held in (first, second):
        held.close()
