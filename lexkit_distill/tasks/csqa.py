"""CommonsenseQA (Talmor et al. 2019): questions with five options, published in the same format as ARC."""

from __future__ import annotations

from lexkit_distill.data_files import DataFiles
from lexkit_distill.tasks.arc import parse_ai2
from lexkit_distill.tasks.task import HubData, Task

TASK = Task(
    name="csqa",
    parse=parse_ai2,
    files=DataFiles(
        ("**/dev_rand_split.jsonl",),
        ("**/train_rand_split.jsonl",),
        "dev_rand_split.jsonl and train_rand_split.jsonl of https://www.tau-nlp.org/commonsenseqa",
    ),
    hub=HubData("tau/commonsense_qa", "validation", "train"),
    compared="letters",
)
