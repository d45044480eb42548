"""Every error is one line that says what is wrong, where, and how to fix it; nothing is left half-written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lexkit
from lexkit.errors import LexkitError, StoreError
from lexkit_distill.errors import CorpusError, DictionaryError, SampleError, TeacherError

Build = Callable[..., Path]


def refused(build: Build, error: type[LexkitError], match: str, tmp_path: Path, **changes: Any) -> None:
    with pytest.raises(error, match=match) as raised:
        build("refused", **changes)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "refused" / "meta.json").exists()


def test_a_teacher_that_is_not_there(build: Build, tmp_path: Path) -> None:
    refused(build, TeacherError, "cannot be loaded as a causal language model", tmp_path, teacher=str(tmp_path / "no"))


@pytest.mark.parametrize("config", ["[]", "[" * 100_000, "{"])
def test_a_damaged_configuration(config: str, tmp_path: Path) -> None:
    from lexkit_distill.checks import check_model

    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    with pytest.raises(TeacherError, match=r"config.json: cannot be read \(.*\); save the model again"):
        check_model(str(tmp_path))


def test_an_encoder_decoder(build: Build, tmp_path: Path, teacher_folder: Path) -> None:
    import transformers

    config = transformers.T5Config(d_model=16, d_ff=16, num_layers=1, num_heads=2, vocab_size=400)
    config.save_pretrained(tmp_path / "t5")
    refused(build, TeacherError, "encoder-decoder", tmp_path, teacher=str(tmp_path / "t5"))


def test_a_teacher_of_more_layers_than_it_could_ever_have(build: Build, tmp_path: Path, teacher_folder: Path) -> None:
    folder = Path(shutil.copytree(teacher_folder, tmp_path / "deep"))
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2**64}), encoding="utf-8")
    refused(build, TeacherError, "declares 18,446,744,073,709,551,616 layers", tmp_path, teacher=str(folder))


def test_messages_without_a_chat_template(build: Build, tmp_path: Path, make_teacher: Callable[..., Path]) -> None:
    chat = tmp_path / "chat.jsonl"
    chat.write_text('{"text": "one"}\n{"messages": [{"role": "user", "content": "kind"}]}\n', encoding="utf-8")
    plain = make_teacher(tmp_path / "plain", chat=False)
    refused(
        build, CorpusError, r"chat.jsonl, line 2: .*no chat template", tmp_path, teacher=str(plain), corpus=(str(chat),)
    )


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("empty.txt", b"\n \n\n", "contains no text"),
        ("nothing.txt", b"", "empty file"),
        ("table.csv", b'text\n"hello"\n', "table.csv: a table, not text; write JSON lines"),
        ("latin.txt", b"good\n\nna\xefve\n", "line 3: invalid UTF-8"),
        ("bad.jsonl", b'{"text": "a"}\n{"text": \n', "line 2: not JSON"),
        ("fields.jsonl", b'{"content": "a"}\n', "line 1: neither 'text' nor 'messages'"),
        ("cut.txt.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03kkk", "broken gzip"),
    ],
)
def test_a_corpus_without_good_text(build: Build, tmp_path: Path, name: str, content: bytes, match: str) -> None:
    (tmp_path / name).write_bytes(content)
    refused(build, CorpusError, match, tmp_path, corpus=(str(tmp_path / name),))


def test_a_corpus_of_one_token(build: Build, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("x", encoding="utf-8")
    corpus = (str(tmp_path / "one.txt"),)
    refused(
        build, SampleError, "no token .* has a hidden state with --anchor next", tmp_path, corpus=corpus, anchor="next"
    )
    assert build("input", corpus=corpus, anchor="input").is_dir()


def test_a_folder_without_texts(build: Build, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    refused(build, CorpusError, "no .txt or .jsonl file", tmp_path, corpus=(str(tmp_path / "folder"),))


def test_states_that_are_not_finite(build: Build, tmp_path: Path, make_teacher: Callable[..., Path]) -> None:
    import torch
    import transformers

    folder = make_teacher(tmp_path / "teacher")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.model.norm.weight.fill_(float("inf"))
    model.save_pretrained(folder)
    refused(build, TeacherError, "not finite", tmp_path, teacher=str(folder))


def test_a_model_that_sees_what_comes_after(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lexkit_distill.teacher import Teacher

    causal = Teacher.last_hidden
    monkeypatch.setattr(
        Teacher,
        "last_hidden",
        lambda self, ids: causal(self, ids) + 0.3 * causal(self, ids.flip(1)).mean(1, keepdim=True),
    )
    refused(build, TeacherError, "logits from the last hidden state|not causal", tmp_path)


def test_more_than_the_disk_budget_says_what_would_fit(build: Build, tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=r"--max-per-token (\d+) would fit") as raised:
        build("refused", disk_budget=600_000)
    fits = int(str(raised.value).split("--max-per-token ")[1].split()[0])
    assert 0 < fits < 50
    build("refused", disk_budget=600_000, max_per_token=fits)  # the advice can be followed in the same folder
    with pytest.raises(SampleError, match="would fit"):
        build("more", disk_budget=600_000, max_per_token=fits + 1)


@pytest.mark.parametrize("free", [600_000, 40_000])
def test_more_memory_than_there_is_says_what_would_fit(
    build: Build, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexkit_distill.senses import estimate
    from lexkit_distill.sizes import parse_size

    monkeypatch.setattr(estimate, "available_memory", lambda _: free)
    # The index takes some 400 kB; with much memory free, less for states that wait would do
    budget = 1_000_000 if free == 600_000 else 10_000
    with pytest.raises(SampleError, match=r"would fit$") as raised:
        build("refused", memory_budget=budget)
    option, value = str(raised.value).split("; ")[1].split()[:2]
    advice = {"memory_budget": parse_size(value)} if option == "--memory-budget" else {"max_per_token": int(value)}
    assert ("memory_budget" in advice) == (free == 600_000)
    build("refused", **{"memory_budget": budget, **advice})


def test_a_run_that_read_nothing_leaves_nothing(build: Build, tmp_path: Path) -> None:
    with pytest.raises(TeacherError):
        build("refused", teacher=str(tmp_path / "no"))
    (tmp_path / "empty.txt").write_text("\n\n", encoding="utf-8")
    for sample in ({}, {"sample": str(tmp_path / "sample")}):
        with pytest.raises(CorpusError, match="no text"):
            build("refused", corpus=(str(tmp_path / "empty.txt"),), **sample)
    assert not (tmp_path / "refused").exists()
    assert not (tmp_path / "sample").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(CorpusError, match="no text"):
        build("mine", corpus=(str(tmp_path / "empty.txt"),))
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_full_disk(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lexkit_distill.senses import sample

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(sample, "write_atomically", full)
        refused(build, SampleError, "No space left on device.*run the same command again", tmp_path)
    assert (build("refused") / "meta.json").exists()


def test_a_dictionary_that_is_there_already(build: Build) -> None:
    build()
    with pytest.raises(DictionaryError, match="already contains"):
        build()


def test_a_sample_of_something_else(build: Build, tmp_path: Path, make_teacher: Callable[..., Path]) -> None:
    sample = str(tmp_path / "sample")
    build("one", sample=sample)
    with pytest.raises(SampleError, match=r"another --anchor \(predicted, now next\)"):
        build("two", sample=sample, anchor="next")
    with pytest.raises(SampleError, match="another teacher"):
        build("two", sample=sample, teacher=str(make_teacher(tmp_path / "other", seed=5)))


def test_a_dictionary_of_another_teacher_tokenizer_or_store(build: Build, tmp_path: Path) -> None:
    from lexkit_distill.senses.compose import compose_senses
    from lexkit_distill.senses.dictionary import SenseDictionary, read_meta

    folder = build()
    meta = read_meta(folder)
    SenseDictionary(folder, teacher=meta.teacher_fingerprint, tokenizer=meta.tokenizer_fingerprint)
    with pytest.raises(DictionaryError, match="made by another teacher"):
        SenseDictionary(folder, teacher="0" * 64)
    with pytest.raises(DictionaryError, match="another tokenizer"):
        SenseDictionary(folder, tokenizer="0" * 64)
    (tmp_path / "pairs.txt").write_text("kind friendly\n", encoding="utf-8")
    store = tmp_path / "store.duckdb"
    lexkit.build(store, pairs=[("synonym", tmp_path / "pairs.txt")])
    with pytest.raises(StoreError, match=r"lexkit tokenize --store .* --tokenizer .*tokenizer\.json"):
        compose_senses(folder, store)


def test_an_unfinished_or_damaged_dictionary(build: Build, tmp_path: Path) -> None:
    from lexkit_distill.senses.dictionary import SenseDictionary

    with pytest.raises(DictionaryError, match="no such sense dictionary"):
        SenseDictionary(tmp_path / "none")
    folder = build()
    rows = (folder / "senses.safetensors").read_bytes()
    (folder / "senses.safetensors").write_bytes(rows[: len(rows) // 2])
    with pytest.raises(DictionaryError, match="damaged"):
        SenseDictionary(folder)
    meta = (folder / "meta.json").read_text(encoding="utf-8")
    not_utf8 = meta.replace('"', '"\udced', 1)
    for damaged in (meta[:50], "[]", "[" * 100_000, not_utf8, json.dumps({**json.loads(meta), "hidden_size": "32"})):
        (folder / "meta.json").write_text(damaged, encoding="utf-8", errors="surrogateescape")
        with pytest.raises(DictionaryError, match="damaged"):
            SenseDictionary(folder)
    (folder / "meta.json").write_text(json.dumps({**json.loads(meta), "format": 99}), encoding="utf-8")
    with pytest.raises(DictionaryError, match="update lexkit"):
        SenseDictionary(folder)
    (folder / "meta.json").unlink()
    with pytest.raises(DictionaryError, match="not a finished sense dictionary"):
        SenseDictionary(folder)


def test_without_torch_the_commands_say_what_to_install_and_their_help_still_works() -> None:
    script = """
import sys
sys.modules.update(dict.fromkeys(("torch", "transformers", "accelerate", "safetensors")))
from lexkit.cli.main import main
main(sys.argv[1:])
"""
    for arguments in (
        ["distill", "senses", "--teacher", "x", "--corpus", "x", "--output", "x"],
        ["distill", "compose", "--senses", "x"],
        ["distill", "inspect", "--senses", "x", "kind"],
    ):
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "pip install 'lexkit[distill]'" in done.stderr
        help_text = subprocess.run(
            [sys.executable, "-c", script, *arguments[:2], "--help"], capture_output=True, text=True, check=False
        )
        assert help_text.returncode == 0
        assert "Example:" in help_text.stdout
