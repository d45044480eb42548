"""The README of an export. Its head lets the Hugging Face ``datasets`` library load the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from lexkit.cards import front_matter, language_field, licence_fields, size_field
from lexkit.safe_output import markdown
from lexkit.sources.catalog import load_catalog

_NAME = "README.md"
SQLITE_FILE = "lexkit.sqlite"
FORMS_OF_DATASETS = ("parquet", "jsonl", "csv")
"""Forms that the `datasets` library loads; each table is a file."""
TABLE_FILES = (SQLITE_FILE, *(f"{table}.{form}" for table in ("relations", "evidence") for form in FORMS_OF_DATASETS))
"""The files of an export in any form, README aside."""
_TITLE = "# Synonyms and antonyms, exported by lexkit"
_COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "relations": (
        ("word_a, word_b", "the two words; each pair once, word_a before word_b in code point order"),
        ("kind", "synonym or antonym"),
        ("direct", "whether a source states it; otherwise morphological negation derives it"),
        ("n_sources", "how many independent sources state it, or state what it is derived from"),
        ("sources", "the names of all sources that it rests on"),
        ("contested", "whether the pair is known as the other kind, too"),
        ("pos", "parts of speech, as far as the sources say"),
        ("same_pos", "whether the words are of one part of speech; not so where faultless gave fault"),
        ("usage_a, usage_b", "labels of word_a, and of word_b, in this relation: archaic, slang, offensive ..."),
        ("confidence", "the chance that it holds in some ordinary sense, from 0 to 1"),
        ("weight_a, weight_b", "how good an answer word_b is for word_a, and word_a for word_b; the higher the better"),
        ("token_ids_a, token_ids_b", "the words' tokens in running text, after a space, without special tokens"),
    ),
    "evidence": (
        ("word_a, word_b, kind", "the relation that is stated or derived"),
        ("source", "who states it; for a derived one, who states what it is derived from"),
        ("pos, sense", "part of speech; gloss or place in the source"),
        ("scope", "what of the source puts the two together, where that makes a difference"),
        ("n_words, distance", "how many words the source puts together there, and how far apart the two stand"),
        ("usage_a, usage_b", "what the source says of the use of word_a, and of word_b, there"),
        ("rule", "empty if stated; else how it is derived; `contradicted:` before it if it counts for nothing"),
        ("from_a, from_b, from_kind", "the stated relation it is derived from"),
        ("same_pos", "false if it was derived across parts of speech"),
    ),
}
_IN_SQLITE = """\
{file} is an SQLite database with the tables below and `sources` (source, kind, file, sha256, origin, licence). The
views `synonyms` and `antonyms` have every relation in both directions: word, synonym or antonym, direct, n_sources,
sources, contested, pos, same_pos, usage (of the answer), confidence, weight. Words have indexes. True and false are
1 and 0, and lists are JSON text: `SELECT r.word_a, j.value FROM relations r, json_each(r.sources) j`.
"""


def write_readme(folder: Path, form: str, tables: dict[str, pa.Table], facts: dict[str, Any]) -> None:
    """Write ``README.md`` for the files of an export."""
    # pandas, by which datasets reads CSV, takes the words null and nan for missing ones
    options = {"keep_default_na": False, "na_values": [""]} if form == "csv" else {}
    configs = [
        {"config_name": name, "data_files": f"{name}.{form}", **({} if place else {"default": True}), **options}
        for place, name in enumerate(tables)
    ]
    head = front_matter(
        {
            "pretty_name": "Synonyms and antonyms",
            "language": language_field(facts["language"]),
            **licence_fields(all_licences(facts)),
            "tags": ["lexkit", "synonyms", "antonyms", "thesaurus"],
            "size_categories": size_field(sum(table.num_rows for table in tables.values())),
            "configs": configs if form in FORMS_OF_DATASETS else [],
        }
    )
    parts = [head, _TITLE, "", *_contents(form, tables, facts), *licences(facts)]
    (folder / _NAME).write_text("\n".join(parts) + "\n", encoding="utf-8")


def is_export(folder: Path) -> bool:
    """Whether a folder holds an export and nothing else."""
    files = {file.name for file in folder.iterdir()}
    return (
        _NAME in files and files <= {_NAME, *TABLE_FILES} and _TITLE in (folder / _NAME).read_text("utf-8", "replace")
    )


def all_licences(facts: dict[str, Any]) -> list[str | None]:
    """Return the licences that the files of an export carry; None for one that lexkit does not know."""
    carried = [item.licence for item in load_catalog().carried if facts["has_frequencies"]]
    return [*(row["licence"] for row in facts["sources"]), *carried]


def _type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {_type(kind.value_type)}"
    if pa.types.is_boolean(kind):
        return "true or false"
    return "text" if pa.types.is_string(kind) else "whole number" if pa.types.is_integer(kind) else "number"


def _columns(name: str, table: pa.Table) -> list[str]:
    rows = ["| column | type | meaning |", "| --- | --- | --- |"]
    for names, meaning in _COLUMNS[name]:
        first = names.partition(",")[0]
        if first in table.column_names:
            rows.append(f"| {names} | {_type(table.schema.field(first).type)} | {meaning} |")
    return rows


def _contents(form: str, tables: dict[str, pa.Table], facts: dict[str, Any]) -> list[str]:
    in_files = form in FORMS_OF_DATASETS
    parts = [] if in_files else [_IN_SQLITE.format(file=SQLITE_FILE)]
    for name, table in tables.items():
        title = f"{name}.{form}" if in_files else name
        parts += [f"## {title}: {table.num_rows:,} rows", "", *_columns(name, table), ""]
    if form == "csv":
        parts += ["Lists are joined by spaces.", ""]
    tokenizer = facts["tokenizer"]
    if tokenizer is not None:
        most = tokenizer["max_tokens"]
        parts += [
            f"Token ids are those of {markdown(tokenizer['name'])} (fingerprint {markdown(tokenizer['fingerprint'])})"
            + (f"; pairs of which a word needs more than {most} tokens are left out." if most else "."),
            "",
        ]
    if not facts["contested"]:
        parts += ["Pairs that are known both as synonyms and as antonyms are left out.", ""]
    if facts["min_confidence"]:
        parts += [f"Pairs whose confidence is below {facts['min_confidence']:g} are left out.", ""]
    if facts["without_usage"]:
        parts += [f"Pairs with a word that is {' or '.join(facts['without_usage'])} are left out.", ""]
    if facts["left_out"]:
        names = ", ".join(map(markdown, facts["left_out"]))
        parts += [f"What rests on these sources is left out, derivations included: {names}.", ""]
    return parts


def licences(facts: dict[str, Any]) -> list[str]:
    """Return the lines of a README on the sources of files, their licences, and what to cite.

    Args:
        facts: has `sources`, rows of the table `source`, and `has_frequencies`.
    """
    parts = [
        "## Sources and licences",
        "",
        "These files are made of the sources below and carry their licences, all at once.",
        "",
    ]
    parts += ["| source | file | licence |", "| --- | --- | --- |"]
    catalog = {(entry.kind, entry.licence): entry for entry in reversed(load_catalog().source)}
    cited = []
    for row in facts["sources"]:
        # a thesaurus made from WordNet has WordNet's licence, and a wordnet of French has not that of the English one
        entry = catalog.get((row["origin"], row["licence"]))
        note = f" ({entry.licence_note})" if entry is not None else ""
        parts.append(
            f"| {markdown(row['source'])} | {markdown(row['file'])} "
            f"| {markdown(row['licence'] or 'unknown to lexkit: ask its author')}{note} |"
        )
        if entry is not None:
            cited.append(f"- {entry.citation}")
    parts += [
        "",
        *(
            f"Weights rest on these facts as well: {item.title} ({item.licence}: {item.licence_note}). {item.citation}"
            for item in load_catalog().carried
            if facts["has_frequencies"]
        ),
    ]
    if cited:
        parts += ["", "Please cite:", "", *dict.fromkeys(cited)]
    return parts
