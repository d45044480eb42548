"""Training from configuration to model, in one process: what is written, and stopping and resuming at any step."""

from __future__ import annotations

import csv
import gc
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lexkit.progress import Progress
from lexkit_distill.errors import TrainingError

Configured = Callable[..., Any]


def log(folder: Path) -> list[dict[str, str]]:
    """The rows of a log without their times."""
    with (folder / "log.csv").open(newline="", encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def test_a_student_learns_and_is_an_ordinary_model(configured: Configured, tmp_path: Path) -> None:
    import transformers

    from lexkit_distill.training.run import train

    config = configured(epochs=3, eval_data=(str(tmp_path / "held.txt"),), log_with=("tensorboard",))
    summary = train(config)
    assert summary is not None
    rows = log(tmp_path / "student")
    assert [int(row["step"]) for row in rows] == list(range(1, 31))
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    held = [float(row["eval_kl"]) for row in rows if row["eval_kl"]]
    assert len(held) == 3
    assert held[-1] < held[0]
    assert summary.outcome.held_out["kl"] == held[-1]
    for row in rows:
        assert float(row["sampled"]) > 0
        assert 0 <= float(row["active_hinges"]) <= 1
        total = sum(float(row[name]) for name in ("ce", "kl", "positive", "negative"))
        assert float(row["loss"]) == pytest.approx(total)
    assert list((tmp_path / "student" / "tensorboard").iterdir())
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "student")
    assert model.config.num_hidden_layers == 4
    transformers.AutoTokenizer.from_pretrained(tmp_path / "student")
    transformers.GenerationConfig.from_pretrained(tmp_path / "student")


def test_the_model_card_names_data_hyperparameters_licences_and_results(
    configured: Configured, tmp_path: Path, six_layers: Path
) -> None:
    from lexkit_distill.training.run import train

    train(configured(epochs=1, eval_data=(str(tmp_path / "held.txt"),)))
    card = (tmp_path / "student" / "README.md").read_text(encoding="utf-8")
    for part in (
        "| pairs |",
        "- train.txt",
        "| kappa | 5 |",
        "| weight_decay | 0.0 |",
        "held-out perplexity",
        "4 layers",
        "licence",
    ):
        assert part in card, part
    assert str(tmp_path.parent) not in card
    assert str(six_layers) not in card
    assert "huggingface.co" not in card, "a folder is on no hub"
    assert "base_model" not in card
    assert "{{" not in card


@pytest.fixture
def card(configured: Configured) -> Callable[..., str]:
    """The model card of a training that is made up."""

    def make(name: str = "x", **changes: Any) -> str:
        from lexkit_distill.training.export import model_card

        counts = SimpleNamespace(rows=1, tokens=1, predicted=1)
        plan = SimpleNamespace(layers=4, trained_parameters=1, shared_parameters=1, counts=counts, dropped={name: 1})
        outcome = SimpleNamespace(steps=1, loss=0.5, held_out={name: 1.0})
        config = configured(beta_p=0.0, beta_n=0.0, senses=None, **changes)
        return model_card(config, {"plan": plan, "outcome": outcome})

    return make


def head(card: str) -> dict[str, Any]:
    """What the hub's client reads of a card."""
    from huggingface_hub import ModelCard

    found: dict[str, Any] = ModelCard(card).data.to_dict()
    return found


def test_names_are_no_markup_of_the_model_card(card: Callable[..., str]) -> None:
    name = "a/b](x) | <b>\x1b[2J\n# c"
    shown = card(name, teacher=name, data=(f"hub:{name}",))
    plain = r"b\](x) \| \<b\>\\u001b\[2J \# c"
    assert f"\n# {plain} with 4 layers\n" in shown
    assert f"\n| held-out a/{plain} | 1.0000 |\n" in shown
    assert f"\n- hub:a/{plain}\n" in shown
    assert "huggingface.co" not in shown, "no name of the hub"
    assert {"base_model", "datasets"}.isdisjoint(head(shown))


