"""Items of words, put to a model."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lexkit
from lexkit.probe.item import Item
from lexkit.probe.items import make_items
from lexkit.progress import Progress
from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation import words
from lexkit_distill.evaluation.likelihood import log_likelihoods
from lexkit_distill.evaluation.words import LEAST_HEADS, score_words
from lexkit_distill.processes import Processes
from lexkit_distill.teacher import Teacher, load_teacher

Run = Callable[..., subprocess.CompletedProcess[str]]
TEXT = "The river was cold and the old house near the road stood empty for years before the rich man came back ."


@pytest.fixture(scope="module")
def model(model_folder: Path) -> Teacher:
    return load_teacher(str(model_folder), dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def items(starter_store: Path) -> list[Item]:
    with lexkit.open(starter_store) as lexicon:
        return make_items(lexicon, 60)


def log_likelihood(text: str, model: Teacher) -> float:
    """Of all tokens but the first, from all of the model's logits."""
    import torch

    (encoding,) = model.encoder.encode([text])
    ids = torch.tensor([model.encoder.begun(encoding.ids)])
    with torch.no_grad():
        logs = model.model(ids).logits.float().log_softmax(-1)
    return float(logs[0, :-1].gather(1, ids[0, 1:, None]).double().sum())


def with_tokenizer(tokenizer: Any, make_teacher: Callable[..., Path], folder: Path) -> Teacher:
    made = make_teacher(folder / "model", vocab_size=len(tokenizer))
    tokenizer.save_pretrained(made)
    return load_teacher(str(made), dtype="float32", device="cpu")


class TestLogLikelihoods:
    def test_differences_are_those_of_whole_sentences(self, model: Teacher) -> None:
        groups = [
            ["The opposite of hot is cold", "The opposite of hot is a very long thing", "The opposite of hot is co"],
            ["The opposite of old", "The opposite of old and so on"],  # one is the beginning of the other
            ["cold river", "warm river"],  # they differ from the first token on
        ]
        for batch in (8, 4096):
            for group, found in zip(groups, log_likelihoods(groups, model, batch, Progress()), strict=True):
                expected = np.array([log_likelihood(text, model) for text in group])
                assert found - found[0] == pytest.approx(expected - expected[0], abs=1e-4)

    def test_what_stands_beside_a_group_changes_nothing(self, model: Teacher) -> None:
        group = ["It was either this or that", "It was either this or those"]
        alone = log_likelihoods([group], model, 4096, Progress())[0]
        longer = [["It was either this or that one", "It was either this or that", "It was nothing"], group]
        assert log_likelihoods(longer, model, 4096, Progress())[1] == pytest.approx(alone, abs=1e-4)

    @pytest.mark.parametrize("name", ["llama3", "mistral", "qwen3"])
    def test_real_tokenizers(
        self, name: str, vocabulary: Callable[[str], Path], make_teacher: Callable[..., Path], tmp_path: Path
    ) -> None:
        # after the frame, some write options differently from alone
        from transformers import AutoTokenizer

        teacher = with_tokenizer(AutoTokenizer.from_pretrained(vocabulary(name)), make_teacher, tmp_path)
        group = ["The opposite of hot is cold", "The opposite of hot is lukewarm", "The opposite of hot is antifreeze"]
        expected = np.array([log_likelihood(text, teacher) for text in group])
        found = log_likelihoods([group], teacher, 4096, Progress())[0]
        assert found - found[0] == pytest.approx(expected - expected[0], abs=1e-3)


def scored(items: list[Item], model: Teacher) -> dict[str, Any]:
    found = score_words(items, model, batch_size=8, processes=Processes("cpu"), progress=Progress())
    assert found is not None
    return {
        "details": found.details,
        "lines": found.lines,
        **{measure.name: measure.values.mean() for measure in found.measures},
    }


