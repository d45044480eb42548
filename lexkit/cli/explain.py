"""The commands ``lexkit explain`` and ``path``, which show how two words are related."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lexkit.arguments import LARGEST
from lexkit.cli.completion import complete_words
from lexkit.cli.lookup import forms_option, pos_option
from lexkit.cli.output import answer_options, isolate, json_option, open_store, print_json, store_option

if TYPE_CHECKING:
    from lexkit.store.chains import Chain, Step
    from lexkit.store.results import Evidence

_MOST_STEPS = 12


@click.command()
@click.argument("word1", shell_complete=complete_words)
@click.argument("word2", shell_complete=complete_words)
@forms_option
@json_option
@store_option
def explain(word1: str, word2: str, forms: bool, as_json: bool, store: str) -> None:
    """Show all evidence for a relation between WORD1 and WORD2, including derivations.

    \b
    Example:
      lexkit explain kind friendly
    """
    with open_store(store) as lexicon:
        from lexkit.cli.answers import KINDS, named, require_word, tell_forms

        answers = [require_word(lexicon, word, forms, KINDS) for word in (word1, word2)]
        kinds = lexicon.relation(word1, word2, forms=forms)
        evidence = lexicon.explain(word1, word2, forms=forms)
    found, found_forms = [words for words, _ in answers], [form for _, some in answers for form in some]
    if as_json:
        document = {"words": found, "forms": list(map(named, found_forms)), "relations": kinds, "evidence": evidence}
        print_json(document)
        return
    tell_forms(found_forms, [word for words in found for word in words])
    a, b = (", ".join(map(isolate, words)) for words in found)
    if not evidence and set(found[0]) & set(found[1]):
        click.echo(f"{a} and {b} are the same word in {store}")
        return
    if not evidence:
        click.echo(f"{a} and {b} are not related in {store}; 'lexkit path' looks for a chain between them")
        return
    names = {(): "not related", ("synonym",): "synonyms", ("antonym",): "antonyms"}
    click.echo(f"{a} and {b}: {names.get(tuple(kinds), 'both synonyms and antonyms (contested)')}")
    for item in evidence:
        click.echo(f"  {' '.join(_explanation(item).split())}")


_OWN_RULES = {
    "negation": "one is the other negated",
    "reversal": "one undoes the other",
    "double negation": "one is the other negated twice",
    "indirect": "opposed by way of a word that is near to one of them",
}


def _explanation(item: Evidence) -> str:
    notes = ", ".join(filter(None, (item.pos, *item.usage)))
    pos = f" ({notes})" if notes else ""
    if item.rule is None:
        return f"{item.kind}{pos}: {item.source} states it" + (f": {isolate(item.sense)}" if item.sense else "")
    if item.derived_from is None:
        how = _OWN_RULES.get(item.rule, item.rule)
        text = f"{item.kind}{pos}: {how}, says {item.source}"
    else:
        x, y, kind = *map(isolate, item.derived_from[:2]), item.derived_from[2]
        text = f"{item.kind}{pos}: by {item.rule} from {x} / {y}, {kind}s in {item.source}"
    return text + (" -- but a source states the opposite, so this does not count" if item.contradicted else "")


@click.command()
@click.argument("word1", shell_complete=complete_words)
@click.argument("word2", shell_complete=complete_words)
@pos_option
@click.option(
    "--limit", type=click.IntRange(1, LARGEST), default=3, show_default=True, metavar="N", help="Most chains to show."
)
@click.option(
    "--max-steps",
    type=click.IntRange(1, _MOST_STEPS),
    default=_MOST_STEPS,
    show_default=True,
    metavar="N",
    help="Look for chains of at most N steps.",
)
@click.option("--direct", is_flag=True, help="Use only relations that a source states.")
@answer_options
@forms_option
@json_option
@store_option
def path(word1: str, word2: str, forms: bool, as_json: bool, store: str, **options: Any) -> None:  # noqa: ANN401
    """Find the shortest chains of relations between two words.

    If the number of steps to an antonym is even, the two words are alike in meaning; if it is odd, they are opposite. A
    word in between may change its sense, so long chains mean little; --pos helps. Among chains of the same length,
    those with the best answers come first.

    \b
    Example:
      lexkit path happy wretched
      lexkit path dog music --pos noun
    """
    with open_store(store) as lexicon:
        from lexkit.cli.answers import KINDS, named, require_pos, require_word, tell_forms

        require_pos(lexicon, options["pos"])
        answers = [require_word(lexicon, word, forms, KINDS) for word in (word1, word2)]
        chains = lexicon.chains(word1, word2, forms=forms, **options)
    found, found_forms = [words for words, _ in answers], [form for _, some in answers for form in some]
    if as_json:
        print_json({"words": found, "forms": list(map(named, found_forms)), "chains": list(map(_document, chains))})
        return
    tell_forms(found_forms, [word for words in found for word in words])
    a, b = (", ".join(map(isolate, words)) for words in found)
    if set(found[0]) & set(found[1]):
        click.echo(f"{a} and {b} are the same word in {store}")
    elif not chains:
        click.echo(f"{a} and {b}: no chain of at most {options['max_steps']} steps in {store}")
    for chain in chains:
        click.echo("\n".join(_lines(chain)))


def _document(chain: Chain) -> dict[str, Any]:
    steps = [{"from": step.word, "kind": step.kind, **step.neighbor._asdict()} for step in chain.steps]
    return {"kind": chain.kind, "words": chain.words, "steps": steps}


def _lines(chain: Chain) -> list[str]:
    n, n_antonyms = len(chain.steps), sum(step.kind == "antonym" for step in chain.steps)
    meaning = "opposite" if chain.kind == "antonym" else "alike"
    steps = f"{n} steps, {n_antonyms or 'none'} of them to an antonym" if n > 1 else "1 step"
    first, last = isolate(chain.words[0]), isolate(chain.words[-1])
    return [f"{first} and {last}: {meaning} by {steps}", *map(_line, chain.steps)]


def _line(step: Step) -> str:
    neighbor = step.neighbor
    notes = (
        ", ".join(neighbor.pos),
        "" if neighbor.direct else "derived",
        *neighbor.usage,
        ", ".join(neighbor.sources),
    )
    return f"  {isolate(step.word)} - {isolate(neighbor.word)}: {step.kind}s ({'; '.join(filter(None, notes))})"
