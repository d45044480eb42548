"""The predicted memory of a training, and trainings that run out of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import TrainingError

Configured = Callable[..., Any]
KD = {"beta_p": 0.0, "beta_n": 0.0, "senses": None}


def prepared(config: Any) -> Any:
    from accelerate import Accelerator

    from lexkit.progress import Progress
    from lexkit_distill.memo import Memo
    from lexkit_distill.training.run import prepare

    return prepare(config, Path(config.run.output), Accelerator(cpu=True), Progress(), Memo())


def measured(training: Any) -> int:
    """The bytes of all tensors that three steps hold at most, those made before included."""
    from lexkit_distill.training.layer_memory import LiveBytes

    trainer = training.trainer
    model, supervision = trainer.student.teacher.model, training.memory.supervision
    held = {part.data_ptr(): part.nbytes for part in (*model.parameters(), *trainer.student.trained.parameters())}
    tables = (supervision.own, supervision.synonyms, supervision.antonyms) if supervision is not None else ()
    with LiveBytes() as live:
        trainer.run(until=3, saves=False)
    return live.peak + sum(held.values()) + sum(part.offsets.nbytes + part.rows.nbytes for part in tables)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("dtype", "changes"),
    [
        ("float32", {}),
        ("bfloat16", {"micro_batch_size": 4, "trained": 3}),
        ("bfloat16", {"cache": "cache", "micro_batch_size": 4}),
        pytest.param("float32", {**KD, "micro_batch_size": 4}, marks=SLOW),
        pytest.param("float32", {"micro_batch_size": 1}, marks=SLOW),
        pytest.param("bfloat16", {"temperature": 2.0, "max_length": 24}, marks=SLOW),
        pytest.param("float32", {"cache": "cache", "micro_batch_size": 2}, marks=SLOW),
    ],
)
def test_the_peak_of_a_step_is_predicted(
    configured: Configured, tmp_path: Path, make_sentences: Callable[..., list[str]], changes: Any, dtype: str
) -> None:
    lines = make_sentences(400, 5)
    texts = [" ".join(lines[start : start + 10]) for start in range(0, 400, 10)]
    (tmp_path / "train.txt").write_text("\n\n".join(texts), encoding="utf-8")
    if "cache" in changes:
        changes = {**changes, "cache": str(tmp_path / "cache")}
    training = prepared(configured(**{"dtype": dtype, "max_length": 128, "max_steps": 3, **changes}))
    planned = training.plan.memory
    assert planned.peak == pytest.approx(measured(training), rel=0.15)
    assert planned.loaded < planned.peak
    assert (planned.candidates == 0) == ("senses" in changes)
    training.close()


@pytest.mark.parametrize(
    "family", ["gemma2", *(pytest.param(name, marks=SLOW) for name in ("qwen2", "qwen3", "gemma"))]
)
@pytest.mark.parametrize("dtype", ["bfloat16", pytest.param("float32", marks=SLOW)])
def test_other_architectures(
    configured: Configured, tmp_path: Path, make_teacher: Callable[..., Path], family: str, dtype: str
) -> None:
    sizes = {"hidden_size": 64, "intermediate_size": 256, "num_attention_heads": 4, "head_dim": 16}
    teacher = make_teacher(tmp_path / family, family, layers=4, **sizes)
    training = prepared(configured(**KD, teacher=str(teacher), layers=3, dtype=dtype, micro_batch_size=4, max_steps=3))
    assert training.plan.memory.peak == pytest.approx(measured(training), rel=0.15)


@SLOW
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_real_teacher(configured: Configured, tmp_path: Path, real_teacher: Path, dtype: str) -> None:
    (tmp_path / "train.txt").write_text("\n\n".join(["one two three four " * 120] * 8), encoding="utf-8")
    sizes = {"layers": 15, "max_length": 256, "micro_batch_size": 4, "max_steps": 3}
    training = prepared(configured(**KD, **sizes, teacher=str(real_teacher), dtype=dtype))
    assert training.plan.memory.peak == pytest.approx(measured(training), rel=0.15)


def test_a_dry_run_shows_what_memory_is_for(configured: Configured, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from lexkit_distill.cli import distill
    from lexkit_distill.config import values
    from lexkit_distill.config_files import to_yaml

    (tmp_path / "train.yaml").write_text(to_yaml(type(configured()), values(configured())), encoding="utf-8")
    command = ["train", "--config", str(tmp_path / "train.yaml"), "--dry-run"]
    shown = CliRunner().invoke(distill, command, catch_exceptions=False).stdout
    for name in ("memory", "  teacher", "  trained", "  activations", "  logits", "  candidates"):
        assert re.search(rf"^{name} +[0-9.]+ [kM]B ", shown, re.MULTILINE), shown
    memory = json.loads(CliRunner().invoke(distill, [*command, "--json"]).stdout)["plan"]["memory"]
    parts = ("teacher", "trained", "activations", "logits", "candidates", "dictionary")
    assert max(memory[name] for name in parts) < memory["peak"] <= sum(memory[name] for name in parts)


class TestTooLittleMemory:
    def test_a_training_that_cannot_fit_is_refused_with_values_that_do(
        self, configured: Configured, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from lexkit_distill.training import plan
        from lexkit_distill.training.run import train

        options = {**KD, "batch_size": 8, "micro_batch_size": 8, "max_steps": 2, "epochs": 1}
        memory = prepared(configured(**options)).plan.memory
        needed = memory.peak - memory.loaded
        monkeypatch.setattr(plan, "available_memory", lambda _: needed // 2)
        with pytest.raises(TrainingError, match=r"is free; --micro-batch-size (\d) would fit$") as raised:
            train(configured(**options))
        fits = int(str(raised.value).split("--micro-batch-size ")[1].split()[0])
        with pytest.raises(TrainingError, match="is free"):
            train(configured(**{**options, "micro_batch_size": fits + 1}))
        train(configured(**{**options, "micro_batch_size": fits}))

    def test_where_one_row_is_too_much_a_shorter_one_is_named(
        self, configured: Configured, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from lexkit_distill.training import plan
        from lexkit_distill.training.run import train

        memory = prepared(configured(**KD, micro_batch_size=1)).plan.memory
        free = memory.peak - memory.loaded
        monkeypatch.setattr(plan, "available_memory", lambda _: free - 1)
        with pytest.raises(
            TrainingError, match=r"is free; --max-length (\d+), with another --output, would fit$"
        ) as raised:
            train(configured(**KD, micro_batch_size=1))
        fits = int(str(raised.value).split("--max-length ")[1].split(",")[0])
        assert 2 <= fits < memory.length
        train(configured(**KD, micro_batch_size=1, max_length=fits, max_steps=1))
        monkeypatch.setattr(plan, "available_memory", lambda _: 1000)
        with pytest.raises(TrainingError, match="not even one short row would fit; lower --trained"):
            train(configured(**KD, micro_batch_size=1, output="other"))

    @pytest.mark.parametrize("error", ["MemoryError", "RuntimeError", "OutOfMemoryError"])
    def test_a_training_that_runs_out_of_memory_goes_on_with_smaller_batches(
        self, configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
    ) -> None:
        import torch

        from lexkit_distill.training import step
        from lexkit_distill.training.run import train

        from .test_train import log

        raised = {
            "MemoryError": MemoryError(),
            "RuntimeError": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to ..."),
            "OutOfMemoryError": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.5 GiB\nand more"),
        }[error]
        options = {**KD, "micro_batch_size": 4, "save_every": 2, "epochs": 1}
        plain, calls = step.kd_loss, []

        def fails(*arguments: Any, **others: Any) -> Any:
            calls.append(1)
            if len(calls) == 4:
                raise raised
            return plain(*arguments, **others)

        with monkeypatch.context() as patched:
            patched.setattr(step, "kd_loss", fails)
            with pytest.raises(TrainingError, match="out of memory; step 4 on cpu with 4 x ") as told:
                train(configured(**options))
        line = str(told.value)
        assert "\n" not in line
        assert [path.name for path in (tmp_path / "student" / "checkpoints").iterdir()] == ["step-00000002"]
        fits = int(line.split("--micro-batch-size ")[1].split()[0])
        assert fits < 4
        train(configured(**{**options, "micro_batch_size": fits}))
        assert [int(row["step"]) for row in log(tmp_path / "student")] == list(range(1, 11))

    @pytest.mark.slow
    def test_the_system_refuses_memory(self, configured: Configured, tmp_path: Path) -> None:
        """With a limit that is set after the check, as if others took the memory meanwhile."""
        script = """
