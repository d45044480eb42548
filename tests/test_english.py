"""The English of code and documentation: phrases to avoid, docstrings and help that read by themselves, no dates."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lexkit.cli.main import cli

ROOT = Path(__file__).resolve().parent.parent
MEASUREMENTS = {"docs/benchmarks.md", "docs/study.md"}
"""Where dates, machines and medians belong."""

PHRASES = {
    r"\btells? of\b": "say 'reports' or 'describes'",
    r"\bheld against\b": "say 'compared with'",
    r"\b(what came of|came to nothing|what became of|what becomes of)\b": "name the result",
    r"\bparts? (documents|every|all)\b": "say 'separates'",
    r"\bsuch ones?\b": "name the things",
    r"\b(to|or|and|;|cannot) mend\b|\bmends? (the|it|its|their|that)\b|\bmended\b": "say 'fix' or 'correct'",
    r"\botherwise than\b": "say 'differently from'",
    r"\banew\b": "say 'again'",
    r"\bis no (word|decoder|dictionary|value|number|folder|file|answer|example|pair|field)\b": "say 'is not a ...'",
    r"\b(is|are|be) had\b": "say 'is available'",
    r"\bso many\b(?! as)": "say 'this many' or the number",
    r"\bgoes on (when|where|from)\b": "say 'resumes' or 'continues'",
    r"\bnot done again\b": "say 'is skipped'",
    r"\bis told\b|\btold of\b": "say 'is reported'",
    r"\bwhatever (they|it|he) (is|are)\b": "say what it is",
    r"\bcounts? (alike|more than)\b": "say 'takes precedence' or 'weighs the same'",
    r"\b(spelt )?nearly so\b": "say 'similar'",
    r"\btold (about|rows|steps|stages|tokens)\b": "say 'reports'",
    r"\bgoing on (after|at|from)\b": "say 'resuming'",
    r"\b(came to an end|comes? to the same)\b": "say 'finished' or 'gives the same result'",
    r"\ba (row|byte|line|file) a (row|line|step|token|key)\b": "say 'one row per step'",
}
BREAK = r'(?:\s|#|--|f?")+'
"""What stands between two words of a phrase, on one line or on two, in text, comments and strings."""
AVOID = {re.compile(phrase.replace(" ", BREAK), re.IGNORECASE): advice for phrase, advice in PHRASES.items()}
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
DATED = re.compile(
    # but for the day on which another project fixed what users have to know of
    rf"\b(?<!\bfixed on )20\d\d-\d\d-\d\d\b|\b({MONTHS}) 20\d\d\b|\b(Measured|Counted) on\b|\b(EPYC|Xeon|Ryzen)\b"
)
FRAGMENT = re.compile(r"(Of|As|That|From|At|By) (?!default\b)")
"""How a phrase begins that needs a name as its subject: 'Of the last step.'"""
HELP_FRAGMENT = re.compile(
    r"(Of|For|By|From|In|As|At|None|Its?|That|The same)\b|Where to \w+ it\b|(\w+ ){1,3}(it|its|them)\b"
)
"""Help that needs the option's name as its subject: 'Of the files.', 'Where to put it.'"""

FILES = sorted(
    path
    for pattern in ("lexkit/**/*", "lexkit_distill/**/*", "tests/**/*", "data_sources/*", "docs/*", "*")
    for path in ROOT.glob(pattern)
    if path.suffix in {".py", ".sql", ".md"} and path != Path(__file__).resolve()
)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def faults(path: Path) -> list[str]:
    """What is wrong with the English of a file."""
    text = path.read_text(encoding="utf-8")
    found = [
        (text.count("\n", 0, match.start()) + 1, f"{match[0]!r}: {advice}")
        for phrase, advice in AVOID.items()
        for match in phrase.finditer(text)
    ]
    if path.suffix == ".py" and not named(path).startswith("tests/"):
        found += [
            (line, f"docstring {docstring.splitlines()[0]!r}: write a sentence")
            for line, docstring in docstrings(ast.parse(text))
            if len(docstring.split()) < 3 or FRAGMENT.match(docstring)
        ]
    if path.suffix == ".md" and named(path) not in MEASUREMENTS:
        found += [
            (text.count("\n", 0, match.start()) + 1, f"{match[0]!r}: dates and machines belong in docs/benchmarks.md")
            for match in DATED.finditer(text)
        ]
    return [f"{named(path)}, line {line}: {fault}" for line, fault in sorted(found)]


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Docstrings of the module, its classes, functions, fields and constants, with their line numbers."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        before: list[ast.stmt | None] = [None, *node.body]
        for previous, statement in zip(before, node.body, strict=False):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                text = statement.value.value
                if isinstance(text, str) and isinstance(previous, ast.Assign | ast.AnnAssign | None):
                    yield statement.lineno, text


def help_texts() -> Iterator[tuple[str, str]]:
    """The help of every option, by command and option."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        group = cli.get_command(context, name)
        assert group is not None
        inner = group.list_commands(context) if isinstance(group, click.Group) else []
        for command in [group, *(group.get_command(context, name) for name in inner)]:
            for option in command.params:
                if isinstance(option, click.Option):
                    yield f"{name} {command.name} {option.opts[0]}", option.help or ""


@pytest.mark.parametrize("path", FILES, ids=named)
def test_the_english_is_plain(path: Path) -> None:
    assert faults(path) == []


def test_help_does_not_need_the_options_name_as_its_subject() -> None:
    found = [
        f"{name}: {text}"
        for name, text in help_texts()
        if len(text.split()) < 3 or not text[0].isupper() or text[-1] not in ".]" or HELP_FRAGMENT.match(text)
    ]
    assert found == []
