"""Export items as tasks of lm-evaluation-harness, to a folder that can be used without lexkit."""

from __future__ import annotations

import os
from collections import Counter
from importlib.resources import files
from pathlib import Path

import msgspec

from lexkit import __version__
from lexkit.arguments import require_number, require_path
from lexkit.cards import front_matter, language_field, licence_fields, size_field
from lexkit.probe.frames import ITEM_TYPES
from lexkit.probe.item import Item
from lexkit.probe.items import make_items
from lexkit.store.export import Exported
from lexkit.store.lexicon import Lexicon
from lexkit.store.publish_folder import published_folder
from lexkit.store.readme import all_licences, licences

_TITLE = "# Items on synonyms and antonyms, made by lexkit"
_ITEMS, _README, _UTILS, _GROUP = "items.jsonl", "README.md", "utils.py", "lexkit_words"
ITEM_FILES = (_ITEMS, _UTILS, f"{_GROUP}.yaml", *(f"lexkit_{kind}.yaml" for kind in ITEM_TYPES))
"""The files of an export of items, except the README."""
_TASK = """\
task: lexkit_{type}
custom_dataset: !function utils.documents
dataset_kwargs:
  item_type: {type}
output_type: multiple_choice
test_split: test
doc_to_text: "{{{{first}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{right}}}}"
process_results: !function utils.process_results
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
  - metric: acc_raw
    aggregation: mean
    higher_is_better: true
"""


def export_items(
    lexicon: Lexicon, folder: str | os.PathLike[str], heads: int = 1000, seed: int = 0, text: str | None = None
) -> list[Exported]:
    """Write the items of a store as tasks of lm-evaluation-harness, with a document for each item and frame.

    Args:
        lexicon: an English store with word frequencies; see `lexkit.probe.items.make_items`.
        folder: folder to write. If it is an earlier export of items, it is replaced in one step.
        heads: most heads for each type of item.
        seed: seed for drawing heads.
        text: English text for items of substitution.

    Returns:
        The files, except the README.

    Raises:
        ArgumentError: *heads* is not a whole number above 0.
        QueryError: no items can be made from the store; see `make_items`.
        StoreError: the folder cannot be written or contains something else.
    """
    require_path("folder", folder)
    require_number("heads", heads, 1)
    items = make_items(lexicon, heads, seed, text)
    documents = [document for item in items for document in _documents(item)]
    types = [kind for kind in ITEM_TYPES if any(item.type == kind for item in items)]
    contents = {
        _ITEMS: msgspec.json.Encoder().encode_lines(documents),
        _UTILS: files("lexkit.probe").joinpath("lm_eval_utils.py").read_bytes(),
        f"{_GROUP}.yaml": f"group: {_GROUP}\ntask: [{', '.join(f'lexkit_{kind}' for kind in types)}]\n".encode(),
        **{f"lexkit_{kind}.yaml": _TASK.format(type=kind).encode() for kind in types},
    }
    with published_folder(Path(folder), is_export_of_items) as new:
        for name, content in contents.items():
            (new / name).write_bytes(content)
        (new / _README).write_text(_readme(lexicon, items, len(documents), heads, seed), encoding="utf-8")
    rows = {_ITEMS: len(documents)}
    return [Exported(name, rows.get(name, 0), len(content)) for name, content in contents.items()]


def is_export_of_items(folder: Path) -> bool:
    """Return whether a folder contains an export of items and nothing else."""
    names = {file.name for file in folder.iterdir()}
    return (
        _README in names
        and names <= {_README, *ITEM_FILES, "__pycache__"}
        and _TITLE in (folder / _README).read_text("utf-8", "replace")
    )


def _documents(item: Item) -> list[dict[str, object]]:
    """Return the documents of an item: the beginning that all sentences share, their continuations, and the item.

    The harness tokenizes sentences whole, and sums log-likelihoods over the tokens after the shared beginning.
    """
    found: list[dict[str, object]] = []
    for number, (own, neutral) in enumerate(item.sentences()):
        first = own[0].split(" ", 1)[0]
        found.append(
            {
                "id": f"{item.id}/{number}",
                "type": item.type,
                "head": item.head,
                "options": item.options,
                "right": item.right,
                "bands": [item.frequency, item.pos, item.relation],
                "first": first,
                "choices": [sentence[len(first) + 1 :] for sentence in (*own, *neutral)],
            }
        )
    return found


def _readme(lexicon: Lexicon, items: list[Item], documents: int, heads: int, seed: int) -> str:
    counts = Counter(item.type for item in items)
    sources = lexicon.sql("SELECT source, kind, origin, uri AS file, sha256, licence FROM source ORDER BY source")
    rows = [{**row, "file": Path(row["file"] or "").name} for row in sources.to_pylist()]
    facts = {"sources": rows, "has_frequencies": True}
    language = lexicon.sql("SELECT value FROM meta WHERE key = 'language'").to_pylist()
    head = front_matter(
        {
            "pretty_name": "Items on synonyms and antonyms",
            "language": language_field(language[0]["value"] if language else None),
            **licence_fields(all_licences(facts)),
            "tags": ["lexkit", "lm-evaluation-harness", "synonyms", "antonyms"],
            "size_categories": size_field(documents),
            "configs": [{"config_name": "items", "data_files": [{"split": "test", "path": _ITEMS}], "default": True}],
        }
    )
    parts = [
        head,
        _TITLE,
        "",
        "    lm_eval --model hf --model_args pretrained=MODEL --include_path . --tasks lexkit_words",
        "",
        "Each line of items.jsonl is an item in one frame: a sentence that ends in each of the options. `acc` compares",
        "the log-likelihood of each option in this sentence minus that in a neutral sentence, so options gain nothing",
        "by being frequent. `acc_raw` compares the log-likelihoods in the sentence alone.",
        "",
        "**The standard errors that the harness prints are too small.** An item has several frames, and therefore",
        "several lines, and negation items come in pairs. The harness treats all lines as independent.",
        "`lexkit distill eval` computes intervals over heads instead.",
        "",
        "| column of items.jsonl | meaning |",
        "| --- | --- |",
        "| id, type, head | the item and the number of its frame, the type of item, the head word |",
        "| options, right | the words to choose from, and the index of the right one, starting at 0 |",
        "| bands | frequency and part of speech of the head, and whether its relation is stated or derived |",
        "| first | the word with which all sentences begin |",
        "| choices | the rest of the sentences: with each option in the frame, then in the neutral frame |",
        "",
        "| task | items | options | chance |",
        "| --- | --- | --- | --- |",
        *(
            f"| lexkit_{kind} | {counts[kind]:,} | {(n := 2 if kind == 'negation' else 4)} | {1 / n} |"
            for kind in ITEM_TYPES
            if counts[kind]
        ),
        "",
        f"Made by lexkit {__version__}, with `heads={heads}` and `seed={seed}`, from:",
        "",
        *licences(facts),
    ]
    return "\n".join(parts) + "\n"
