"""How good the first answers of a store are: by WordNet, by what people say of word pairs, and by eye.

    python benchmarks/answers.py STORE [STORE]... [--wordnet DIR] [--lexical DIR]

By WordNet (DIR as for ``--source wordnet``; Debian: ``apt-get install wordnet-base``): of the 3,000 most frequent
single words that have a synonym in WordNet and one in the store,

- *P@5*: how many of the first five answers are synonyms in WordNet, and
- *nDCG@10* of the first ten,

over all of these words, over those of which a synonym in WordNet is anywhere among the answers, and over those that
have eight answers or more, so that their order matters; and of the words with an antonym in WordNet, how often the
first answer is one. Words are parted into two halves by a digest of their
letters: the formula of the weights was tuned on the first, so that the second is the one to report. The same is
measured for the order of schema 1: stated ones first, then by number of sources and by spelling.

By people: Spearman's correlation of SimLex-999's and SimVerb-3500's similarity with the weight of the pairs that are
synonyms in the store (of the better direction), and how often the kind of relation is AntSynNET's (DIR with
``EN-SIMLEX-999.txt``, ``EN-SimVerb-3500.txt`` and ``antsynnet/``).

By eye, from the files of ``benchmarks/judged`` (good: the relation holds in some ordinary sense; near: nearly; topic:
the two merely share a topic; wrong): of the words of ``answers.tsv``, how many of the answers that the store gives
first are good or near; and of the pairs in the other files, what share is good or near, by the confidence that the
store gives and by the kind of their evidence.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import lexkit
from lexkit.sources.read_report import ReadReport
from lexkit.sources.records import Group, Statement
from lexkit.sources.wordnet.reader import read

_WORDS = 3000
_SHOWN = 10
_MANY = 8
_ENOUGH = 20
"""Pairs of one kind of evidence that say something of it."""
_JUDGED = Path(__file__).resolve().parent / "judged"
_HOLDS = ("good", "near")
Answers = Mapping[str, list[str]]
"""By word in lower case, the answers in lower case, the best first."""
_ORDERS = {"weight": "weight DESC, {kind}", "schema 1": "direct DESC, n_sources DESC, {kind}"}


class Reference:
    """Synonyms and antonyms that WordNet states, by word in lower case."""

    def __init__(self, path: Path) -> None:
        self.synonym: dict[str, set[str]] = defaultdict(set)
        self.antonym: dict[str, set[str]] = defaultdict(set)
        for record in read(path, ReadReport()):
            if isinstance(record, Group):
                words = {word.lower() for word in record.words}
                for word in words:
                    self.synonym[word] |= words - {word}
            elif isinstance(record, Statement) and record.kind == "antonym" and record.scope is None:
                a, b = record.word.lower(), record.other.lower()
                self.antonym[a].add(b)
                self.antonym[b].add(a)


def answers_of(store: lexkit.Lexicon, kind: str, order: str) -> Answers:
    """Every answer of a store to every word."""
    order_by = _ORDERS[order].format(kind=kind)
    table = store.sql(f"SELECT lower(word), lower({kind}) FROM {kind}s ORDER BY word, {order_by}")
    answers: dict[str, list[str]] = defaultdict(list)
    for word, answer in zip(*(column.to_pylist() for column in table.columns), strict=True):
        answers[word].append(answer)
    return answers


def halves(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Part words into those that were tuned on, and the others."""
    parts: tuple[list[str], list[str]] = ([], [])
    for word in words:
        parts[hashlib.sha1(word.encode(), usedforsecurity=False).digest()[0] & 1].append(word)
    return parts


def precision(found: list[str], right: set[str]) -> float:
    """Share of the first five answers that are right; of five, however many there are."""
    return sum(answer in right for answer in found[:5]) / 5


def ndcg(found: list[str], right: set[str]) -> float:
    """Normalized discounted cumulative gain of the first ten answers; the ideal has every right one that was found."""
    ideal = min(10, len(right.intersection(found)))
    gain = sum((answer in right) / math.log2(place + 2) for place, answer in enumerate(found[:10]))
    return gain / sum(1 / math.log2(place + 2) for place in range(ideal)) if ideal else 0.0


def first_is_right(found: list[str], right: set[str]) -> float:
    """1 if the first answer is right."""
    return float(found[0] in right)


