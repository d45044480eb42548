"""How often the analyses of negated words are right: precision and recall.

    python benchmarks/negation.py --language es [--morphynet DIR] [--list] [--draw WORDS]
    python benchmarks/negation.py FOLDER --wiktionary FILE --roget FILE --morpholex FILE [--wordnet DIR]
        [--antsynnet DIR]

The first measures the affixes of one language, all in memory:

- by MorphyNet (Batsuren, Bella & Giunchiglia 2021), files like ``spa.tsv.gz``: of a vocabulary of all bases and derived
  words, recall is the share of derivations by negating affixes that are found, precision the share of pairs found that
  are such derivations, of those whose word MorphyNet derives by any affix, and of those whose word it derives by
  another prefix. MorphyNet tells affixes by their spelling: many of its derivations with *in-*, *des-* or *s-* do not
  negate; and of a word with two affixes it has one: *illegalità* comes from *illegale*, and so counts as wrong for
  *legalità*.
- by ``benchmarks/judged/negation_LANGUAGE.tsv``: 100 pairs found in a vocabulary of everyday words, drawn with a fixed
  seed and judged by eye. ``--draw`` prints such pairs, to be judged; WORDS has one word a line.

The second measures English, which has more to compare with. It builds stores in FOLDER and prints what it measures;
FOLDER/sample.tsv gets 200 derived relations, drawn with a fixed seed, to be read by eye. The gold of word analyses is
made of WordNet (`negation_wordnet`). All decisions of the analyser that the gold disputes are written to
FOLDER/disputed.tsv, to be judged by eye.

AntSynNET (Nguyen et al. 2017; train and val of three parts of speech) says of word pairs whether they are antonyms or
synonyms. Measured is how many of the derived relations that it knows have its label.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import duckdb
from negation_wordnet import WordNet, make_gold

import lexkit
from lexkit.morphology.negation import Negation, Usage, find_negations

_SEED = 20260222
_SAMPLE = 200
_JUDGED_ROWS = 100
_JUDGED = Path(__file__).parent / "judged"
_POS = {"N": "noun", "V": "verb", "J": "adj", "R": "adv"}


class Gold(NamedTuple):
    """What MorphyNet has of a language."""

    file: str
    affixes: frozenset[str]
    """Affixes that negate, in its spelling."""


_GOLD = {
    "ca": Gold("cat", frozenset(("in-", "im-", "il-", "ir-", "i-", "des-", "dis-", "mal-", "non-"))),
    "cs": Gold("ces", frozenset(("ne-", "bez-", "a-"))),
    "de": Gold("deu", frozenset(("un-", "-los", "nicht-", "non-", "in-", "im-", "il-", "ir-"))),
    "es": Gold("spa", frozenset(("in-", "im-", "i-", "ir-", "des-"))),
    "fr": Gold("fra", frozenset(("in-", "im-", "il-", "ir-", "dé-", "dés-", "mal-", "non-"))),
    "it": Gold("ita", frozenset(("in-", "im-", "ir-", "il-", "s-", "dis-", "non-"))),
    "pl": Gold("pol", frozenset(("nie-", "bez-", "a-"))),
    "pt": Gold("por", frozenset(("in-", "im-", "i-", "ir-", "des-"))),
    "sv": Gold("swe", frozenset(("o-", "-lös", "in-"))),
}


def measure_morphynet(language: str, folder: Path, lists: bool) -> None:
    """Print recall and precision against MorphyNet's derivations."""
    gold = _GOLD[language]
    with gzip.open(folder / f"{gold.file}.tsv.gz", "rt", encoding="utf-8") as stream:
        rows = [line.rstrip("\n").split("\t") for line in stream]
    pos: dict[str, set[str]] = defaultdict(set)
    negated, others, by_prefix = set(), set(), set()
    for base, word, base_pos, word_pos, morpheme, position in rows:
        pos[base].update(_POS.get(base_pos, "").split())
        pos[word].update(_POS.get(word_pos, "").split())
        affix = f"{morpheme}-" if position == "prefix" else f"-{morpheme}"
        (negated if affix in gold.affixes else others).add((word, base))
        if position == "prefix" and affix not in gold.affixes:
            by_prefix.add(word)
    words_of_others = {word for word, _ in others - negated}
    for known, vocabulary in (
        ("no parts of speech", {word: Usage() for word in pos}),
        ("parts of speech", {word: Usage(pos=frozenset(of_word)) for word, of_word in pos.items()}),
    ):
        found = {(n.word, n.base): n for n in find_negations(vocabulary, language)}
        hits = negated & found.keys()
        wrong = {pair for pair in found.keys() - negated if pair[0] in words_of_others}
        traps = {pair for pair in wrong if pair[0] in by_prefix}
        print(f"{language}, MorphyNet, {known}: {len(found):,} found")
        print(f"  recall    {share(len(hits), len(negated))}")
        print(f"  precision {share(len(hits), len(hits) + len(wrong))} against words with any other derivation")
        print(f"            {share(len(hits), len(hits) + len(traps))} against words with another prefix")
        print(f"  by affix  {_by_affix(found, hits, wrong)}")
    if lists:
        for name, pairs in (("missed", negated - found.keys()), ("wrong", wrong)):
            print(f"{name}: " + ", ".join(f"{word} ({base})" for word, base in sorted(pairs)))


