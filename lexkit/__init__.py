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

if TYPE_CHECKING:
    from lexkit.errors import (
        ArgumentError,
        FetchError,
        LexkitError,
        PluginError,
        QueryError,
        SourceError,
        StoreError,
        TokenizerError,
        WordNotFound,
    )
    from lexkit.fetching.fetch import fetch
    from lexkit.reporting.page import report
    from lexkit.store.build import build
    from lexkit.store.export import export
    from lexkit.store.lexicon import Lexicon, open
    from lexkit.store.result_lists import Explanation, Neighbors
    from lexkit.store.results import Evidence, Neighbor, WordForm
    from lexkit.store.spans import tokenize

__all__ = [
    "ArgumentError",
    "Evidence",
    "Explanation",
    "FetchError",
    "Lexicon",
    "LexkitError",
    "Neighbor",
    "Neighbors",
    "PluginError",
    "QueryError",
    "SourceError",
    "StoreError",
    "TokenizerError",
    "WordForm",
    "WordNotFound",
    "__version__",
    "build",
    "export",
    "fetch",
    "open",
    "report",
    "tokenize",
]
_HOMES = {
    "build": "lexkit.store.build",
    "export": "lexkit.store.export",
    "fetch": "lexkit.fetching.fetch",
    "open": "lexkit.store.lexicon",
    "report": "lexkit.reporting.page",
    "tokenize": "lexkit.store.spans",
    "Lexicon": "lexkit.store.lexicon",
    **dict.fromkeys(("Neighbors", "Explanation"), "lexkit.store.result_lists"),
    **dict.fromkeys(("Neighbor", "Evidence", "WordForm"), "lexkit.store.results"),
    **dict.fromkeys((name for name in __all__ if name.endswith("Error") or name == "WordNotFound"), "lexkit.errors"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import what is asked for when it is asked for: DuckDB and Arrow take longer than ``import lexkit`` may."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names, most of which are not imported yet."""
    return __all__
