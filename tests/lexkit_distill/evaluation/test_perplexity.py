from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit.progress import Progress
from lexkit_distill.errors import EvaluationError

pytest.importorskip("lm_eval", reason="needs the extra 'eval'")
pytestmark = pytest.mark.filterwarnings("ignore")  # what other packages warn about when they are imported


def load(folder: Path) -> Any:
    from lexkit_distill.teacher import load_teacher

    return load_teacher(str(folder), dtype="float32", device="cpu")


def score(model: Any, teacher: Any, text: str, max_length: int, limit: int | None = None) -> Any:
    from lexkit_distill.evaluation.perplexity import score_text
    from lexkit_distill.processes import Processes

    return score_text(
        text, model, teacher, max_length=max_length, limit=limit, seed=0, processes=Processes(), progress=Progress()
    )


def figures(scores: Any) -> dict[str, float]:
    from lexkit_distill.evaluation.statistics import estimate

    return {measure.name: estimate(measure, 0).value for measure in scores.measures}


@pytest.fixture(scope="module")
def text(make_sentences: Callable[..., list[str]]) -> str:
    return "\n\n".join(make_sentences(30, seed=5)) + " naïve café — 東京 🙂 end"


def test_one_window_is_what_transformers_says(model_folder: Path, other_folder: Path, text: str) -> None:
    import torch

    model, teacher = load(model_folder), load(other_folder)
    ids = torch.tensor(model.tokenizer(text)["input_ids"])
    assert len(ids) < 2000
    with torch.inference_mode():
        own, other = (one.model(ids[None]).logits[0, :-1].double().log_softmax(-1) for one in (model, teacher))
    ce = float(-own.gather(1, ids[1:, None]).mean())
    expected = {
        "cross_entropy": ce,
        "perplexity": math.exp(ce),
        "kl": float((other.exp() * (other - own)).sum(-1).mean()),
        "agreement": float((own.argmax(-1) == other.argmax(-1)).double().mean()),
    }
    found = figures(score(model, teacher, text, 2048))
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    bytes_predicted = len(text.encode()) - len(model.tokenizer.decode(ids[:1]).encode())
    assert found["bits_per_byte"] == pytest.approx(ce * (len(ids) - 1) / math.log(2) / bytes_predicted, rel=1e-4)


def test_every_token_but_the_first_is_predicted_once(model_folder: Path, text: str) -> None:
    from lexkit_distill.evaluation.perplexity import windows

    model = load(model_folder)
    cut = windows(text, model, 16)
    ids = model.tokenizer(text)["input_ids"]
    assert [token for window in cut for token in window.token_ids[1:]] == ids[1:]
    assert all(len(window.token_ids) <= 16 for window in cut)
    (whole,) = windows(text, model, 2048)
    assert sum(window.bytes for window in cut) == whole.bytes


def test_limit_draws_windows_by_seed(model_folder: Path, text: str) -> None:
    model = load(model_folder)
    every, some = (score(model, None, text, 16, limit) for limit in (None, 5))
    by_id = {line.id: line for line in every.lines}
    assert len(some.lines) == 5
    assert all(by_id[line.id] == line for line in some.lines)


def test_a_teacher_does_not_diverge_from_itself(model_folder: Path, text: str) -> None:
    model = load(model_folder)
    found = figures(score(model, model, text, 64))
    assert found["kl"] == pytest.approx(0, abs=1e-9)
    assert found["agreement"] == 1


@pytest.mark.parametrize("family", ["gemma2", "qwen3"])
def test_what_families_do_after_the_head_counts(
    make_teacher: Callable[..., Path], tmp_path: Path, text: str, family: str
) -> None:
    import torch

    model = load(make_teacher(tmp_path / family, family, length=2048))
    # Gemma 2 caps its logits, which shows only where they are large
    model.model.get_output_embeddings().weight.data.mul_(20)
    scores = score(model, None, text, 64)
    first = scores.lines[0]
    begin = model.tokenizer(text)["input_ids"][:64]
    ids = torch.tensor(begin)[None]
    with torch.inference_mode():
        logits = model.model(ids).logits[0, :-1].double().log_softmax(-1)
    assert first.nats == pytest.approx(float(-logits.gather(1, ids[0, 1:, None]).sum()), rel=1e-4)


def test_a_teacher_with_another_tokenizer_is_refused(
    model_folder: Path, make_teacher: Callable[..., Path], tmp_path: Path, text: str
) -> None:
    other = load(make_teacher(tmp_path / "other", vocabulary=300))
    with pytest.raises(EvaluationError, match="its tokenizer differs from that of"):
        score(load(model_folder), other, text, 64)


def test_models_with_other_tokenizers_are_not_compared(
    model_folder: Path, other_folder: Path, make_teacher: Callable[..., Path], tmp_path: Path, text: str
) -> None:
    from lexkit_distill.evaluation.results import summarize

    first, same = (score(load(folder), None, text, 64) for folder in (model_folder, other_folder))
    other = score(load(make_teacher(tmp_path / "other", vocabulary=300)), None, text, 64)
    compared = summarize(first, same, 0).difference
    assert compared is not None
    assert compared["cross_entropy"].difference == pytest.approx(
        figures(first)["cross_entropy"] - figures(same)["cross_entropy"]
    )
    assert summarize(first, other, 0).difference == {}


def test_a_text_without_text(tmp_path: Path) -> None:
    from lexkit_distill.errors import CorpusError
    from lexkit_distill.evaluation.files import read_text

    file = tmp_path / "empty.txt"
    file.write_text(" \n\n \n", encoding="utf-8")
    with pytest.raises(EvaluationError, match="contains no text"):
        read_text(None, str(file))
    with pytest.raises(CorpusError, match="no such file"):
        read_text(None, str(tmp_path / "none.txt"))


def test_a_text_of_one_token(model_folder: Path) -> None:
    with pytest.raises(EvaluationError, match="fewer than two tokens"):
        score(load(model_folder), None, "a", 64)
