"""Dictionaries of senses that a full disk, a signal or another run gets in the way of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import lexkit
from lexkit.errors import Stopped
from lexkit_distill.disk import lock_folder
from lexkit_distill.errors import DictionaryError, SampleError

Build = Callable[..., Path]
Limited = Callable[[int], AbstractContextManager[None]]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def at_batch(monkeypatch: pytest.MonkeyPatch, batch: int, happens: Callable[[], None]) -> None:
    """Have something happen while the teacher reads a batch, counted from 1."""
    from lexkit_distill.senses import collect

    read = collect._launched
    count = 0

    def patched(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count == batch:
            happens()
        return read(*arguments)

    monkeypatch.setattr(collect, "_launched", patched)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_states_are_read_loses_none(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    from lexkit_distill.senses.plan import open_plan
    from lexkit_distill.senses.sample import done_batches

    options = {"batch_tokens": 64, "max_per_token": 20}
    whole = build("whole", **options)
    at_batch(monkeypatch, 5, lambda: signal.raise_signal(number))
    with pytest.raises(Stopped) as raised:
        build("stopped", **options)
    plan = open_plan(tmp_path / "stopped" / ".sample")
    assert plan is not None
    assert done_batches(plan.folder, plan.batches).sum() == 5
    assert raised.value.number == number
    assert raised.value.message == (
        f"{tmp_path / 'stopped'}: stopped after batch 5 of {plan.batches}; run the same command again to resume"
    )
    assert not (tmp_path / "stopped" / ".lock").exists()
    assert contents(build("stopped", **options)) == contents(whole)


@pytest.mark.slow
def test_nothing_is_written_after_a_run_has_failed(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts are written in a thread, which ends with the run."""
    import threading

    from lexkit_distill.senses import sample

    written, write = threading.Event(), sample.write_part

    def slowly(*arguments: Any) -> None:
        time.sleep(0.3)
        write(*arguments)
        written.set()

    def fails() -> None:
        raise SampleError("not finite")

    monkeypatch.setattr(sample, "write_part", slowly)
    at_batch(monkeypatch, 30, fails)
    with pytest.raises(SampleError, match="not finite"):
        build("stopped", batch_tokens=64, memory_budget=64 * 200)
    assert written.is_set()
    before = contents(tmp_path / "stopped" / ".sample")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lexkit-sample")]
    assert contents(tmp_path / "stopped" / ".sample") == before


def test_a_second_signal_ends_it_at_once(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    at_batch(monkeypatch, 5, twice)
    with pytest.raises(KeyboardInterrupt) as raised:
        build("stopped", batch_tokens=64)
    assert not isinstance(raised.value, Stopped)
    assert not list((tmp_path / "stopped" / ".sample").glob("state-*"))


@pytest.mark.parametrize(
    ("size", "place"),
    [(1_000, "refused"), (20_000, "refused"), (100_000, "part-0-0.safetensors")],
)
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    build: Build, tmp_path: Path, small_files: Limited, size: int, place: str
) -> None:
    """While the corpus is sorted, or while states are written."""
    with small_files(size), pytest.raises(SampleError, match=r"cannot be written \(File too large\)") as raised:
        build("refused")
    assert place in str(raised.value)
    assert "\n" not in str(raised.value)
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert not any(name.endswith((".new", ".lock")) for name in left)
    assert left in (set(), {"sample.json", "plan.json", "plan.parquet", "counts.npy"})
    assert (build("refused") / "meta.json").exists()


def test_a_disk_that_is_full_for_the_words_leaves_the_tokens(
    build: Build, tmp_path: Path, small_files: Limited
) -> None:
    from lexkit_distill.senses.compose import compose_senses
    from lexkit_distill.senses.dictionary import SenseDictionary

    folder = build()
    (tmp_path / "pairs.txt").write_text("kindness unkind\nfriendly hostile\n", encoding="utf-8")
    store = tmp_path / "store.duckdb"
    lexkit.build(store, pairs=[("antonym", tmp_path / "pairs.txt")], tokenizers=[str(folder / "tokenizer.json")])
    tokens = SenseDictionary(folder).meta.tokens
    size = (folder / "senses.safetensors").stat().st_size
    with small_files(size), pytest.raises(DictionaryError, match=r"senses\.safetensors: cannot be written") as raised:
        compose_senses(folder, store)
    assert "the senses of tokens are intact" in str(raised.value)
    assert sorted(contents(folder)) == sorted(
        ["contexts.parquet", "index.parquet", "meta.json", "senses.safetensors", "tokenizer.json"]
    )
    assert SenseDictionary(folder).meta.tokens == tokens
    compose_senses(folder, store)
    assert SenseDictionary(folder).meta.words > 0


@pytest.mark.slow
def test_a_disk_that_fills_at_any_time_is_one_line(
    teacher_folder: Path, corpus: Path, tmp_path: Path, full_disk: Callable[..., tuple[str, list[Path]]]
) -> None:
    said = set()
    for size in (4_096, 20_480, 100_000, 800_000, 1_100_000, 1_300_000, 4_000_000):
        line, left = full_disk(
            size, "senses", "--quiet", "--teacher", teacher_folder, "--corpus", corpus, "--output", "senses"
        )
        said.add(Path(line.partition(":")[2].partition(":")[0].strip()).name)
        assert not any(path.name.endswith((".new", ".lock")) for path in left)
        assert any(path.name == "meta.json" for path in left) == (line == "")
    assert said > {"", "part-0-0.safetensors"}


class TestTwoAtOnce:
    def test_of_an_output(self, build: Build, tmp_path: Path) -> None:
        with lock_folder(tmp_path / "senses", SampleError), pytest.raises(SampleError, match="choose another --output"):
            build("senses")
        assert (build("senses") / "meta.json").exists()

    def test_of_a_sample(self, build: Build, tmp_path: Path) -> None:
        sample = tmp_path / "sample"
        with (
            lock_folder(sample, SampleError),
            pytest.raises(SampleError, match=r"sample: another run .*another --sample"),
        ):
            build("senses", sample=str(sample))
        assert not (tmp_path / "senses").exists()

    def test_of_words_for_one_dictionary(self, build: Build, tmp_path: Path) -> None:
        from lexkit_distill.senses.compose import compose_senses

        folder = build()
        before = contents(folder)
        with (
            lock_folder(folder, DictionaryError),
            pytest.raises(DictionaryError, match="senses: another run is writing"),
        ):
            compose_senses(folder, tmp_path / "store.duckdb")
        assert contents(folder) == before


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_it_stopped(teacher_folder: Path, corpus: Path, tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "lexkit", "distill", "senses", "--teacher", str(teacher_folder), "--corpus"]
    command += [str(corpus), "--output", str(tmp_path / "senses"), "--device", "cpu", "--batch-tokens", "1"]
    command += ["--memory-budget", "6400"]  # so that something is written before the end
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        while not (tmp_path / "senses" / ".sample" / "state-0.safetensors").exists():
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(number)
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 128 + number
    assert errors.startswith(f"error: {tmp_path / 'senses'}: stopped after batch ")
    assert errors.count("\n") == 1
