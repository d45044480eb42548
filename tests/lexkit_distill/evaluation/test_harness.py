from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import EvaluationError

pytest.importorskip("lm_eval", reason="needs the extra 'eval'")
pytestmark = pytest.mark.filterwarnings("ignore")  # what other packages warn about when they are imported
Run = Callable[..., subprocess.CompletedProcess[str]]


def answers_of(folder: Path, data: Path, task: str = "arc", **options: Any) -> list[Any]:
    """What the model in a folder says, in this process."""
    from lexkit.progress import Progress
    from lexkit_distill.evaluation.harness import ask
    from lexkit_distill.evaluation.prepare import prepare
    from lexkit_distill.processes import Processes
    from lexkit_distill.tasks import TASKS
    from lexkit_distill.teacher import load_teacher

    chosen = {"shots": 2, "limit": None, "seed": 0, "protocol": "paper", "batch_size": 3, **options}
    protocol, batch_size = chosen.pop("protocol"), chosen.pop("batch_size")
    found = ask(
        prepare(TASKS[task], str(data), **chosen),
        load_teacher(str(folder), dtype="float32", device="cpu"),
        protocol=protocol,
        batch_size=batch_size,
        processes=Processes(),
        progress=Progress(),
    )
    assert found is not None
    return found


def written(folder: Path, messages: list[dict[str, str]], tokens: int) -> str:
    """What transformers writes by itself, greedily, without padding."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = torch.tensor(tokenizer(text, add_special_tokens=False)["input_ids"])[None]
    for _ in range(tokens):
        with torch.inference_mode():
            following = model(ids).logits[0, -1].argmax()
        if following == tokenizer.eos_token_id:
            break
        ids = torch.cat([ids, following[None, None]], dim=1)
    begin = len(tokenizer(text, add_special_tokens=False)["input_ids"])
    return str(tokenizer.decode(ids[0, begin:], skip_special_tokens=True))


def asked(record: dict[str, Any]) -> str:
    options = "".join(f"{letter}. {text}\n" for letter, text in zip("ABCD", record["choices"]["text"], strict=True))
    return f"{record['question']}\n{options}Answer with the letter."


def test_letters_are_written_after_turns_of_worked_examples(model_folder: Path, arc: Path) -> None:
    def records(name: str) -> dict[str, Any]:
        lines = (arc / "arc" / name).read_text(encoding="utf-8").splitlines()
        return {record["id"]: record for record in map(json.loads, lines)}

    questions, examples = records("validation.jsonl"), records("train.jsonl")
    for answer in answers_of(model_folder, arc):
        messages = []
        for shot in answer.shots:
            messages.append({"role": "user", "content": asked(examples[shot])})
            messages.append({"role": "assistant", "content": examples[shot]["answerKey"]})
        messages.append({"role": "user", "content": asked(questions[answer.id])})
        assert answer.output == written(model_folder, messages, 16).split("\n\n")[0]
        assert answer.target == questions[answer.id]["answerKey"]
        assert not answer.truncated


def test_batches_change_no_answer(model_folder: Path, arc: Path) -> None:
    one, many = (answers_of(model_folder, arc, batch_size=size) for size in (1, 12))
    assert [answer.output for answer in one] == [answer.output for answer in many]


def test_chats_need_a_chat_template(make_teacher: Callable[..., Path], tmp_path: Path, arc: Path) -> None:
    folder = make_teacher(tmp_path / "plain", chat=False)
    with pytest.raises(
        EvaluationError, match=r"no chat template, which --protocol paper needs; .* --protocol likelihood"
    ):
        answers_of(folder, arc)


def test_a_chat_template_that_refuses_is_named(make_teacher: Callable[..., Path], tmp_path: Path, arc: Path) -> None:
    folder = make_teacher(tmp_path / "refusing")
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no chats today') }}", encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"the chat template refuses .*no chats today"):
        answers_of(folder, arc)


def test_prompts_that_are_cut_are_counted(make_teacher: Callable[..., Path], tmp_path: Path, arc: Path) -> None:
    folder = make_teacher(tmp_path / "short", length=128)
    cut = [answer.truncated for answer in answers_of(folder, arc, shots=5, protocol="likelihood")]
    assert all(cut)
    assert not any(answer.truncated for answer in answers_of(folder, arc, shots=0, protocol="likelihood"))


@pytest.mark.parametrize("protocol", ["paper", "likelihood"])
@pytest.mark.parametrize("task", ["arc", "csqa", "piqa", "mmlu", "squad_v2"])
def test_every_task_of_real_data_can_be_asked(
    shared: Callable[[str], Path], model_folder: Path, task: str, protocol: str
) -> None:
    answers = answers_of(model_folder, shared("benchmarks"), task, shots=1, limit=3, protocol=protocol)
    assert len({answer.id for answer in answers}) == 3
    written = protocol == "paper" or task == "squad_v2"
    assert all(isinstance(answer.output, str) == written for answer in answers)
    names = {"f1", "exact"} if task == "squad_v2" else {"acc", "unanswered"} if written else {"acc"}
    assert all(names <= answer.scores.keys() for answer in answers)


def launch(count: int, *arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(count)]
    launcher += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launcher += ["--main_process_port", "0", "-m", "lexkit"]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*launcher, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **offline},
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_several_processes_answer_each_question_once(
    run: Run, model_folder: Path, arc: Path, tmp_path: Path, write_senses: Callable[..., Path]
) -> None:
    import torch

    from lexkit_distill.teacher import load_teacher

    model = load_teacher(str(model_folder), dtype="float32", device="cpu")
    senses = write_senses(model, {token: torch.randn(3, model.hidden_size) for token in range(0, 400, 2)})
    text = tmp_path / "text.txt"
    text.write_text("the river and the bank of the old road\n" * 60, encoding="utf-8")
    command = ["distill", "eval", "--model", model_folder, "--tasks", "arc,perplexity,senses", "--data", arc]
    command += ["--shots", "2", "--senses", senses, "--limit", "7", "--text", text, "--max-length", "64"]
    command += ["--dtype", "float32", "--device", "cpu", "--json"]
    alone = run(*command, "--output", tmp_path / "alone.json")
    together = launch(2, *command, "--output", tmp_path / "together.json", folder=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert together.returncode == 0, together.stderr
    logs = [(tmp_path / f"{name}.questions.jsonl").read_text("utf-8").splitlines() for name in ("alone", "together")]
    found = [[json.loads(line) for line in log] for log in logs]
    assert [(line["task"], line["id"]) for line in found[0]] == [(line["task"], line["id"]) for line in found[1]]
    assert len(found[0]) == 21
    assert [line.get("output") for line in found[0]] == [line.get("output") for line in found[1]]
    tasks = [json.loads((tmp_path / f"{name}.json").read_text("utf-8"))["tasks"] for name in ("alone", "together")]
    assert tasks[0]["arc"] == tasks[1]["arc"]
    assert tasks[0]["perplexity"] == tasks[1]["perplexity"]
    assert tasks[0]["senses"] == tasks[1]["senses"]
    assert tasks[0]["perplexity"]["metrics"]["cross_entropy"]["n"] == 7
    counts = [json.loads((tmp_path / f"{name}.json").read_text("utf-8"))["processes"] for name in ("alone", "together")]
    assert counts == [1, 2]


@pytest.mark.slow
def test_two_models_are_held_against_each_other(
    evaluate: Any, model_folder: Path, other_folder: Path, arc: Path
) -> None:
    results, log = evaluate(
        "--model", model_folder, "--against", other_folder, "--tasks", "arc", "--protocol", "likelihood",
        "--shots", "0", "--data", arc,
    )  # fmt: skip
    by_model = {who: [line for line in log if line["model"] == who] for who in ("model", "against")}
    assert [line["id"] for line in by_model["model"]] == [line["id"] for line in by_model["against"]]
    right = {who: [line["scores"]["acc"] for line in lines] for who, lines in by_model.items()}
    found = results["tasks"]["arc"]["difference"]["acc"]
    pairs = list(zip(right["model"], right["against"], strict=True))
    assert found["difference"] == pytest.approx(sum(one - other for one, other in pairs) / 12)
    assert (found["only_first"], found["only_second"]) == (pairs.count((1.0, 0.0)), pairs.count((0.0, 1.0)))
    assert found["low"] <= found["difference"] <= found["high"]
    assert results["against"] == str(other_folder)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--tasks", "arc,chess"], 2, "chess is not among arc, csqa"),
        (["--tasks", ","], 2, "no task given; choose from arc, csqa"),
        (["--tasks", "arc", "--data", "nowhere"], 1, "error: --data nowhere: no such folder"),
        (["--tasks", "lexical"], 1, "error: lexical: the lists of word pairs are not on the hub; give their folder"),
        (["--tasks", "perplexity"], 1, "error: perplexity: no text given; name a file with --text"),
    ],
)
def test_what_cannot_be_is_one_line(run: Run, arguments: list[str], code: int, message: str) -> None:
    done = run("distill", "eval", "--model", "none", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("form", ["B", " B"])
def test_a_letter_counts_alone_and_joined_with_the_space_before_it(
    make_teacher: Callable[..., Path], tmp_path: Path, arc: Path, form: str
) -> None:
    import torch
    import transformers

    folder = make_teacher(tmp_path / "rigged", length=2048)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([" B"])
    tokenizer.save_pretrained(folder)
    (token,) = tokenizer(form, add_special_tokens=False)["input_ids"]
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    # A model that writes this token after everything, and the end after it
    with torch.no_grad():
        for weight in (model.lm_head.weight, model.model.embed_tokens.weight):
            weight.zero_()
        model.model.embed_tokens.weight[:, 0] = 100
        model.model.embed_tokens.weight[token, 1] = 200
        model.lm_head.weight[token, 0] = model.lm_head.weight[tokenizer.eos_token_id, 1] = 100
    model.save_pretrained(folder)
    answers = answers_of(folder, arc)
    assert {answer.output.strip() for answer in answers} == {"B"}
    assert [answer.scores for answer in answers] == [
        {"acc": float(answer.target == "B"), "unanswered": 0.0} for answer in answers
    ]
    assert sum(answer.scores["acc"] for answer in answers) == 3
