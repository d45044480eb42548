"""Score a model's answers: by the letter it gives, or by the words it has in common with the right answers."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

from lexkit_distill.tasks.task import UNANSWERABLE, Question

_LEAD = r"(?:the\s+)?(?:correct\s+|best\s+|right\s+)?(?:answer|option|choice|letter)(?:\s+is)?\s*:?\s*"
_LETTER = re.compile(
    rf"\s*(?:{_LEAD})?[\W_]*([A-Z])(?![A-Za-z'\u2019])(?:(?=\s*$)|(?=\s*[^\w\s])|(?=\s*\n))", re.IGNORECASE
)
_LATER = re.compile(rf"{_LEAD}[\W_]*([A-Z])(?![A-Za-z'\u2019])", re.IGNORECASE)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def score(question: Question, text: str) -> dict[str, float]:
    """Return the scores of a model's answer to a question, by metric.

    The metrics are ``acc`` and ``unanswered`` (whether no letter was found) for questions with options, and ``f1`` and
    ``exact`` for questions about a passage.
    """
    if question.options:
        given = letter(text, question.letters)
        return {"acc": float(given == question.target), "unanswered": float(given is None)}
    return {"f1": f1(text, question.answers), "exact": exact(text, question.answers)}


def score_likelihoods(question: Question, likelihoods: Sequence[float], compared: str) -> dict[str, float]:
    """Return whether the right option is the likeliest (``acc``), as lm-evaluation-harness does.

    If the texts of options are compared, ``acc_norm`` divides each log-likelihood by the option's length in characters.
    """
    found = {"acc": likelihoods}
    if compared == "options":
        lengths = map(len, question.options)
        found["acc_norm"] = [value / max(length, 1) for value, length in zip(likelihoods, lengths, strict=True)]
    return {name: float(values.index(max(values)) == question.right) for name, values in found.items()}


def letter(text: str, letters: Sequence[str]) -> str | None:
    """Return the letter that a model gave as its answer, or None.

    The letter comes first, alone or followed by a full stop, a bracket or the end of the line (``B``, `` B``, ``(B)``,
    ``B. Paris``), or it follows words such as "the answer is". A letter that begins a sentence ("A dog") is ignored.

    Args:
        text: what the model wrote. Leading white space is ignored, because some tokenizers join the letter with the
            space before it.
        letters: the letters of the options.
    """
    found = _LETTER.match(text) or _LATER.search(text)
    given = found[1].upper() if found else None
    return given if given in letters else None


def normalized(text: str) -> str:
    """Return an answer in lower case, without punctuation, articles and extra spaces, as SQuAD normalises it."""
    bare = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact(given: str, right: Sequence[str]) -> float:
    """Return 1 if the answer is among the right ones or, if there are none, says so; else 0."""
    return max(float(normalized(given) == normalized(answer)) for answer in _gold(right))


def f1(given: str, right: Sequence[str]) -> float:
    """Return the harmonic mean of word precision and recall for the right answer that gives the highest.

    If there are no right answers, return 1 for an answer that says so, else 0 (SQuAD v2, Rajpurkar et al. 2018).
    """
    if not right or normalized(given) in _NONE:
        return exact("" if normalized(given) in _NONE else given, right)
    return max(_f1(normalized(given).split(), normalized(answer).split()) for answer in right)


_NONE = (UNANSWERABLE, "")


def _gold(right: Sequence[str]) -> Sequence[str]:
    return right or _NONE


def _f1(given: list[str], right: list[str]) -> float:
    if not given or not right:
        return float(given == right)
    shared = sum((Counter(given) & Counter(right)).values())
    return 2 * shared / (len(given) + len(right)) if shared else 0.0