import resource, sys, torch
from pathlib import Path
from lexkit_distill.training import trainer
plain = trainer.Trainer._step
def limited(self, number):
    if number == 3:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 1_000_000, -1))
        kept.append(torch.empty(1 << 30, dtype=torch.uint8))
    return plain(self, number)
kept = []
trainer.Trainer._step = limited
from lexkit.cli.main import main
main(sys.argv[1:])
"""
        from lexkit_distill.config import values
        from lexkit_distill.config_files import to_yaml

        config = configured(**KD, epochs=1, save_every=2)
        (tmp_path / "train.yaml").write_text(to_yaml(type(config), values(config)), encoding="utf-8")
        command = [
            sys.executable,
            "-c",
            script,
            "distill",
            "train",
            "--config",
            str(tmp_path / "train.yaml"),
            "--quiet",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert re.fullmatch(
            r"error: .*student: out of memory; step 4 on cpu .*--micro-batch-size 1 would.*\n", done.stderr
        )
        assert [path.name for path in (tmp_path / "student" / "checkpoints").iterdir()] == ["step-00000002"]

    def test_a_dictionary_and_an_evaluation(
        self, build: Callable[..., Path], tmp_path: Path, teacher_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from lexkit.progress import Progress
        from lexkit_distill.errors import EvaluationError, SampleError
        from lexkit_distill.evaluation.config import EvalConfig
        from lexkit_distill.evaluation.run import evaluate_models
        from lexkit_distill.senses import estimate
        from lexkit_distill.teacher import Teacher

        def fails(*_: Any) -> None:
            raise MemoryError

        (tmp_path / "held.txt").write_text("the red car is quick", encoding="utf-8")
        with monkeypatch.context() as patched:
            patched.setattr(Teacher, "last_hidden", fails)
            with pytest.raises(
                SampleError, match=r"out of memory; --batch-tokens 384 would fit, with another --output$"
            ):
                build("senses", batch_tokens=512, max_length=128)
            patched.setattr(estimate, "available_memory", lambda _: 1_900_000)
            with pytest.raises(SampleError, match=r"--max-length \d+ --batch-tokens \d+ would fit"):
                build("short", batch_tokens=512, max_length=128, memory_budget=1_000_000)
            config = EvalConfig(
                model=str(teacher_folder),
                tasks="perplexity",
                text=str(tmp_path / "held.txt"),
                output=str(tmp_path / "results.json"),
                device="cpu",
            )
            with pytest.raises(EvaluationError, match=r"perplexity: .*: out of memory; use --max-length 512$"):
                evaluate_models(config, Progress())
        build("senses", batch_tokens=512, max_length=128)  # what is on the disk can be continued


def test_available_memory_knows_limits_of_the_process_and_its_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from lexkit_distill import memory

    cpu = torch.device("cpu")
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n", encoding="ascii")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUP", tmp_path / "none")
    assert memory.available_memory(cpu) == 8_192_000
    (tmp_path / "cgroup").write_text("0::/job\n", encoding="ascii")
    (tmp_path / "groups" / "job").mkdir(parents=True)
    for name, text in {"max": "6000000", "current": "4000000", "stat": "anon 3000000\ninactive_file 500000"}.items():
        (tmp_path / "groups" / "job" / f"memory.{name}").write_text(text + "\n", encoding="ascii")
    monkeypatch.setattr(memory, "_GROUP", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    assert memory.available_memory(cpu) == 2_500_000
    (tmp_path / "groups" / "job" / "memory.max").write_text("max\n", encoding="ascii")
    assert memory.available_memory(cpu) == 8_192_000