def test_the_hub_learns_what_a_student_of_a_model_on_the_hub_is(
    card: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    shown = card(teacher="someone/teacher", data=("hub:owner/chats/small:train@0.5", "notes.txt"))
    assert "[someone/teacher](https://huggingface.co/someone/teacher)" in shown
    assert head(shown) == {
        "base_model": "someone/teacher",
        "datasets": ["owner/chats"],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["distillation", "lexkit"],
    }


@pytest.mark.parametrize(
    ("of_teacher", "of_student"),
    [
        (
            "license: other\nlicense_name: house\nlicense_link: LICENSE\nlanguage: [en, 'no']",
            ["other", "house", ["en", "no"]],
        ),
        ("license: apache-2.0\nlanguage: en", ["apache-2.0", None, "en"]),
        ("license: [", [None, None, None]),
        ("license: {a: b}", [None, None, None]),
    ],
)
def test_licence_and_languages_are_those_of_the_teachers_card(
    card: Callable[..., str], tmp_path: Path, of_teacher: str, of_student: list[Any]
) -> None:
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher/README.md").write_text(f"---\n{of_teacher}\n---\n# Teacher\n", encoding="utf-8")
    found = head(card(teacher=str(tmp_path / "teacher")))
    assert [found.get(key) for key in ("license", "license_name", "language")] == of_student
    assert {"base_model", "license_link"}.isdisjoint(found), "they are on no hub"


def test_without_semantic_loss_no_dictionary_is_needed(configured: Configured, tmp_path: Path) -> None:
    from lexkit_distill.training.run import train

    train(configured(beta_p=0.0, beta_n=0.0, senses=None, epochs=1))
    assert {row["semantic"] for row in log(tmp_path / "student")} == {"0.0"}


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_weight": 1.0},
        {"beta_p": 0.0, "beta_n": 0.0, "hidden_weight": 1.0},
        {"contrast_weight": 1.0},
        {"beta_p": 0.0, "beta_n": 0.0, "contrast_weight": 3.0, "hidden_weight": 1.0},
        {"sense_scale": "whiten"},
        {"sense_scale": "unit"},
        {"multi_token_words": True},
        {"kl_weight": 2.8, "drop_single_token_neighbors": True, "own_among_antonyms": True, "spaced_heads_only": True},
        {"dtype": "bfloat16"},
        {"temperature": 2.0, "alpha": 0.5},
    ],
)
def test_every_switch_runs_and_changes_the_loss(
    configured: Configured, tmp_path: Path, changes: dict[str, Any]
) -> None:
    from lexkit_distill.training.run import train

    steps = 10 if "multi_token_words" in changes else 2
    train(configured(epochs=1, max_steps=steps))
    train(configured(epochs=1, max_steps=steps, output=str(tmp_path / "other"), **changes))
    losses = [[float(row["loss"]) for row in log(tmp_path / name)] for name in ("student", "other")]
    assert losses[0] != losses[1]


def test_the_loss_does_not_depend_on_the_micro_batches(configured: Configured, tmp_path: Path) -> None:
    from lexkit_distill.training.run import train

    losses = []
    for micro in (1, 2, 4):
        train(configured(epochs=1, micro_batch_size=micro, contrast_weight=1.0, output=str(tmp_path / str(micro))))
        losses.append([float(row["loss"]) for row in log(tmp_path / str(micro))])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert losses[2] == pytest.approx(losses[0], rel=1e-5)


@pytest.mark.parametrize("at", [3, *(pytest.param(at, marks=pytest.mark.slow) for at in (9, 14))])
def test_a_run_that_died_goes_on_bit_for_bit(
    configured: Configured, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexkit_distill.training.run import train
    from lexkit_distill.training.trainer import Trainer

    train(configured(output=str(tmp_path / "whole")))
    step = Trainer._step

    def dies(self: Any, number: int) -> Any:
        if number == at:
            raise KeyboardInterrupt
        return step(self, number)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Trainer, "_step", dies)
        train(configured())
    assert not (tmp_path / "student" / "training.json").exists()
    train(configured())
    assert log(tmp_path / "student") == log(tmp_path / "whole")
    same = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("student", "whole")]
    assert same[0] == same[1]
    kept = sorted(path.name for path in (tmp_path / "student" / "checkpoints").iterdir())
    assert kept == ["step-00000016", "step-00000020"]


