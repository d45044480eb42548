"""Where held-out text and the lexical lists are under the folder of ``--data``; each benchmark says so itself."""

from __future__ import annotations

from pathlib import Path

from lexkit_distill.files import DataFiles

_FILES = {
    "perplexity": DataFiles(
        ("**/wikitext2-valid.txt", "**/wiki.valid.tokens", "**/wiki.valid.raw"),
        place="wiki.valid.tokens of WikiText-2 there, or name a text with --text",
    ),
    "simlex": DataFiles(
        ("**/EN-SIMLEX-999.txt", "**/SimLex-999.txt"), place="SimLex-999.txt of https://fh295.github.io/simlex.html"
    ),
    "simverb": DataFiles(
        ("**/EN-SimVerb-3500.txt", "**/SimVerb-3500.txt"),
        place="SimVerb-3500.txt of https://github.com/benediktgeorge/simverb",
    ),
    "antsyn": DataFiles(
        ("**/*-pairs.val",),
        ("**/*-pairs.train",),
        "*-pairs.train and *-pairs.val of AntSynNET (https://github.com/nguyenkh/AntSynNET) as antsynnet/",
        many=True,
    ),
}


def find(data: str, name: str, *, examples: bool = False) -> list[Path]:
    """Return the files of a text or a list; those that a threshold is fitted to if *examples*.

    Raises:
        DataError: none is there, with what to put where.
    """
    return _FILES[name].find(data, name, examples=examples)
