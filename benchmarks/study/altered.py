"""Make the stores and sense dictionaries of the study's arms: some relations left out or exchanged, other senses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from tokenizers import Tokenizer
from torch import Tensor

from lexkit.atomic_write import new_file, new_folder, write_json
from lexkit_distill.senses import dictionary as files
from lexkit_distill.senses.dictionary import RowWriter, SenseDictionary

RARE, COMMON = 5, 20
"""States that a token's senses rest on: rare below the first number, common from the second."""
CONFIDENCE = 0.5
"""Least confidence of the relations that training uses."""
_NEAREST = 200
"""Nearest words that may become neighbours of a word."""
_SYNONYMS = """
    SELECT this, other FROM (
        SELECT word_a AS this, word_b AS other, * FROM relation UNION ALL SELECT word_b, word_a, * FROM relation
    )
    WHERE kind = 'synonym' AND NOT contested AND confidence >= $confidence
"""
Change = Callable[[SenseDictionary, Tensor, pa.Table], tuple[Tensor, pa.Table]]
"""Takes a dictionary, the senses (N, d) of its tokens and their index, and returns other ones."""


def altered(source: Path, target: Path, how: str, change: Change | None = None) -> None:
    """Make a copy of a dictionary's tokens, changed; words of several tokens have to be composed again.

    Args:
        source: the dictionary.
        target: folder of the copy; if it is there, it is left as it is.
        how: name of the change.
        change: the change; None makes none.
    """
    if target.exists():
        return
    dictionary = SenseDictionary(source)
    index = dictionary.index.filter(pc.equal(dictionary.index["key_kind"], "token"))
    rows = dictionary.rows[: int((index["first_row"].to_numpy() + index["n_rows"].to_numpy()).max())]
    if change is not None:
        rows, index = change(dictionary, rows, index)
    meta = {**vars(dictionary.meta)}
    # Of another corpus, so that no cache of one is taken for the other's
    meta |= {"corpus_fingerprint": f"{how} {meta['corpus_fingerprint']}", "rows": len(rows)}
    meta |= {"words": 0, "max_tokens": None, "store_fingerprint": None}
    with new_folder(target) as beside:
        with RowWriter(beside / files.SENSES, len(rows), rows.shape[1]) as writer:
            writer.write(rows)
        files.write_table(beside / files.INDEX, index.cast(files.INDEX_SCHEMA))
        shutil.copy(source / files.TOKENIZER, beside / files.TOKENIZER)
        write_json(beside / files.META, meta)


def shuffled(_: SenseDictionary, rows: Tensor, index: pa.Table) -> tuple[Tensor, pa.Table]:
    """Give each token the senses of another token that has as many."""
    first, counts = index["first_row"].to_numpy(), index["n_rows"].to_numpy()
    generator, source_of = np.random.default_rng(0), np.arange(len(first))
    for count in np.unique(counts):
        same = np.flatnonzero(counts == count)
        order = generator.permutation(same)
        source_of[order] = np.roll(order, 1)  # no token keeps its own, if there are two
    taken = np.concatenate([np.arange(first[key], first[key] + counts[key]) for key in source_of])
    begins = np.cumsum(counts) - counts
    place = index.column_names.index("first_row")
    return rows[torch.from_numpy(taken)], index.set_column(place, "first_row", [begins])


def averaged(_: SenseDictionary, rows: Tensor, index: pa.Table) -> tuple[Tensor, pa.Table]:
    """Give each token the mean of all senses."""
    return rows.float().mean(0).to(rows.dtype).expand(len(rows), -1), index


