"""NLTK's Brown corpus, which wiktextract wants to import: the real one, or a stand-in for it.

wiktextract takes the corpus's words for the known words of English, by which it tells notes from terms. With the
stand-in it still knows the several thousand words of its own lists.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from lexkit.arguments import user_path

_CORPUS = Path("corpora", "brown")
_STANDIN = {"ca01": "the/at dog/nn ran/vbd ./.\n", "cats.txt": "ca01 news\n"}
"""Files of the stand-in; the one that `_holds_brown` looks for comes last."""


@dataclass(frozen=True)
class Brown:
    """Where the corpus is."""

    nltk_data: Path
    """A folder for ``$NLTK_DATA``."""
    is_standin: bool


def find_brown(cache: Path) -> Brown:
    """Return the real corpus, from lexkit's cache or where NLTK looks for it, or else the stand-in, made if need be.

    Raises:
        OSError: the stand-in cannot be written.
    """
    for folder in (cache / "nltk_data", *_nltk_path()):
        if _holds_brown(folder):
            return Brown(folder, is_standin=False)
    standin = cache / "nltk_standin"
    if not _holds_brown(standin):
        corpus = standin / _CORPUS
        corpus.mkdir(parents=True, exist_ok=True)
        for name, text in _STANDIN.items():
            beside = corpus / f"{name}.{os.getpid()}-{threading.get_ident()}"
            beside.write_text(text, encoding="ascii")
            beside.replace(corpus / name)
    return Brown(standin, is_standin=True)


def _holds_brown(folder: Path) -> bool:
    corpus = folder / _CORPUS
    return (corpus / "cats.txt").is_file() or corpus.with_suffix(".zip").is_file()


def _nltk_path() -> list[Path]:
    """Return NLTK's search path, without the second it takes to import NLTK."""
    named = [Path(folder) for folder in os.environ.get("NLTK_DATA", "").split(os.pathsep) if folder]
    prefix = Path(sys.prefix)
    usual = [
        user_path("~/nltk_data"),
        *(prefix / folder / "nltk_data" for folder in (".", "share", "lib")),
        *(Path(folder) / "nltk_data" for folder in ("/usr/share", "/usr/local/share", "/usr/lib", "/usr/local/lib")),
    ]
    return named + usual