def report_wordnet(store: lexkit.Lexicon, reference: Reference, frequent: list[str]) -> None:
    """Print how the answers agree with WordNet."""
    measures: dict[str, dict[str, Callable[[list[str], set[str]], float]]] = {
        "synonym": {"P@5": precision, "nDCG@10": ndcg},
        "antonym": {"first right": first_is_right},
    }
    for kind, functions in measures.items():
        right = getattr(reference, kind)
        for order in _ORDERS:
            answers = answers_of(store, kind, order)
            asked = [word for word in frequent if right.get(word) and word in answers][:_WORDS]
            for half, words in zip(("tuned on", "held out"), halves(asked), strict=True):
                known = [word for word in words if right[word].intersection(answers[word])]
                many = [word for word in known if len(answers[word]) >= _MANY]
                groups = {"all": words, "a right one known": known, f"and {_MANY} answers or more": many}
                for group, chosen in groups.items():
                    values = [
                        f"{name} {fmean(function(answers[word], right[word]) for word in chosen):.3f}"
                        for name, function in functions.items()
                    ]
                    print(f"{kind}s, {order:8}, {half}, {group} ({len(chosen):,}): {', '.join(values)}")


def report_people(store: lexkit.Lexicon, folder: Path) -> None:
    """Print how relations agree with what people say of pairs."""
    weights = {
        (a.lower(), b.lower()): max(weight_a, weight_b)
        for a, b, weight_a, weight_b in _pairs(store, "weight_a, weight_b", "kind = 'synonym'")
    }
    for name in ("EN-SIMLEX-999.txt", "EN-SimVerb-3500.txt"):
        known = [
            (weights[pair], float(score))
            for a, b, score in _rows(folder / name)
            for pair in ((a, b), (b, a))
            if pair in weights
        ]
        print(f"{name}: {len(known):,} synonyms of the store, correlation {spearman(*zip(*known, strict=True)):.3f}")
    kinds: dict[tuple[str, str], set[str]] = defaultdict(set)
    for a, b, kind in _pairs(store, "kind", "true"):
        kinds[a.lower(), b.lower()].add(kind)
    for kind, label in (("synonym", "0"), ("antonym", "1")):
        labels = [
            row[2]
            for file in sorted((folder / "antsynnet").glob("*-pairs.*"))
            for row in _rows(file)
            for pair in ((row[0], row[1]), (row[1], row[0]))
            if kinds.get(pair) == {kind}
        ]
        print(f"AntSynNET: {len(labels):,} {kind}s of the store known, {fmean(map(label.__eq__, labels)):.1%} right")


def spearman(xs: Iterable[float], ys: Iterable[float]) -> float:
    """Spearman's rank correlation."""
    a, b = _ranks(list(xs)), _ranks(list(ys))
    mean = fmean(a)
    covariance = sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True))
    return covariance / math.sqrt(sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b))


def _ranks(values: list[float]) -> list[float]:
    places: dict[float, list[int]] = defaultdict(list)
    for place, value in enumerate(sorted(values)):
        places[value].append(place)
    return [fmean(places[value]) for value in values]


def report_judged(store: lexkit.Lexicon) -> None:
    """Print how many of the answers that are shown are useful, as they were judged by eye."""
    verdicts: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in _judged(_JUDGED / "answers.tsv"):
        verdicts[row["kind"], row["word"]][row["answer"]] = row["verdict"]
    for kind in ("synonym", "antonym"):
        first, shown, unknown = [], [], 0
        for (of, word), judged in verdicts.items():
            if of != kind:
                continue
            answers = [n.word for n in getattr(store, f"{kind}s")(word, limit=_SHOWN)]
            unknown += sum(answer not in judged for answer in answers)
            useful = [judged[answer] in _HOLDS for answer in answers if answer in judged]
            if answers and answers[0] in judged:
                first.append(judged[answers[0]] in _HOLDS)
            shown += useful
        print(
            f"by eye, {kind}s: first useful {fmean(first):.0%} of {len(first)} words, "
            f"shown useful {fmean(shown):.0%} of {len(shown)} answers; {unknown} answers not judged"
        )


def report_confidence(store: lexkit.Lexicon) -> None:
    """Print how often relations of about one confidence hold."""
    confidence = {
        (a, b, kind): (chance, "stated" if direct else "derived")
        for a, b, kind, chance, direct in _pairs(store, "kind, confidence, direct", "true")
    }
    found: dict[tuple[str, str, int], list[tuple[float, str]]] = defaultdict(list)
    for path in sorted(_JUDGED.glob("*.tsv")):
        for row in _judged(path) if path.name != "answers.tsv" else ():
            a, b = sorted((row["word"], row["other"]))
            if (a, b, row["kind"]) in confidence:
                chance, how = confidence[a, b, row["kind"]]
                found[row["kind"], how, min(int(chance * 10 + 1e-6), 9)].append((chance, row["verdict"]))
    for (kind, how, tenth), pairs in sorted(found.items()):
        shares = ", ".join(f"{name} {fmean(v == name for _, v in pairs):.0%}" for name in ("good", "near", "wrong"))
        print(
            f"confidence of {how} {kind}s from {tenth / 10:.1f}: mean {fmean(chance for chance, _ in pairs):.2f}, "
            f"hold {fmean(v in _HOLDS for _, v in pairs):.2f} of {len(pairs)} ({shares})"
        )
    usual = [v for (_, how, tenth), pairs in found.items() if how == "derived" and tenth >= 5 for _, v in pairs]
    print(
        f"derived relations that training uses: {fmean(v in _HOLDS for v in usual):.0%} good or near, "
        f"{fmean(v == 'good' for v in usual):.0%} good, {fmean(v == 'wrong' for v in usual):.0%} wrong of {len(usual)}"
    )


