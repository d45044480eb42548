"""A model is evaluated with the very prompts that it is trained with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.tasks import TASKS

pytest.importorskip("lm_eval", reason="needs the extra 'eval'")
pytestmark = pytest.mark.filterwarnings("ignore")  # what other packages warn about when they are imported


@pytest.mark.parametrize("shots", [0, 1])
@pytest.mark.parametrize("name", TASKS)
def test_training_and_the_paper_protocol_ask_alike(
    name: str,
    shots: int,
    published: Callable[[str, Path], None],
    teacher_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lm_eval.models.huggingface import HFLM

    from lexkit.progress import Progress
    from lexkit_distill.evaluation.harness import ask
    from lexkit_distill.evaluation.prepare import prepare
    from lexkit_distill.processes import Processes
    from lexkit_distill.teacher import load_teacher
    from lexkit_distill.training.config import DataConfig
    from lexkit_distill.training.data import training_documents

    published(name, tmp_path)
    sent: list[str] = []

    def generate(_: object, requests: list[Any], **__: object) -> list[str]:
        sent.extend(request.args[0] for request in requests)
        return [""] * len(requests)

    monkeypatch.setattr(HFLM, "generate_until", generate)
    model = load_teacher(str(teacher_folder), dtype="float32", device="cpu")
    prepared = prepare(TASKS[name], str(tmp_path), shots=shots, limit=None, seed=3)
    answers = ask(prepared, model, protocol="paper", batch_size=1, processes=Processes(), progress=Progress())

    # Of two questions, the worked example of each can only be the other
    (tmp_path / "test").mkdir()
    (tmp_path / "test/x_test.csv").write_text("Something else?,a,b,c,d,A\n", encoding="utf-8")
    file = TASKS[name].files.find(str(tmp_path), name)[0]
    data, test = [f"{name}:{file}"], str(tmp_path / "test")
    samples = list(training_documents(data, DataConfig(shots=shots, mmlu_test=test), seed=3, dropped=Counter()))
    trained = [
        model.tokenizer.apply_chat_template(list(sample.messages[:-1]), tokenize=False, add_generation_prompt=True)
        for sample in samples
    ]
    assert len(trained) == 2
    assert sent == trained
    assert answers is not None
    assert [answer.target for answer in answers] == [sample.messages[-1]["content"] for sample in samples]
