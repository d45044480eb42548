"""Help and refusals come at once: what takes seconds to import is imported only where its work begins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import pytest

from lexkit.cli.main import cli
from lexkit_distill.cli import distill
from lexkit_distill.errors import CorpusError, TeacherError

SLOW = "torch transformers accelerate lm_eval sklearn scipy matplotlib datasets pandas".split()
CORE = "duckdb pyarrow numpy rich jinja2 tokenizers".split()
RUN = """
import contextlib, io, json, sys
from lexkit.cli.main import main

commands, slow = json.loads(sys.argv[1])
for arguments in commands:
    said, code = io.StringIO(), 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(arguments)
        except SystemExit as error:
            code = error.code
    print(json.dumps([code, said.getvalue(), [name for name in slow if name in sys.modules]]))
"""
SENSES = "distill senses --teacher teacher --corpus corpus.txt --output out"
TRAIN = "distill train --preset kd --teacher teacher --data corpus.txt --output out"
PREVIEW = "distill preview --teacher teacher --data corpus.txt"
EVAL = "distill eval --model teacher --tasks"
SWEEP = """
output: swept
base:
  preset: kd
  teacher: teacher
  data: {{data: [{data}], eval_data: [corpus.txt]}}
grid:
  seed: [0, 1]
"""
REFUSALS = {
    "core": [
        ("lookup kind --store nowhere", 1, "nowhere: no such store"),
        ("explain kind good --store corpus.txt", 1, "not a lexkit store"),
        ("sql --schema --store nowhere", 1, "nowhere: no such store"),
        ("stats --store nowhere", 1, "nowhere: no such store"),
        ("verify --store nowhere", 1, "nowhere: no such store"),
        ("tokenize --tokenizer nowhere --store nowhere", 1, "nowhere: no such store"),
        ("keep-rate --tokenizer nowhere --store nowhere", 1, "nowhere: no such store"),
        ("report --store nowhere", 1, "nowhere: no such store"),
        ("export out --store nowhere", 1, "nowhere: no such store"),
        ("build --pairs corpus.txt", 2, "is not synonym=FILE or antonym=FILE"),
        ("build --language e_s", 2, "'e_s' is not a language code of Wiktionary"),
        ("lookup", 2, "Missing argument 'WORD...'"),
    ],
    "senses": [
        (f"{SENSES} --k 0", 2, "0 is not a whole number of at least 1"),
        ("distill snses", 2, "Did you mean 'senses'?"),
        (SENSES.replace("teacher teacher", "teacher ./nowhere"), 1, "./nowhere: no such folder"),
        (SENSES.replace("teacher teacher", "teacher nowhere"), 1, "nowhere: cannot be loaded as a causal language"),
        (SENSES.replace("teacher teacher", "teacher done"), 1, "done: no config.json in this folder"),
        (f"{SENSES} --gguf nowhere.gguf", 1, "teacher: no nowhere.gguf in this folder"),
        (SENSES.replace("corpus.txt", "nowhere.txt"), 1, "nowhere.txt: no such file"),
        (SENSES.replace("corpus.txt", "empty"), 1, "empty: no .txt or .jsonl file in this folder"),
        (SENSES.replace("output out", "output senses"), 1, "senses: already contains a sense dictionary"),
        (SENSES.replace("output out", "output corpus.txt"), 1, "corpus.txt: a file, not a folder"),
        ("distill compose --senses nowhere", 1, "nowhere: no such sense dictionary"),
        ("distill compose --senses done", 1, "done: not a finished sense dictionary"),
        ("distill compose --senses senses --store nowhere", 1, "nowhere: no such store"),
        ("distill inspect kind --senses nowhere", 1, "nowhere: no such sense dictionary"),
        ("distill inspect kind --senses senses --plot x.png --store nowhere", 1, "nowhere: no such store"),
    ],
    "train": [
        ("distill train", 2, "Missing --teacher, --data, --output"),
        ("distill train --preset none", 2, "'none' is not one of"),
        ("distill train --config nowhere.yaml", 1, "nowhere.yaml: No such file"),
        ("distill train --config broken.yaml", 1, "broken.yaml: not YAML"),
        (f"{TRAIN} --lr nothing", 2, "'nothing' is not a number"),
        (f"{TRAIN} --layers 99", 1, "the teacher has 4 layers"),
        (f"{TRAIN} --max-length 999", 1, "teacher reads at most 128 tokens"),
        (TRAIN.replace("teacher teacher", "teacher ./nowhere"), 1, "./nowhere: no such folder"),
        (f"{TRAIN} --data nowhere.txt", 1, "nowhere.txt: no such file"),
        (f"{TRAIN} --data arc:nowhere.jsonl", 1, "nowhere.jsonl: no such file"),
        (f"{TRAIN} --data table.csv", 1, "table.csv: a table, not text"),
        (f"{TRAIN} --eval-data nowhere.txt", 1, "nowhere.txt: no such file"),
        (f"{TRAIN} --beta-p 1", 1, "no --senses: the semantic loss needs"),
        (f"{TRAIN} --beta-p 1 --senses nowhere", 1, "nowhere: no such sense dictionary"),
        (f"{TRAIN} --beta-p 1 --senses senses --store nowhere", 1, "nowhere: no such store"),
        (TRAIN.replace("output out", "output done"), 1, "done: contains a finished student"),
        (TRAIN.replace("output out", "output corpus.txt"), 1, "corpus.txt: a file, not a folder"),
        (f"{PREVIEW} --limit -1", 2, "-1 is not in the range"),
        (f"{PREVIEW} --data nowhere.txt", 1, "nowhere.txt: no such file"),
        (f"{PREVIEW} --senses nowhere", 1, "nowhere: no such sense dictionary"),
        (f"{PREVIEW} --targets teacher", 1, "a preview does not load the teacher"),
        (PREVIEW.replace("teacher teacher", "teacher ./nowhere"), 1, "./nowhere: no such folder"),
        ("distill sweep --config broken.yaml", 1, "broken.yaml: not YAML"),
        ("distill sweep --config corpus.txt", 1, "not a mapping of sections with 'field: value' lines"),
        ("distill sweep --config missing.yaml", 1, "nowhere.txt: no such file"),
        ("distill sweep --config sweep.yaml --dry-run", 0, "to do\tseed 1"),
    ],
    "eval": [
        (f"{EVAL} nothing", 2, "nothing is not among"),
        (f"{EVAL} arc --data nowhere", 1, "--data nowhere: no such folder"),
        (f"{EVAL} arc --data done", 1, "arc: no file in done"),
        (f"{EVAL} lexical", 1, "lexical: the lists of word pairs are not on the hub"),
        (f"{EVAL} perplexity", 1, "perplexity: no text given"),
        (f"{EVAL} perplexity --text nowhere.txt", 1, "nowhere.txt: no such file"),
        (f"{EVAL} perplexity --text corpus.txt --output done", 1, "--output done: this is a folder"),
        (f"{EVAL} perplexity --text corpus.txt --against ./nowhere", 1, "./nowhere: no such folder"),
        (f"{EVAL} perplexity --text corpus.txt --teacher ./nowhere", 1, "./nowhere: no such folder"),
        ("distill demo --text nowhere.txt", 1, "nowhere.txt: no such file"),
        ("distill demo --teacher ./nowhere", 1, "./nowhere: no such folder"),
        ("distill demo --teacher teacher --output done", 1, "contains files that are not part of a demo"),
    ],
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with what commands read, as far as they look at it before they begin their work."""
    from lexkit_distill.senses.meta import FORMAT, Meta

    for name in ("teacher", "senses", "done", "empty"):
        (tmp_path / name).mkdir()
    hints: dict[str, Any] = Meta.__annotations__
    meta = Meta(**{name: 0 if hint.startswith("int") else "" for name, hint in hints.items()})
    files = {
        "teacher/config.json": json.dumps({"num_hidden_layers": 4, "max_position_embeddings": 128}),
        "senses/meta.json": json.dumps({**asdict(meta), "format": FORMAT}),
        "done/training.json": "{}",
        "corpus.txt": "the quick brown fox\n\n" * 10,
        "table.csv": "text\n",
        "broken.yaml": "data: [",
        "sweep.yaml": SWEEP.format(data="corpus.txt"),
        "missing.yaml": SWEEP.format(data="nowhere.txt"),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def run_all(folder: Path, commands: list[list[str]], slow: list[str]) -> list[tuple[int, str, list[str]]]:
    """Run commands one after the other in one new process; return code, output, and which of *slow* it has imported."""
    environment = {key: value for key, value in os.environ.items() if key != "LEXKIT_STORE"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([commands, slow])],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**environment, "HF_HUB_OFFLINE": "1"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_help_of_every_command_imports_nothing_slow(tmp_path: Path) -> None:
    context = click.Context(cli)
    commands = [[], *([name] for name in cli.list_commands(context))]
    commands += [["distill", name] for name in distill.list_commands(context)]
    ran = run_all(tmp_path, [["--version"], *([*command, "--help"] for command in commands)], [*SLOW, *CORE])
    assert len(ran) > 20
    for code, said, loaded in ran:
        assert (code, loaded) == (0, []), said
        assert said.startswith(("Usage: lexkit", "lexkit, version"))


@pytest.mark.parametrize("commands", REFUSALS.values(), ids=REFUSALS)
def test_refusals_import_nothing_slow(place: Path, commands: list[tuple[str, int, str]]) -> None:
    before = sorted(path.name for path in place.iterdir())
    slow = [*SLOW, *CORE] if commands[0][0].startswith("lookup") else SLOW
    ran = run_all(place, [command.split() for command, _, _ in commands], slow)
    for (command, code, part), (ended, said, loaded) in zip(commands, ran, strict=True):
        assert (ended, loaded) == (code, []), f"{command}: {said}"
        assert part in said, command
        assert code != 1 or said.count("\n") == 1, said
    assert sorted(path.name for path in place.iterdir()) == before


def test_a_name_that_neither_the_hub_nor_this_machine_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import RepositoryNotFoundError

    from lexkit_distill.checks import check_model

    class Missing(RepositoryNotFoundError):
        def __init__(self) -> None:
            Exception.__init__(self, "404 Client Error. (Request ID: 1)\n\nRepository Not Found")

    def download(*_: str) -> str:
        raise Missing

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(TeacherError, match=r"^teecher: .*neither a local folder nor a model on the hub"):
        check_model("teecher")


def test_a_corpus_may_be_gone_once_a_sample_has_read_it(build: Callable[..., Path], place: Path) -> None:
    from lexkit_distill.checks import check_senses
    from lexkit_distill.senses.config import SensesConfig

    sample, corpus = str(place / "sample"), str(place / "corpus.txt")
    build("first", sample=sample, corpus=(corpus,))
    Path(corpus).unlink()
    config = SensesConfig(teacher=str(place / "teacher"), corpus=(corpus,), output=str(place / "second"))
    with pytest.raises(CorpusError, match=r"corpus\.txt: no such file"):
        check_senses(config)
    check_senses(replace(config, sample=sample))
    assert (build("second", sample=sample, corpus=(corpus,), k=2) / "meta.json").exists()
