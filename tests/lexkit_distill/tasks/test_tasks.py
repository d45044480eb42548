"""Questions and gold answers are the publishers', whatever form they are published in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import CorpusError, DataError
from lexkit_distill.evaluation.config import EvalConfig
from lexkit_distill.tasks import TASKS, find_task, split_task

Shared = Callable[[str], Path]
Publish = Callable[[str, Path], None]


def lines(path: Path, *records: Any) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def test_names_aliases_and_files() -> None:
    assert set(TASKS) == {"arc", "csqa", "mmlu", "mmlu_pro", "piqa", "squad_v2"}
    for name in ("squad", "squad_v2", "squad-v2"):
        assert find_task(name) is TASKS["squad_v2"]
    assert split_task("mmlu-pro:a.jsonl") == (TASKS["mmlu_pro"], "a.jsonl")
    assert split_task("arc:hub:allenai/ai2_arc:train") == (TASKS["arc"], "hub:allenai/ai2_arc:train")
    for name in ("arc", "chess:a.jsonl", "hub:squad", "texts/arc.txt"):
        assert split_task(name) == (None, name)
    config = EvalConfig(model="student", tasks="squad, mmlu-pro,lexical,squad_v2")
    assert config.task_names == ["squad_v2", "mmlu_pro", "lexical"]


def test_gold_answers_are_the_publishers(shared: Shared) -> None:
    for task, name, number in (("arc", "arc/train.jsonl", 1), ("csqa", "csqa/dev_rand_split.jsonl", 0)):
        path = shared(f"benchmarks/{name}")
        record = json.loads(path.read_text(encoding="utf-8").splitlines()[number])
        assert TASKS[task].questions(str(path), 0)[number].target == record["answerKey"]
    squad = TASKS["squad_v2"].questions(str(shared("benchmarks/squad/dev-v2.0-2articles.json")), 0)
    assert squad[0].target == "France"
    assert sum(question.target == "unanswerable" for question in squad) == 320
    piqa = TASKS["piqa"].questions(str(shared("benchmarks/piqa/valid.jsonl")), 0)
    assert [question.target for question in piqa[:3]] == ["A", "B", "B"]
    mmlu = TASKS["mmlu"].questions(str(shared("benchmarks/mmlu/test/anatomy_test.csv")), 0)
    assert [question.target for question in mmlu[:2]] == ["A", "B"]
    assert mmlu[0].options[0] == "paralysis of the facial muscles."


@pytest.mark.parametrize(
    ("task", "answers"),
    [
        ("arc", "CC"),
        ("csqa", "EE"),
        ("piqa", "AB"),
        ("mmlu", "CC"),
        ("squad_v2", ("so", "unanswerable")),
    ],
)
def test_questions_keep_their_characters_and_lose_the_space_around_them(
    published: Publish, tmp_path: Path, task: str, answers: Any
) -> None:
    published(task, tmp_path)
    (file,) = TASKS[task].files.find(str(tmp_path), task)
    questions = TASKS[task].questions(str(file), 0)
    odd = "one\u0085two\u2028three\u2029four\u000bfive\u001csix"
    assert [question.text for question in questions] == [f"Which is {odd}?", "Which  is not?"]
    assert [question.target for question in questions] == list(answers)
    assert all(option == option.strip() for question in questions for option in question.options)


def test_ten_options_become_four_with_the_answer_by_seed(shared: Shared) -> None:
    path = shared("benchmarks/mmlu_pro/mmlu_pro-hfstyle-240.jsonl")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    questions = TASKS["mmlu_pro"].questions(str(path), 0)
    for question, record in zip(questions, records, strict=True):
        assert len(question.options) == min(4, len(record["options"]))
        assert question.options[question.right] == record["options"][record["answer_index"]].strip()
        places = [[option.strip() for option in record["options"]].index(option) for option in question.options]
        assert places == sorted(places)
    assert TASKS["mmlu_pro"].questions(str(path), 1) != questions


def test_mmlu_with_a_header_has_numbers_and_as_published_letters(tmp_path: Path) -> None:
    for name, header, label in (("with_test.csv", "question,a,b,c,d,answer\n", "2"), ("anatomy_test.csv", "", "C")):
        text = f'{header}"Which bone\n is it, exactly?",femur,tibia,ulna,"radius, or\u0085none",{label}\n'
        (tmp_path / name).write_text(text, encoding="utf-8")
        (question,) = TASKS["mmlu"].questions(str(tmp_path / name), 0)
        assert (question.text, question.target) == ("Which bone\n is it, exactly?", "C")
        assert question.options == ("femur", "tibia", "ulna", "radius, or\u0085none")
        assert question.group == name.removesuffix("_test.csv")


def test_a_question_of_squad_that_is_called_impossible_has_no_answer(tmp_path: Path) -> None:
    entry = {"id": "1", "question": "Who?", "answers": [{"text": "Rollo"}], "is_impossible": True}
    file = tmp_path / "squad.json"
    lines(file, {"data": [{"paragraphs": [{"context": "Rollo ruled.", "qas": [entry]}]}]})
    assert TASKS["squad_v2"].questions(str(file), 0)[0].target == "unanswerable"


def test_training_sets_in_the_form_of_the_hub(tmp_path: Path) -> None:
    record = {"id": "1", "context": "Rollo ruled.", "question": "Who?", "answers": {"text": ["Rollo", "he"]}}
    (question,) = TASKS["squad_v2"].questions(lines(tmp_path / "squad.jsonl", record), 0)
    assert (question.passage, question.answers, question.group) == ("Rollo ruled.", ("Rollo", "he"), "Rollo ruled.")
    (question,) = TASKS["piqa"].questions(
        lines(tmp_path / "piqa.jsonl", {"goal": "g", "sol1": "a", "sol2": "b", "label": 1}), 0
    )
    assert question.target == "B"


ARC = {"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}}


@pytest.mark.parametrize(
    ("task", "records", "match"),
    [
        ("arc", [{**ARC, "answerKey": "E"}], r"file.jsonl, line 1: the label 'E' is not one of the options A, B"),
        ("arc", [{**ARC, "answerKey": "A"}, {"question": "q"}], "line 2: not a question of arc .KeyError: 'choices'"),
        ("csqa", [[]], "line 1: not a question of csqa"),
        ("piqa", [{"goal": "q", "sol1": "a", "sol2": "b"}], "no labels; put file-labels.lst beside it"),
        ("piqa", [{"goal": "q", "sol1": "a", "label": 0}], "line 1: not a question of piqa .KeyError: 'sol2'"),
        ("piqa", [{"goal": "q", "sol1": "a", "sol2": "b", "label": -1}], "the label -1 is not one of the 2 options"),
        ("mmlu_pro", [{"question": "q", "options": ["a"], "answer_index": 4}], "label 4 is not one of the 1 options"),
        ("squad_v2", [{"question": "q"}], "line 1: not a question of squad_v2"),
        ("arc", [{"question": "q", "choices": [{"label": x, "text": x} for x in "ABCDEFGHIJK"], "answerKey": "A"}],
         "line 1: 11 options, at most 10 are possible"),
    ],
)  # fmt: skip
def test_questions_of_another_shape_are_one_line(tmp_path: Path, task: str, records: list[Any], match: str) -> None:
    with pytest.raises(DataError, match=match) as raised:
        TASKS[task].questions(lines(tmp_path / "file.jsonl", *records), 0)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("task", "name", "content", "match"),
    [
        ("mmlu", "law_test.csv", b"q,a,b,c,d,E\n", r"law_test\.csv, row 1: the label 4 is not one of the 4 options"),
        ("mmlu", "law_test.csv", b"question,a,b,c,d,answer\n", r"mmlu: no questions in .*law_test\.csv"),
        ("mmlu", "law_test.csv", b"q,a,b,c,d,?\n", r"law_test\.csv, row 1: the label -1 is not one of the 4 options"),
        ("mmlu", "law_test.csv", b"q,a,b,c\n", r"law_test\.csv, row 1: 4 fields"),
        ("mmlu", "law_test.csv", b"caf\xe9,a,b,c,d,A\n", r"law_test\.csv: cannot be read as UTF-8"),
        ("mmlu", "law_test.csv", b"x" * 140_000, r"law_test\.csv: cannot be read as CSV"),
        ("squad_v2", "dev-v2.0.json", b'{"data": [{}]}', r"dev-v2\.0\.json: not SQuAD's JSON .KeyError: 'paragraphs'"),
        ("squad_v2", "dev-v2.0.json", b"{", r"dev-v2\.0\.json: not SQuAD's JSON"),
    ],
)
def test_files_of_another_format_are_one_line(tmp_path: Path, task: str, name: str, content: bytes, match: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=match) as raised:
        TASKS[task].questions(str(tmp_path / name), 0)
    assert "\n" not in str(raised.value)


def test_json_lines_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n{\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"a\.jsonl, line 2: not JSON"):
        TASKS["arc"].questions(str(tmp_path / "a.jsonl"), 0)


@pytest.mark.parametrize("label", ["2", "-1"])
def test_labels_of_piqa_outside_its_options_and_too_many_of_them(tmp_path: Path, label: str) -> None:
    file = lines(tmp_path / "valid.jsonl", {"goal": "g", "sol1": "a", "sol2": "b"})
    (tmp_path / "valid-labels.lst").write_text(label, encoding="utf-8")
    with pytest.raises(DataError, match=f"line 1: the label {label} is not one of the 2 options"):
        TASKS["piqa"].questions(file, 0)
    (tmp_path / "valid-labels.lst").write_text("0\n1\n", encoding="utf-8")
    with pytest.raises(DataError, match="2 labels for 1 questions"):
        TASKS["piqa"].questions(file, 0)
