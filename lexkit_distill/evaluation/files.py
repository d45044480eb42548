"""Find held-out text and lists of word pairs in the folder of ``--data``. Tasks name the files of their questions."""

from __future__ import annotations

from pathlib import Path

from lexkit_distill.corpus import documents
from lexkit_distill.data_files import DataFiles
from lexkit_distill.errors import EvaluationError

_FILES = {
    "perplexity": DataFiles(
        ("**/wikitext2-valid.txt", "**/wiki.valid.tokens", "**/wiki.valid.raw"),
        place="wiki.valid.tokens of WikiText-2, or name a text with --text",
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
    """Return the files of a list of word pairs; with *examples*, those to which a threshold is fitted.

    Raises:
        DataError: there are none; the message names the files to add.
    """
    return _FILES[name].find(data, name, examples=examples)


def read_text(data: str | None, text: str | None, task: str = "perplexity") -> str:
    """Return the held-out text: documents separated by blank lines.

    Raises:
        DataError: the folder of ``--data`` has no text.
        EvaluationError: neither ``--text`` nor ``--data`` is given, or the file has no text.
        CorpusError: the file is unreadable.
    """
    if text is None and data is None:
        raise EvaluationError(f"{task}: no text given; name a file with --text")
    names = [text] if text is not None else [str(_FILES["perplexity"].find(str(data), task)[0])]
    found = [document.text for document in documents(names, lambda _: None) if document.text]
    if not found:
        raise EvaluationError(f"{names[0]}: contains no text; {task} needs plain text, or JSON lines with 'text'")
    return "\n\n".join(found)
