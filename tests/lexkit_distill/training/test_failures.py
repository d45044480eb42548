"""Trainings that a full disk, a signal or another run gets in the way of."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lexkit.atomic_write import lock
from lexkit.errors import Stopped
from lexkit_distill.disk import lock_folder
from lexkit_distill.errors import TrainingError

Configured = Callable[..., Any]
Limited = Callable[[int], AbstractContextManager[None]]


def same(one: Path, other: Path) -> bool:
    """Whether two students and their logs, but for the times, are the same."""
    from .test_train import log

    return (
        log(one) == log(other)
        and (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    )


def half_written(folder: Path) -> list[str]:
    """Files that are not what their names say."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    broken = [path.name for path in folder.rglob("*") if path.name.endswith(".new") or path.name == ".lock"]
    for path in folder.rglob("*.json"):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            broken.append(path.name)
    for path in folder.rglob("*.safetensors"):
        try:
            load_file(path)
        except SafetensorError:
            broken.append(path.name)
    return broken


class TestFullDisk:
    @pytest.mark.parametrize(
        ("size", "left"),
        [
            (1_000, {"log.csv", "tensorboard"}),  # the log, or the events
            pytest.param(  # the best weights, before the first checkpoint
                60_000, {"log.csv", "tensorboard", "checkpoints"}, marks=pytest.mark.slow
            ),
            pytest.param(  # the optimiser's state
                100_000, {"log.csv", "tensorboard", "checkpoints"}, marks=pytest.mark.slow
            ),
            (170_000, {"log.csv", "tensorboard", "checkpoints"}),  # the finished student
        ],
    )
    def test_a_run_ends_with_one_line_and_goes_on_when_there_is_room(
        self, configured: Configured, tmp_path: Path, small_files: Limited, size: int, left: set[str], capfd: Any
    ) -> None:
        from lexkit_distill.training.run import train

        options = {
            "eval_data": (str(tmp_path / "held.txt"),),
            "patience": 9,
            "eval_every": 3,
            "log_with": ("tensorboard",),
        }
        train(configured(output=str(tmp_path / "whole"), **options))
        sizes = {path.name: path.stat().st_size for path in (tmp_path / "whole").rglob("*.safetensors")}
        assert 60_000 < sizes["best.safetensors"] < 100_000 < sizes["optimizer.safetensors"] < 170_000
        assert sizes["model.safetensors"] > 170_000
        capfd.readouterr()
        with (
            small_files(size),
            pytest.raises(TrainingError, match=r"student.*: cannot be written \(File too large\)") as raised,
        ):
            train(configured(**options))
        assert "run the same command again" in str(raised.value)
        assert capfd.readouterr().err == ""  # not even of TensorBoard's thread
        assert {path.name for path in (tmp_path / "student").iterdir()} == left
        assert half_written(tmp_path / "student") == []
        train(configured(**options))
        assert same(tmp_path / "student", tmp_path / "whole")

    def test_a_cache_without_room_is_refused_at_the_start(
        self, configured: Configured, tmp_path: Path, small_files: Limited
    ) -> None:
        from lexkit_distill.training.run import train

        cache = tmp_path / "cache"
        config = configured(cache=str(cache), epochs=1)
        with small_files(10_000), pytest.raises(TrainingError, match=r"cache/.*\.bin: cannot be written") as raised:
            train(config)
        assert "train without it" in str(raised.value)
        assert not list(cache.rglob("*.bin"))
        train(config)
        files = [path.stat() for path in cache.rglob("*.bin")]
        assert len(files) == 8
        assert all(512 * file.st_blocks >= file.st_size for file in files)

    def test_a_cache_of_before_gets_the_room_that_it_lacks(self, configured: Configured, tmp_path: Path) -> None:
        """Files had their length, and no room, before they were filled."""
        from lexkit_distill.training.run import train

        cache = tmp_path / "cache"
        config = configured(cache=str(cache), epochs=1, max_steps=1)  # which fills little of it
        train(config)
        for path in cache.rglob("*.bin"):
            size = path.stat().st_size
            os.truncate(path, 0)
            os.truncate(path, size)
            assert path.stat().st_blocks == 0
        shutil.rmtree(tmp_path / "student")
        train(config)
        assert all(512 * path.stat().st_blocks >= path.stat().st_size for path in cache.rglob("*.bin"))
        assert np.fromfile(cache / "final.bin", np.uint16).any()

    @pytest.mark.parametrize("error", [AttributeError("macOS"), OSError(errno.EOPNOTSUPP, "Operation not supported")])
    def test_where_the_system_cannot_reserve_room_zeros_are_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, small_files: Limited
    ) -> None:
        from lexkit_distill.training import teacher_cache

        def cannot(*_: int) -> None:
            raise error

        monkeypatch.setattr(os, "posix_fallocate", cannot)
        monkeypatch.setattr(teacher_cache, "_CHUNK", 30_000)
        old, new = tmp_path / "old.bin", tmp_path / "new.bin"
        with old.open("wb") as file:  # sparse, and partly filled
            file.write(b"states")
            file.truncate(99_999)
        teacher_cache._reserve({old: 100_000, new: 70_000})
        assert old.read_bytes() == b"states".ljust(100_000, b"\0")
        assert new.read_bytes() == bytes(70_000)
        assert 512 * old.stat().st_blocks >= 100_000
        with small_files(50_000), pytest.raises(OSError, match="File too large"):
            teacher_cache._reserve({tmp_path / "other.bin": 70_000})
        assert not (tmp_path / "other.bin").exists()

    @pytest.mark.slow
    def test_a_disk_that_fills_behind_a_cache_is_one_line(
        self, configured: Configured, full_disk: Callable[..., tuple[str, list[Path]]]
    ) -> None:
        """Where the files had no room of their own, the process died of SIGBUS."""
        from .test_cli import options

        said, left = full_disk(60_000, "train", *options(configured(output="student", cache="cache")))
        assert said.startswith("error: cache/prefix.bin: cannot be written (No space left on device); free some space")
        assert [path.name for path in left] == ["lock"]

    @pytest.mark.slow
    def test_a_disk_that_fills_at_any_time_is_one_line(
        self, configured: Configured, tmp_path: Path, full_disk: Callable[..., tuple[str, list[Path]]]
    ) -> None:
        from .test_cli import options

        config = configured(
            output="student",
            cache="cache",
            log_with=("tensorboard",),
            eval_data=(str(tmp_path / "held.txt"),),
            patience=9,
        )
        said = set()
        size = 100_000
        while "" not in said:  # each time with a little more room, until there is enough
            line, _ = full_disk(size, "train", "--quiet", *options(config))
            size += 70_000
            said.add(line.partition("(No space left on device); ")[2])
            assert half_written(tmp_path / "after") == []
            assert (tmp_path / "after" / "student" / "training.json").exists() == (line == "")
        assert said == {
            "",
            "free some space, choose another --cache, or train without it",
            "free some space, and run the same command again to resume",
            "free some space, and run the same command again; training is finished and saved in its last checkpoint",
        }