def test_a_model_that_reads_no_head_is_at_chance_in_every_band(
    items: list[Item], model: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unigram(groups: list[list[str]], *_: Any) -> list[Any]:
        return [np.array([-len(text.split()[-1]) - ord(text[-1]) / 7 for text in group]) for group in groups]

    monkeypatch.setattr(words, "log_likelihoods", unigram)
    found = scored(items, model)
    for name, value in found.items():
        if name.startswith(("antonym", "synonym")) and not name.endswith(("_raw", "_byte")):
            assert value == 0.25, name
        elif name.startswith("negation"):
            assert value == 0.5, name
    assert {"antonym", "synonym", "negation", "antonym_stated"} <= found.keys()


def test_sentences_longer_than_the_context(
    items: list[Item], make_teacher: Callable[..., Path], tmp_path: Path
) -> None:
    teacher = load_teacher(str(make_teacher(tmp_path / "short", length=32)), dtype="float32", device="cpu")
    found = scored(items, teacher)
    assert 0 < found["details"]["unwritable_items"] < len(items)
    shown = {line.id for line in found["lines"]}
    for item in items:
        texts = [text for pair in item.sentences() for group in pair for text in group]
        longest = max(len(one.ids) for one in teacher.encoder.encode(texts))
        assert (item.id in shown) == (longest <= 32)


def test_a_model_that_knows_all_is_always_right(
    items: list[Item], model: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {sentence for item in items for own, _ in item.sentences() for sentence in [own[item.right]]}
    monkeypatch.setattr(
        words, "log_likelihoods", lambda groups, *_: [np.array([float(t in right) for t in group]) for group in groups]
    )
    found = scored(items, model)
    assert found["antonym"] == found["synonym"] == found["negation"] == found["antonym_raw"] == 1


def test_an_untrained_model_is_near_chance(items: list[Item], model: Teacher) -> None:
    found = scored(items, model)
    assert found["antonym"] == pytest.approx(0.25, abs=0.15)
    assert found["negation"] == pytest.approx(0.5, abs=0.15)
    line = found["lines"][0]
    assert (line.task, line.target) == (items[0].type, items[0].options[items[0].right])
    assert len(line.log_likelihood) == len(line.neutral) == 3
    assert all(math.isfinite(value) for row in line.log_likelihood for value in row)


def test_bands_of_too_few_heads_have_no_figure(items: list[Item], model: Teacher) -> None:
    found = scored(items, model)
    few = found["details"]["too_few_heads"]
    assert few
    assert all(0 < n < LEAST_HEADS for n in few.values())
    assert not few.keys() & found.keys()
    total = sum(n for name, n in few.items() if name in ("antonym_adj", "antonym_noun", "antonym_verb", "antonym_adv"))
    shown = [line for line in found["lines"] if line.task == "antonym"]
    assert total <= len(shown)


def test_too_few_heads_altogether(items: list[Item], model: Teacher) -> None:
    with pytest.raises(EvaluationError, match=r"^words: no type of item has more than 5 head words, .* raise --heads$"):
        scored(items[:10], model)


def test_words_that_a_tokenizer_cannot_write(
    items: list[Item], make_teacher: Callable[..., Path], tmp_path: Path
) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    known = sorted({word for item in items[20:] for word in (item.head, *item.options)})
    backend = Tokenizer(WordLevel({word: place for place, word in enumerate(["<unk>", "<eos>", *known])}, "<unk>"))
    backend.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="<eos>")
    teacher = with_tokenizer(tokenizer, make_teacher, tmp_path)
    found = scored(items, teacher)
    assert 0 < found["details"]["unwritable_items"] <= 20
    strange = [Item(**{**vars(item), "head": "zyx"}) for item in items]
    with pytest.raises(
        EvaluationError, match=r"^words: .* cannot read any of the \d+ items: .*; evaluate another model$"
    ):
        scored(strange, teacher)


class TestCommand:
    @pytest.mark.slow
    def test_two_models_on_the_same_items(
        self, evaluate: Callable[..., Any], model_folder: Path, other_folder: Path, starter_store: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "text.txt").write_text("\n\n".join([TEXT] * 3), encoding="utf-8")
        results, log = evaluate(
            *("--model", model_folder, "--against", other_folder, "--tasks", "words", "--store", starter_store),
            *("--heads", "36", "--text", tmp_path / "text.txt"),
        )
        task = results["tasks"]["words"]
        assert task["metrics"]["antonym"]["n"] == 36
        assert 0 <= task["metrics"]["antonym"]["low"] <= task["metrics"]["antonym"]["value"]
        assert task["difference"]["antonym"]["n"] == 36
        assert task["details"]["heads"]["negation"] == 36
        assert {line["model"] for line in log} == {"model", "against"}
        assert [line["id"] for line in log if line["model"] == "model"] == [
            line["id"] for line in log if line["model"] == "against"
        ]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ([], "error: words: no store given; name the store to make items from with --store\n"),
            (["--store", "none.duckdb"], r"error: none\.duckdb: .*\n"),
            (
                ["--store", "none.duckdb", "--data", "."],
                r"error: words: no file in \. \(looked for .*\); add wiki\.valid\.tokens of .*, or name a text .*\n",
            ),
        ],
    )
    def test_refusals(self, run: Run, model_folder: Path, options: list[str], message: str) -> None:
        done = run("distill", "eval", "--model", model_folder, "--tasks", "words", *options)
        assert done.returncode == 1
        assert re.fullmatch(message, done.stderr)


@pytest.mark.slow
def test_the_same_figures_from_the_harness_alone(
    model_folder: Path, starter_store: Path, tmp_path: Path, model: Teacher
) -> None:
    import lm_eval
    from lm_eval.tasks import TaskManager

    from lexkit.probe.export import export_items

    with lexkit.open(starter_store) as lexicon:
        export_items(lexicon, tmp_path / "items", 36)
        found = scored(make_items(lexicon, 36), model)
    results = lm_eval.simple_evaluate(
        model="hf",
        model_args=f"pretrained={model_folder},dtype=float32",
        tasks=["lexkit_words"],
        task_manager=TaskManager(include_path=str(tmp_path / "items"), include_defaults=False),
        device="cpu",
        batch_size=8,
        bootstrap_iters=0,
    )["results"]
    for kind in ("antonym", "synonym", "negation"):
        for own, theirs in (("", "acc"), ("_raw", "acc_raw")):
            assert results[f"lexkit_{kind}"][f"{theirs},none"] == pytest.approx(found[f"{kind}{own}"], abs=0.005)


@pytest.mark.slow
def test_a_real_model_knows_words(real_teacher: Path, starter_store: Path) -> None:
    teacher = load_teacher(str(real_teacher), device="cpu")
    with lexkit.open(starter_store) as lexicon:
        found = scored(make_items(lexicon, 240), teacher)
    assert found["antonym"] > 0.5
    assert found["synonym"] > 0.4
    assert found["negation"] > 0.6