def composed_of(how: str, store: Path, head: Tensor) -> Change:
    """Return the change that gives rare words the senses of common words in place of their own.

    A rare word is a token of small letters after a space whose senses rest on less than RARE states, and that has
    synonyms among the common words, whose senses rest on COMMON or more. Its n senses become the mean senses of n of
    these words, repeated if there are fewer.

    Args:
        how: "synonyms" takes the best synonyms; "random-words" and "neighbour-words" take as many random common words,
            or the common words nearest in the output embedding.
        store: where the synonyms are.
        head: (V, d) the teacher's output embedding.
    """

    def change(dictionary: SenseDictionary, rows: Tensor, index: pa.Table) -> tuple[Tensor, pa.Table]:
        rows, keys = rows.clone(), index.to_pylist()
        tokenizer = Tokenizer.from_file(str(dictionary.path / files.TOKENIZER))
        texts = [tokenizer.decode(key["token_ids"]) for key in keys]
        words = {text[1:]: place for place, text in enumerate(texts) if text[:1] == " " and is_word(text[1:])}
        common = {word: place for word, place in words.items() if keys[place]["n_seen"] >= COMMON}
        rare = {word: place for word, place in words.items() if keys[place]["n_seen"] < RARE}
        places = np.array(sorted(common.values()))
        vectors = torch.nn.functional.normalize(head.float(), dim=1)
        tokens = torch.tensor([key["token_ids"][0] for key in keys])
        generator = np.random.default_rng(0)

        def mean(place: int) -> Tensor:
            first = keys[place]["first_row"]
            return dictionary.rows[first : first + keys[place]["n_rows"]].float().mean(0)

        pairs = _synonyms(store, sorted(rare), sorted(common))
        for word, synonyms in pairs:
            of = [common[synonym] for synonym in synonyms]
            if how == "random-words":
                of = generator.choice(places, len(of), replace=len(of) > len(places)).tolist()
            elif how == "neighbour-words":
                cosines = vectors[tokens[places]] @ vectors[tokens[rare[word]]]
                of = places[cosines.topk(min(len(of), len(places))).indices.numpy()].tolist()
            key = keys[rare[word]]
            for number in range(key["n_rows"]):
                rows[key["first_row"] + number] = mean(of[number % len(of)]).to(rows.dtype)
        print(f"{how}: senses of {len(pairs):,} rare words are composed", flush=True)
        return rows, index

    return change


def is_word(text: str) -> bool:
    """Whether a text is letters, all of them small."""
    return text.isalpha() and text.islower()


def _synonyms(store: Path, words: list[str], others: list[str]) -> list[tuple[str, list[str]]]:
    with duckdb.connect(str(store), read_only=True) as connection:
        return connection.execute(
            "SELECT word, list(synonym ORDER BY weight DESC, synonym) FROM synonyms "
            "WHERE confidence >= ? AND NOT contested AND list_contains(?, word) AND list_contains(?, synonym) "
            "GROUP BY word ORDER BY word",
            [CONFIDENCE, words, others],
        ).fetchall()


def store_without(source: Path, target: Path, held_out: list[str], left_out: str) -> None:
    """Make a copy of a store without the relations of held-out words, and without those for which SQL is true."""
    with new_file(target) as beside:
        shutil.copy(source, beside)
        with duckdb.connect(str(beside)) as connection:
            connection.execute("CREATE TEMP TABLE held_out AS SELECT unnest(?) AS word", [held_out])
            heads = "SELECT word_id FROM word WHERE word IN (FROM held_out)"
            deleted = connection.execute(
                f"DELETE FROM relation WHERE {left_out} OR word_a IN ({heads}) OR word_b IN ({heads})"
            ).fetchone()
    print(f"{target.stem}: {deleted[0] if deleted else 0:,} relations left out", flush=True)