_EVIDENCE = """
    SELECT a.word AS word, b.word AS other, e.kind, e.same_pos, s.kind AS reader, coalesce(scope, '*') AS scope,
        coalesce(distance, 1) AS distance,
        CASE WHEN rule IS NULL THEN 'stated' WHEN rule = 'negation' OR contains(rule, '/') THEN 'own'
            WHEN from_a IS NULL THEN rule ELSE 'derived' END AS way
    FROM evidence e JOIN source s USING (source) JOIN word a ON a.word_id = word_a JOIN word b ON b.word_id = word_b
"""


def report_reliability(store: lexkit.Lexicon) -> None:
    """Print how often each kind of evidence holds, by the rows of the table `reliability` that it falls under."""
    rows = store.sql("SELECT * FROM reliability").to_pylist()

    def row_of(evidence: dict[str, Any]) -> tuple[Any, ...]:
        fitting = [
            row
            for row in rows
            if all(row[name] == evidence[name] for name in ("kind", "way", "same_pos"))
            and row["reader"] in (evidence["reader"], "*")
            and row["scope"] in (evidence["scope"], "*")
            and (row["distance"] is None or evidence["distance"] <= row["distance"])
        ]
        best = max(fitting, key=lambda row: (row["reader"] != "*", row["scope"] != "*", -(row["distance"] or math.inf)))
        return tuple(best[name] for name in ("kind", "way", "same_pos", "reader", "scope", "distance", "confidence"))

    known: dict[tuple[str, str, str], set[tuple[Any, ...]]] = defaultdict(set)
    for evidence in store.sql(_EVIDENCE).to_pylist():
        if not evidence["way"].startswith("contradicted:"):
            known[evidence["word"], evidence["other"], evidence["kind"]].add(row_of(evidence))
    for path in sorted(_JUDGED.glob("*.tsv")):
        found: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for row in _judged(path) if path.name != "answers.tsv" else ():
            a, b = sorted((row["word"], row["other"]))
            for kind_of_evidence in known[a, b, row["kind"]]:
                found[kind_of_evidence].append(row["verdict"])
        enough = {kind: verdicts for kind, verdicts in found.items() if len(verdicts) >= _ENOUGH}
        for (*names, distance, chance), verdicts in sorted(enough.items(), key=str):
            far = f", distance up to {distance}" if distance else ""
            print(
                f"{path.name}: {' '.join(map(str, names))}{far}: confidence {chance}, hold "
                f"{fmean(verdict in _HOLDS for verdict in verdicts):.0%} of {len(verdicts)}"
            )


def _judged(path: Path) -> Iterable[dict[str, str]]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)


def _pairs(store: lexkit.Lexicon, columns: str, where: str) -> Iterable[tuple[str, ...]]:
    table = store.sql(
        f"SELECT a.word, b.word, {columns} FROM relation JOIN word a ON a.word_id = word_a"
        f" JOIN word b ON b.word_id = word_b WHERE {where} ORDER BY ALL"
    )
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def main() -> None:
    """Measure every store named, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, nargs="+")
    parser.add_argument("--wordnet", type=Path)
    parser.add_argument("--lexical", type=Path)
    options = parser.parse_args()
    reference = Reference(options.wordnet) if options.wordnet else None
    for path in options.store:
        print(f"# {path.name}")
        with lexkit.open(path) as store:
            table = store.sql(
                "SELECT DISTINCT folded, frequency FROM word WHERE regexp_full_match(folded, '[a-z]+')"
                " AND frequency IS NOT NULL ORDER BY frequency DESC, folded"
            )
            if reference is not None:
                report_wordnet(store, reference, table["folded"].to_pylist())
            if options.lexical:
                report_people(store, options.lexical)
            report_judged(store)
            report_confidence(store)
            report_reliability(store)


if __name__ == "__main__":
    main()
