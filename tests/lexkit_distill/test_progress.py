from __future__ import annotations

from pathlib import Path

import lexkit
from lexkit.progress import Progress


class Recorder(Progress):
    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, name: str) -> None:
        self.stages.append(name)


def test_every_phase_of_senses_and_compose_is_named(tmp_path: Path, teacher_folder: Path, corpus: Path) -> None:
    from lexkit_distill.senses.build import build_senses
    from lexkit_distill.senses.compose import compose_senses
    from lexkit_distill.senses.config import SensesConfig

    seen, folder = Recorder(), tmp_path / "senses"
    options = {"k": 2, "max_per_token": 20, "dtype": "float32", "device": "cpu"}
    build_senses(
        SensesConfig(teacher=str(teacher_folder), corpus=(str(corpus),), output=str(folder), **options),  # type: ignore[arg-type]
        seen,
    )
    assert seen.stages == [
        "loading the teacher",
        "tokenizing the corpus",
        "sorting pieces by length",
        "checking the teacher",
        "reading hidden states",
        "clustering",
        "writing the dictionary",
    ]
    (tmp_path / "pairs").write_text("kind friendly\n", encoding="utf-8")
    store = tmp_path / "s.duckdb"
    tokenizers = [str(teacher_folder / "tokenizer.json")]
    lexkit.build(store, pairs=[("synonym", tmp_path / "pairs")], tokenizers=tokenizers)
    compose_senses(folder, store, progress=seen)
    assert seen.stages[7:] == ["reading the dictionary and the store", "composing words"]
