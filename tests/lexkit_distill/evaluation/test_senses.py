from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lexkit.errors import LexkitError
from lexkit.progress import Progress
from lexkit_distill.errors import DictionaryError, EvaluationError
from lexkit_distill.evaluation.data import label_of

pytest.importorskip("lm_eval", reason="needs the extra 'eval'")
pytestmark = pytest.mark.filterwarnings("ignore")  # what other packages warn about when they are imported

Write = Callable[..., Path]
HOW = ("nearest", "random", "other", "mean")


@pytest.fixture(scope="module")
def model(model_folder: Path) -> Any:
    from lexkit_distill.teacher import load_teacher

    return load_teacher(str(model_folder), dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def text(make_sentences: Callable[..., list[str]]) -> str:
    return "\n\n".join(make_sentences(30, seed=5))


@pytest.fixture
def exact_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden states are what bf16 can hold, as senses are."""
    from lexkit_distill.teacher import Teacher

    last_hidden = Teacher.last_hidden
    monkeypatch.setattr(Teacher, "last_hidden", lambda self, ids: last_hidden(self, ids).bfloat16().float())


def score(model: Any, folders: Path | list[Path], text: str, max_length: int = 2048, limit: int | None = None) -> Any:
    from lexkit_distill.evaluation.senses import score_senses
    from lexkit_distill.processes import Processes

    folders = folders if isinstance(folders, list) else [folders]
    return score_senses(
        text,
        model,
        [str(folder) for folder in folders],
        max_length=max_length,
        limit=limit,
        seed=0,
        processes=Processes("cpu"),
        progress=Progress(),
    )


def figures(scores: Any) -> dict[str, float]:
    from lexkit_distill.evaluation.statistics import estimate

    return {measure.name: estimate(measure, 0).value for measure in scores.measures}


def states_of(model: Any, text: str) -> tuple[Any, Any, Any]:
    """Token ids (n + 1,) of a text, and of the first n the hidden states (n, d) and logits (n, V)."""
    import torch

    ids = torch.tensor(model.tokenizer(text)["input_ids"])
    with torch.inference_mode():
        hidden = model.last_hidden(ids[None])[0, :-1]
        return ids, hidden, model.model.get_output_embeddings()(hidden)


def senses_of(model: Any, tokens: Any, k: int = 3, seed: int = 0) -> dict[int, Any]:
    """1 to k random senses for each token."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return {
        token: torch.randn(1 + token % k, model.hidden_size, generator=generator).bfloat16().float()
        for token in sorted({int(token) for token in tokens})
    }


@pytest.mark.usefixtures("exact_states")
@pytest.mark.parametrize("anchor", ["predicted", "next", "input"])
def test_senses_equal_to_the_states_lose_nothing(model: Any, text: str, write_senses: Write, anchor: str) -> None:
    import torch

    ids, hidden, logits = states_of(model, text)
    tokens = {"predicted": logits.argmax(1), "next": ids[1:], "input": ids[:-1]}[anchor]
    senses = {int(token): hidden[tokens == token] for token in tokens.unique()}
    found = figures(score(model, write_senses(model, senses, anchor=anchor), text))
    ce = float(torch.nn.functional.cross_entropy(logits.double(), ids[1:]))
    expected = {
        "cross_entropy": ce,
        f"senses_{anchor}_coverage": 1.0,
        f"senses_{anchor}_model_cross_entropy": ce,
        **{f"senses_{anchor}_nearest_cross_entropy{where}": ce for where in ("", "_all")},
        **{f"senses_{anchor}_nearest_kl{where}": 0.0 for where in ("", "_all")},
        **{f"senses_{anchor}_nearest_agreement{where}": 1.0 for where in ("", "_all")},
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert found[f"senses_{anchor}_mean_kl"] > 0.1
    others = {"input": ("predicted", "next")}.get(anchor, ("input",))
    assert not any(name.startswith(f"senses_{other}") for name in found for other in others)


def test_all_figures_are_those_of_a_slow_reference(model: Any, text: str, write_senses: Write) -> None:
    import torch

    from lexkit_distill.evaluation.replacement import SenseReplacer
    from lexkit_distill.senses.dictionary import SenseDictionary

    ids, hidden, logits = states_of(model, text)
    every = sorted({*logits.argmax(1).tolist(), *ids.tolist()})
    senses = senses_of(model, every[::2])  # the other half keeps its hidden states
    folder = write_senses(model, senses)
    replacer = SenseReplacer(SenseDictionary(folder), 0)
    following = {int(token): int(after) for token, after in enumerate(replacer._next) if after >= 0}
    assert following.keys() == senses.keys() == set(following.values())
    assert all(token != after for token, after in following.items())
    mean = torch.cat(list(senses.values())).double().mean(0).float()
    own = logits.double().log_softmax(-1)
    found = figures(score(model, folder, text))
    for anchor, tokens in (("predicted", logits.argmax(1)), ("next", ids[1:])):
        rows: dict[str, list[list[float]]] = {how: [] for how in HOW}
        kept = []
        for place, token in enumerate(map(int, tokens)):
            ce = -float(own[place, ids[place + 1]])
            if token not in senses:
                kept.append(ce)
                continue
            (drawn,), _ = replacer.replaced("random", hidden[:1], tokens[place : place + 1], np.array([place]))
            assert any(torch.equal(drawn, sense) for sense in senses[token])
            near, far = (senses[of] for of in (token, following[token]))
            chosen = {
                "nearest": near[(near - hidden[place]).square().sum(1).argmin()],
                "random": drawn,
                "other": far[(far - hidden[place]).square().sum(1).argmin()],
                "mean": mean,
            }
            for how, sense in chosen.items():
                with torch.inference_mode():
                    new = model.model.get_output_embeddings()(sense).double().log_softmax(-1)
                kl = float((own[place].exp() * (own[place] - new)).sum())
                agreed = float(new.argmax() == own[place].argmax())
                rows[how].append([-float(new[ids[place + 1]]), kl, agreed, ce])
        n, covered = len(tokens), len(rows["mean"])
        assert 0 < covered < n
        expected = {f"senses_{anchor}_coverage": covered / n}
        for how in HOW:
            total = np.array(rows[how]).sum(0)
            begin = f"senses_{anchor}_{how}"
            expected[f"senses_{anchor}_model_cross_entropy"] = total[3] / covered
            for name, value in zip(("cross_entropy", "kl", "agreement"), total, strict=False):
                expected[f"{begin}_{name}"] = value / covered
            expected[f"{begin}_cross_entropy_all"] = (total[0] + sum(kept)) / n
            expected[f"{begin}_kl_all"] = total[1] / n
            expected[f"{begin}_agreement_all"] = (total[2] + len(kept)) / n
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)
        assert sum(name.startswith(f"senses_{anchor}") for name in found) == len(expected)


