"""`lexkit distill preview`: rows as training sees them, from the tokenizer alone."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lexkit.cli.main import cli
from lexkit.safe_output import safe_streams
from lexkit_distill.errors import DictionaryError, TrainingError

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CHAT = {
    "messages": [
        {"role": "user", "content": "the river is naïve 🙂"},
        {"role": "assistant", "content": "kind and good"},
    ]
}


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["distill", "preview", *map(str, arguments)])


@pytest.fixture
def without_weights(six_layers: Path, tmp_path: Path) -> Path:
    """The teacher's folder as far as a preview may read it."""
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    for file in six_layers.iterdir():
        if file.suffix != ".safetensors":
            shutil.copy(file, folder)
    return folder


def test_a_row_is_shown_token_by_token_without_weights(
    tmp_path: Path, without_weights: Path, senses: Path, store: Path
) -> None:
    chat = tmp_path / "chat.jsonl"
    chat.write_text(json.dumps(CHAT) + "\n", encoding="utf-8")
    options = ("--teacher", without_weights, "--senses", senses, "--store", store, "--data", chat)
    options += ("--max-length", "128")
    done = invoke(*options, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    (row,) = found["rows"]
    assert set(row) == {"token_ids", "tokens", "predicted", "words"}
    assert len({len(part) for part in row.values()}) == 1
    text = "<|start|>user\nthe river is naïve 🙂<|end|>\n<|start|>assistant\nkind and good<|end|>\n"
    assert "".join(row["tokens"]) == text
    assert "" in row["tokens"]  # the tokens of 🙂 behind its first
    predicted = "".join(token for token, is_it in zip(row["tokens"], row["predicted"], strict=True) if is_it)
    assert predicted == "kind and good<|end|>"
    words = [(token, word) for token, word in zip(row["tokens"], row["words"], strict=True) if word is not None]
    assert words == [("kind", "kind"), (" good", "good")]
    counts = found["counts"]
    assert (counts["rows"], counts["tokens"]) == (1, len(row["tokens"]))
    assert counts["predicted"] == sum(row["predicted"])
    assert (counts["with_synonyms"], counts["with_antonyms"]) == (1, 2)
    assert counts["own_senses"] >= 2
    assert found["dropped"] == {}
    shown = invoke(*options)
    assert "<|start|>assistant\n[kind* and good*<|end|>]" in shown.stdout
    assert "predicted" in shown.stdout


def test_a_tokenizer_alone_is_enough_without_a_dictionary(tmp_path: Path, without_weights: Path) -> None:
    (without_weights / "config.json").unlink()
    chat = tmp_path / "chat.jsonl"
    chat.write_text(json.dumps(CHAT) + "\n", encoding="utf-8")
    done = invoke("--teacher", without_weights, "--data", chat, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert set(found["counts"]) == {"rows", "tokens", "predicted"}
    predicted = zip(found["rows"][0]["tokens"], found["rows"][0]["predicted"], strict=True)
    assert "".join(token for token, is_it in predicted if is_it) == "kind and good<|end|>"


def test_counts_are_those_of_the_training_and_of_all_rows(configured: Callable[..., Any]) -> None:
    from lexkit_distill.training.preview import preview
    from lexkit_distill.training.run import train

    plans: list[Any] = []
    for changes in ({}, {"multi_token_words": True}, {"loss_on": "all"}, {"seed": 3, "sample_rate": 0.2}):
        config = configured(max_steps=1, **changes)
        train(config, dry_run=True, started=plans.append)
        found = preview(config, limit=2)
        assert found.counts == plans[-1].counts
        assert len(found.rows) == 2
        assert found.counts.rows == len(preview(config).rows) == 40


@pytest.mark.parametrize("is_terminal", [True, False])
def test_no_text_commands_the_terminal(
    tmp_path: Path, without_weights: Path, monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return is_terminal

    (without_weights / "config.json").unlink()
    chat = tmp_path / "chat.jsonl"
    messages = [{**message, "content": "kind\x1b[95m\x1b[2J\x9b\u202e\r end"} for message in CHAT["messages"]]
    chat.write_text(json.dumps({"messages": messages}) + "\n", encoding="utf-8")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stdout", Stream())
    with safe_streams():
        cli(["distill", "preview", "--teacher", str(without_weights), "--data", str(chat)], standalone_mode=False)
    shown = sys.stdout.getvalue()  # type: ignore[attr-defined]
    styles = re.findall(r"\x1b\[[0-9;]*m", shown)
    assert "\x1b[95m" not in styles
    assert ("\x1b[7m" in styles) == is_terminal
    shown = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert "kind\\u001b[95m\\u001b[2J\\u009b\\u202e\\u000d end" in shown.replace("*", "")
    assert all(sign.isprintable() or sign == "\n" for sign in shown)


def test_without_a_dictionary_nothing_is_said_of_senses(configured: Callable[..., Any]) -> None:
    from lexkit_distill.training.preview import preview

    found = preview(configured(senses=None))
    assert found.counts.sampled is None
    assert found.counts.share_with_relations is None
    assert all(word is None for row in found.rows for word in row.words)


def test_what_a_preview_cannot_show_is_one_line(
    configured: Callable[..., Any], make_teacher: Callable[..., Path], tmp_path: Path
) -> None:
    from lexkit_distill.training.preview import preview

    with pytest.raises(TrainingError, match="a preview does not load the teacher"):
        preview(configured(targets="teacher"))
    other = make_teacher(tmp_path / "other", vocabulary=420)
    with pytest.raises(DictionaryError, match="another tokenizer"):
        preview(configured(teacher=str(other)))


@pytest.mark.slow
def test_a_training_says_what_its_data_hold_and_warns_where_nothing_is_related(
    run: Run, configured: Callable[..., Any], tmp_path: Path
) -> None:
    from lexkit_distill.config import values
    from lexkit_distill.config_files import to_yaml
    from lexkit_distill.training.config import TrainConfig

    pairs = [{"prompt": "is it " + word, "completion": " the"} for word in ("kind", "good", "red")]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    config = configured(data=(str(tmp_path / "pairs.jsonl"),), epochs=1, sample_rate=1.0)
    (tmp_path / "train.yaml").write_text(to_yaml(TrainConfig, values(config)), encoding="utf-8")
    done = run("distill", "train", "--config", "train.yaml")
    assert done.returncode == 0, done.stderr
    advice = "warning: only 0.0% of the sampled positions have synonyms or antonyms"
    (warned,) = [line for line in done.stderr.splitlines() if line.startswith("warning")]
    assert warned.startswith(advice)
    assert "--loss-on all" in warned
    assert "predicted" in done.stderr
    shown = run("distill", "preview", "--config", "train.yaml")
    assert [line for line in shown.stderr.splitlines() if line.startswith("warning")] == [warned]
    figures = [line for line in shown.stdout.splitlines() if line.startswith(("data", "  "))]
    assert figures
    assert all(line in done.stderr for line in figures)
    everything = run("distill", "preview", "--config", "train.yaml", "--loss-on", "all")
    assert "warning" not in everything.stderr
