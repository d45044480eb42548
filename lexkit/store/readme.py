"""The README of an export. Its head lets the Hugging Face ``datasets`` library load the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from lexkit.safe_output import markdown
from lexkit.sources.catalog import load_catalog

_NAME = "README.md"
_TITLE = "# Synonyms and antonyms, exported by lexkit"
_COLUMNS = {
    "relations": """\
| column | meaning |
| --- | --- |
| word_a, word_b | the two words; each pair once, word_a before word_b in code point order |
| kind | synonym or antonym |
| direct | whether a source states it; otherwise morphological negation derives it |
| n_sources | how many independent sources state it, or state what it is derived from |
| sources | the names of all sources that it rests on |
| contested | whether the pair is known as the other kind, too |
| pos | parts of speech, as far as the sources say |
| same_pos | whether the words are of one part of speech; not so where faultless gave fault |
| usage_a, usage_b | labels of word_a, and of word_b, in this relation: archaic, slang, offensive ... |
| confidence | the chance that it holds in some ordinary sense, from 0 to 1 |
| weight_a, weight_b | how good an answer word_b is for word_a, and word_a for word_b; the higher the better |
""",
    "tokens": """\
| token_ids_a, token_ids_b | the words' tokens in running text, after a space, without special tokens |
""",
    "evidence": """\
| column | meaning |
| --- | --- |
| word_a, word_b, kind | the relation that is stated or derived |
| source | who states it; for a derived one, who states what it is derived from |
| pos, sense | part of speech; gloss or place in the source |
| scope | what of the source puts the two together, where that makes a difference |
| n_words, distance | how many words the source puts together there, and how far apart the two stand |
| usage_a, usage_b | what the source says of the use of word_a, and of word_b, there |
| rule | empty if stated; else how it is derived; `contradicted:` before it if it counts for nothing |
| from_a, from_b, from_kind | the stated relation it is derived from |
| same_pos | false if it was derived across parts of speech |
""",
}


def write_readme(folder: Path, form: str, tables: dict[str, pa.Table], facts: dict[str, Any]) -> None:
    """Write ``README.md`` for the files of an export."""
    parts = ["---", "configs:"]
    for place, name in enumerate(tables):
        parts += [f"- config_name: {name}", f"  data_files: {name}.{form}", *(["  default: true"] if not place else [])]
    parts += ["---", "", _TITLE, "", *_contents(form, tables, facts), *licences(facts)]
    (folder / _NAME).write_text("\n".join(parts) + "\n", encoding="utf-8")


def is_export(folder: Path) -> bool:
    """Whether a folder holds an export and nothing else."""
    files = {file.name for file in folder.iterdir()}
    known = {f"{table}.{form}" for table in ("relations", "evidence") for form in ("parquet", "jsonl", "csv")}
    return _NAME in files and files <= {_NAME, *known} and _TITLE in (folder / _NAME).read_text("utf-8", "replace")


def _contents(form: str, tables: dict[str, pa.Table], facts: dict[str, Any]) -> list[str]:
    parts = []
    for name, table in tables.items():
        columns = _COLUMNS[name] + (_COLUMNS["tokens"] if "token_ids_a" in table.column_names else "")
        parts += [f"## {name}.{form}: {table.num_rows:,} rows", "", *columns.splitlines(), ""]
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
