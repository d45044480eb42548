from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ODD = "one\u0085two\u2028three\u2029four\u000bfive\u001csix"
"""Characters at which str.splitlines() ends a line, and JSON and CSV do not."""


def write_lines(path: Path, *records: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def published() -> Callable[[str, Path], None]:
    """Write two questions of a benchmark as it is published, both as questions and as worked examples."""

    def write(task: str, folder: Path) -> None:
        texts = [f" Which is {ODD}? ", "Which  is not? "]
        files = {
            "arc": ("arc/validation.jsonl", "arc/train.jsonl"),
            "csqa": ("dev_rand_split.jsonl", "train_rand_split.jsonl"),
            "piqa": ("piqa/valid.jsonl", "piqa/train.jsonl"),
            "mmlu": ("mmlu/test/law_test.csv", "mmlu/dev/law_dev.csv"),
            "mmlu_pro": ("mmlu_pro/test.jsonl", "mmlu_pro/validation.jsonl"),
            "squad_v2": ("squad/dev-v2.0.json",),
        }
        for name in files[task]:
            file = folder / name
            if task == "arc":
                choices = {"text": ["yes ", "no", "both"], "label": ["1", "2", "3"]}
                write_lines(file, *({"question": text, "choices": choices, "answerKey": "3"} for text in texts))
            elif task == "csqa":
                choices = [{"label": label, "text": f"{label} "} for label in "ABCDE"]
                inner = [{"stem": text, "choices": choices} for text in texts]
                write_lines(file, *({"id": one["stem"], "question": one, "answerKey": "E"} for one in inner))
            elif task == "piqa":
                write_lines(file, *({"goal": text, "sol1": " push", "sol2": "pull"} for text in texts))
                file.with_name(f"{file.stem}-labels.lst").write_text("0\n1\n", encoding="utf-8")
            elif task == "mmlu":
                file.parent.mkdir(parents=True)
                file.write_text("".join(f'"{text}",a,b, c ,d,C\n' for text in texts), encoding="utf-8", newline="")
            elif task == "mmlu_pro":
                options = [f"option {number}" for number in range(10)]
                write_lines(file, *({"question": text, "options": options, "answer_index": 7} for text in texts))
            else:
                answers = ([{"text": "so"}, {"text": "thus"}], [])
                entries = [
                    {"id": text, "question": text, "answers": some} for text, some in zip(texts, answers, strict=True)
                ]
                paragraph = {"context": "It is so. ", "qas": entries}
                write_lines(file, {"data": [{"paragraphs": [paragraph]}]})

    return write
