"""How often the analyses of negated words are right: precision and recall, with MorphoLEX and without.

    python benchmarks/negation.py FOLDER --wiktionary FILE --roget FILE --morpholex FILE [--wordnet DIR]
        [--antsynnet DIR]

Builds two stores in FOLDER and prints what it measures; FOLDER/sample.tsv gets 200 derived relations, drawn with a
fixed seed, to be read by eye.

The gold of word analyses is made of WordNet 3.0 (Debian: ``apt-get install wordnet-base``), which knows nothing of
affixes. A candidate is a lemma that begins with un-, in-, im-, il-, ir-, dis-, non- or ends in -less, -lessly,
-lessness, and of which a lemma is left when that is cut off. Of a candidate and its rest, the pair is

- *negated* if WordNet leads from the one to the other by an antonym pointer; or by derivation ("derivationally
  related", "pertains to") on either side of one (unkindness, unkind ! kind, kindness); or by a synonym (unfurl ! roll
  up, furl) or the cluster (unhurt, similar to unwounded ! wounded, similar to hurt) of an antonym; or if the antonym
  of what ends in -less is the rest with -ful, -y or -ed (careless ! careful: care); or if a gloss of the word, or of
  its derivatives, denies, undoes or lacks the rest, or its derivatives, within a few words ("not elected", "without a
  purpose", "lack of ability");
- *not negated* if there is none of that, and both share a synset, or one stands directly above the other (inflammable,
  flammable); or every antonym of the word is another word (income ! outgo); or no gloss holds a negating
  word, or a negated one, at all (immigrant, uncle, inform);
- undecided otherwise, and left out: the number is printed.

Known errors of this gold: glosses that define a negated word positively put it among the *not negated* (disable:
"make unfit"; spotless: "completely neat and clean"), glosses that deny by accident among the *negated* (disbar:
"remove from the bar"); WordNet has no antonyms for most adverbs and nouns, and takes lexicalised words by their
parts (indisposed: "not disposed"). All decisions of the analyser that the gold disputes are written to
FOLDER/disputed.tsv, to be judged by eye.

AntSynNET (Nguyen et al. 2017; train and val of three parts of speech) says of word pairs whether they are antonyms or
synonyms. Measured is how many of the derived relations that it knows have its label.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb

import lexkit

_SEED = 20260222
_SAMPLE = 200
_PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non")
_SUFFIXES = ("less", "lessly", "lessness")
_NEGATING = (
    r"not|no|non|never|without|lack\w*|absen\w+|devoid|free|freed?|fail\w*|unable|inability|impossib\w+|incapab\w+|remove\w*"
    r"|removal|depriv\w+|revers\w*|undo\w*|opposite|oppos\w*|contrary|refus\w+|reject\w*|cease\w*|stop\w*|little|cannot|nor"
    r"|neither|exempt|loss|los\w+|separat\w+|taking|away|bad|hard|difficult|too|beyond|cancel\w*|annul\w*|deficien\w+"
)
_DENIES = re.compile(rf"\b(?:{_NEGATING})\b((?:\W+\w+){{1,5}})")
_NEGATED_WORD = re.compile(rf"\b(?:{_NEGATING}|un\w{{3,}}|in\w{{4,}}|im\w{{4,}}|dis\w{{3,}}|non\w{{3,}}|\w+less\w*)\b")


class Synset(NamedTuple):
    """What is needed of one."""

    words: tuple[str, ...]
    pointers: tuple[tuple[str, str, int, int], ...]
    """(symbol, target, word here, word there); words are counted from 1, 0 is the whole synset."""
    gloss: str


class WordNet:
    """Lemmas, pointers and glosses of the files ``data.*``."""

    def __init__(self, folder: Path) -> None:
        self.synsets: dict[str, Synset] = {}
        self.of: dict[str, list[str]] = defaultdict(list)
        for part, letter in (("noun", "n"), ("verb", "v"), ("adj", "a"), ("adv", "r")):
            for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
                if not line.startswith(" "):
                    self._add(line, letter)

    def _add(self, line: str, letter: str) -> None:
        fields, _, gloss = line.partition("|")
        cells = fields.split()
        n_words = int(cells[3], 16)
        words = tuple(re.sub(r"\(.*\)", "", cell).replace("_", " ").lower() for cell in cells[4 : 4 + 2 * n_words : 2])
        rest = cells[4 + 2 * n_words :]
        pointers = []
        for i in range(int(rest[0])):
            symbol, offset, pos, ends = rest[1 + 4 * i : 5 + 4 * i]
            target = ("a" if pos == "s" else pos) + offset
            pointers.append((symbol, target, int(ends[:2], 16), int(ends[2:], 16)))
        key = letter + cells[0]
        self.synsets[key] = Synset(words, tuple(pointers), gloss.split('; "')[0].strip().lower())
        for word in words:
            if key not in self.of[word]:
                self.of[word].append(key)

    def linked(self, word: str, symbols: str) -> set[str]:
        """Words that lexical pointers, one of *symbols*, lead to from this very word."""
        found = set()
        for key in self.of.get(word, ()):
            synset = self.synsets[key]
            for symbol, target, here, there in synset.pointers:
                if symbol in symbols and here and synset.words[here - 1] == word:
                    found.add(self.synsets[target].words[there - 1])
        return found

    def family(self, word: str) -> set[str]:
        """The word and what is derived from it, or it from."""
        return {word} | self.linked(word, "+\\") | {w for w in self.derived_from.get(word, ())}

    @property
    def derived_from(self) -> dict[str, set[str]]:
        """Words to those that pertain to them: kind to kindly."""
        if not hasattr(self, "_pertainers"):
            self._pertainers: dict[str, set[str]] = defaultdict(set)
            for word in list(self.of):
                for other in self.linked(word, "\\"):
                    self._pertainers[other].add(word)
        return self._pertainers

    def cluster_antonyms(self, word: str) -> set[str]:
        """Words in the clusters that oppose those of an adjective."""
        found: set[str] = set()
        for key in self.of.get(word, ()):
            if not key.startswith("a"):
                continue
            heads = {key} | {target for symbol, target, _, _ in self.synsets[key].pointers if symbol == "&"}
            opposed = {t for head in heads for symbol, t, _, _ in self.synsets[head].pointers if symbol == "!"}
            for head in opposed:
                found.update(self.synsets[head].words)
                for symbol, target, _, _ in self.synsets[head].pointers:
                    if symbol == "&":
                        found.update(self.synsets[target].words)
        return found

    def synonyms_antonyms(self, word: str) -> set[str]:
        """Antonyms of the words of the same synsets, with the words of their synsets: unfurl, ! roll up, furl."""
        found: set[str] = set()
        for key in self.of.get(word, ()):
            for symbol, target, _, _ in self.synsets[key].pointers:
                if symbol == "!":
                    found.update(self.synsets[target].words)
        return found

    def above(self, word: str) -> set[str]:
        """Words of the same synsets and of those directly above or below."""
        found: set[str] = set()
        for key in self.of.get(word, ()):
            for target in (key, *(t for symbol, t, _, _ in self.synsets[key].pointers if symbol in ("@", "~"))):
                found.update(self.synsets[target].words)
        return found - {word}

    def glosses(self, word: str) -> list[str]:
        """Definitions, without examples."""
        return [self.synsets[key].gloss for key in self.of.get(word, ())]


def rests(word: str) -> Iterator[str]:
    """What is left of a word without a negating affix, in every way it could be spelt."""
    for prefix in _PREFIXES:
        if word.startswith(prefix) and len(word) > len(prefix) + 1:
            yield word[len(prefix) :].lstrip("-")
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) > len(suffix) + 1:
            rest = word[: -len(suffix)].rstrip("-")
            yield rest
            if rest.endswith("i"):
                yield rest[:-1] + "y"


def make_gold(wordnet: WordNet) -> tuple[set[tuple[str, str]], set[tuple[str, str]], int]:
    """Return the negated pairs, those that are not, and the number of undecided ones."""
    negated, other, undecided = set(), set(), 0
    for word in sorted(wordnet.of):
        if " " in word:
            continue
        for rest in rests(word):
            if rest in wordnet.of:
                decision = decide(wordnet, word, rest)
                if decision is None:
                    undecided += 1
                else:
                    (negated if decision else other).add((word, rest))
    return negated, other, undecided


def decide(wordnet: WordNet, word: str, rest: str) -> bool | None:
    """Tell whether *word* is *rest* negated, as the module's docstring says."""
    # Only kin that has the affix, too: of unkindness unkind, but not, say, a verb that it comes from
    family = {kin for kin in wordnet.family(word) if kin[:2] == word[:2] or word.endswith(_SUFFIXES)}
    rest_family = wordnet.family(rest)
    if word.endswith(_SUFFIXES):
        rest_family |= {rest + ending for ending in ("ful", "y", "ed", "fully", "fulness")}
    antonyms = {antonym for kin in family for antonym in wordnet.linked(kin, "!") | wordnet.cluster_antonyms(kin)}
    if (antonyms | wordnet.synonyms_antonyms(word)) & rest_family:
        return True
    glosses = [gloss for kin in sorted(family) for gloss in wordnet.glosses(kin)]
    stems = tuple(stem_of(kin) for kin in rest_family)
    for gloss in glosses:
        for denied in _DENIES.findall(gloss):
            if any(w.startswith(stems) for w in re.findall(r"\w+", denied)):
                return True
    if rest in wordnet.above(word) or wordnet.linked(word, "!"):
        return False
    return None if any(_NEGATED_WORD.search(gloss) for gloss in glosses) else False


def stem_of(word: str) -> str:
    """The beginning that a word shares with its inflections, and most of what is derived from it."""
    return word if len(word) <= 4 else word[: max(4, len(word) - 3)]


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
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wiktionary", type=Path, required=True)
    parser.add_argument("--roget", type=Path, required=True)
    parser.add_argument("--morpholex", type=Path, required=True)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--antsynnet", type=Path)
    arguments = parser.parse_args()
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
