"""With SmolLM2-135M-Instruct over the start of WikiText-2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow

CAP = 2000
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="module")
def wikitext(tmp_path_factory: pytest.TempPathFactory, shared: Callable[[str], Path]) -> Path:
    """The first 110,000 characters, about 27,000 tokens."""
    path = tmp_path_factory.mktemp("wikitext") / "text.txt"
    text = shared("text/wikitext2-train-5k.txt").read_text(encoding="utf-8")
    path.write_text(text[:110_000], encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, real_teacher: Path, wikitext: Path) -> tuple[Any, Any]:
    """The dictionary of the tokens read, and its sample."""
    import torch

    from lexkit_distill.senses.build import build_senses
    from lexkit_distill.senses.config import SensesConfig
    from lexkit_distill.senses.dictionary import SenseDictionary
    from lexkit_distill.senses.sample import Sample

    folder = tmp_path_factory.mktemp("real")
    dtype: Any = "bfloat16" if torch.cpu.get_capabilities().get("avx512_bf16") else "float32"
    config = SensesConfig(
        teacher=str(real_teacher),
        corpus=(str(wikitext),),
        output=str(folder / "senses"),
        sample=str(folder / "sample"),
        anchor="input",
        dtype=dtype,
        device="cpu",
        max_per_token=CAP,
    )
    build_senses(config)
    return SenseDictionary(folder / "senses"), Sample(folder / "sample", CAP)


def test_a_gguf_file_is_the_same_teacher_as_the_folder_made_of_it(
    real_teacher: Path, wikitext: Path, tmp_path: Path
) -> None:
    import torch

    from lexkit_distill.teacher import load_teacher

    folder = load_teacher(str(real_teacher), dtype="float32", device="cpu")
    (tmp_path / GGUF).symlink_to(real_teacher / GGUF)
    gguf = load_teacher(str(tmp_path), gguf=GGUF, dtype="float32", device="cpu")
    text = wikitext.read_text(encoding="utf-8")
    ids = folder.tokenizer(text)["input_ids"]
    assert gguf.tokenizer(text)["input_ids"] == ids
    assert gguf.tokenizer.get_vocab() == folder.tokenizer.get_vocab()
    assert gguf.tokenizer.chat_template == folder.tokenizer.chat_template
    assert gguf.tokenizer.tokenize("in 1984") == ["in", "Ġ", "1", "9", "8", "4"]
    assert gguf.values_digest == folder.values_digest

    some = torch.tensor(ids[: 4 * 256]).view(4, 256)
    with torch.inference_mode():
        losses = [float(one.model(input_ids=some, labels=some).loss) for one in (folder, gguf)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert np.exp(losses[0]) < 100  # a model whose weights or tokens are mixed up has thousands


def test_inertia_over_200_real_tokens_is_that_of_scikit_learn(made: Any) -> None:
    from sklearn.cluster import KMeans

    from lexkit_distill.senses.sample import groups

    dictionary, sample = made
    found = sorted(groups(sample.occurrences.tokens), key=lambda entry: entry[1] - entry[2])[:200]
    assert found[-1][2] - found[-1][1] > 10
    ours, theirs = [], []
    for token, first, last in found:
        points = sample.states(first, last).float().numpy()
        centroids = dictionary.senses([token]).float().numpy()
        # One start is a matter of luck, most of all with a dozen points
        reference = np.mean([KMeans(10, n_init=1, random_state=seed).fit(points).inertia_ for seed in range(5)])
        if reference > 1e-3:  # the token has more than 10 different states
            ours.append(((points[:, None] - centroids) ** 2).sum(2).min(1).sum())
            theirs.append(reference)
    assert len(theirs) > 190
    assert np.sum(ours) <= 1.01 * np.sum(theirs)
    # Not the mean of ratios: of a dozen nearly equal states, rounding to bf16 is most of what is left
    assert np.median(np.divide(ours, theirs)) <= 1.01


def test_senses_show_the_token_where_it_was_read(made: Any) -> None:
    from lexkit_distill.senses.inspect import inspect_word

    dictionary, _ = made
    report = inspect_word(dictionary, "game", neighbors=5)
    assert report is not None
    assert report.n_seen is not None
    assert report.n_seen > 20
    assert len(report.senses) == 10
    for sense in report.senses:
        assert all(context.before.endswith("game") for context in sense.contexts)
    near = [name.strip().lower() for sense in report.senses for name, _ in sense.neighbors]
    assert {"games", "gameplay", "video", "series"} & set(near)


def test_special_tokens_and_padding_have_no_senses(made: Any) -> None:
    from lexkit_distill.teacher import load_teacher

    dictionary, sample = made
    teacher = load_teacher(dictionary.meta.teacher, dtype="bfloat16", device="cpu")
    assert not teacher.special_ids.numpy()[sample.occurrences.tokens].any()
    assert dictionary.meta.teacher_fingerprint == teacher.fingerprint
    assert dictionary.meta.teacher_values == teacher.values_digest
