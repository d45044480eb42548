"""The script that proves everything on a GPU runs on a CPU with tiny models, and says what only a GPU can show."""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import lexkit

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
WORDS = "kind unkind happy glad good bad light dark red crimson quick swift big large war peace".split()


def question(number: int) -> str:
    options = [
        " ".join(WORDS[(number + 3 * option + place) % 16] for place in range(option + 1)) for option in range(4)
    ]
    record = {
        "id": f"q{number}",
        "question": {
            "stem": f"What is {WORDS[number % 16]}, number {number}?",
            "choices": [{"label": label, "text": text} for label, text in zip("ABCD", options, strict=True)],
        },
        "answerKey": "ABCD"[number % 4],
    }
    return json.dumps(record) + "\n"


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    make_teacher: Callable[..., Path],
    make_sentences: Callable[..., list[str]],
) -> Path:
    """What the script reads, with a tokenizer of 500 tokens."""
    place = tmp_path_factory.mktemp("gpu")
    make_teacher(place / "smol", vocabulary=500)
    shutil.copytree(place / "smol", place / "llama3", ignore=shutil.ignore_patterns("config.json", "*.safetensors"))
    (place / "synonym.txt").write_text(
        "kind friendly\nhappy glad\nred crimson\nquick swift\nbig large\n", encoding="utf-8"
    )
    (place / "antonym.txt").write_text("kind unkind\ngood bad\nlight dark\nwar peace\n", encoding="utf-8")
    pairs: Any = [(kind, place / f"{kind}.txt") for kind in ("synonym", "antonym")]
    lexkit.build(place / "store.duckdb", pairs=pairs)
    for seed, (name, number) in enumerate({"train.txt": 300, "valid.txt": 200}.items()):
        (place / name).write_text("\n\n".join(make_sentences(number, seed)), encoding="utf-8")
    for name, numbers in {"arc/train": range(100, 109), "arc/validation": range(12)}.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / f"{name}.jsonl").write_text("".join(map(question, numbers)), encoding="utf-8")
    (place / "lexical").mkdir()
    chooser = random.Random(0)
    drawn = [chooser.sample(WORDS, 2) for _ in range(12)]
    for name in ("EN-SIMLEX-999.txt", "EN-SimVerb-3500.txt"):
        lines = [f"{one} {other} {place % 7}\n" for place, (one, other) in enumerate(drawn)]
        (place / "lexical" / name).write_text("".join(lines), encoding="utf-8")
    for name in ("adjective-pairs.train", "adjective-pairs.val"):
        lines = [f"{one}\t{other}\t{place % 2}\n" for place, (one, other) in enumerate(drawn)]
        (place / "lexical" / name).write_text("".join(lines), encoding="utf-8")
    return place


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Import a module of the benchmarks, and forget it afterwards."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module
    for name in ("gpu", "gpu_run", "gpu_costs", "gpu_stages", "training"):
        sys.modules.pop(name, None)


