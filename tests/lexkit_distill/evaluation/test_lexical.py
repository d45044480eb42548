from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lexkit.progress import Progress
from lexkit_distill.errors import DataError, EvaluationError

pytest.importorskip("lm_eval", reason="needs the extra 'eval'")
pytestmark = pytest.mark.filterwarnings("ignore")  # what other packages warn about when they are imported


def put(folder: Path, **changes: str) -> Path:
    """A folder with small files of all three, as published."""
    texts = {
        "SimLex-999.txt": "word1 word2 POS SimLex999 conc\nold new A 1.58 2.7\nkind good A 7.1 3\nred car N 0.3 1\n",
        "SimVerb-3500.txt": "take remove V 6.81 SYNONYMS\nwalk trail V 4.81 COHYPONYMS\nfeed starve V 1.49 NONE\n",
        "adjective-pairs.train": "kind unkind 1\nhappy glad 0\nhappy unhappy 1\nquick rapid 0\nquick slow 1\n",
        "adjective-pairs.val": "old new 1\nkind good 0\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(changes.get(name.partition(".")[2], text).replace(" ", "\t"), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def model(model_folder: Path) -> Any:
    from lexkit_distill.teacher import load_teacher

    return load_teacher(str(model_folder), dtype="float32", device="cpu")


def test_lists_are_read_as_published_and_as_shared(tmp_path: Path, shared: Callable[[str], Path]) -> None:
    from lexkit_distill.evaluation.word_pairs import Pair, read_lexical

    found = read_lexical(str(put(tmp_path)))
    assert found.similarity["simlex"][0] == Pair("old", "new", 1.58)
    assert found.similarity["simverb"][2] == Pair("feed", "starve", 1.49)
    real = read_lexical(str(shared("lexical")))
    assert {name: len(pairs) for name, pairs in real.similarity.items()} == {"simlex": 999, "simverb": 3500}
    assert (len(real.train), len(real.val)) == (10932, 786)


def test_vectors_are_of_the_word_alone(model: Any) -> None:
    import torch

    from lexkit_distill.evaluation.lexical import CONTEXT, word_vectors

    words = ["kind", "unkindness", "river", "enemy"]
    found = word_vectors(words, model, Progress())
    begin = len(model.tokenizer(CONTEXT)["input_ids"])
    raw: dict[str, list[Any]] = {"input": [], "hidden": []}
    for word in words:
        ids = torch.tensor(model.tokenizer(f"{CONTEXT} {word}")["input_ids"])
        with torch.inference_mode():
            hidden = model.model(ids[None], output_hidden_states=True).hidden_states[-1][0]
        raw["hidden"].append(hidden[begin:].mean(0).numpy())
        raw["input"].append(model.model.get_input_embeddings().weight[ids[begin:]].mean(0).numpy())
    for kind, rows in raw.items():
        centred = np.stack(rows) - np.stack(rows).mean(axis=0)
        expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
        assert np.stack([found[kind][word] for word in words]) == pytest.approx(expected, abs=1e-4)


def test_the_threshold_is_learnt_in_training_on_either_side() -> None:
    from lexkit_distill.evaluation.lexical import _by_threshold
    from lexkit_distill.evaluation.word_pairs import Pair

    pairs = [Pair("a", "b", value) for value in (1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0)]
    cosines = np.array([-0.5, -0.2, 0.0, 0.1, 0.3, 0.4, 0.6, 0.7])
    val = np.array([-0.3, 0.04, 0.06])
    # Best: antonyms below 0.05, seven of eight right
    assert list(_by_threshold(cosines, pairs, val)) == [1, 1, 0]
    assert list(_by_threshold(-cosines, pairs, -val)) == [1, 1, 0]


@pytest.mark.slow
def test_pairs_of_real_lists_give_all_figures(model: Any, shared: Callable[[str], Path]) -> None:
    from scipy.stats import spearmanr

    from lexkit_distill.evaluation.lexical import score_lexical, word_vectors
    from lexkit_distill.evaluation.statistics import estimate
    from lexkit_distill.evaluation.word_pairs import read_lexical

    data = read_lexical(str(shared("lexical")))
    scores = score_lexical(data, model, 0, Progress())
    figures = {measure.name: estimate(measure, 0) for measure in scores.measures}
    kinds = ("input", "hidden")
    assert set(figures) == {
        f"{name}_{kind}" for name in ("simlex", "simverb", "antsyn_threshold", "antsyn_probe") for kind in kinds
    }
    vectors = word_vectors(data.words, model, Progress())["input"]
    pairs = data.similarity["simlex"]
    cosines = [vectors[pair.first] @ vectors[pair.second] for pair in pairs]
    expected = spearmanr(cosines, [pair.value for pair in pairs]).statistic
    assert figures["simlex_input"].value == pytest.approx(expected)
    assert figures["antsyn_threshold_hidden"].n == 786
    assert len(scores.lines) == 2 * (999 + 3500 + 786)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train", "kind unkind\n", r"pairs\.train, line 1: expected two words and one of \[0, 1\]"),
        ("val", "kind unkind 1\nold new 2\n", r"pairs\.val, line 2: expected two words and one of \[0, 1\]"),
        ("val", "", "fewer than two pairs"),
        ("txt", "old new much\n", r"\.txt, line 1: expected two words and a number"),
    ],
)
def test_lines_that_are_no_pairs_are_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    from lexkit_distill.evaluation.word_pairs import read_lexical

    with pytest.raises(EvaluationError, match=message):
        read_lexical(str(put(tmp_path, **{name: text})))


def test_missing_lists_say_what_to_put_where(tmp_path: Path) -> None:
    from lexkit_distill.evaluation.word_pairs import read_lexical

    with pytest.raises(DataError, match=r"simlex: no file in .*; add SimLex-999\.txt of https"):
        read_lexical(str(tmp_path))
