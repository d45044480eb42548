"""The benchmarks as the Hugging Face hub has them."""

from __future__ import annotations

from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.files import SOURCES
from lexkit_distill.evaluation.questions import Parser, Question, shaped

_DATASETS = {
    "arc": ("allenai/ai2_arc", "ARC-Challenge", "validation", "train"),
    "csqa": ("tau/commonsense_qa", None, "validation", "train"),
    "piqa": ("baber/piqa", None, "validation", "train"),
    "mmlu": ("cais/mmlu", "all", "test", "dev"),
    "squad_v2": ("rajpurkar/squad_v2", None, "validation", None),
}


def read_hub(task: str, shots: int, parse: Parser) -> tuple[list[Question], list[Question], list[str]]:
    """Return the questions, what worked examples are drawn from, and the names of both.

    Raises:
        EvaluationError: the hub does not have it, or is not within reach.
    """
    import datasets

    name, config, split, example_split = _DATASETS[task]

    def load(split: str) -> list[Question]:
        try:
            rows = list(datasets.load_dataset(name, config, split=split))
        except Exception as error:  # the library and the hub's client raise many kinds
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise EvaluationError(
                f"{task}: {name} cannot be had from the hub ({reason.rstrip('.')}); give --data DIR and put there "
                f"{SOURCES[task].place}"
            ) from error
        return [shaped(parse, row, f"hub:{name}:{split}, row {number}") for number, row in enumerate(rows, 1)]

    questions = load(split)
    pool = load(example_split) if shots and example_split else questions
    return questions, pool, [f"hub:{name}:{split}"]
