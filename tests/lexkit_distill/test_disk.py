"""Failures to write, as the libraries word them, and folders that one run at a time writes to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from lexkit_distill.disk import disk_failures, lock_folder, read_json
from lexkit_distill.errors import SampleError, TrainingError
from lexkit_distill.sweep.records import read_run

Limited = Callable[[int], AbstractContextManager[None]]
HOLDER = """
import sys
from pathlib import Path
from types import SimpleNamespace
from lexkit_distill.disk import lock_folder
from lexkit_distill.errors import TrainingError
with lock_folder(Path(sys.argv[1]), TrainingError):
    print("held", flush=True)
    sys.stdin.read()
"""


def write_text(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("x" * 100_000)


def write_weights(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(100_000)}, path)


def write_table(path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"number": np.random.default_rng(0).random(100_000)}), path)


def write_database(path: Path) -> None:
    with duckdb.connect(str(path)) as database:
        database.execute("CREATE TABLE number AS SELECT random() AS number FROM range(100_000)")
        database.execute("CHECKPOINT")


def write_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(100_000))


def write_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    Tokenizer(WordLevel({str(number): number for number in range(10_000)}, unk_token="0")).save(str(path))


@pytest.mark.parametrize(
    "write", [write_text, write_weights, write_table, write_database, write_array, write_tokenizer]
)
def test_what_any_library_cannot_write_is_one_line(
    write: Callable[[Path], None], small_files: Limited, tmp_path: Path
) -> None:
    with (
        small_files(20_000),
        pytest.raises(TrainingError, match=r"cannot be written \(.*\); free some space") as raised,
        disk_failures(TrainingError, tmp_path, "free some space"),
    ):
        write(tmp_path / "file")
    assert str(raised.value).startswith(str(tmp_path))
    assert "\n" not in str(raised.value)
    assert raised.value.__cause__ is not None


def test_a_database_without_room_for_what_does_not_fit_into_memory_is_one_line(tmp_path: Path) -> None:
    settings = {"memory_limit": "20MB", "temp_directory": str(tmp_path), "threads": 1}
    with (
        pytest.raises(SampleError, match=r"cannot be written \(Out of Memory Error.*\); free some space") as raised,
        disk_failures(SampleError, tmp_path, "free some space"),
        duckdb.connect(config=settings) as database,  # type: ignore[arg-type]
    ):
        database.execute("SET max_temp_directory_size = '1MB'")  # which duckdb 1.5 does not take with the others
        database.execute("COPY (SELECT random() AS n FROM range(5_000_000) ORDER BY n) TO '/dev/null' (FORMAT csv)")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "error", [ValueError("no disk"), FileNotFoundError(2, "No such file or directory"), SampleError("one line")]
)
def test_other_errors_stay_what_they_are(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as raised, disk_failures(TrainingError, tmp_path, "free some space"):
        raise error
    assert raised.value is error


class TestOnlyRun:
    def test_the_second_is_refused_until_the_first_ends_however_it_does(self, tmp_path: Path) -> None:
        folder = tmp_path / "student"
        command = [sys.executable, "-c", HOLDER, str(folder)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(TrainingError, match="student: another run is writing there; wait for it"):
                lock_folder(folder, TrainingError).__enter__()
            holder.kill()
        with lock_folder(folder, TrainingError) as is_new:
            assert not is_new

    def test_it_leaves_what_was_written_and_nothing_else(self, tmp_path: Path) -> None:
        for name in ("empty", "written"):
            with lock_folder(tmp_path / name, TrainingError) as is_new:
                assert is_new
                if name == "written":
                    (tmp_path / name / "figures").touch()
        (tmp_path / "there").mkdir()
        with lock_folder(tmp_path / "there", TrainingError) as is_new:
            assert not is_new
        found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
        assert found == ["there", "written", "written/figures"]

    def test_a_file_is_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(TrainingError, match="file: a file, not a folder; choose another --sample"):
            lock_folder(tmp_path / "file", TrainingError, "--sample").__enter__()


@pytest.mark.parametrize("content", [b"", b"[1]", b"[" * 100_000, b'{"key": "\xed"}', b'{"key": 1'])
def test_a_damaged_file_of_ones_own_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"run\.json: damaged \(.+\); remove it$") as caught:
        read_json(path, TrainingError, "remove it")
    assert "\n" not in str(caught.value)


def test_a_sweep_with_a_damaged_record_says_what_to_remove(tmp_path: Path) -> None:
    point = SimpleNamespace(config=SimpleNamespace(run=SimpleNamespace(output=str(tmp_path))))
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"damaged .*; remove the folder to run it again"):
        read_run(point)  # type: ignore[arg-type]