def test_a_random_sense_depends_on_seed_and_position_alone(model: Any, write_senses: Write) -> None:
    import torch

    from lexkit_distill.evaluation.replacement import SenseReplacer
    from lexkit_distill.senses.dictionary import SenseDictionary

    dictionary = SenseDictionary(write_senses(model, {3: torch.eye(32)[:4], 5: torch.eye(32)[4:5]}))
    positions = np.arange(4000)
    tokens, hidden = torch.full((4000,), 3), torch.zeros(4000, 32)

    def drawn(seed: int, order: Any) -> Any:
        order = torch.from_numpy(order)
        senses, which = SenseReplacer(dictionary, seed).replaced(
            "random", hidden[order], tokens[order], positions[order.numpy()]
        )
        return senses[which].argmax(1).numpy()

    order = np.random.default_rng(0).permutation(4000)
    straight = drawn(0, positions)
    assert (drawn(0, order) == straight[order]).all()
    assert (drawn(0, order[:7]) == straight[order[:7]]).all()
    assert (drawn(1, positions) != straight).any()
    assert np.bincount(straight) == pytest.approx(np.full(4, 1000), abs=100)


def test_figures_depend_neither_on_limit_nor_on_how_many_tokens_are_read_at_once(
    model: Any, text: str, write_senses: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, _, logits = states_of(model, text)
    folder = write_senses(model, senses_of(model, [*logits.argmax(1).tolist(), *ids[::2].tolist()]))
    every, some = (score(model, folder, text, 32, limit) for limit in (None, 5))
    by_id = {line.id: line for line in every.lines}
    assert len(some.lines) == 5
    assert all(by_id[line.id] == line for line in some.lines)
    monkeypatch.setattr("lexkit_distill.evaluation.senses.TOKENS_AT_ONCE", 5)
    slow = score(model, folder, text, 32)
    for line in slow.lines:
        for name, sums in by_id[line.id].sums.items():
            assert line.sums[name] == pytest.approx(sums, rel=1e-4, abs=1e-4)


def test_windows_are_those_of_perplexity(model: Any, text: str, write_senses: Write) -> None:
    from lexkit_distill.evaluation.perplexity import score_text, windows
    from lexkit_distill.processes import Processes

    ids, _, _ = states_of(model, text)
    found = score(model, write_senses(model, senses_of(model, ids)), text, 32, 4)
    plain = score_text(
        text, model, None, max_length=32, limit=4, seed=0, processes=Processes("cpu"), progress=Progress()
    )
    assert plain is not None
    assert [line.id for line in found.lines] == [line.id for line in plain.lines]
    assert figures(found)["cross_entropy"] == pytest.approx(figures(plain)["cross_entropy"])
    cut = windows(text, model, 32)
    assert all(ids[window.start : window.start + len(window.token_ids)].tolist() == window.token_ids for window in cut)


def test_composed_words_are_no_senses_of_tokens(model: Any, text: str, write_senses: Write) -> None:
    """A composed dictionary gives the figures of the same dictionary without words."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch

    from lexkit_distill.senses import dictionary as files

    ids, _, _ = states_of(model, text)
    senses = senses_of(model, ids)
    plain = write_senses(model, senses)
    rows = sum(map(len, senses.values()))
    composed = plain.parent / "composed" / "senses"
    shutil.copytree(plain, composed)
    with files.RowWriter(composed / files.SENSES, rows + 2, model.hidden_size) as writer:
        for token in sorted(senses):
            writer.write(senses[token])
        writer.write(torch.full((2, model.hidden_size), 50.0))
    index = pq.read_table(composed / files.INDEX, schema=files.INDEX_SCHEMA)
    word = {"key_kind": "word", "token_ids": [5, 6], "word": "river bank", "first_row": rows, "n_rows": 2}
    files.write_table(
        composed / files.INDEX, pa.concat_tables([index, pa.Table.from_pylist([word], files.INDEX_SCHEMA)])
    )
    assert figures(score(model, composed, text)) == figures(score(model, plain, text))


def test_a_token_that_the_tokenizer_lacks_keeps_its_state(model: Any, write_senses: Write) -> None:
    """The head has more rows than the tokenizer has tokens, and may predict one of these."""
    import torch

    from lexkit_distill.evaluation.replacement import SenseReplacer
    from lexkit_distill.senses.dictionary import SenseDictionary

    replacer = SenseReplacer(SenseDictionary(write_senses(model, senses_of(model, [3, 5]))), 0)
    assert model.vocabulary_size > len(model.tokenizer)
    tokens = torch.tensor([3, 4, model.vocabulary_size - 1, 5])
    assert replacer.covers(tokens).tolist() == [True, False, False, True]


@pytest.mark.usefixtures("exact_states")
def test_words_are_judged_by_senses(model: Any, starter_store: Path, write_senses: Write) -> None:
    """With senses that are equal to the states, the figures are the model's; with those of other tokens, others."""
    import torch

    import lexkit
    from lexkit.probe.items import make_items
    from lexkit_distill.evaluation.senses import score_words_with_senses
    from lexkit_distill.evaluation.words import score_words
    from lexkit_distill.processes import Processes

    with lexkit.open(starter_store) as lexicon:
        items = make_items(lexicon, 40)
    put: dict[str, Any] = {"batch_size": 1, "processes": Processes("cpu"), "progress": Progress()}
    met: list[Any] = []
    own = score_words(items, model, **put, replace=lambda hidden: met.append(hidden) or hidden)
    assert own is not None
    states = torch.cat(met)
    tokens = model.predicted(states)
    senses = {int(token): states[tokens == token] for token in tokens.unique()}
    folder = write_senses(model, senses)
    found = score_words_with_senses(items, model, [str(folder)], seed=0, **put)
    wanted = {measure.name: measure.values for measure in own.measures}
    assert {measure.name for measure in found} >= {"synonym_senses_nearest", "antonym_senses_other"}
    for measure in found:
        name, _, how = measure.name.partition("_senses_")
        assert np.array_equal(measure.values, wanted[name]) == (how == "nearest")
    read = write_senses(model, senses, "read", anchor="input")
    with pytest.raises(EvaluationError, match=r"words: .*read has senses .* read \(--anchor input\)"):
        score_words_with_senses(items, model, [str(read)], seed=0, **put)


@pytest.mark.slow
def test_the_command_evaluates_several_dictionaries(
    evaluate: Any, build: Write, tmp_path: Path, teacher_folder: Path, text: str
) -> None:
    folders = [build(name, **changes) for name, changes in (("k1", {"k": 1}), ("input", {"anchor": "input"}))]
    file = tmp_path / "text.txt"
    file.write_text(text, encoding="utf-8")
    results, log = evaluate(
        "--model", teacher_folder, "--tasks", "senses", "--senses", ",".join(map(str, folders)), "--text", file,
        "--max-length", "64", "--limit", "4",
    )  # fmt: skip
    found = results["tasks"]["senses"]
    kinds = {name.removesuffix("_coverage") for name in found["metrics"] if name.endswith("_coverage")}
    assert kinds == {"k1_predicted", "k1_next", "input_input"}
    assert {name: one["k"] for name, one in found["details"]["dictionaries"].items()} == {"k1": "1", "input": "4"}
    assert len(log) == 4
    assert {line["task"] for line in log} == {"senses"}
    values = {name: one["value"] for name, one in found["metrics"].items()}
    assert 0 < values["k1_predicted_nearest_kl"] < values["k1_predicted_other_kl"]
    # one sense a token: there is no other to draw
    assert values["k1_predicted_random_kl"] == values["k1_predicted_nearest_kl"]


def test_a_dictionary_of_another_model_is_refused(
    model: Any, other_folder: Path, text: str, write_senses: Write
) -> None:
    from lexkit_distill.teacher import load_teacher

    other = load_teacher(str(other_folder), dtype="float32", device="cpu")
    with pytest.raises(DictionaryError, match="made by another teacher"):
        score(other, write_senses(model, senses_of(model, [3, 5])), text)
    strange = write_senses(model, senses_of(model, [3, 5]), "strange", tokenizer_fingerprint="0" * 64)
    with pytest.raises(DictionaryError, match="made with another tokenizer"):
        score(model, strange, text)


def test_a_model_that_was_saved_again_has_the_same_dictionary(model: Any, text: str, write_senses: Write) -> None:
    ids, _, _ = states_of(model, text)
    folder = write_senses(model, senses_of(model, ids), teacher_fingerprint="0" * 64)
    assert figures(score(model, folder, text))["senses_next_coverage"] == 1


@pytest.mark.parametrize(
    ("tokens", "changes", "message"),
    [
        ([], {}, "has senses for fewer than two tokens"),
        ([3], {}, "has senses for fewer than two tokens"),
        ([3, 5], {"layer": "12"}, r"contains states of another layer \(12\)"),
        ([398, 399], {}, "has no senses for any token of the text"),
    ],
)
def test_a_dictionary_that_cannot_replace_anything_is_refused(
    model: Any, write_senses: Write, tokens: list[int], changes: dict[str, Any], message: str
) -> None:
    senses = senses_of(model, tokens)
    with pytest.raises(EvaluationError, match=message):
        score(model, write_senses(model, senses, **changes), "the river and the bank")


@pytest.mark.parametrize("file", ["senses.safetensors", "index.parquet", "tokenizer.json"])
def test_a_dictionary_that_lacks_a_file_is_refused(model: Any, text: str, write_senses: Write, file: str) -> None:
    folder = write_senses(model, senses_of(model, [3, 5]))
    (folder / file).write_bytes(b"{")
    with pytest.raises(LexkitError, match=f"{folder}.*{'damaged' if file != 'tokenizer.json' else ''}"):
        score(model, folder, text)
    (folder / file).unlink()
    with pytest.raises(LexkitError, match=f"{folder}"):
        score(model, folder, text)


def test_a_text_of_one_token(model: Any, write_senses: Write) -> None:
    with pytest.raises(EvaluationError, match="senses: the text has fewer than two tokens"):
        score(model, write_senses(model, senses_of(model, [3, 5])), " the")


def test_what_cannot_be_is_one_line(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, model: Any, text: str, write_senses: Write
) -> None:
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    whole = write_senses(model, senses_of(model, [3, 5]))
    shutil.copytree(whole, tmp_path / "truncated")
    (tmp_path / "truncated/meta.json").write_text("{", encoding="utf-8")
    (tmp_path / "unfinished").mkdir()
    shutil.copytree(whole, tmp_path / "twice/senses")
    start = ["distill", "eval", "--model", model.name, "--tasks", "senses", "--device", "cpu", "--dtype", "float32"]
    text_of = ["--text", "text.txt"]
    for arguments, message in (
        (text_of, "senses: no dictionary given; make one of this model"),
        ([*text_of, "--senses", " , "], "senses: no dictionary given; make one of this model"),
        (["--senses", "senses"], "senses: no text given; name a file with --text"),
        ([*text_of, "--senses", "senses", "--against", model.name], "senses: a dictionary belongs to one model only"),
        ([*text_of, "--senses", "senses,nowhere"], "nowhere: no such sense dictionary"),
        ([*text_of, "--senses", "senses,twice/senses"], "both folders are called senses"),
        ([*text_of, "--senses", "unfinished"], "unfinished: not a finished sense dictionary (no meta.json)"),
        ([*text_of, "--senses", "truncated"], "meta.json: damaged"),
    ):
        done = run(*start, *arguments)
        assert done.returncode == 1, arguments
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr


def test_metrics_are_named_after_the_folder_as_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "predicted").mkdir()
    (tmp_path / "k10").symlink_to("predicted")
    monkeypatch.chdir(tmp_path / "predicted")
    names = {str(tmp_path / "k10"): "k10", "../k10/": "k10", ".": "predicted", "../k10/../predicted": "predicted"}
    assert {folder: label_of(folder) for folder in names} == names
