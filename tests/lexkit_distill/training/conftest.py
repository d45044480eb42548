from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lexkit

SYNONYMS = "kind friendly\nhappy glad\nred crimson\nred scarlet\nquick swift\nquick rapid\nbig large\nkindness love\n"
ANTONYMS = "kind unkind\nhappy unhappy\ngood bad\nlight dark\nhostile friendly\nunkindness kindness\nwar peace\n"


@pytest.fixture(scope="session")
def six_layers(tmp_path_factory: pytest.TempPathFactory, make_teacher: Callable[..., Path]) -> Path:
    """A tiny teacher of six layers whose tokenizer has most of the words as single tokens."""
    return make_teacher(tmp_path_factory.mktemp("six"), layers=6, vocabulary=500)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, six_layers: Path) -> Path:
    folder = tmp_path_factory.mktemp("store")
    (folder / "synonym.txt").write_text(SYNONYMS, encoding="utf-8")
    (folder / "antonym.txt").write_text(ANTONYMS, encoding="utf-8")
    pairs = [("synonym", folder / "synonym.txt"), ("antonym", folder / "antonym.txt")]
    path = folder / "lexkit.duckdb"
    lexkit.build(path, pairs=pairs, tokenizers=[str(six_layers / "tokenizer.json")])  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="session")
def senses(tmp_path_factory: pytest.TempPathFactory, six_layers: Path, store: Path, corpus: Path) -> Path:
    """A dictionary of that teacher, composed with the store."""
    from lexkit_distill.senses.build import build_senses
    from lexkit_distill.senses.compose import compose_senses
    from lexkit_distill.senses.config import SensesConfig

    folder = tmp_path_factory.mktemp("dictionary") / "senses"
    build_senses(
        SensesConfig(
            teacher=str(six_layers),
            corpus=(str(corpus),),
            output=str(folder),
            k=4,
            max_per_token=50,
            anchor="next",
            dtype="float32",
            device="cpu",
            batch_tokens=512,
        )
    )
    compose_senses(folder, store, max_tokens=4)
    return folder


@pytest.fixture(scope="session")
def dictionary(senses: Path, store: Path) -> Any:
    from lexkit_distill.senses.dictionary import SenseDictionary, read_meta
    from lexkit_distill.supervision.relations import read_relations

    relations = read_relations(store, read_meta(senses).tokenizer_fingerprint, senses / "tokenizer.json")
    return SenseDictionary(senses, relations=relations)


@pytest.fixture
def configured(
    tmp_path: Path, six_layers: Path, senses: Path, store: Path, make_sentences: Callable[..., list[str]]
) -> Callable[..., Any]:
    """A configuration of the tiny teacher: 40 rows, ten steps an epoch."""
    (tmp_path / "train.txt").write_text("\n\n".join(make_sentences(40, 5)), encoding="utf-8")
    (tmp_path / "held.txt").write_text("\n\n".join(make_sentences(12, 6)), encoding="utf-8")

    def make(**changes: Any) -> Any:
        from lexkit_distill.config import make as make_config
        from lexkit_distill.training.config import TrainConfig

        values: dict[str, Any] = {
            "teacher": str(six_layers),
            "data": (str(tmp_path / "train.txt"),),
            "output": str(tmp_path / "student"),
            "senses": str(senses),
            "store": str(store),
            "layers": 4,
            "trained": 2,
            "batch_size": 4,
            "micro_batch_size": 2,
            "max_length": 64,
            "lr": 1e-3,
            "gamma": "auto",
            "dtype": "float32",
            "device": "cpu",
            "save_every": 4,
        }
        return make_config(TrainConfig, {**values, **changes})

    return make
