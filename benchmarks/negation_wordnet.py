"""A gold of negated English words, made of WordNet 3.0 (Debian: ``apt-get install wordnet-base``).

WordNet knows nothing of affixes. A candidate is a lemma that begins with un-, in-, im-, il-, ir-, dis-, non- or ends in
-less, -lessly, -lessness, and of which a lemma is left when that is cut off. Of a candidate and its rest, the pair is

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
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
