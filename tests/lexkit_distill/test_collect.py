from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

Build = Callable[..., Path]

# Modules that import torch are imported in the tests, so that without torch these are skipped rather than broken


def senses_of(folder: Path) -> Any:
    from lexkit_distill.senses.dictionary import SenseDictionary

    return SenseDictionary(folder)


def same(one: Path, other: Path) -> bool:
    names = ("senses.safetensors", "index.parquet", "meta.json", "contexts.parquet")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def sample_of(folder: Path, cap: int = 50) -> Any:
    from lexkit_distill.senses.sample import Sample

    return Sample(folder, cap)


def occurrences(folder: Path, plan_documents: bool = True) -> set[tuple[int, int, int, int]]:
    """(token, key, document, position) of a kept sample."""
    import pyarrow.parquet as pq

    sample = sample_of(folder)
    pieces = pq.read_table(folder / "plan.parquet", columns=["document", "start"]).to_pydict()
    return {
        (token, key, pieces["document"][row], pieces["start"][row] + position)
        for token, key, row, position in zip(
            sample.occurrences.tokens.tolist(),
            sample.occurrences.keys.tolist(),
            sample.occurrences.rows.tolist(),
            sample.occurrences.positions.tolist(),
            strict=True,
        )
    }


@pytest.mark.parametrize(
    "anchor", ["predicted", *(pytest.param(anchor, marks=pytest.mark.slow) for anchor in ("next", "input"))]
)
def test_the_sample_is_that_of_a_slow_loop_over_documents(
    build: Build, teacher_folder: Path, corpus: Path, tmp_path: Path, anchor: str
) -> None:
    import torch

    from lexkit_distill.random_keys import document_hash, occurrence_keys
    from lexkit_distill.teacher import load_teacher

    build(anchor=anchor, sample=str(tmp_path / "sample"), max_per_token=7)
    teacher = load_teacher(str(teacher_folder), dtype="float32", device="cpu")
    expected: dict[int, list[tuple[int, torch.Tensor]]] = {}
    for text in corpus.read_text(encoding="utf-8").split("\n\n"):
        ids = teacher.tokenizer(text.strip("\n"))["input_ids"]
        with torch.inference_mode():
            out = teacher.model(torch.tensor([ids]), output_hidden_states=True)
        for t, token in enumerate(ids):
            belongs = {"input": token, "next": ids[t + 1] if t + 1 < len(ids) else None}.get(anchor, -1)
            if anchor == "predicted":
                belongs = int(out.logits[0, t].argmax())
            if belongs is None or belongs in {*teacher.tokenizer.all_special_ids, *range(len(teacher.tokenizer), 999)}:
                continue
            document = np.array([document_hash(text.strip("\n"))], np.uint64)
            key = int(occurrence_keys(0, document, np.array([t]))[0])
            expected.setdefault(belongs, []).append((key, out.hidden_states[-1][0, t]))
    sample = sample_of(tmp_path / "sample", 7)
    found: dict[int, list[int]] = {}
    for place, (token, key) in enumerate(
        zip(sample.occurrences.tokens.tolist(), sample.occurrences.keys.tolist(), strict=True)
    ):
        found.setdefault(token, []).append(key)
        state = dict(expected[token])[key]
        torch.testing.assert_close(sample.states(place, place + 1)[0].float(), state, rtol=0.01, atol=0.01)
    assert found == {token: sorted(key for key, _ in rows)[:7] for token, rows in expected.items()}
    assert {t: int(n) for t, n in enumerate(sample.seen) if n} == {t: len(rows) for t, rows in expected.items()}


