"""Where the files of a task are: in the layouts in which they are published, under the folder of ``--data``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lexkit_distill.errors import EvaluationError

_FOLDERS = (".", "benchmarks", "lexical", "text")
"""Where patterns are tried, below the folder that was given."""


@dataclass(frozen=True)
class Source:
    """Names of a task's files, the first that exists counts, and where to get them."""

    questions: tuple[str, ...]
    examples: tuple[str, ...] = ()
    """Files that worked examples are drawn from (for AntSynNET, the ones a threshold is learnt on)."""
    place: str = ""
    """What to put where, for the message when nothing is found."""
    one: bool = True
    """Whether a file is the whole of it; else all files count, as MMLU has one a subject."""


SOURCES = {
    "arc": Source(
        ("arc/validation*.jsonl", "**/ARC-Challenge-Dev.jsonl"),
        ("arc/train*.jsonl", "**/ARC-Challenge-Train.jsonl"),
        "ARC-Challenge-Dev.jsonl and ARC-Challenge-Train.jsonl of https://allenai.org/data/arc",
    ),
    "csqa": Source(
        ("**/dev_rand_split.jsonl",),
        ("**/train_rand_split.jsonl",),
        "dev_rand_split.jsonl and train_rand_split.jsonl of https://www.tau-nlp.org/commonsenseqa",
    ),
    "piqa": Source(
        ("piqa/valid.jsonl", "piqa/dev.jsonl", "**/physicaliqa*/dev.jsonl"),
        ("piqa/train.jsonl", "**/physicaliqa*/train.jsonl"),
        "piqa/valid.jsonl and piqa/valid-labels.lst of https://yonatanbisk.com/piqa",
    ),
    "mmlu": Source(
        ("mmlu/test/*_test.csv", "data/test/*_test.csv", "test/*_test.csv"),
        ("mmlu/dev/*_dev.csv", "data/dev/*_dev.csv", "dev/*_dev.csv"),
        "the folders test and dev of https://people.eecs.berkeley.edu/~hendrycks/data.tar as mmlu/test and mmlu/dev",
        one=False,
    ),
    "squad_v2": Source(
        ("squad/dev-v2.0*.json", "**/dev-v2.0*.json"),
        place="dev-v2.0.json of https://rajpurkar.github.io/SQuAD-explorer",
    ),
    "perplexity": Source(
        ("**/wikitext2-valid.txt", "**/wiki.valid.tokens", "**/wiki.valid.raw"),
        place="wiki.valid.tokens of WikiText-2 there, or name a text with --text",
    ),
    "simlex": Source(
        ("**/EN-SIMLEX-999.txt", "**/SimLex-999.txt"), place="SimLex-999.txt of https://fh295.github.io/simlex.html"
    ),
    "simverb": Source(
        ("**/EN-SimVerb-3500.txt", "**/SimVerb-3500.txt"),
        place="SimVerb-3500.txt of https://github.com/benediktgeorge/simverb",
    ),
    "antsyn": Source(
        ("**/*-pairs.val",),
        ("**/*-pairs.train",),
        "*-pairs.train and *-pairs.val of AntSynNET (https://github.com/nguyenkh/AntSynNET) as antsynnet/",
        one=False,
    ),
}


def find(data: str, task: str, *, examples: bool = False) -> list[Path]:
    """Return the files of *task*, sorted; those with worked examples if *examples*.

    Raises:
        EvaluationError: none is there, with what to put where.
    """
    source = SOURCES[task]
    found = look(data, task, examples=examples)
    if not found:
        what = "to draw worked examples from " if examples else ""
        patterns = ", ".join(source.examples if examples else source.questions)
        raise EvaluationError(f"{task}: no file {what}in {data} (looked for {patterns}); put there {source.place}")
    return found


def look(data: str, task: str, *, examples: bool = False) -> list[Path]:
    """Return what `find` does, or nothing.

    Raises:
        EvaluationError: *data* is no folder.
    """
    root, source = Path(data).expanduser(), SOURCES[task]
    if not root.is_dir():
        raise EvaluationError(f"--data {data}: no such folder; name the folder that holds the files of the tasks")
    for pattern in source.examples if examples else source.questions:
        for folder in _FOLDERS:
            if found := sorted(file for file in (root / folder).glob(pattern) if file.is_file()):
                return found[:1] if source.one else found
    return []
