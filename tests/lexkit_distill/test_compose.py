from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lexkit

Build = Callable[..., Path]
SYNONYMS = "kind friendly\nhappy glad\nred crimson\nred scarlet\nquick swift\nquick rapid\nbig large\nkindness love\n"
ANTONYMS = "kind unkind\nhappy unhappy\ngood bad\nlight dark\nhostile friendly\nunkindness kindness\nwar peace\n"


@pytest.fixture(scope="session")
def pairs_store(tmp_path_factory: pytest.TempPathFactory, teacher_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "synonym.txt").write_text(SYNONYMS, encoding="utf-8")
    (folder / "antonym.txt").write_text(ANTONYMS, encoding="utf-8")
    pairs = [("synonym", folder / "synonym.txt"), ("antonym", folder / "antonym.txt")]
    store = folder / "lexkit.duckdb"
    lexkit.build(store, pairs=pairs, tokenizers=[str(teacher_folder / "tokenizer.json")])  # type: ignore[arg-type]
    return store


@pytest.fixture
def composed(build: Build, pairs_store: Path) -> Any:
    from lexkit_distill.senses.compose import compose_senses
    from lexkit_distill.senses.dictionary import SenseDictionary, read_meta
    from lexkit_distill.supervision.relations import read_relations

    folder = build(anchor="input")
    compose_senses(folder, pairs_store, max_tokens=4)
    relations = read_relations(pairs_store, read_meta(folder).tokenizer_fingerprint, folder / "tokenizer.json")
    return SenseDictionary(folder, relations=relations)


def literally(tokens: list[Any]) -> Any:
    """The paper's iteration, word for word: a loop over the senses of the first token, a loop over further tokens."""
    import torch

    senses = []
    for start in tokens[0].float():
        aligned = [start]
        for candidates in tokens[1:]:
            mean = torch.stack(aligned).mean(0)
            distances = [float((candidate - mean).square().sum()) for candidate in candidates.float()]
            aligned.append(candidates[int(np.argmin(distances))].float())
        senses.append(torch.stack(aligned).mean(0))
    return torch.stack(senses)


def test_a_word_is_composed_as_by_hand() -> None:
    import torch

    from lexkit_distill.senses.compose import compose

    rows = torch.tensor([[0.0, 0.0], [10.0, 0.0], [1.0, 1.0], [9.0, 1.0], [5.0, 5.0], [0.0, 6.0], [8.0, 0.0]])
    first, n_rows = np.array([0, 2, 5]), np.array([2, 3, 2])
    words = np.array([[0, 1, 2], [2, 0, -2]])
    found = torch.cat(list(compose(rows, first, n_rows, words)))
    # (0,0) takes (1,1), mean (0.5,0.5), takes (0,6); (10,0) takes (9,1), mean (9.5,0.5), takes (8,0)
    # (0,6) takes (0,0); (8,0) takes (10,0)
    expected = [[1 / 3, 7 / 3], [9.0, 1 / 3], [0.0, 3.0], [9.0, 0.0]]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_composition_equals_the_literal_iteration() -> None:
    import torch

    from lexkit_distill.senses.compose import compose

    generator = torch.Generator().manual_seed(0)
    random = np.random.default_rng(0)
    n_rows = random.integers(1, 11, 50)
    first = np.cumsum(n_rows) - n_rows
    rows = torch.randn(int(n_rows.sum()), 48, generator=generator).to(torch.bfloat16)
    words = random.integers(0, 50, (500, 4))
    words[random.integers(0, 2, 500) == 0, 3] = -2
    words[:200, 2:] = -2
    found = torch.cat(list(compose(rows, first, n_rows, words)))
    expected = [literally([rows[first[k] : first[k] + n_rows[k]] for k in word if k >= 0]) for word in words]
    torch.testing.assert_close(found, torch.cat(expected), rtol=1e-5, atol=1e-5)


def test_words_of_a_store_get_their_senses(composed: Any, pairs_store: Path) -> None:
    import torch

    with lexkit.open(pairs_store) as store:
        words = store.sql("SELECT word, token_ids, n_tokens FROM span JOIN word USING (word_id)").to_pylist()
    kinds = set()
    for word in words:
        tokens = [composed.senses([token]) for token in word["token_ids"]]
        kinds.add((len(tokens), all(map(len, tokens))))
        if all(map(len, tokens)) and len(tokens) <= 4:
            expected = literally(tokens).to(torch.bfloat16)
            torch.testing.assert_close(composed.senses(word["word"]), expected, rtol=0.01, atol=0.01)
            assert torch.equal(composed.senses(word["token_ids"]), composed.senses(word["word"]))
        else:
            assert word["word"] not in composed.word_key
    assert {(1, True), (2, True)} <= kinds


def test_single_token_words_share_their_tokens_rows(composed: Any) -> None:
    key = composed.word_key["kind"]
    (token,) = composed.index["token_ids"][key].as_py()
    assert composed.first[key] == composed.first[composed.token_key[token]]
    assert composed.index["n_seen"][key].as_py() > 0
    assert len(composed.senses("kind")) == 4


def candidates(dictionary: Any, token: int, kind: Any, **options: Any) -> Any:
    from lexkit_distill.supervision.candidates import candidate_table

    return candidate_table(dictionary, kind, **options).of(token)