def at_step(monkeypatch: pytest.MonkeyPatch, step: int, happens: Callable[[], None]) -> None:
    """Have something happen in the middle of a step, counted from 1, the next time that it comes."""
    from lexkit_distill.training.trainer import Trainer

    run = Trainer._step
    done = []

    def patched(self: Any, number: int) -> Any:
        if number + 1 == step and not done:
            done.append(number)
            happens()
        return run(self, number)

    monkeypatch.setattr(Trainer, "_step", patched)


class TestSignals:
    @pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
    def test_a_run_ends_after_its_step_with_a_checkpoint_and_goes_on_bit_for_bit(
        self, configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        from lexkit_distill.training.run import train

        train(configured(output=str(tmp_path / "whole")))
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        at_step(monkeypatch, 6, lambda: signal.raise_signal(number))
        with pytest.raises(Stopped) as raised:
            train(configured())
        assert raised.value.number == number
        assert raised.value.message == (
            f"{tmp_path / 'student'}: stopped after step 6 of 20; run the same command again to resume"
        )
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
        kept = [path.name for path in (tmp_path / "student" / "checkpoints").iterdir()]
        assert sorted(kept) == ["step-00000004", "step-00000006"]
        assert half_written(tmp_path / "student") == []
        train(configured())
        assert same(tmp_path / "student", tmp_path / "whole")

    def test_a_second_one_ends_it_at_once(
        self, configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from lexkit_distill.training.run import train

        def twice() -> None:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

        at_step(monkeypatch, 6, twice)
        with pytest.raises(KeyboardInterrupt) as raised:
            train(configured())
        assert not isinstance(raised.value, Stopped)
        assert [path.name for path in (tmp_path / "student" / "checkpoints").iterdir()] == ["step-00000004"]

    def test_one_in_the_last_step_lets_the_run_end(
        self, configured: Configured, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from lexkit_distill.training.run import train

        at_step(monkeypatch, 3, lambda: signal.raise_signal(signal.SIGTERM))
        summary = train(configured(max_steps=3))
        assert summary is not None
        assert summary.outcome.finished

    def test_a_signal_that_is_ignored_stays_so(self, configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
        """As in the background of a shell without job control, or under nohup."""
        from lexkit_distill.training.run import train

        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            at_step(monkeypatch, 2, lambda: signal.raise_signal(signal.SIGINT))
            summary = train(configured(max_steps=3))
        finally:
            signal.signal(signal.SIGINT, before)
        assert summary is not None
        assert summary.outcome.steps == 3

    def test_a_dry_run_says_that_it_wrote_nothing(
        self, configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from lexkit_distill.training.run import train

        at_step(monkeypatch, 1, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(Stopped, match="stopped after step 1 of 20; nothing was written"):
            train(configured(), dry_run=True)
        assert not (tmp_path / "student").exists()


class TestTwoAtOnce:
    def test_the_second_run_to_an_output_is_refused(self, configured: Configured, tmp_path: Path) -> None:
        from lexkit_distill.training.run import train

        with lock_folder(tmp_path / "student", TrainingError):
            with pytest.raises(TrainingError, match="student: another run is writing there; wait for it, or choose"):
                train(configured(max_steps=2))
            dry = train(configured(), dry_run=True)  # which writes nothing
            assert dry is not None
        assert not (tmp_path / "student").exists()
        train(configured(max_steps=2))
        assert not (tmp_path / "student" / ".lock").exists()

    def test_a_row_of_a_shared_cache_is_written_once(
        self, configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A second training finds, after it has asked the teacher itself, that another was quicker."""
        from lexkit_distill.training.run import train
        from lexkit_distill.training.step import OnlineTeacher

        config = {"cache": str(tmp_path / "cache"), "epochs": 1}
        ask = OnlineTeacher.__call__
        written: list[bytes] = []

        def overtaken(self: Any, batch: Any) -> Any:
            known = ask(self, batch)
            if (tmp_path / "quicker").exists():
                return known
            train(configured(output=str(tmp_path / "quicker"), seed=1, **config))
            written.append((tmp_path / "cache" / "final.bin").read_bytes())
            return known._replace(teacher_hidden=known.teacher_hidden + 1)

        monkeypatch.setattr(OnlineTeacher, "__call__", overtaken)
        train(configured(**config))
        assert (tmp_path / "cache" / "final.bin").read_bytes() == written[0]
        assert np.fromfile(tmp_path / "cache" / "rows.bin", np.uint8).tolist() == [2] * 40

    def test_nobody_writes_a_row_while_another_does(self, configured: Configured, tmp_path: Path) -> None:
        """What is under the lock is the writing, so that a training waits for moments only."""
        import threading

        from lexkit_distill.training.run import train

        cache = tmp_path / "cache"
        train(configured(cache=str(cache), epochs=1, max_steps=1))
        held = lock(cache / "lock")
        assert held is not None
        config = configured(cache=str(cache), epochs=1, output=str(tmp_path / "second"))
        second = threading.Thread(target=train, args=(config,))
        second.start()
        second.join(2)
        assert second.is_alive()
        assert not (tmp_path / "second" / "log.csv").exists()
        held.close()
        second.join(60)
        assert (tmp_path / "second" / "training.json").exists()


def test_no_clipping_is_no_change_of_the_gradient(configured: Configured, tmp_path: Path) -> None:
    from lexkit_distill.training.run import train

    from .test_train import log

    for name, clip in (("none", 0.0), ("far", 1e9), ("near", 1e-3)):
        train(configured(output=str(tmp_path / name), clip=clip, max_steps=4))
    assert same(tmp_path / "none", tmp_path / "far")
    assert not same(tmp_path / "none", tmp_path / "near")
    norms = [float(row["gradient_norm"]) for row in log(tmp_path / "none")]
    assert min(norms) > 1e-3


def test_half_a_row_of_the_log_does_not_come_back(configured: Configured, tmp_path: Path) -> None:
    """A full disk, or the end of the machine, may cut a row off behind a number that is another step's."""
    from lexkit_distill.training.run import train

    from .test_train import log

    train(configured())
    whole = log(tmp_path / "student")
    (tmp_path / "student" / "training.json").unlink()
    with (tmp_path / "student" / "log.csv").open("a", encoding="utf-8") as file:
        file.write("2")
    train(configured())
    assert log(tmp_path / "student") == whole
