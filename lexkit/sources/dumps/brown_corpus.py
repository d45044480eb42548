"""Find NLTK's Brown corpus, which wiktextract imports, or write a stand-in for it.

wiktextract uses the corpus as a list of English words, to tell notes from terms. With the stand-in, it still has the
several thousand words of its own lists.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lexkit.arguments import user_path

_CORPUS = Path("corpora", "brown")


def find_brown(cache: Path) -> Path | None:
    """Return the folder with the corpus, in lexkit's cache or on NLTK's search path, for ``$NLTK_DATA``; or None."""
    places = [cache / "nltk_data", *_nltk_path()]
    return next((p for p in places if (p / _CORPUS / "cats.txt").is_file() or (p / f"{_CORPUS}.zip").is_file()), None)


def write_standin(nltk_data: Path) -> Path:
    """Write a corpus of one sentence to the folder, and return the folder."""
    (nltk_data / _CORPUS).mkdir(parents=True, exist_ok=True)
    (nltk_data / _CORPUS / "ca01").write_text("the/at dog/nn ran/vbd ./.\n")
    (nltk_data / _CORPUS / "cats.txt").write_text("ca01 news\n")
    return nltk_data


def _nltk_path() -> list[Path]:
    """Return NLTK's search path without importing NLTK, which would take a second."""
    named = [Path(folder) for folder in os.environ.get("NLTK_DATA", "").split(os.pathsep) if folder]
    within = [Path(sys.prefix, folder) for folder in (".", "share", "lib")]
    system = [Path("/usr", folder) for folder in ("share", "local/share", "lib", "local/lib")]
    return [*named, user_path("~/nltk_data"), *(folder / "nltk_data" for folder in within + system)]
