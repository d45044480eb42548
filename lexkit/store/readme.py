"""Write the README of an export. Its metadata block lets the Hugging Face ``datasets`` library load the folder."""

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
"""Formats that the `datasets` library can load, with one file per table."""
TABLE_FILES = (SQLITE_FILE, *(f"{table}.{form}" for table in ("relations", "evidence") for form in FORMS_OF_DATASETS))
"""The files of an export in all formats, except the README."""
_TITLE = "# Synonyms and antonyms, exported by lexkit"
_COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "relations": (
        ("word_a, word_b", "the two words; each pair once, word_a before word_b in code point order"),
        ("kind", "synonym or antonym"),
        ("direct", "whether a source states it; otherwise morphological negation derives it"),
        ("n_sources", "number of independent sources that state it, or state the relation it is derived from"),
        ("sources", "names of all sources that it is based on"),
        ("contested", "whether the sources also relate the two words as the other kind"),
        ("pos", "parts of speech, as far as the sources state them"),
        ("same_pos", "whether both words have the same part of speech; false for fault, derived from faultless"),
        ("usage_a, usage_b", "labels of word_a, and of word_b, in this relation: archaic, slang, offensive ..."),
        ("confidence", "probability that it holds in some ordinary sense, from 0 to 1"),
        ("weight_a, weight_b", "how good an answer word_b is for word_a, and word_a for word_b; higher is better"),
        ("token_ids_a, token_ids_b", "tokens of the words in running text, after a space, without special tokens"),
    ),
    "evidence": (
        ("word_a, word_b, kind", "the relation that is stated or derived"),
        ("source", "the source that states it or, if it is derived, states the relation it is derived from"),
        ("pos, sense", "part of speech; gloss or place in the source"),
        ("scope", "the part of the source that relates the two words, if this affects the confidence"),
        ("n_words, distance", "number of words that the source groups there, and the distance between the two"),
        ("usage_a, usage_b", "labels that the source gives word_a, and word_b, there"),
        ("rule", "empty if stated, else the rule that derives it; after `contradicted:`, it does not count"),
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
    # datasets reads CSV with pandas, which treats the words null and nan as missing values
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
    """Return whether a folder contains an export and nothing else."""
    files = {file.name for file in folder.iterdir()}
    return (
        _NAME in files and files <= {_NAME, *TABLE_FILES} and _TITLE in (folder / _NAME).read_text("utf-8", "replace")
    )


def all_licences(facts: dict[str, Any]) -> list[str | None]:
    """Return the licences of the files in an export, with None for a source whose licence lexkit does not know."""
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
            + (f"; pairs with a word of more than {most} tokens are left out." if most else "."),
            "",
        ]
    if not facts["contested"]:
        parts += ["Pairs that are both synonyms and antonyms are left out.", ""]
    if facts["min_confidence"]:
        parts += [f"Pairs whose confidence is below {facts['min_confidence']:g} are left out.", ""]
    if facts["without_usage"]:
        parts += [f"Pairs with a word that is {' or '.join(facts['without_usage'])} are left out.", ""]
    if facts["left_out"]:
        names = ", ".join(map(markdown, facts["left_out"]))
        parts += [f"Everything that depends on these sources is left out, including derivations: {names}.", ""]
    return parts


def licences(facts: dict[str, Any]) -> list[str]:
    """Return the lines of a README about sources, their licences and citations.

    Args:
        facts: a dictionary with `sources`, rows of the table `source`, and `has_frequencies`.
    """
    parts = [
        "## Sources and licences",
        "",
        "These files are made from the sources below, and the licences of all of them apply at the same time.",
        "",
    ]
    parts += ["| source | file | licence |", "| --- | --- | --- |"]
    catalog = {(entry.kind, entry.licence): entry for entry in reversed(load_catalog().source)}
    cited = []
    for row in facts["sources"]:
        # a thesaurus made from WordNet has its licence, but a French wordnet does not have that of the English one
        entry = catalog.get((row["origin"], row["licence"]))
        note = f" ({entry.licence_note})" if entry is not None else ""
        parts.append(
            f"| {markdown(row['source'])} | {markdown(row['file'])} "
            f"| {markdown(row['licence'] or 'unknown to lexkit; ask the author')}{note} |"
        )
        if entry is not None:
            cited.append(f"- {entry.citation}")
    parts += [
        "",
        *(
            f"Weights are also based on {item.title} ({item.licence}: {item.licence_note}). {item.citation}"
            for item in load_catalog().carried
            if facts["has_frequencies"]
        ),
    ]
    if cited:
        parts += ["", "Please cite:", "", *dict.fromkeys(cited)]
    return parts