def script(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, BENCHMARKS / "gpu.py", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def results(path: Path) -> dict[str, dict[str, Any]]:
    """Each stage by its name, with its figures by theirs."""
    stages = json.loads(path.read_text(encoding="utf-8"))["stages"]
    return {stage["name"]: {**stage, "figures": {one["name"]: one for one in stage["figures"]}} for stage in stages}


@pytest.mark.slow
def test_every_stage_runs_on_a_cpu_with_tiny_models(folder: Path, tmp_path: Path) -> None:
    done = script(folder, "--device", "cpu", "--small", "--output", tmp_path / "results.json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = results(tmp_path / "results.json")
    states = {name: stage["state"] for name, stage in found.items()}
    assert [states.pop(name) for name in ("head", "quantized", "equality")] == ["not on a CPU"] * 3
    assert set(states.values()) == {"ok"}, done.stdout
    assert set(states) >= {"senses", "compose", "kd", "dskd", "cached", "resume", "evaluation", "sweep", "launch"}
    differing = {name: one for name, one in found["resume"]["figures"].items() if "values that differ" in name}
    assert differing
    assert all(one["value"] == 0 and one["holds"] for one in differing.values())
    assert found["launch"]["figures"]["gpus.yaml: first loss, relative difference from alone"]["value"] <= 1e-3
    only_gpu = [found["launch"]["figures"]["fsdp.yaml"], found["llama_steps"]["figures"]["KD / floor"]]
    only_gpu += [found["dskd"]["figures"]["peak memory, GB"]]
    assert [one["value"] for one in only_gpu] == ["not on a CPU"] * 3
    assert found["llama_steps"]["figures"]["DSKD / KD"]["goal"] == ""  # speed on a CPU is not what the goals are about
    assert {name.partition(":")[0] for name in found["evaluation"]["figures"]} == {"perplexity", "lexical", "arc"}
    assert "DSKD / KD" in done.stdout


@pytest.mark.slow
def test_a_stage_that_fails_stops_only_those_that_need_it(folder: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(folder, tmp_path / "folder", ignore=shutil.ignore_patterns("work"))
    (broken / "store.duckdb").write_bytes(b"no store")
    arguments = ["--device", "cpu", "--small", "--stage", "cached", "--stage", "kd"]
    done = script(broken, *arguments)
    assert done.returncode == 1
    found = results(broken / "results.json")
    assert {name: stage["state"] for name, stage in found.items()} == {
        "senses": "ok",
        "compose": "failed",
        "kd": "ok",
        "cached": "not run",
    }
    assert "store.duckdb" in found["compose"]["reason"]
    assert found["cached"]["reason"] == "needs compose, which is failed"
    shutil.copy(folder / "store.duckdb", broken / "work" / "store.duckdb")
    again = script(broken, *arguments[:3], "--stage", "cached")
    assert again.returncode == 0, again.stdout + again.stderr
    assert list(results(broken / "results.json")) == ["compose", "cached"]  # the senses are there already


def test_a_stage_without_enough_time_does_not_run_and_one_without_end_is_stopped(
    modules: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gpu, stages = modules("gpu"), modules("gpu_stages")
    run = modules("gpu_run").Run(tmp_path, tmp_path, "cpu", False)
    monkeypatch.setattr(stages, "kd", lambda _: time.sleep(60))
    monkeypatch.setitem(gpu.STAGES, "kd", gpu.Stage(1))
    spent, stopped = (gpu.run_stage(run, "kd", {"kd": gpu.StageResult("kd")}, left) for left in (0.5, 1.1))
    assert (spent.state, spent.reason) == ("not run", "takes about 1 s, and 0 s of the budget are left")
    assert (stopped.state, stopped.reason) == ("stopped", "its time was up")


def test_the_stages_fit_into_eight_minutes(modules: Callable[[str], Any]) -> None:
    importing = 20
    assert importing + sum(stage.seconds for stage in modules("gpu").STAGES.values()) < 8 * 60


def test_an_incomplete_folder_is_refused_with_what_makes_it_whole(folder: Path, tmp_path: Path) -> None:
    place = shutil.copytree(folder, tmp_path / "folder")
    shutil.rmtree(place / "llama3")
    shutil.rmtree(place / "arc")
    done = script(place, "--device", "cpu", "--small")
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {place} lacks llama3/tokenizer.json (python benchmarks/vocabularies.py {place}); "
        "arc/train*.jsonl, arc/validation*.jsonl (ARC-Challenge of https://allenai.org/data/arc)\n"
    )


def test_without_a_gpu_one_line_says_so(folder: Path) -> None:
    done = script(folder)
    assert done.returncode == 1
    assert done.stderr == (
        "error: no GPU that torch can use is here; to test the script on a CPU, give --device cpu --small\n"
    )


def test_a_packed_folder_comes_out_the_same(folder: Path, tmp_path: Path) -> None:
    (folder / "smol" / "weights.gguf").write_bytes(random.Random(0).randbytes(150_000))
    try:
        done = script(folder, "--pack", tmp_path / "pieces", "--piece", "100kB")
    finally:
        (folder / "smol" / "weights.gguf").unlink()
    assert done.returncode == 0, done.stderr
    pieces = sorted((tmp_path / "pieces").glob("part-*"))
    assert len(pieces) > 1
    assert all(piece.stat().st_size <= 100_000 for piece in pieces)
    unpack = ["sh", str(tmp_path / "pieces" / "unpack.sh"), str(tmp_path / "there")]
    subprocess.run(unpack, check=True)
    there = tmp_path / "there"
    for name in ("store.duckdb", "train.txt", "llama3/tokenizer.json", "lexical/EN-SIMLEX-999.txt", "arc/train.jsonl"):
        assert (there / name).read_bytes() == (folder / name).read_bytes(), name
    assert (there / "benchmarks" / "gpu.py").read_bytes() == (BENCHMARKS / "gpu.py").read_bytes()
    # The weights that are smaller stand for both
    assert (there / "smol" / "weights.gguf").exists()
    assert not (there / "smol" / "model.safetensors").exists()
    pieces[0].write_bytes(b"x" + pieces[0].read_bytes()[1:])
    assert subprocess.run(unpack, capture_output=True, check=False).returncode != 0


def test_a_missed_goal_counts_on_a_gpu_at_full_size_only(modules: Callable[[str], Any], tmp_path: Path) -> None:
    run_of = modules("gpu_run").Run
    for device, is_small, held in (
        ("cuda", False, [True, False]),
        ("cuda", True, [None] * 2),
        ("cpu", False, [None] * 2),
    ):
        run = run_of(tmp_path, tmp_path, device, is_small)
        run.aim("DSKD / KD", [1.02, 1.01, 1.2], at_most=1.03)
        run.aim("plain KD, masked / KD", [1.18], at_least=1.6)
        assert [figure.holds for figure in run.figures] == held
        assert run.figures[0].value == 1.02
        run.expect("values that differ", 3)  # equality counts everywhere
        assert run.figures[-1].holds is False


def test_floors_are_those_of_the_multiply_adds(modules: Callable[[str], Any]) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = modules("gpu_run").LLAMA_3_8B
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**shape, tie_word_embeddings=False))
    floors = modules("gpu_costs").floors(SimpleNamespace(model=model), 4 * 512)
    assert floors == pytest.approx({"KD": 51e-3, "DSKD, cached": 12.4e-3}, rel=0.02)
