from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Evaluate = Callable[..., tuple[dict[str, Any], list[dict[str, Any]]]]


def log_likelihoods(folder: Path, prompt: str, continuations: list[str]) -> list[float]:
    """What transformers says by itself, one continuation at a time, without padding."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    found = []
    for continuation in continuations:
        begin = len(tokenizer(prompt)["input_ids"])
        ids = torch.tensor(tokenizer(prompt + continuation)["input_ids"])
        with torch.inference_mode():
            logits = model(ids[None]).logits[0].log_softmax(-1)
        found.append(float(sum(logits[place - 1, ids[place]] for place in range(begin, len(ids)))))
    return found


def records(path: Path) -> dict[str, Any]:
    return {record["id"]: record for record in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


@pytest.mark.parametrize("shots", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_options_are_scored_as_an_independent_scorer_does(
    evaluate: Evaluate, model_folder: Path, arc: Path, shots: int
) -> None:
    results, log = evaluate(
        "--model", model_folder, "--tasks", "arc", "--protocol", "likelihood", "--shots", str(shots), "--data", arc
    )
    questions, examples = records(arc / "arc/validation.jsonl"), records(arc / "arc/train.jsonl")
    right, right_norm = [], []
    assert [line["id"] for line in log] == list(questions)
    for line in log:
        question = questions[line["id"]]
        assert len(line["shots"]) == shots
        prompt = ""
        for shot in line["shots"]:
            example = examples[shot]
            option = example["choices"]["text"]["ABCD".index(example["answerKey"])]
            prompt += f"Question: {example['question']}\nAnswer: {option}\n\n"
        options = question["choices"]["text"]
        prompt += f"Question: {question['question']}\nAnswer:"
        expected = log_likelihoods(model_folder, prompt, [f" {option}" for option in options])
        assert line["output"] == pytest.approx(expected, abs=1e-3)
        gold = "ABCD".index(question["answerKey"])
        by_length = [value / len(option) for value, option in zip(expected, options, strict=True)]
        right.append(float(expected.index(max(expected)) == gold))
        right_norm.append(float(by_length.index(max(by_length)) == gold))
        assert line["scores"] == {"acc": right[-1], "acc_norm": right_norm[-1]}
    metrics = results["tasks"]["arc"]["metrics"]
    assert metrics["acc"]["value"] == pytest.approx(sum(right) / 12)
    assert metrics["acc_norm"]["value"] == pytest.approx(sum(right_norm) / 12)
    assert metrics["acc"]["n"] == 12
