"""The heads of cards, as the Hugging Face hub's own client and `datasets` read them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import lexkit
from lexkit.cards import HUB_LICENCES, front_matter, language_field, licence_fields, size_field
from lexkit.probe.export import export_items
from lexkit.store.export import Form

LOAD = """
import sys
from datasets import get_dataset_config_names, load_dataset
for name in get_dataset_config_names(sys.argv[1]):
    table = load_dataset(sys.argv[1], name, split=sys.argv[2])
    print(name, table.num_rows, ",".join(table.column_names))
    if "word_a" in table.column_names:
        print(sorted({row["word_a"] for row in table if row["kind"] == "antonym"}, key=str))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, write_tokenizer: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    (folder / "antonyms").write_text("null everything\nnan grandson\nno yes\n", encoding="utf-8")
    (folder / "synonyms").write_text("null naught\nbig large\n", encoding="utf-8")
    write_tokenizer(folder / "bytes" / "tokenizer.json")
    pairs: Any = [("synonym", folder / "synonyms"), ("antonym", folder / "antonyms")]
    lexkit.build(folder / "s.duckdb", pairs=pairs, tokenizers=[str(folder / "bytes")])
    return folder / "s.duckdb"


def head(folder: Path) -> dict[str, Any]:
    hub = pytest.importorskip("huggingface_hub")
    found: dict[str, Any] = hub.DatasetCard.load(folder / "README.md").data.to_dict()
    return found


def load(folder: Path, cache: Path, split: str = "train") -> list[str]:
    """What `datasets` makes of a folder, in a process of its own without network."""
    pytest.importorskip("datasets")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(cache)}
    command = [sys.executable, "-c", LOAD, str(folder), split]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_datasets_finds_every_table_of_an_export(store: Path, tmp_path: Path, form: Form) -> None:
    lexkit.export(store, tmp_path / "out", form=form)
    lexkit.export(store, tmp_path / "parquet")
    shapes = []
    for name in ("relations", "evidence"):
        table = pq.read_table(tmp_path / "parquet" / f"{name}.parquet")
        # no word is taken for a missing one
        shapes += [f"{name} {table.num_rows} {','.join(table.column_names)}", "['everything', 'grandson', 'no']"]
    assert load(tmp_path / "out", tmp_path / "cache") == shapes


def test_datasets_finds_the_items_on_words(starter_store: Path, tmp_path: Path) -> None:
    with lexkit.open(starter_store) as lexicon:
        items = export_items(lexicon, tmp_path / "out", 12)
    assert load(tmp_path / "out", tmp_path / "cache", "test") == [
        f"items {items[0].rows} id,type,head,options,right,bands,first,choices"
    ]
    found = head(tmp_path / "out")
    assert (found["license"], found["language"]) == ("other", ["en"])
    readme = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert all(f"{name} |" in readme or f"{name}," in readme for name in ("id", "options", "bands", "first", "choices"))


def test_the_hub_learns_licence_language_and_size(starter_store: Path, store: Path, tmp_path: Path) -> None:
    lexkit.export(starter_store, tmp_path / "starter")
    found = head(tmp_path / "starter")
    assert found["license"] == "other"
    assert found["license_name"] == "apache-2.0-and-cc-by-sa-4.0-and-cc0-1.0-and-public-domain"
    assert (found["language"], found["size_categories"]) == (["en"], ["100K<n<1M"])
    assert {"synonyms", "antonyms"} <= set(found["tags"])
    lexkit.export(store, tmp_path / "pairs", form="sqlite")
    found = head(tmp_path / "pairs")
    assert found["license_name"].endswith("-and-unknown")
    assert "configs" not in found, "datasets reads no SQLite"


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["CC-BY-SA-4.0", "CC-BY-SA-4.0"], {"license": "cc-by-sa-4.0"}),
        (["CC-BY-NC-SA-4.0"], {"license": "cc-by-nc-sa-4.0"}),
        ([None], {"license": "unknown"}),
        (["LicenseRef-WordNet-3.0"], {"license": "other", "license_name": "wordnet-3.0"}),
        (["MIT", None, "Apache-2.0"], {"license": "other", "license_name": "apache-2.0-and-mit-and-unknown"}),
        (["free for\nresearch: yes"], {"license": "other", "license_name": "free-for-research-yes"}),
        ([], {}),
    ],
)
def test_licences_have_identifiers_that_the_hub_knows(licences: list[str | None], expected: dict[str, str]) -> None:
    found = licence_fields(licences)
    assert found == expected
    assert found.get("license", "other") in HUB_LICENCES | {"other"}


@pytest.mark.parametrize(("language", "expected"), [("no", ["no"]), ("grc", ["grc"]), ("zh-min-nan", []), (None, [])])
def test_languages_are_codes_of_iso_639(language: str | None, expected: list[str]) -> None:
    assert language_field(language) == expected


def test_sizes_are_those_of_the_hub() -> None:
    assert [size_field(rows) for rows in (0, 999, 1000, 10**6)] == [["n<1K"], ["n<1K"], ["1K<n<10K"], ["1M<n<10M"]]


def test_text_is_text_for_a_reader_of_yaml() -> None:
    yaml = pytest.importorskip("yaml")
    fields = {"a": "no", "b": ["yes", "1.0", "x: y\n---\n"], "c": [{"d": "\x1b\u202e\x85ü", "e": True}], "f": None}
    written = front_matter(fields)
    assert written.count("\n---\n") == 1
    assert yaml.safe_load(written.strip("-\n")) == {name: value for name, value in fields.items() if value}
