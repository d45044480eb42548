"""Mistakes in Python: every one is a LexkitError of one line that says how to fix it, and nothing is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import lexkit
from lexkit.errors import ArgumentError, StoreError
from lexkit.store.lexicon import Lexicon


@pytest.fixture(scope="module")
def lexicon(starter_store: Path) -> Iterator[Lexicon]:
    with lexkit.open(starter_store) as opened:
        yield opened


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"affixes": "typo"}, "affixes='typo': no such value; say 'none' or 'common' or 'all'"),
        ({"affixes": None}, "affixes=None: no such value; say 'none' or 'common' or 'all'"),
        ({"roget_scope": "head"}, "roget_scope='head': no such value; say 'group' or 'paragraph'"),
        ({"max_rejected": 7}, "max_rejected=7: give a number from 0 to 1"),
        ({"max_rejected": -0.1}, "max_rejected=-0.1: give a number from 0 to 1"),
        ({"max_rejected": float("nan")}, "max_rejected=nan: give a number from 0 to 1"),
        ({"max_rejected": "all"}, "max_rejected='all': give a number from 0 to 1"),
        ({"jobs": 0}, "jobs=0: give a whole number from 1 to 256"),
        ({"jobs": -1}, "jobs=-1: give a whole number from 1 to 256"),
        ({"jobs": 1.5}, "jobs=1.5: give a whole number from 1 to 256"),
        ({"jobs": 20_000}, "jobs=20000: give a whole number from 1 to 256"),
        ({"language": ""}, "language='': give Wiktionary's code of the language, such as 'en'"),
        ({"tokenizers": "gpt2"}, "tokenizers='gpt2': give a list, such as ['NAME=PATH']"),
        ({"pairs": "p.txt"}, "pairs='p.txt': give a list, such as [('synonym', 'FILE')]"),
        ({"pairs": ["p.txt"]}, "pairs=['p.txt']: give a list, such as [('synonym', 'FILE')]"),
        ({"pairs": ("synonym", "p.txt")}, "pairs=('synonym', 'p.txt'): give a list, such as [('synonym', 'FILE')]"),
        ({"pairs": [("synonym", None)]}, "pairs=[('synonym', None)]: give a list, such as [('synonym', 'FILE')]"),
        ({"wiktionary": 5}, "wiktionary=5: give a list, such as ['FILE']"),
        ({"wiktionary": [None]}, "wiktionary=[None]: give a list, such as ['FILE']"),
        ({"sources": "wordnet=/x"}, "sources='wordnet=/x': give a list, such as [('wordnet', 'FOLDER')]"),
    ],
)
def test_build(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError) as caught:
        lexkit.build(tmp_path / "s.duckdb", **options)
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


ASKED: list[tuple[Callable[[Lexicon], object], str]] = [
    (lambda lexicon: lexicon.neighbors(["kind"], "typo"), "kind='typo': no such value"),  # type: ignore[arg-type]
    (lambda lexicon: lexicon.neighbors("kind", "synonym"), "words='kind': give a list of words, such as ['kind']"),
    (lambda lexicon: lexicon.neighbors(["a", None], "synonym"), "words[1] is None"),  # type: ignore[list-item]
    (lambda lexicon: lexicon.neighbors(pa.array([5]), "synonym"), "words[0] is 5; give words only"),
    (lambda lexicon: lexicon.relations("typo"), "no kind 'typo'; say synonym or antonym"),  # type: ignore[arg-type]
    (lambda lexicon: lexicon.relations(max_tokens=3), "needs a tokenizer; name one"),
    (lambda lexicon: lexicon.relations(tokenizer="typo"), "no tokenizer 'typo' in the store; it has none"),
    (lambda lexicon: lexicon.synonyms("kind", source="typo"), "it has affix, morpholex, roget, wiktionary"),
    (lambda lexicon: lexicon.antonyms("kind", limit=-1), "limit=-1: give a whole number from 0 on"),
    (lambda lexicon: lexicon.suggest("kidn", limit=-1), "limit=-1: give a whole number from 0 on"),
    (lambda lexicon: lexicon.sql("SELECT 1", timeout=0), "timeout=0: give seconds, more than 0"),
    (lambda lexicon: lexicon.sql("SELECT 1", max_rows=0), "max_rows=0: give a whole number from 1 on"),
    (lambda lexicon: lexicon.sql("SELECT 1", timeout=True), "timeout=True: give seconds, more than 0"),
    (lambda lexicon: lexicon.sql("SELECT ?", "x"), "params='x': give a list of values"),
    (lambda lexicon: lexicon.sql("SELECT ?", None), "params=None: give a list of values"),  # type: ignore[arg-type]
    (lambda lexicon: lexicon.neighbors(5, "synonym"), "words=5: give a list of words"),  # type: ignore[arg-type]
    (lambda lexicon: lexicon.suggest(None), "word=None: give text, such as 'happy'"),  # type: ignore[arg-type]
    (lambda lexicon: lexicon.suggest("kidn", limit=None), "limit=None: give a whole number"),  # type: ignore[arg-type]
    (lambda lexicon: lexicon.synonyms(["kind"]), "word=['kind']: give a word"),  # type: ignore[arg-type]
    (lambda lexicon: lexicon.find("kind", kind="x"), "kind='x': no such value"),  # type: ignore[arg-type]
    (lambda lexicon: lexicon.keep_rate(None), "tokenizer=None: give text"),  # type: ignore[arg-type]
    (lambda lexicon: lexkit.build(5), "output=5: give a path"),  # type: ignore[arg-type]
    (lambda lexicon: lexkit.export(lexicon.path, None), "folder=None: give a path"),  # type: ignore[arg-type]
    (lambda lexicon: lexicon.sql("SELECT ?"), "parameter"),
    (lambda lexicon: lexkit.export(lexicon.path, "x", form="xml"), "form='xml': no such value"),  # type: ignore[arg-type]
    (
        lambda lexicon: lexkit.export(lexicon.path, "x", licence_free_of="by"),  # type: ignore[arg-type]
        "licence_free_of='by': no such value; say 'nc'",
    ),
    (lambda lexicon: lexkit.tokenize(lexicon.path, "gpt2"), "tokenizers='gpt2': give a list"),
    (lambda lexicon: lexkit.tokenize(lexicon.path, [], jobs=0), "jobs=0: give a whole number from 1 on"),
]


@pytest.mark.parametrize(("ask", "message"), ASKED, ids=[message for _, message in ASKED])
def test_asking(ask: Callable[[Lexicon], object], message: str, lexicon: Lexicon) -> None:
    with pytest.raises(lexkit.LexkitError) as caught:
        ask(lexicon)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda lexicon: lexicon.synonyms("kind"),
        lambda lexicon: lexicon.words(),
        lambda lexicon: lexicon.explain("kind", "friendly"),
        lambda lexicon: lexicon.neighbors(["kind"], "synonym"),
        lambda lexicon: lexicon.relations(),
        lambda lexicon: lexicon.statistics(),
        lambda lexicon: lexicon.sql("SELECT 1"),
    ],
)
def test_a_closed_lexicon_says_so(ask: Callable[[Lexicon], object], starter_store: Path) -> None:
    with lexkit.open(starter_store) as lexicon:
        lexicon.synonyms("kind")
    with pytest.raises(StoreError, match=r"is closed; open it again with lexkit\.open"):
        ask(lexicon)