def _by_affix(found: dict[tuple[str, str], Negation], hits: set[tuple[str, str]], wrong: set[tuple[str, str]]) -> str:
    right, bad = (Counter(found[pair].rule for pair in pairs) for pairs in (hits, wrong))
    return ", ".join(f"{rule} {right[rule]} right {bad[rule]} wrong" for rule in sorted(right | bad))


def draw(language: str, words: Path) -> None:
    """Print pairs that are found in a list of words, drawn with a fixed seed."""
    vocabulary = dict.fromkeys(words.read_text(encoding="utf-8").split("\n"), Usage())
    found = sorted(find_negations(vocabulary, language))
    drawn = random.Random(_SEED).sample(found, min(_JUDGED_ROWS, len(found)))
    print("word\tbase\taffix\treverses\tjudgement\tnote")
    for n in drawn:
        print("\t".join((n.word, n.base, n.affix, "yes" if n.reverses else "no", "", "")))


def measure_judged(language: str) -> None:
    """Print how many pairs that were judged by eye are right, and what is found of each sort today."""
    path = _JUDGED / f"negation_{language}.tsv"
    if not path.exists():
        print(f"{language}: nothing is judged by eye")
        return
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    vocabulary = {word: Usage() for row in rows for word in row[:2]}
    found = {(n.word, n.base) for n in find_negations(vocabulary, language)}
    verdicts = Counter(row[4] for row in rows)
    still = Counter(row[4] for row in rows if (row[0], row[1]) in found)
    print(f"{language}, judged by eye: {share(verdicts['yes'], len(rows))} right")
    for verdict, n in sorted(verdicts.items()):
        print(f"  {verdict}: {n}, of which {still[verdict]} are found")


def measure_analyses(
    store: Path, negated: set[tuple[str, str]], other: set[tuple[str, str]], disputed: list[str]
) -> None:
    """Print precision and recall of a store's analyses of the words that it has."""
    with duckdb.connect(str(store), read_only=True) as connection:
        words = {word for (word,) in connection.execute("SELECT DISTINCT folded FROM word").fetchall()}
        rows = connection.execute(
            "SELECT DISTINCT w.folded, b.folded, affix FROM negation n JOIN word w USING (word_id)"
            " JOIN word b ON b.word_id = base_id"
        ).fetchall()
    found = {(word, base): affix for word, base, affix in rows}
    gold, wrong = ({(w, b) for w, b in pairs if w in words and b in words} for pairs in (negated, other))
    hits, false = gold & set(found), wrong & set(found)
    print(f"{store.stem}: {len(found):,} analyses, {len(hits) + len(false):,} of them known to the gold")
    print(f"  precision {share(len(hits), len(hits) + len(false))}   recall {share(len(hits), len(gold))}")
    for affix in sorted(set(found.values())):
        right = sum(found[pair] == affix for pair in hits)
        bad = sum(found[pair] == affix for pair in false)
        print(f"    {affix:<8} precision {share(right, right + bad)}")
    disputed += [f"{store.stem}\tfound\t{word}\t{base}" for word, base in sorted(false)]
    disputed += [f"{store.stem}\tmissed\t{word}\t{base}" for word, base in sorted(gold - set(found))]


def share(part: int, whole: int) -> str:
    """A percentage with its counts."""
    return f"{100 * part / whole:6.2f}% ({part:,} of {whole:,})" if whole else "  none"


def read_antsynnet(folder: Path) -> dict[frozenset[str], set[str]]:
    """Pairs with their labels; a few have both."""
    labels: dict[frozenset[str], set[str]] = defaultdict(set)
    for file in sorted([*folder.glob("*.train"), *folder.glob("*.val")]):
        for line in file.read_text(encoding="utf-8").splitlines():
            first, second, label = line.split()
            labels[frozenset((first, second))].add("antonym" if label == "1" else "synonym")
    return labels