def test_a_shuffled_corpus_in_several_files_gives_the_same_dictionary_to_the_bit(
    build: Build, corpus: Path, tmp_path: Path
) -> None:
    documents = corpus.read_text(encoding="utf-8").strip().split("\n\n")
    random.Random(3).shuffle(documents)
    folder = tmp_path / "shuffled"
    folder.mkdir()
    (folder / "a.txt").write_text("\n\n".join(documents[:100]), encoding="utf-8")
    with gzip.open(folder / "b.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps({"text": text}) + "\n" for text in documents[100:130])
    with pa.CompressedOutputStream(str(folder / "c.jsonl.zst"), "zstd") as packed:
        packed.write("".join(json.dumps({"text": text}) + "\n" for text in documents[130:]).encode())
    assert same(build("one"), build("other", corpus=(str(folder),)))


def test_the_batch_size_changes_neither_the_sample_nor_the_states_beyond_rounding(build: Build, tmp_path: Path) -> None:
    import torch

    build("one", sample=str(tmp_path / "s1"))
    build("other", batch_tokens=100, sample=str(tmp_path / "s2"))
    assert occurrences(tmp_path / "s1") == occurrences(tmp_path / "s2")
    one, other = sample_of(tmp_path / "s1"), sample_of(tmp_path / "s2")
    n = len(one.occurrences)
    torch.testing.assert_close(one.states(0, n), other.states(0, n), rtol=0.02, atol=0.02)


def test_little_memory_means_many_parts_and_the_same_dictionary(build: Build, tmp_path: Path) -> None:
    from lexkit_distill.senses.dictionary import read_meta

    one = build("one", max_per_token=5)
    other = build("other", max_per_token=5, memory_budget=64 * 40, sample=str(tmp_path / "sample"))
    assert len(list((tmp_path / "sample").glob("part-*"))) > 1
    assert same(one, other)
    # pruned as it went: what is on the disk is little more than what counts
    from safetensors import safe_open

    rows = 0
    for part in (tmp_path / "sample").glob("part-*"):
        with safe_open(part, framework="pt") as file:
            rows += file.get_slice("states").get_shape()[0]
    assert rows < 2 * len(sample_of(tmp_path / "sample", 5).occurrences)
    assert read_meta(one).max_per_token == 5


def test_a_sample_is_uniform_over_a_tokens_occurrences() -> None:
    from lexkit_distill.random_keys import occurrence_keys

    documents = np.arange(2000, dtype=np.uint64)
    hits = np.zeros(2000)
    for seed in range(200):
        hits[np.argsort(occurrence_keys(seed, documents, documents.astype(np.int64) % 7))[:100]] += 1
    # 200 draws with probability 1/20: mean 10, variance 9.5
    assert abs(hits.mean() - 10) < 1e-9
    assert 8.5 < hits.var() < 10.6
    assert hits.max() < 28


def test_duplicate_documents_and_empty_ones_are_left_out_and_counted(
    build: Build, corpus: Path, tmp_path: Path
) -> None:
    from lexkit_distill.senses.plan import open_plan

    twice = tmp_path / "twice.jsonl"
    documents = corpus.read_text(encoding="utf-8").strip().split("\n\n")
    twice.write_text("".join(json.dumps({"text": text}) + "\n" for text in [*documents, *documents, " ", ""]), "utf-8")
    other = build("other", corpus=(str(twice),), sample=str(tmp_path / "sample"))
    assert same(build("one"), other)
    plan = open_plan(tmp_path / "sample")
    assert plan is not None
    assert (plan.documents, plan.duplicates, plan.empty) == (400, 400, 2)


def test_batches_are_of_equal_lengths_and_waste_little(build: Build, tmp_path: Path) -> None:
    from lexkit_distill.senses.plan import batches, open_plan

    build(sample=str(tmp_path / "sample"))
    plan = open_plan(tmp_path / "sample")
    assert plan is not None
    assert plan.padding < 0.05
    found = list(batches(plan, 512))
    assert all(batch.token_ids.size <= 512 for batch in found)
    assert sum(int(batch.lengths.sum()) for batch in found) == plan.tokens


def test_long_documents_are_cut_and_positions_count_on(build: Build, tmp_path: Path, make_sentences: Any) -> None:
    long = tmp_path / "long.txt"
    long.write_text(" ".join(make_sentences(40)), encoding="utf-8")
    build("short", corpus=(str(long),), max_length=20, anchor="input", sample=str(tmp_path / "s1"))
    build("long", corpus=(str(long),), max_length=33, anchor="input", sample=str(tmp_path / "s2"))
    assert occurrences(tmp_path / "s1") == occurrences(tmp_path / "s2")


def test_chats_go_through_the_template_and_its_special_tokens_stay_out(
    build: Build, tmp_path: Path, teacher_folder: Path
) -> None:
    import pyarrow.parquet as pq

    chat = tmp_path / "chat.jsonl"
    messages = [{"role": "user", "content": "is a kind word good"}, {"role": "assistant", "content": "kind and good"}]
    chat.write_text(json.dumps({"messages": messages}) + "\n", encoding="utf-8")
    folder = build(corpus=(str(chat),), anchor="input", sample=str(tmp_path / "sample"))
    (ids,) = pq.read_table(tmp_path / "sample" / "plan.parquet")["token_ids"].to_pylist()
    dictionary = senses_of(folder)
    text = dictionary.tokenizer.decode(ids, skip_special_tokens=False)
    assert text.startswith("<|start|>user\nis a kind word good<|end|>\n<|start|>assistant")
    assert text.count("<|start|>") == 2  # the tokenizer adds none of its own
    assert set(sample_of(tmp_path / "sample").occurrences.tokens.tolist()) == set(ids) - {0, 1}


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2"])
def test_every_family_gives_states_that_make_its_logits(
    build: Build, make_teacher: Any, tmp_path: Path, family: str
) -> None:
    folder = build(teacher=str(make_teacher(tmp_path / family, family)))
    assert senses_of(folder).meta.rows > 100


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_dictionary(
    build: Build, teacher_folder: Path, corpus: Path, tmp_path: Path
) -> None:
    whole = build("whole", batch_tokens=64, max_per_token=20, memory_budget=64 * 300)
    script = f"""
import os, signal, sys
from lexkit_distill.senses import sample
from lexkit_distill.senses.build import build_senses
from lexkit_distill.senses.config import SensesConfig
write, limit = sample.write_atomically, int(sys.argv[1])
count = 0
def counted(path, data):
    global count
    count += 1
    if count == limit:
        path.with_name(path.name + ".new").write_bytes(data[:100])
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, data)
sample.write_atomically = counted
build_senses(SensesConfig(teacher={str(teacher_folder)!r}, corpus=({str(corpus)!r},), output={str(tmp_path / "cut")!r},
    k=4, max_per_token=20, dtype="float32", device="cpu", batch_tokens=64, memory_budget=64 * 300))
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for limit in (3, 6):
        done = subprocess.run([sys.executable, "-c", script, str(limit)], env=environment, check=False, timeout=120)
        assert done.returncode == -signal.SIGKILL
        assert not (tmp_path / "cut" / "meta.json").exists()
    assert same(whole, build("cut", batch_tokens=64, max_per_token=20, memory_budget=64 * 300))


@pytest.mark.slow
def test_two_processes_give_the_same_dictionary_to_the_bit(
    build: Build, teacher_folder: Path, corpus: Path, tmp_path: Path
) -> None:
    one = build("one")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    command += ["-m", "lexkit", "distill", "senses", "--teacher", str(teacher_folder), "--corpus", str(corpus)]
    command += ["--output", str(tmp_path / "two"), "--k", "4", "--max-per-token", "50", "--dtype", "float32"]
    command += ["--device", "cpu", "--batch-tokens", "512", "--sample", str(tmp_path / "sample"), "--json"]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["keys"] == senses_of(one).meta.tokens
    assert {path.name.split("-")[1] for path in (tmp_path / "sample").glob("part-*")} == {"0", "1"}
    assert same(one, tmp_path / "two")


@pytest.mark.slow
def test_memory_does_not_follow_the_corpus(teacher_folder: Path, tmp_path: Path, make_sentences: Any) -> None:
    script = f"""
import re, sys
from pathlib import Path
from lexkit_distill.senses.build import build_senses
from lexkit_distill.senses.config import SensesConfig
build_senses(SensesConfig(teacher={str(teacher_folder)!r}, corpus=(sys.argv[1],), output=sys.argv[2], k=2,
    max_per_token=20, dtype="float32", device="cpu", memory_budget=64 * 2000))
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""
    peaks = []
    for size in (5_000, 20_000):
        text = tmp_path / f"{size}.txt"
        text.write_text("\n\n".join(make_sentences(size, seed=size)), encoding="utf-8")
        command = [sys.executable, "-c", script, str(text), str(tmp_path / str(size))]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < 1.1 * peaks[0]