def test_candidates_are_the_senses_of_the_related_words_and_never_the_tokens_own(composed: Any) -> None:
    from lexkit_distill.supervision.candidates import candidate_table

    def rows_of(*words: str) -> list[int]:
        rows = []
        for word in words:
            key = composed.find(word)
            rows += range(composed.first[key], composed.first[key] + composed.n_rows[key])
        return sorted(rows)

    (kind,) = composed.tokenizer.encode(" kind", add_special_tokens=False).ids
    (hostile,) = composed.tokenizer.encode(" hostile", add_special_tokens=False).ids
    assert candidates(composed, kind, "own").tolist() == rows_of("kind")
    assert sorted(candidates(composed, kind, "synonym").tolist()) == rows_of("friendly")
    assert sorted(candidates(composed, kind, "antonym").tolist()) == rows_of("unkind")
    assert sorted(candidates(composed, hostile, "antonym").tolist()) == rows_of("friendly")
    assert len(candidates(composed, kind, "synonym", max_neighbors=0)) == 0
    assert candidates(composed, 10**9, "own").tolist() == []
    tables = {name: candidate_table(composed, name) for name in ("own", "synonym", "antonym")}
    for token in range(len(composed.token_key)):
        own = set(tables["own"].of(token).tolist())
        for relation in ("synonym", "antonym"):
            related = tables[relation].of(token).tolist()
            assert not own & set(related)
            assert len(related) == len(set(related))


def test_tokens_with_and_without_a_space_and_in_capitals_stand_for_the_same_word(composed: Any) -> None:
    from lexkit_distill.supervision.candidates import words_of_tokens

    tokens, words = words_of_tokens(composed, composed.relations)
    spelling = dict(zip(composed.relations.words["word_id"].to_pylist(), composed.relations.words["word"].to_pylist()))  # noqa: B905
    for token, word in zip(tokens.tolist(), words.tolist(), strict=True):
        assert composed.token_text(token).removeprefix(" ").lower() == spelling[word].lower()
    assert len({word for word in words.tolist()}) > 5


def test_nearest_is_a_full_search(composed: Any) -> None:
    import torch

    vectors = torch.randn(7, 32, generator=torch.Generator().manual_seed(0))
    distances, rows = composed.nearest(vectors, 5, block=37)
    full = (vectors[:, None] - composed.rows.float()[None]).square().mean(2)
    expected = full.topk(5, dim=1, largest=False)
    torch.testing.assert_close(distances, expected.values, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(full.gather(1, rows), expected.values, rtol=1e-3, atol=1e-3)
    own, found = composed.nearest(composed.senses("kind"), 1)
    assert (
        found[:, 0].tolist()
        == candidates(composed, composed.index["token_ids"][composed.find("kind")][0].as_py(), "own").tolist()
    )
    assert float(own.abs().max()) < 1e-3


def test_composing_again_replaces_the_words(composed: Any, pairs_store: Path) -> None:
    from lexkit_distill.senses.compose import compose_senses
    from lexkit_distill.senses.dictionary import SenseDictionary

    before = {path.name: path.read_bytes() for path in composed.path.iterdir()}
    compose_senses(composed.path, pairs_store, max_tokens=1)
    assert SenseDictionary(composed.path).meta.rows < composed.meta.rows
    compose_senses(composed.path, pairs_store, max_tokens=4)
    assert {path.name: path.read_bytes() for path in composed.path.iterdir()} == before


def test_a_composition_that_dies_leaves_a_dictionary_of_tokens(
    build: Build, pairs_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexkit_distill.senses import compose
    from lexkit_distill.senses.dictionary import SenseDictionary, write_table

    folder = build()
    tokens = SenseDictionary(folder).meta.tokens
    compose.compose_senses(folder, pairs_store)
    for die_at in (1, 2):
        calls = 0

        def dying(*arguments: Any, die_at: int = die_at) -> None:
            nonlocal calls
            calls += 1
            if calls == die_at:
                raise KeyboardInterrupt
            write_table(*arguments)

        monkeypatch.setattr(compose.files, "write_table", dying)
        with pytest.raises(KeyboardInterrupt):
            compose.compose_senses(folder, pairs_store)
        monkeypatch.undo()
        left = SenseDictionary(folder)
        assert left.meta.tokens == tokens
        for key in range(tokens):
            assert len(left.rows[left.first[key] : left.first[key] + left.n_rows[key]]) == left.n_rows[key]
    compose.compose_senses(folder, pairs_store)
    assert SenseDictionary(folder).meta.words > 5


def test_a_token_that_is_a_form_has_the_candidates_of_its_lemma_if_asked(composed: Any) -> None:
    from lexkit_distill.supervision.candidates import candidate_table, words_of_tokens

    names = dict(zip(*(composed.relations.words[name].to_pylist() for name in ("word_id", "word")), strict=True))

    def words(**options: Any) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for token, word in zip(*words_of_tokens(composed, composed.relations, **options), strict=True):
            found.setdefault(composed.token_text(int(token)), set()).add(names[int(word)])
        return found

    plain, formed = words(), words(forms="antonym")
    assert {text: found for text, found in formed.items() if text not in plain} == {" lit": {"light"}}
    assert all(found == formed[text] for text, found in plain.items())
    tables = [candidate_table(composed, "antonym", forms=forms) for forms in (False, True)]
    light, lit = (
        next(t for t in range(len(composed.token_key)) if composed.token_text(t) == text) for text in (" light", " lit")
    )
    assert [len(table.of(lit)) for table in tables] == [0, len(tables[0].of(light))]
    assert len(tables[0].of(light)) > 0
    assert tables[1].of(lit).tolist() == tables[0].of(light).tolist()