@pytest.fixture
def held_out_losses(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[int, Any]]:
    """Give the evaluations losses, the first step's first; returns the weights that each of them was asked about."""

    def give(*losses: float) -> dict[int, Any]:
        from lexkit_distill.training.checkpoint import trained_state
        from lexkit_distill.training.trainer import Trainer

        weights: dict[int, Any] = {}

        def evaluate(self: Any, _: Any) -> dict[str, float]:
            step = self.state.step
            weights[step] = {name: value.clone() for name, value in trained_state(self.module).items()}
            return {"ce": losses[step - 1], "perplexity": 1.0, "kl": 0.0}

        monkeypatch.setattr(Trainer, "evaluate", evaluate)
        return weights

    return give


def test_a_run_stops_when_the_held_out_loss_gets_no_better_and_keeps_the_best(
    configured: Configured, tmp_path: Path, held_out_losses: Callable[..., dict[int, Any]]
) -> None:
    import torch
    from safetensors.torch import load_file

    from lexkit_distill.training.run import train

    weights = held_out_losses(3.0, 4.0, 2.0, 2.0, 2.5, 1.0)
    summary = train(configured(eval_data=(str(tmp_path / "held.txt"),), eval_every=1, patience=2, epochs=5))
    assert summary is not None
    outcome = summary.outcome
    assert outcome.finished
    assert (outcome.steps, outcome.best_step) == (5, 3)  # no better is not better, and one worse is not two
    student = load_file(tmp_path / "student" / "model.safetensors")
    for name, value in weights[3].items():
        _, layer, rest = name.split(".", 2)
        assert torch.equal(student[f"model.layers.{2 + int(layer)}.{rest}"], value), name
        assert not torch.equal(weights[5][name], value), name


@pytest.mark.parametrize("at", [2, 3, 4])
def test_a_run_that_died_stops_early_where_the_unbroken_one_does(
    configured: Configured,
    tmp_path: Path,
    at: int,
    monkeypatch: pytest.MonkeyPatch,
    held_out_losses: Callable[..., dict[int, Any]],
) -> None:
    from lexkit_distill.training.run import train
    from lexkit_distill.training.trainer import Trainer

    held_out_losses(3.0, 2.0, 4.0, 2.5, 2.2, 1.0)
    common = {"eval_data": (str(tmp_path / "held.txt"),), "eval_every": 1, "patience": 3, "save_every": 2}
    whole = train(configured(output=str(tmp_path / "whole"), **common))
    assert whole is not None
    assert (whole.outcome.steps, whole.outcome.best_step) == (5, 2)
    judge = Trainer._judge

    def dies(self: Any, loss: float, *, saves: bool) -> None:
        judge(self, loss, saves=saves)
        if self.state.step == at:  # judged, the best perhaps written, but in no checkpoint
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Trainer, "_judge", dies)
        train(configured(**common))
    again = train(configured(**common))
    assert again is not None
    assert (again.outcome.steps, again.outcome.best_step) == (5, 2)
    assert log(tmp_path / "student") == log(tmp_path / "whole")
    same = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("student", "whole")]
    assert same[0] == same[1]


