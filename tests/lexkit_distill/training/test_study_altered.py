"""What the arms of the study's second question exchange: senses, synonyms, and the vocabulary of a teacher."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

STUDY = Path(__file__).parents[3] / "benchmarks" / "study"


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(STUDY))
    names = ("altered", "branches", "branch_plan", "measures", "cut_vocabulary")
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    for name in names:
        sys.modules.pop(name, None)


def tokens_of(path: Path) -> dict[int, Any]:
    """Return the senses of each token of a dictionary."""
    from lexkit_distill.senses.dictionary import SenseDictionary

    dictionary = SenseDictionary(path)
    return {
        key["token_ids"][0]: dictionary.rows[key["first_row"] : key["first_row"] + key["n_rows"]].float()
        for key in dictionary.index.to_pylist()
        if key["key_kind"] == "token"
    }


def test_shuffled_senses_are_all_there_and_those_of_another_token(study: Any, senses: Path, tmp_path: Path) -> None:
    study.altered.altered(senses, tmp_path / "shuffled", "shuffled", study.altered.shuffled)
    before, after = tokens_of(senses), tokens_of(tmp_path / "shuffled")
    assert before.keys() == after.keys()
    assert all(len(rows) == len(before[token]) for token, rows in after.items())
    numbers = Counter(len(rows) for rows in before.values())
    for token, rows in before.items():
        if (rows == after[token]).all():  # no other token has as many, or one was in the same contexts
            alike = [of for of in before.values() if of.shape == rows.shape and (of == rows).all()]
            assert numbers[len(rows)] == 1 or len(alike) > 1
    rows_before, rows_after = (
        Counter(tuple(row.tolist()) for rows in of.values() for row in rows) for of in (before, after)
    )
    assert rows_before == rows_after
    plain, meta = (study.branches.read_meta(path) for path in (senses, tmp_path / "shuffled"))
    assert meta.corpus_fingerprint != plain.corpus_fingerprint
    assert (meta.teacher_fingerprint, meta.store_fingerprint) == (plain.teacher_fingerprint, None)


def test_averaged_senses_are_the_mean_of_all(study: Any, senses: Path, tmp_path: Path) -> None:
    import torch

    study.altered.altered(senses, tmp_path / "mean", "mean", study.altered.averaged)
    before = torch.cat(list(tokens_of(senses).values()))
    for rows in tokens_of(tmp_path / "mean").values():
        torch.testing.assert_close(rows, before.mean(0).expand_as(rows), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("how", ["synonyms", "random-words", "neighbour-words"])
def test_rare_words_have_mean_senses_of_common_ones_and_all_others_their_own(
    study: Any, senses: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    import torch
    from tokenizers import Tokenizer

    from lexkit_distill.senses.dictionary import SenseDictionary

    keys = SenseDictionary(senses).index.to_pylist()
    counts = {key["token_ids"][0]: key["n_seen"] for key in keys if key["key_kind"] == "token"}
    limit = sorted(counts.values())[len(counts) // 2]
    monkeypatch.setattr(study.altered, "RARE", limit)
    monkeypatch.setattr(study.altered, "COMMON", limit)
    monkeypatch.setattr(study.altered, "CONFIDENCE", 0)
    head = torch.randn(1000, 8, generator=torch.Generator().manual_seed(0))
    study.altered.altered(senses, tmp_path / how, how, study.altered.composed_of(how, store, head))
    before, after = tokens_of(senses), tokens_of(tmp_path / how)
    tokenizer = Tokenizer.from_file(str(senses / "tokenizer.json"))
    changed = {token for token, rows in before.items() if not (rows == after[token]).all()}
    assert changed
    means = {token: rows.mean(0).to(torch.bfloat16).float() for token, rows in before.items() if counts[token] >= limit}
    for token in changed:
        text = tokenizer.decode([token])
        assert text[0] == " "
        assert study.altered.is_word(text[1:])
        assert counts[token] < limit
        for row in after[token]:
            assert any(bool((mean == row).all()) for mean in means.values())
    if how == "synonyms":
        with duckdb.connect(str(store), read_only=True) as connection:
            related = set(connection.execute("SELECT word, synonym FROM synonyms").fetchall())
        for token in changed:
            of = {synonym for word, synonym in related if word == tokenizer.decode([token]).strip()}
            own = [mean for other, mean in means.items() if tokenizer.decode([other]).strip() in of]
            assert all(any(bool((mean == row).all()) for mean in own) for row in after[token])


@pytest.mark.parametrize("name", ["neighbours", "likely", "random-pairs"])
def test_other_pairs_are_no_more_than_synonyms_and_no_antonyms(
    study: Any, store: Path, senses: Path, tmp_path: Path, name: str
) -> None:
    import torch

    from lexkit_distill.senses.dictionary import SenseDictionary

    head = torch.randn(1000, SenseDictionary(senses).rows.shape[1], generator=torch.Generator().manual_seed(0))
    study.altered.of_one_token(store, tmp_path, senses, head)

    def relations(path: Path, kind: str) -> set[tuple[str, str]]:
        with duckdb.connect(str(path), read_only=True) as connection:
            return set(
                connection.execute(
                    "SELECT a.word, b.word FROM relation JOIN word a ON a.word_id = word_a "
                    "JOIN word b ON b.word_id = word_b WHERE kind = ?",
                    [kind],
                ).fetchall()
            )

    with duckdb.connect(str(store), read_only=True) as connection:
        words = connection.execute("SELECT word FROM span JOIN word USING (word_id) WHERE n_tokens = 1").fetchall()
    single = {word for (word,) in words}
    synonyms, others = tmp_path / "one-token.duckdb", tmp_path / f"{name}.duckdb"
    kept = relations(synonyms, "synonym")
    assert kept == {pair for pair in relations(store, "synonym") if single.issuperset(pair)}
    chosen, antonyms = relations(others, "synonym"), relations(store, "antonym")
    assert chosen
    assert chosen != kept
    assert relations(synonyms, "antonym") == relations(others, "antonym") == antonyms
    assert not chosen & (antonyms | {(b, a) for a, b in antonyms})
    allowed, used = (Counter(word for pair in pairs for word in pair) for pairs in (kept, chosen))
    assert all(used[word] <= allowed[word] for word in used)


def test_likely_words_are_likely_at_the_mean_sense(study: Any, senses: Path) -> None:
    import torch

    from lexkit_distill.senses.dictionary import SenseDictionary

    own = tokens_of(senses)
    (one, rows), (other, _) = list(own.items())[:2]
    head = torch.randn(1000, rows.shape[1], generator=torch.Generator().manual_seed(0))
    expected = torch.softmax(head @ rows.mean(0), 0)[[one, other, 0]]
    without = next(token for token in range(1000) if token not in own)
    found = study.altered._probabilities(SenseDictionary(senses), torch.tensor([one, other, 0, without]), head)
    torch.testing.assert_close(found[0, :3], expected)
    assert not found[3].any()


def test_probe_figures_tell_seen_heads_from_unseen_ones(study: Any) -> None:
    def score(head: str, target: str, first: float) -> Any:
        return SimpleNamespace(
            task="antonym",
            head=head,
            group=head,
            target=target,
            options=(target, "other"),
            bands=("common",),
            correct={"": float(first > 0)},
            log_likelihood=[[first, 0.0]],
            neutral=[[0.0, 0.0]],
        )

    heads = [f"head{number}" for number in range(90)]
    scores = [score(head, f"of {head}", 1.0 if number < 60 else -1.0) for number, head in enumerate(heads)]
    # The first 30 are held out, the relations of the next 30 have a held-out answer, the rest are trained
    found = study.branches.probe_figures(scores, {*heads[:30], *(f"of {head}" for head in heads[30:60])})
    assert found["antonym"] == pytest.approx(2 / 3)
    assert (found["antonym_unseen"], found["antonym_seen"]) == (1, 0)
    assert (found["antonym_margin_unseen"], found["antonym_margin_seen"]) == (1, -1)


def test_rows_with_other_columns_are_added_and_replaced(study: Any, tmp_path: Path) -> None:
    table, row = tmp_path / "table.csv", {"seed": 0, "base": "KD", "arm": "control"}
    study.branches.add_row(table, {**row, "test_ce": 5.0})
    study.branches.add_row(table, {**row, "seed": 1, "test_kl": 2.0})
    study.branches.add_row(table, {**row, "test_ce": 4.0})
    assert study.branch_plan.written(table) == [
        {"seed": "0", "base": "KD", "arm": "control", "test_ce": "4.0", "test_kl": ""},
        {"seed": "1", "base": "KD", "arm": "control", "test_ce": "", "test_kl": "2.0"},
    ]


def test_a_cut_vocabulary_splits_its_texts_as_before_and_keeps_their_logits(
    study: Any, six_layers: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    texts = ["the kind dog was friendly", "a big house is not small"]
    kept = study.cut_vocabulary.cut(str(six_layers), tmp_path / "cut", texts)
    before, after = (AutoTokenizer.from_pretrained(folder) for folder in (six_layers, tmp_path / "cut"))
    assert len(after) == kept < len(before)
    whole, cut = (AutoModelForCausalLM.from_pretrained(folder) for folder in (six_layers, tmp_path / "cut"))
    for text in texts:
        assert after.tokenize(text) == before.tokenize(text)
        assert after.decode(after(text)["input_ids"]) == before.decode(before(text)["input_ids"])
        with torch.no_grad():
            all_logits = whole(**before(text, return_tensors="pt")).logits
            found = cut(**after(text, return_tensors="pt")).logits
        ids = before.convert_tokens_to_ids(after.convert_ids_to_tokens(range(kept)))
        torch.testing.assert_close(found, all_logits[..., ids])