def derived_relations(store: Path) -> list[tuple[str, str, str, str, str]]:
    """Derived relations as (word, word, kind, rules, from), in the order of the store."""
    with duckdb.connect(str(store), read_only=True) as connection:
        return connection.execute(
            """
            SELECT a.word, b.word, r.kind, string_agg(DISTINCT rule, ' ' ORDER BY rule),
                coalesce(min(fa.word || ' / ' || fb.word || ' ' || from_kind || ' ' || e.source), '')
            FROM relation r JOIN evidence e USING (word_a, word_b, kind)
            JOIN word a ON a.word_id = r.word_a JOIN word b ON b.word_id = r.word_b
            LEFT JOIN word fa ON fa.word_id = from_a LEFT JOIN word fb ON fb.word_id = from_b
            WHERE NOT r.direct AND NOT starts_with(rule, 'contradicted:')
            GROUP BY ALL ORDER BY ALL
            """
        ).fetchall()


def measure_derived(store: Path, labels: dict[frozenset[str], set[str]]) -> None:
    """Print how many derived relations have the label that AntSynNET gives the pair."""
    right: dict[tuple[str, str], int] = defaultdict(int)
    known: dict[tuple[str, str], int] = defaultdict(int)
    for word, other, kind, rules, _ in derived_relations(store):
        pair_labels = labels.get(frozenset((word, other)))
        if pair_labels:
            own = "word and base" if re.search("negation|reversal", rules) else "one step"
            for group in (own, "all"):
                known[kind, group] += 1
                right[kind, group] += kind in pair_labels
    for key in sorted(known):
        print(f"  derived {key[0]}s, {key[1]:<14} labelled so {share(right[key], known[key])}")


def write_sample(store: Path, path: Path) -> None:
    """Write derived relations, drawn at random with a fixed seed, to be read by eye."""
    rows = derived_relations(store)
    drawn = sorted(random.Random(_SEED).sample(rows, min(_SAMPLE, len(rows))), key=lambda row: (row[2], row[3], row))
    write_lines(path, ["\t".join(("word", "other", "kind", "rules", "from")), *("\t".join(row) for row in drawn)])


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines of text."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main() -> None:
    """Measure one language, or English with stores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--language", default="en")
    parser.add_argument("--morphynet", type=Path)
    parser.add_argument("--list", action="store_true", help="print what is missed and what is wrong by MorphyNet")
    parser.add_argument("--draw", type=Path, metavar="WORDS", help="print 100 pairs found in a list of words")
    parser.add_argument("--wiktionary", type=Path)
    parser.add_argument("--roget", type=Path)
    parser.add_argument("--morpholex", type=Path)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--antsynnet", type=Path)
    arguments = parser.parse_args()
    if arguments.draw is not None:
        draw(arguments.language, arguments.draw)
    elif arguments.folder is None:
        if arguments.morphynet and not (arguments.morphynet / "spa.tsv.gz").exists():
            parser.error(f"{arguments.morphynet}: no tables of MorphyNet such as spa.tsv.gz in it")
        if arguments.morphynet and arguments.language in _GOLD:
            measure_morphynet(arguments.language, arguments.morphynet, arguments.list)
        measure_judged(arguments.language)
    elif arguments.wiktionary and arguments.roget and arguments.morpholex:
        measure_english(arguments)
    else:
        parser.error("a FOLDER needs --wiktionary, --roget and --morpholex")


def measure_english(arguments: argparse.Namespace) -> None:
    """Build stores, compare them with WordNet and AntSynNET, print."""
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    wordnet = WordNet(arguments.wordnet)
    negated, other, undecided = make_gold(wordnet)
    print(f"gold: {len(negated):,} pairs negated, {len(other):,} not, {undecided:,} undecided")
    # WordNet's words, as headwords without relations, let the analyser judge all of the gold
    everything = folder / "words-of-wordnet.jsonl"
    lemmas = sorted({word for pair in negated | other for word in pair})
    write_lines(everything, [f'{{"word": "{word}", "lang_code": "en", "pos": ""}}' for word in lemmas])
    sources = {"wiktionary": [arguments.wiktionary], "roget": arguments.roget}
    wide = {"wiktionary": [arguments.wiktionary, everything], "roget": arguments.roget}
    labels = read_antsynnet(arguments.antsynnet) if arguments.antsynnet else {}
    disputed: list[str] = []
    for name, options in (
        ("with-morpholex", {**sources, "morpholex": arguments.morpholex}),
        ("without-morpholex", sources),
        ("with-morpholex-and-all-words-of-the-gold", {**wide, "morpholex": arguments.morpholex}),
        ("without-morpholex-and-all-words-of-the-gold", wide),
    ):
        store = folder / f"{name}.duckdb"
        lexkit.build(store, **options)
        measure_analyses(store, negated, other, disputed)
        if labels and "gold" not in name:
            measure_derived(store, labels)
    write_sample(folder / "with-morpholex.duckdb", folder / "sample.tsv")
    write_lines(folder / "disputed.tsv", disputed)


if __name__ == "__main__":
    main()
