"""L_sem and its candidates, against the equations written out in loops over positions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest


def mse(x: Any, y: Any) -> Any:
    return ((x - y) ** 2).sum() / len(x)


def literally(n_t: Any, positive: Any, negative: Any, beta_p: float, beta_n: float, gamma: float) -> Any:
    """L_sem of one position; both arguments lists of vectors."""
    import torch

    loss = torch.zeros((), dtype=n_t.dtype)
    if len(positive):
        loss = loss + beta_p * sum(mse(n_t, p) for p in positive) / len(positive)
    if len(negative):
        loss = loss + beta_n * sum(torch.clamp(gamma - mse(n_t, a), min=0) for a in negative) / len(negative)
    return loss


def nearest(m_t: Any, senses: list[Any], kappa: int) -> list[Any]:
    return sorted(senses, key=lambda sense: float(((m_t - sense) ** 2).sum()))[:kappa]


def random_candidates(n: int, kappa: int, rows: int, seed: int = 0) -> Any:
    """Sets of 0 to kappa rows."""
    import torch

    from lexkit_distill.supervision.nearest import Candidates

    generator = torch.Generator().manual_seed(seed)
    sets = []
    for _ in range(2):
        chosen = torch.stack([torch.randperm(rows, generator=generator)[:kappa] for _ in range(n)])
        sizes = torch.randint(kappa + 1, (n, 1), generator=generator)
        sets.append(torch.where(torch.arange(kappa) < sizes, chosen, -1))
    return Candidates(*sets)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 100.0])
def test_loss_and_gradient_are_those_of_the_equation(gamma: float) -> None:
    import torch

    from lexkit_distill.training.semantic import semantic_loss

    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(40, 8, generator=generator, dtype=torch.float64).requires_grad_()
    senses = torch.randn(50, 8, generator=generator, dtype=torch.float64)
    candidates = random_candidates(40, 5, 50)
    found = semantic_loss(hidden, candidates, senses, beta_p=0.7, beta_n=1.3, gamma=gamma)
    expected = sum(
        literally(n, senses[p[p >= 0]], senses[a[a >= 0]], 0.7, 1.3, gamma)
        for n, p, a in zip(hidden, *candidates, strict=True)
    )
    torch.testing.assert_close(found.total, expected)
    (gradient,) = torch.autograd.grad(found.total, hidden)
    (expected_gradient,) = torch.autograd.grad(expected, hidden)
    torch.testing.assert_close(gradient, expected_gradient)
    if gamma == 2.0:
        assert 0 < int(found.active) < int(found.hinges)
        assert torch.autograd.gradcheck(
            lambda x: semantic_loss(x, candidates, senses, beta_p=0.7, beta_n=1.3, gamma=gamma).total, (hidden,)
        )


def test_each_candidate_has_a_hinge_of_its_own() -> None:
    import torch

    from lexkit_distill.supervision.nearest import Candidates
    from lexkit_distill.training.semantic import semantic_loss

    # One antonym sense at distance 0, one at 4: a hinge of the mean would be 0
    senses = torch.tensor([[0.0, 0.0], [2.0, 2.0]])
    candidates = Candidates(torch.tensor([[-1, -1]]), torch.tensor([[0, 1]]))
    found = semantic_loss(torch.zeros(1, 2), candidates, senses, beta_n=1.0, gamma=1.0)
    assert (float(found.total), int(found.active), int(found.hinges)) == (0.5, 1, 2)


def test_sets_count_alike_whatever_their_size() -> None:
    import torch

    from lexkit_distill.supervision.nearest import Candidates
    from lexkit_distill.training.semantic import semantic_loss

    senses = torch.tensor([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    none = torch.full((1, 3), -1)
    small = Candidates(torch.tensor([[0, -1, -1]]), none)
    large = Candidates(torch.tensor([[0, 1, -1]]), none)
    losses = [float(semantic_loss(torch.zeros(1, 2), which, senses).total) for which in (small, large)]
    assert losses == [2.0, 2.0]


def test_nothing_to_supervise_is_no_loss() -> None:
    import torch

    from lexkit_distill.supervision.nearest import Candidates
    from lexkit_distill.training.semantic import semantic_loss

    hidden = torch.zeros(0, 2, requires_grad=True)
    empty = torch.full((0, 5), -1)
    found = semantic_loss(hidden, Candidates(empty, empty), torch.zeros(3, 2))
    assert float(found.total.detach()) == 0
    found.total.backward()


def candidates(dictionary: Any, token: int, kind: Any) -> Any:
    import torch

    from lexkit_distill.supervision.candidates import candidate_table

    return torch.from_numpy(candidate_table(dictionary, kind).of(token))


def positions(dictionary: Any, number: int = 60) -> Any:
    """Teacher states near senses, targets, and words: half of the tokens whole words, half parts of words."""
    import torch

    generator = torch.Generator().manual_seed(3)
    seen = torch.from_numpy((dictionary.token_key >= 0).nonzero()[0])
    related = torch.tensor([token for token in seen.tolist() if len(candidates(dictionary, token, "antonym"))])
    tokens = torch.cat([seen[torch.randint(len(seen), (number,), generator=generator)], related])
    words = torch.where(torch.arange(len(tokens)) % 2 == 0, tokens, -1)
    words[-len(related) :] = related
    hidden = dictionary.rows[torch.randint(len(dictionary.rows), (len(tokens),), generator=generator)].float()
    return hidden + 0.3 * torch.randn(hidden.shape, generator=generator), tokens, words


@pytest.mark.parametrize("kind", ["none", "whiten", "unit"])
@pytest.mark.parametrize("kappa", [1, 5])
def test_candidates_are_the_nearest_of_own_and_synonyms_and_of_antonyms(dictionary: Any, kind: Any, kappa: int) -> None:
    import torch

    from lexkit_distill.supervision.nearest import Supervision
    from lexkit_distill.supervision.scale import scale_of

    scale = scale_of(kind, dictionary.rows)
    supervision = Supervision(dictionary, 520, kappa=kappa, scale=scale)
    hidden, tokens, words = positions(dictionary)
    found = supervision.choose(hidden, tokens, words)
    rows = scale(dictionary.rows.float())
    sizes = set()
    for m_t, token, word, positive, negative in zip(scale(hidden), tokens, words, *found, strict=True):
        own, synonyms, antonyms = (candidates(dictionary, int(token), kind) for kind in ("own", "synonym", "antonym"))
        if int(word) < 0:
            synonyms, antonyms = synonyms[:0], antonyms[:0]
        for chosen, pool in ((positive, torch.cat([own, synonyms])), (negative, antonyms)):
            expected = nearest(m_t, list(rows[pool]), kappa)
            assert int((chosen >= 0).sum()) == len(expected)
            sizes.add(len(expected))
            for row, sense in zip(chosen[chosen >= 0], expected, strict=True):
                torch.testing.assert_close(mse(rows[row], m_t), mse(sense, m_t), rtol=1e-5, atol=1e-5)
    assert {0, kappa} <= sizes


def test_the_scaled_spaces(dictionary: Any) -> None:
    import torch

    from lexkit_distill.supervision.scale import scale_of

    rows = dictionary.rows.float()
    torch.testing.assert_close(scale_of("whiten", dictionary.rows)(rows).std(0), torch.ones(32), rtol=0.01, atol=0)
    x, y = scale_of("unit", dictionary.rows)(rows[:2])
    torch.testing.assert_close(mse(x, y), 2 - 2 * torch.cosine_similarity(rows[0], rows[1], dim=0))


def test_deviations_of_the_authors_code_are_switches(dictionary: Any) -> None:
    from lexkit_distill.supervision.nearest import Supervision
    from lexkit_distill.training.official_code import OfficialCode

    all_own = set(range(int(Supervision(dictionary, 520).own.rows.max()) + 1))
    hidden, tokens, words = positions(dictionary)
    odd = Supervision(dictionary, 520, deviation=OfficialCode(drop_single_token_neighbors=True).candidates)
    plain = Supervision(dictionary, 520)
    for lists, whole in ((odd.synonyms, plain.synonyms), (odd.antonyms, plain.antonyms)):
        assert lists.rows.tolist() == [row for row in whole.rows.tolist() if row not in all_own]
        assert len(lists.rows) < len(whole.rows)
    deviation = OfficialCode(own_among_antonyms=True).candidates
    mixed = Supervision(dictionary, 520, deviation=deviation, kappa=50).choose(hidden, tokens, words).negative
    pure = Supervision(dictionary, 520, kappa=50).choose(hidden, tokens, words).negative
    added = 0
    for token, negative, alone in zip(tokens, mixed, pure, strict=True):
        own, antonyms = (set(rows.tolist()) - {-1} for rows in (candidates(dictionary, int(token), "own"), alone))
        assert not own & antonyms
        # Only a token that has antonyms gets its own senses among them
        assert set(negative.tolist()) - {-1} == (antonyms | own if antonyms else set())
        added += bool(antonyms)
    assert 0 < added < len(tokens)


def test_words_of_several_tokens_have_their_relations_behind_those_of_tokens(dictionary: Any) -> None:
    import torch

    from lexkit_distill.supervision.nearest import Supervision

    relations = dictionary.relations
    names = relations.words["word"].to_pylist()
    number = names.index("unkind")
    supervision = Supervision(dictionary, 520, multi_token_words=True, kappa=30)
    last = relations.words["token_ids"][number].as_py()[-1]
    hidden = torch.zeros(1, 32)
    found = supervision.choose(hidden, torch.tensor([last]), torch.tensor([520 + number]))
    kind = set(range(*_rows(dictionary, "kind")))
    assert kind
    assert {row for row in found.negative[0].tolist() if row >= 0} == kind
    assert len(set(found.positive[0].tolist()) - {-1}) == int((found.positive >= 0).sum())


def test_words_that_the_tokenizer_cannot_write_are_nobodys_neighbours(
    senses: Path, store: Path, tmp_path: Path
) -> None:
    import duckdb
    import torch

    from lexkit_distill.senses.compose import compose_senses
    from lexkit_distill.senses.dictionary import SenseDictionary, read_meta
    from lexkit_distill.supervision.nearest import Supervision
    from lexkit_distill.supervision.relations import read_relations

    lacking = Path(shutil.copy(store, tmp_path / "lacking.duckdb"))
    with duckdb.connect(str(lacking)) as connection:  # "war" is the last word, so its id is beyond those that are left
        connection.execute("DELETE FROM span USING word WHERE span.word_id = word.word_id AND word IN ('glad', 'war')")
    relations = read_relations(lacking, read_meta(senses).tokenizer_fingerprint, senses / "tokenizer.json")
    assert relations.left_out == {"no tokens for the words": 2}
    assert relations.neighbors("happy", "synonym") == []
    assert relations.neighbors("happy", "antonym") == ["unhappy"]
    composed = Path(shutil.copytree(senses, tmp_path / "senses"))
    compose_senses(composed, lacking, max_tokens=4)
    dictionary = SenseDictionary(composed, relations=relations)
    number = relations.words["word"].to_pylist().index("peace")
    supervision = Supervision(dictionary, 520, multi_token_words=True)
    last = relations.words["token_ids"][number].as_py()[-1]
    found = supervision.choose(torch.zeros(1, 32), torch.tensor([last]), torch.tensor([520 + number]))
    assert (found.negative < 0).all()


def _rows(dictionary: Any, word: str) -> tuple[int, int]:
    key = dictionary.find(word)
    return int(dictionary.first[key]), int(dictionary.first[key] + dictionary.n_rows[key])


def test_the_margin_of_the_dictionary_makes_half_of_the_hinges_active(dictionary: Any) -> None:
    import torch

    from lexkit_distill.supervision.nearest import Supervision
    from lexkit_distill.training.semantic import semantic_loss

    supervision = Supervision(dictionary, 520)
    gamma = supervision.auto_gamma()
    tokens = torch.tensor([t for t in range(520) if len(candidates(dictionary, t, "antonym"))])
    own = [candidates(dictionary, int(token), "own") for token in tokens]
    tokens = torch.cat([token.expand(len(rows)) for token, rows in zip(tokens, own, strict=True)])
    hidden = dictionary.rows[torch.cat(own)].float()
    chosen = supervision.choose(hidden, tokens, tokens)
    found = semantic_loss(hidden, chosen, dictionary.rows.float(), gamma=gamma)
    assert 0.3 < int(found.active) / int(found.hinges) < 0.7


def test_a_contrast_is_that_of_its_definition_and_keeps_to_its_row() -> None:
    import torch

    from lexkit_distill.supervision.nearest import Candidates
    from lexkit_distill.training.semantic import SHARPNESS, contrast_loss

    generator = torch.Generator().manual_seed(2)
    hidden = torch.randn(6, 8, generator=generator, dtype=torch.float64).requires_grad_()
    every = torch.randn(9, 8, generator=generator, dtype=torch.float64)
    rows = [0, 0, 0, 1, 1, 2]
    positive = [[0, 1], [1, 2], [], [0, 3], [4], [5]]
    negative = [[3], [], [6], [], [7, 8], []]

    def sets(lists: list[list[int]]) -> Any:
        return torch.tensor([[*entry, -1, -1][:2] for entry in lists])

    class Rows:
        rows = every

    from lexkit_distill.supervision.nearest import Supervision

    of: Any = Supervision.gathered_by_row
    device = torch.device("cpu")
    local, senses, owner = of(Rows(), Candidates(sets(positive), sets(negative)), torch.tensor(rows), device)
    assert len(senses) == 5 + 5 + 1  # 0, 1, 2, 3 and 6; 0, 3, 4, 7 and 8; 5
    found = contrast_loss(hidden, local, senses.double(), owner, torch.tensor(rows))
    expected = torch.zeros((), dtype=torch.float64)
    for t, row in enumerate(rows):
        if not positive[t]:
            continue
        among = {q for s, other in enumerate(rows) if other == row for q in positive[s] + negative[s]}
        weight = {
            q: torch.exp(SHARPNESS * torch.cosine_similarity(hidden[t], every[q].float().double(), 0)) for q in among
        }
        expected = expected - torch.log(sum(weight[q] for q in positive[t]) / sum(weight.values()))
    torch.testing.assert_close(found, expected)
    for one, other in zip(*(torch.autograd.grad(loss, hidden) for loss in (found, expected)), strict=True):
        torch.testing.assert_close(one, other)


def test_a_contrast_of_a_row_with_one_set_of_senses_is_nothing() -> None:
    import torch

    from lexkit_distill.supervision.nearest import Candidates
    from lexkit_distill.training.semantic import contrast_loss

    hidden, senses = torch.randn(2, 4).requires_grad_(), torch.randn(2, 4)
    candidates = Candidates(torch.tensor([[0, 1], [-1, -1]]), torch.full((2, 2), -1))
    zero = torch.zeros(2, dtype=torch.int64)
    found = contrast_loss(hidden, candidates, senses, zero, zero)
    assert float(found.detach()) == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(torch.autograd.grad(found, hidden)[0]).all()
