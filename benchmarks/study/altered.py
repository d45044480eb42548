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


def of_one_token(source: Path, synonyms: Path, neighbours: Path, head: Tensor) -> None:
    """Make two copies of a store: one with synonyms between words of one token alone, one with neighbours instead.

    Neighbours are pairs of the same words, nearest in the output embedding first. No word has more of them than it has
    synonyms, and none of its antonyms is among them.

    Args:
        source: a store with the spans of one tokenizer.
        synonyms: the copy with synonyms.
        neighbours: the copy with neighbours.
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
    left: dict[int, int] = {}
    for word in (word for pair in pairs for word in pair):
        left[word] = left.get(word, 0) + 1
    words = sorted(left)
    total = len(pairs)
    vectors = torch.nn.functional.normalize(head[torch.tensor([token_of[word] for word in words])].float(), dim=1)
    apart = {tuple(sorted(pair)) for pair in antonyms}
    near: dict[tuple[int, int], float] = {}
    for place, word in enumerate(words):
        found = (vectors @ vectors[place]).topk(min(_NEAREST + 1, len(words)))
        for cosine, other in zip(found.values.tolist(), found.indices.tolist(), strict=True):
            pair = (min(word, words[other]), max(word, words[other]))
            if other != place and pair not in apart:
                near[pair] = cosine
    chosen = {}
    for pair, cosine in sorted(near.items(), key=lambda item: (-item[1], item[0])):
        if left[pair[0]] and left[pair[1]]:
            chosen[pair] = cosine
            left[pair[0]] -= 1
            left[pair[1]] -= 1
    print(f"{len(words):,} words of one token: {total:,} pairs of synonyms, {len(chosen):,} of neighbours", flush=True)
    for target, kept in ((synonyms, dict.fromkeys(sorted(pairs))), (neighbours, chosen)):
        with new_file(target) as beside:
            shutil.copy(source, beside)
            with duckdb.connect(str(beside)) as connection:
                connection.execute("CREATE TEMP TABLE kept (one INTEGER, other INTEGER, cosine DOUBLE)")
                rows = [(*pair, cosine or 0.0) for pair, cosine in sorted(kept.items())]
                table = pa.table(dict(zip(("one", "other", "cosine"), zip(*rows, strict=True), strict=True)))
                connection.register("rows", table)
                connection.execute("INSERT INTO kept FROM rows")
                if target == synonyms:
                    connection.execute(
                        "DELETE FROM relation WHERE kind = 'synonym' AND (word_a, word_b) NOT IN "
                        "(SELECT (one, other) FROM kept)"
                    )
                    continue
                connection.execute("DELETE FROM relation WHERE kind = 'synonym'")
                connection.execute(
                    "INSERT INTO relation "
                    "SELECT one, other, 'synonym', true, 1, false, '', '', true, '', '', 1, cosine, cosine FROM kept"
                )
