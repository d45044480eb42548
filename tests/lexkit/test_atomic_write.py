from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from lexkit.atomic_write import lock, new_file, new_folder, write_atomically, write_json

HOLDER = """
import sys
from dataclasses import dataclass
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


def test_a_pipe_a_device_or_a_folder_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "link", "folder"):
        with pytest.raises(OSError, match=f"which a file cannot replace: .*{name}'$"):
            write_atomically(tmp_path / name, b"new")
    with pytest.raises(OSError, match="cannot replace"), new_folder(tmp_path / "pipe"):
        pass
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["folder", "link", "pipe"]


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "page")
    for text in (b"new", b"newer"):
        write_atomically(tmp_path / "link", text)
        assert (tmp_path / "elsewhere" / "page").read_bytes() == text
    assert (tmp_path / "link").is_symlink()
    assert [file.name for file in (tmp_path / "elsewhere").iterdir()] == ["page"]


def test_writers_of_a_shared_file_do_not_meet(tmp_path: Path) -> None:
    texts = [bytes([number]) * 200_000 for number in range(1, 9)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: write_atomically(tmp_path / "page", text, is_shared=True), texts * 5))
    assert (tmp_path / "page").read_bytes() in texts
    assert [file.name for file in tmp_path.iterdir()] == ["page"]


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


class TestNewFolder:
    def test_replaces_what_has_its_name_with_all_that_was_written(self, tmp_path: Path) -> None:
        (tmp_path / "made").mkdir()
        (tmp_path / "made" / "old").touch()
        (tmp_path / "made.new").mkdir()  # what a killed process left
        (tmp_path / "made.new" / "half").touch()
        with new_folder(tmp_path / "made") as folder:
            write_json(folder / "a.json", {"of": Point(1, float("inf"))})
        assert [path.name for path in tmp_path.iterdir()] == ["made"]
        assert [path.name for path in (tmp_path / "made").iterdir()] == ["a.json"]
        assert json.loads((tmp_path / "made" / "a.json").read_bytes()) == {"of": {"x": 1, "y": float("inf")}}

    def test_leaves_everything_as_it_was_after_a_failure(self, tmp_path: Path) -> None:
        (tmp_path / "made").write_text("old", encoding="ascii")
        with pytest.raises(RuntimeError), new_folder(tmp_path / "made") as folder:
            (folder / "a").touch()
            raise RuntimeError
        assert (tmp_path / "made").read_text(encoding="ascii") == "old"
        assert [path.name for path in tmp_path.iterdir()] == ["made"]


@dataclass
class Point:
    x: int
    y: float
