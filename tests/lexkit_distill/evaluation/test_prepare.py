from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import DataError
from lexkit_distill.evaluation.prepare import PreparedTask, prepare
from lexkit_distill.tasks import TASKS

Shared = Callable[[str], Path]
QUESTIONS = {"arc": 294, "csqa": 1221, "piqa": 1838, "squad_v2": 706}


def read(task: str, data: Path, *, shots: int = 5, limit: int | None = None, seed: int = 0) -> PreparedTask:
    return prepare(TASKS[task], str(data), shots=shots, limit=limit, seed=seed)


def lines(path: Path, records: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def record(number: int, key: str = "A") -> dict[str, Any]:
    choices = {"text": ["one", "two", "three"], "label": ["A", "B", "C"]}
    return {"id": f"q{number}", "question": f"Which number is {number}?", "choices": choices, "answerKey": key}


@pytest.mark.parametrize("task", QUESTIONS)
def test_real_files_are_read_whole(shared: Shared, task: str) -> None:
    shots = 1 if task == "squad_v2" else 5
    found = read(task, shared("benchmarks"), shots=shots)
    assert len(found.questions) == found.available == QUESTIONS[task]
    assert all(len(question.shots) == shots for question in found.questions)
    assert not any(question.text in {shot.text for shot in question.shots} for question in found.questions)


def test_worked_examples_of_mmlu_are_of_the_same_subject(shared: Shared) -> None:
    found = read("mmlu", shared("benchmarks"))
    assert len({question.group for question in found.questions}) == 12
    assert all(shot.group == question.group for question in found.questions for shot in question.shots)
    first = next(question for question in found.questions if question.group == "anatomy")
    assert set(first.target) <= set("ABCD")


def test_the_example_of_squad_is_about_the_same_passage_answerable_or_not(shared: Shared) -> None:
    found = read("squad_v2", shared("benchmarks"), shots=1)
    assert all(question.shots[0].passage == question.passage for question in found.questions)
    kinds = {(not question.answers, not question.shots[0].answers) for question in found.questions}
    assert len(kinds) == 4
    assert sum(not question.answers for question in found.questions) == 320


def test_examples_depend_on_seed_and_question_alone(shared: Shared) -> None:
    every = {question.id: question for question in read("arc", shared("benchmarks")).questions}
    some = read("arc", shared("benchmarks"), limit=40).questions
    assert len(some) == 40
    assert all(every[question.id] == question for question in some)
    other = read("arc", shared("benchmarks"), limit=40, seed=1).questions
    assert [question.id for question in other] != [question.id for question in some]


def test_piqa_takes_examples_from_its_training_set_if_it_is_there(tmp_path: Path) -> None:
    def goals(name: str, count: int) -> list[dict[str, str]]:
        return [{"goal": f"{name} {number}", "sol1": "do", "sol2": "don't"} for number in range(count)]

    lines(tmp_path / "piqa/valid.jsonl", goals("valid", 4))
    (tmp_path / "piqa/valid-labels.lst").write_text("0\n1\n0\n1\n", encoding="utf-8")
    alone = read("piqa", tmp_path, shots=3)
    assert [question.target for question in alone.questions] == ["A", "B", "A", "B"]
    assert all(shot.text.startswith("valid") for question in alone.questions for shot in question.shots)
    lines(tmp_path / "piqa/train.jsonl", [{**goal, "label": 1} for goal in goals("train", 5)])
    both = read("piqa", tmp_path, shots=3)
    assert all(shot.text.startswith("train") for question in both.questions for shot in question.shots)


def test_a_passage_with_one_question_has_no_example(tmp_path: Path) -> None:
    paragraph = {"context": "Rollo ruled.", "qas": [{"id": "1", "question": "Who?", "answers": [{"text": "Rollo"}]}]}
    lines(tmp_path / "dev-v2.0.json", [{"data": [{"paragraphs": [paragraph]}]}])
    found = read("squad_v2", tmp_path, shots=1)
    assert found.questions[0].shots == ()
    assert found.without_shots == 1


@pytest.mark.parametrize("task", TASKS)
def test_missing_files_say_what_to_put_where(tmp_path: Path, task: str) -> None:
    with pytest.raises(DataError, match=rf"^{task}: no file in .*looked for .*; add .*https://"):
        read(task, tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        read("arc", tmp_path / "none")


def test_missing_examples_say_so(tmp_path: Path) -> None:
    lines(tmp_path / "arc/validation.jsonl", [record(0)])
    with pytest.raises(DataError, match="no file to take examples from"):
        read("arc", tmp_path)
    assert len(read("arc", tmp_path, shots=0).questions) == 1


def test_fewer_examples_than_shots(tmp_path: Path) -> None:
    lines(tmp_path / "arc/validation.jsonl", [record(0)])
    # One of them is the question itself, which does not serve as an example
    lines(tmp_path / "arc/train.jsonl", [record(number) for number in range(3)])
    with pytest.raises(DataError, match=r"arc: 2 worked examples .*--shots is 3"):
        read("arc", tmp_path, shots=3)
    assert len(read("arc", tmp_path, shots=2).questions[0].shots) == 2


def test_a_question_that_appears_twice_is_named_by_line(tmp_path: Path) -> None:
    lines(tmp_path / "arc/validation.jsonl", [record(0), record(0)])
    with pytest.raises(DataError, match="line 2: the question q0 appears twice"):
        read("arc", tmp_path, shots=0)


def test_the_hub_out_of_reach_says_what_to_put_where(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("offline")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(DataError, match=r"arc: allenai/ai2_arc cannot be loaded from the hub \(offline\); give --data"):
        prepare(TASKS["arc"], None, shots=5, limit=None, seed=0)


def test_the_hub_is_read_like_files(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    rows = {"validation": [record(0, "B")], "train": [record(number, "C") for number in range(1, 6)]}
    monkeypatch.setattr(datasets, "load_dataset", lambda _name, _config, split: rows[split])
    found = prepare(TASKS["csqa"], None, shots=5, limit=None, seed=0)
    assert found.questions[0].target == "B"
    assert {shot.target for shot in found.questions[0].shots} == {"C"}