def test_a_loss_that_is_not_finite_stops_with_step_rows_and_a_saved_state(
    configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexkit_distill.training import step
    from lexkit_distill.training.run import train

    plain = step.kd_loss
    calls = []

    def broken(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        found = plain(*arguments, **options)
        return found._replace(ce=found.ce * float("nan")) if len(calls) == 11 else found

    with monkeypatch.context() as patched:
        patched.setattr(step, "kd_loss", broken)
        with pytest.raises(
            TrainingError, match=r"step 6: the loss .* not finite .* on rows \[\d+, \d+, \d+, \d+\]"
        ) as raised:
            train(configured())
    assert "\n" not in str(raised.value)
    state = json.loads((tmp_path / "student/checkpoints/step-00000005/state.json").read_text(encoding="utf-8"))
    assert state["step"] == 5
    train(configured())
    assert len(log(tmp_path / "student")) == 20

    calls[:] = [1] * 8  # the second step of a dry run, of two batches a step
    with monkeypatch.context() as patched:
        patched.setattr(step, "kd_loss", broken)
        with pytest.raises(TrainingError, match="step 2: the loss") as raised:
            train(configured(output=str(tmp_path / "dry")), dry_run=True)
    assert "the state before" not in str(raised.value)
    assert not (tmp_path / "dry").exists()


def test_a_training_leaves_no_memory_behind(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    import weakref

    from lexkit_distill.training import run

    made = []

    class Known(run.Trainer):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(weakref.ref(self))

    monkeypatch.setattr(run, "Trainer", Known)
    gc.disable()  # nobody may have to collect it
    try:
        run.train(configured(max_steps=2))
    finally:
        gc.enable()
    assert [known() for known in made] == [None]


def test_what_does_not_belong_together_is_one_clear_line(
    configured: Configured, tmp_path: Path, make_teacher: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexkit.errors import LexkitError, StoreError
    from lexkit_distill.errors import DataError, DictionaryError
    from lexkit_distill.training import plan, run

    def refused(error: type[LexkitError], match: str, **changes: Any) -> None:
        with pytest.raises(error, match=match) as raised:
            run.train(configured(**changes))
        assert "\n" not in str(raised.value)
        assert not (tmp_path / "student" / "training.json").exists()

    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    refused(DataError, "nothing to predict", data=(str(tmp_path / "empty.txt"),))
    line = '{"prompt": "a", "completion": "' + " house" * 200 + '"}\n'
    (tmp_path / "long.jsonl").write_text(line * 3, encoding="utf-8")
    long = (str(tmp_path / "long.jsonl"),)
    left = r"no training data are left \(3 longer than --max-length\); raise --max-length"
    refused(DataError, left, data=long, too_long="drop")
    often = (f"{tmp_path / 'train.txt'}@1e9",)
    refused(DataError, "an epoch has 40,000,000,000 rows, at most .* possible; give --data lower weights", data=often)
    refused(TrainingError, "no --senses", senses=None)
    refused(TrainingError, "reads at most 128 tokens; lower it", max_length=129)
    refused(TrainingError, "the teacher has 6 layers", layers=7)
    refused(
        DictionaryError,
        "another teacher",
        teacher=str(make_teacher(tmp_path / "other", layers=6, vocabulary=500, seed=9)),
    )
    import lexkit

    (tmp_path / "pairs.txt").write_text("kind friendly\n", encoding="utf-8")
    lexkit.build(tmp_path / "uncut.duckdb", pairs=[("synonym", tmp_path / "pairs.txt")])
    refused(StoreError, "lexkit tokenize", store=str(tmp_path / "uncut.duckdb"))
    with monkeypatch.context() as patched:
        patched.setattr(plan, "available_memory", lambda _: 1000)
        refused(TrainingError, "at once needs .* more memory on cpu, and 1.0 kB is free")
        patched.setattr(plan.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
        refused(TrainingError, "1.0 kB is free on the disk")
    run.train(configured(max_steps=4, epochs=1))
    with pytest.raises(TrainingError, match="contains a finished student"):
        run.train(configured(max_steps=4, epochs=1))


def test_a_checkpoint_of_another_configuration_or_a_damaged_one(configured: Configured, tmp_path: Path) -> None:
    from lexkit_distill.training.run import train

    train(configured(max_steps=4, epochs=1))
    (tmp_path / "student" / "training.json").unlink()
    with pytest.raises(TrainingError, match=r"another configuration \(alpha was 1.0, now 2.0\)"):
        train(configured(max_steps=4, epochs=1, alpha=2.0))
    weights = tmp_path / "student/checkpoints/step-00000004/trained.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(TrainingError, match=r"damaged .*remove it"):
        train(configured(max_steps=4, epochs=1))


def test_the_plain_way_is_taken_with_a_note_where_the_prefix_differs(
    configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexkit.progress import Progress
    from lexkit_distill.training.run import train
    from lexkit_distill.training.student import Student

    class Notes(Progress):
        def __init__(self) -> None:
            self.notes: list[str] = []

        def note(self, text: str) -> None:
            self.notes.append(text)

    def differs(self: Student, _: Any) -> float:
        self.shares_prefix = False
        return 0.5

    train(configured(epochs=1))
    monkeypatch.setattr(Student, "check_shared_prefix", differs)
    notes = Notes()
    train(configured(epochs=1, output=str(tmp_path / "plain")), notes)
    assert any("differ from the teacher's (50.0%)" in note for note in notes.notes)
    assert log(tmp_path / "plain") == log(tmp_path / "student")
    same = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("student", "plain")]
    assert same[0] == same[1]


def test_evaluations_between_steps_are_named_with_their_batches(configured: Configured, tmp_path: Path) -> None:
    from lexkit_distill.training.run import train

    class Shown(Progress):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def count(self, done: int, total: int | None, unit: str) -> None:
            self.lines.append(f"{done} of {total} {unit}")

        def activity(self, text: str) -> None:
            self.lines.append(text)

    shown = Shown()
    train(configured(max_steps=4, eval_every=2, eval_data=(str(tmp_path / "held.txt"),)), shown)
    steps = [line for line in shown.lines if line.endswith("steps")]
    assert steps == [f"{step} of 4 steps" for step in range(1, 5)]
    between = shown.lines[shown.lines.index("1 of 4 steps") + 1 : shown.lines.index("2 of 4 steps")]
    assert between == [f"evaluating on held-out data: batch {batch} of 6" for batch in range(1, 7)]


def test_a_dry_run_writes_nothing(configured: Configured, tmp_path: Path) -> None:
    from lexkit_distill.training.run import train

    summary = train(configured(), dry_run=True)
    assert summary is not None
    assert summary.outcome.steps == 2
    assert summary.plan.steps == 20
    assert not (tmp_path / "student").exists()


def test_the_teachers_own_answers_may_be_the_targets(configured: Configured, tmp_path: Path) -> None:
    from lexkit_distill.training.run import train

    file = tmp_path / "pairs.jsonl"
    file.write_text('{"prompt": "the red car", "completion": " is quick"}\n' * 4, encoding="utf-8")
    plans = [
        train(configured(data=(str(file),), max_steps=1, max_length=128, targets=targets), dry_run=True)
        for targets in ("gold", "teacher")
    ]
    gold, own = (plan.plan.counts.predicted for plan in plans if plan is not None)
    assert own > gold


class TestChosenRelations:
    """What is chosen of a store's relations decides the candidates, whatever was chosen before."""

    def candidates(self, config: Any, memo: Any) -> int:
        from accelerate import Accelerator

        from lexkit_distill.training.run import prepare

        prepared = prepare(config, Path(config.run.output), Accelerator(cpu=True), Progress(), memo)
        supervision = prepared.memory.supervision
        assert supervision is not None
        return len(supervision.synonyms.rows)

    def test_a_memo_tells_them_apart(self, configured: Any, tmp_path: Path) -> None:
        from lexkit_distill.memo import Memo

        memo = Memo()
        all_of_them = self.candidates(configured(min_confidence=0.5, output=str(tmp_path / "a")), memo)
        assert all_of_them > 0
        assert self.candidates(configured(min_confidence=0.97, output=str(tmp_path / "b")), memo) == 0
        assert self.candidates(configured(min_confidence=0.5, output=str(tmp_path / "c")), memo) == all_of_them

    def test_a_store_that_is_surer_has_another_key(
        self, configured: Any, store: Path, senses: Path, six_layers: Path, tmp_path: Path
    ) -> None:
        import lexkit
        from lexkit_distill.tokenization import load_encoder
        from lexkit_distill.training.inputs import candidates_key, open_dictionary

        files = [
            (f"{kind}{origin}", store.parent / f"{kind}.txt")
            for origin in ("", "@x")
            for kind in ("synonym", "antonym")
        ]
        lexkit.build(tmp_path / "surer.duckdb", pairs=files, tokenizers=[str(six_layers / "tokenizer.json")])
        keys = []
        for path in (store, tmp_path / "surer.duckdb"):
            config = configured(min_confidence=0.9, store=str(path))
            keys.append(candidates_key(config, open_dictionary(config, load_encoder(config.teacher), None)))
        assert keys[0] != keys[1]