def of_one_token(source: Path, folder: Path, senses: Path, head: Tensor) -> None:
    """Make copies of a store with synonyms between words of one token alone, and with other pairs in their place.

    The others are pairs of the same words, the likest first. No word has more of them than it has synonyms, and none
    of its antonyms is among them. Stores that are there are left as they are.

    one-token      the synonyms
    neighbours     words near each other in the output embedding
    likely         words that the teacher holds likely beside one another: their probability at the mean sense
    random-pairs   any

    Args:
        source: a store with the spans of one tokenizer.
        folder: where the copies are made.
        senses: folder of the dictionary of that tokenizer.
        head: (V, d) the teacher's output embedding.
    """
    with duckdb.connect(str(source), read_only=True) as connection:
        spans = connection.execute(
            "SELECT word_id, word, token_ids[1] FROM span JOIN word USING (word_id) WHERE n_tokens = 1 ORDER BY word_id"
        ).fetchall()
        token_of = {word_id: token for word_id, word, token in spans if is_word(word)}
        directed = connection.execute(_SYNONYMS, {"confidence": CONFIDENCE}).fetchall()
        antonyms = connection.execute("SELECT word_a, word_b FROM relation WHERE kind = 'antonym'").fetchall()
    pairs = {(one, other) for one, other in directed if one < other and one in token_of and other in token_of}
    words = sorted({word for pair in pairs for word in pair})
    tokens = torch.tensor([token_of[word] for word in words])
    apart = {tuple(sorted(pair)) for pair in antonyms}
    likeness: dict[str, Callable[[], Tensor]] = {
        "neighbours": lambda: _cosines(head[tokens]),
        "likely": lambda: _probabilities(SenseDictionary(senses), tokens, head),
        "random-pairs": lambda: torch.rand(len(words), len(words), generator=torch.Generator().manual_seed(0)),
    }
    if not (folder / "one-token.duckdb").exists():
        _write_synonyms(source, folder / "one-token.duckdb", dict.fromkeys(sorted(pairs), 1.0), insert=False)
    for name, like in likeness.items():
        if not (folder / f"{name}.duckdb").exists():
            chosen = _chosen(words, like(), pairs, apart)
            print(f"{len(words):,} words: {len(pairs):,} pairs of synonyms, {len(chosen):,} of {name}", flush=True)
            _write_synonyms(source, folder / f"{name}.duckdb", chosen, insert=True)


def _cosines(vectors: Tensor) -> Tensor:
    unit = torch.nn.functional.normalize(vectors.float(), dim=1)
    return unit @ unit.T


def _probabilities(dictionary: SenseDictionary, tokens: Tensor, head: Tensor) -> Tensor:
    """Return (n, n) the probability of each token at the mean sense of each; 0 for tokens without senses."""
    found = torch.zeros(len(tokens), len(tokens))
    for place, token in enumerate(tokens.tolist()):
        key = dictionary.find([token])
        if key is not None:
            first = int(dictionary.first[key])
            mean = dictionary.rows[first : first + int(dictionary.n_rows[key])].float().mean(0)
            found[place] = (head.float() @ mean).softmax(0)[tokens]
    return found


def _chosen(
    words: list[int], like: Tensor, pairs: set[tuple[int, int]], apart: set[tuple[int, ...]]
) -> dict[tuple[int, int], float]:
    """Return pairs of words and their likeness, greedily the likest first."""
    left: dict[int, int] = {}
    for word in (word for pair in pairs for word in pair):
        left[word] = left.get(word, 0) + 1
    near: dict[tuple[int, int], float] = {}
    for place, word in enumerate(words):
        found = like[place].topk(min(_NEAREST + 1, len(words)))
        for value, other in zip(found.values.tolist(), found.indices.tolist(), strict=True):
            pair = (min(word, words[other]), max(word, words[other]))
            if other != place and pair not in apart and value > 0:
                near[pair] = max(value, near.get(pair, 0.0))
    chosen = {}
    for pair, value in sorted(near.items(), key=lambda item: (-item[1], item[0])):
        if left[pair[0]] and left[pair[1]]:
            chosen[pair] = value
            left[pair[0]] -= 1
            left[pair[1]] -= 1
    return chosen


def _write_synonyms(source: Path, target: Path, kept: dict[tuple[int, int], float], *, insert: bool) -> None:
    """Make a copy of a store whose synonyms are these pairs: those of its own, or with *insert* new ones."""
    with new_file(target) as beside:
        shutil.copy(source, beside)
        with duckdb.connect(str(beside)) as connection:
            rows = [(*pair, value) for pair, value in sorted(kept.items())]
            table = pa.table(dict(zip(("one", "other", "value"), zip(*rows, strict=True), strict=True)))
            connection.register("kept", table)
            if not insert:
                connection.execute(
                    "DELETE FROM relation WHERE kind = 'synonym' AND (word_a, word_b) NOT IN "
                    "(SELECT (one, other) FROM kept)"
                )
                return
            connection.execute("DELETE FROM relation WHERE kind = 'synonym'")
            connection.execute(
                "INSERT INTO relation "
                "SELECT one, other, 'synonym', true, 1, false, '', '', true, '', '', 1, value, value FROM kept"
            )
