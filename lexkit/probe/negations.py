"""Make negation items, which ask which of two options means the same as a word, and which as its negation."""

from __future__ import annotations

from random import Random

from lexkit.probe.item import Item
from lexkit.probe.words import Words, antonyms_of, are_alike, best_first
from lexkit.store.lexicon import Lexicon


def negation_items(lexicon: Lexicon, words: Words, random: Random, pairs: int) -> list[Item]:
    """Return two negation items for each pair of a word and its negation."""
    table = lexicon.sql(
        "SELECT b.word AS base, n.word AS negated FROM negation "
        "JOIN word b ON b.word_id = base_id JOIN word n ON n.word_id = negation.word_id "
        "WHERE NOT reverses AND same_pos ORDER BY ALL"
    ).to_pydict()
    candidates = list(zip(table["base"], table["negated"], strict=True))
    negations = set(table["negated"])
    random.shuffle(candidates)
    used: set[str] = set()
    found: list[Item] = []
    for base, negated in candidates:
        if len(used) == pairs:
            break
        if base in used or base not in words.frequency or negated not in words.frequency:
            continue
        options = _negation_options(words, base, negated, negations)
        if options is None:
            continue
        used.add(base)
        *texts, part, way = options
        places = [0, 1]
        random.shuffle(places)
        shown = (texts[places[0]], texts[places[1]])
        found += [
            Item(f"negation/{head}", "negation", head, base, shown, shown.index(right), words.band(base), part, way)
            for head, right in ((base, texts[0]), (negated, texts[1]))
        ]
    return found


def _negation_options(words: Words, base: str, negated: str, negations: set[str]) -> tuple[str, str, str, str] | None:
    """Return the best options for a pair: a synonym of the base, a synonym of its negation, and where they come from.

    The latter are the part of speech, and the origin of the second option: it is an antonym of the base. Base and
    negation are mainly used as this part of speech: few would take *unfailing* as a noun, or *incorrect* as a verb.

    The store also has the second option as a synonym of the negation, which shows that it suits the sense that is
    negated: *rare* and *noble* are antonyms of *common*, and only *rare* means the same as *uncommon*.
    """
    part = words.mainly.get(base)
    if part is None or words.mainly.get(negated) != part:
        return None
    synonyms = words.related_by("synonym", base, part)
    antonyms = [
        (word, way)
        for word, way in words.related_by("antonym", base, part)
        if word != negated and words.are_synonyms(negated, word)
    ]
    pairs = [
        (synonym, antonym, part, way)
        for (synonym, _), (antonym, way) in best_first(synonyms, antonyms)
        # An option that is a negation itself would match the negated word by its form
        if negations.isdisjoint((synonym, antonym))
        if not any(are_alike(one, other) for one in (synonym, antonym) for other in (base, negated))
        if synonym != antonym and antonym not in words.related[synonym] - antonyms_of(words, synonym, part)
    ]
    return min(pairs, key=lambda pair: not words.of_one_sense(base, pair[1], pair[0]), default=None)
