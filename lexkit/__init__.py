"""lexkit: synonyms and antonyms from Wiktionary, WordNet and Roget, every one with its evidence.

>>> import tempfile
>>> import lexkit
>>> with tempfile.TemporaryDirectory() as folder:
...     summary = lexkit.build(f"{folder}/lexkit.duckdb")  # no source is named: the small data that lexkit carries
...     with lexkit.open(summary.path) as lexicon:
...         print([neighbor.word for neighbor in lexicon.antonyms("unkind", direct=True)])
...         print(lexicon.relation("kind", "friendly"), lexicon.explain("kind", "friendly")[0].derived_from)
['kind', 'friendly', 'gentle', 'thoughtful']
['synonym'] ('unfriendly', 'unkind', 'synonym')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = ["Lexicon", "LexkitError", "__version__", "build", "export", "open", "tokenize"]

if TYPE_CHECKING:
    from lexkit.errors import LexkitError
    from lexkit.store.build import build
    from lexkit.store.export import export
    from lexkit.store.lexicon import Lexicon, open
    from lexkit.store.spans import tokenize

_HOMES = {
    "Lexicon": "lexkit.store.lexicon",
    "open": "lexkit.store.lexicon",
    "build": "lexkit.store.build",
    "tokenize": "lexkit.store.spans",
    "export": "lexkit.store.export",
    "LexkitError": "lexkit.errors",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import what is asked for when it is asked for: DuckDB and Arrow take longer than ``import lexkit`` may."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
