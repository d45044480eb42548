from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

import lexkit
from lexkit.errors import QueryError, StoreError

ROOT = Path(__file__).resolve().parents[3]
MORPHOLEX_ROWS = "Word\tMorphoLexSegm\nunkind\t<un<{(kind)}\nunjust\t<un<{(just)}\nkind\t{(kind)}\njust\t{(just)}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_tokenizer: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    (folder / "synonyms").write_text("unkind cruel\nunkind unjust\nbig large\nbig small\n", encoding="utf-8")
    (folder / "antonyms").write_text("unkind friendly\nbig small\ncruel kind\n", encoding="utf-8")
    (folder / "m.tsv").write_text(MORPHOLEX_ROWS, encoding="utf-8")
    write_tokenizer(folder / "bytes" / "tokenizer.json")
    return folder


def build(folder: Path, name: str, **options: Any) -> Path:
    pairs: Any = [("synonym", folder / "synonyms"), ("antonym", folder / "antonyms")]
    lexkit.build(folder / name, pairs=pairs, tokenizers=[str(folder / "bytes")], **options)
    return folder / name


@pytest.fixture(scope="module")
def store(folder: Path) -> Path:
    return build(folder, "s.duckdb", morpholex=folder / "m.tsv")


class TestTables:
    def test_relations_agree_with_the_views(self, store: Path) -> None:
        with lexkit.open(store) as lexicon:
            table = lexicon.relations()
            rows = table.to_pylist()
            for kind in ("synonym", "antonym"):
                view = lexicon.sql(
                    f"SELECT v.word AS word_a, v.{kind} AS word_b, '{kind}' AS kind, v.direct, v.n_sources, v.sources,"
                    " v.contested, v.pos, v.same_pos, w.usage AS usage_a, v.usage AS usage_b,"
                    " v.confidence, v.weight AS weight_a,"
                    f" w.weight AS weight_b FROM {kind}s v JOIN {kind}s w"
                    f" ON v.word = w.{kind} AND v.{kind} = w.word WHERE v.word < v.{kind} ORDER BY ALL"
                )
                assert lexicon.relations(kind).to_pylist() == view.to_pylist()  # type: ignore[arg-type]
        keys = [(row["word_a"], row["word_b"], row["kind"]) for row in rows]
        assert keys == sorted(keys)
        assert all(row["word_a"] < row["word_b"] for row in rows)

    def test_token_ids_are_those_of_the_words(self, store: Path) -> None:
        with lexkit.open(store) as lexicon:
            rows = lexicon.relations("synonym", "bytes").to_pylist()
            spans = lexicon.sql("SELECT word, token_ids FROM span JOIN word USING (word_id)").to_pylist()
        ids = {row["word"]: row["token_ids"] for row in spans}
        assert rows
        for row in rows:
            assert row["token_ids_a"] == ids[row["word_a"]]
            assert row["token_ids_b"] == ids[row["word_b"]]

    def test_max_tokens_holds_for_both_words(self, store: Path) -> None:
        with lexkit.open(store) as lexicon:
            rows = lexicon.relations(tokenizer="bytes", max_tokens=6).to_pylist()  # a space and five letters
            every = lexicon.relations(tokenizer="bytes").num_rows
        assert {(row["word_a"], row["word_b"]) for row in rows} >= {("big", "large"), ("cruel", "kind")}
        assert all(len(row[f"word_{side}"]) <= 5 for row in rows for side in "ab")
        assert 0 < len(rows) < every

    def test_contested_ones_can_be_left_out(self, store: Path) -> None:
        with lexkit.open(store) as lexicon:
            kept = lexicon.relations(contested=False)
            left = lexicon.relations().num_rows - kept.num_rows
        assert left == 2  # big and small, as both kinds
        assert not any(kept["contested"].to_pylist())

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"kind": "hypernym"}, "say synonym or antonym"),
            ({"max_tokens": 3}, "needs a tokenizer"),
            ({"tokenizer": "gpt2"}, r"no tokenizer 'gpt2'.*it has bytes; add one with 'lexkit tokenize"),
        ],
    )
    def test_what_is_not_there(self, store: Path, options: dict[str, Any], message: str) -> None:
        with lexkit.open(store) as lexicon, pytest.raises(QueryError, match=message):
            lexicon.relations(**options)


class TestFiles:
    def test_parquet_holds_the_tables(self, store: Path, tmp_path: Path) -> None:
        done = lexkit.export(store, tmp_path / "out")
        assert [file.file for file in done] == ["relations.parquet", "evidence.parquet"]
        with lexkit.open(store) as lexicon:
            assert pq.read_table(tmp_path / "out/relations.parquet").equals(lexicon.relations())
            counts = lexicon.statistics()
        evidence = pq.ParquetFile(tmp_path / "out/evidence.parquet")
        assert evidence.metadata.num_rows == counts.evidence == done[1].rows
        column = evidence.metadata.row_group(0).column(0)
        assert column.compression == "ZSTD"
        assert [order.column_index for order in evidence.metadata.row_group(0).sorting_columns] == [0, 1, 2]

    def test_derivations_name_what_they_come_from(self, store: Path, tmp_path: Path) -> None:
        lexkit.export(store, tmp_path / "out", form="jsonl")
        rows = [json.loads(line) for line in (tmp_path / "out/evidence.jsonl").read_text("utf-8").splitlines()]
        (row,) = (row for row in rows if (row["word_a"], row["word_b"], row["rule"]) == ("friendly", "kind", "un-"))
        assert (row["from_a"], row["from_b"], row["from_kind"], row["kind"]) == (
            "friendly",
            "unkind",
            "antonym",
            "synonym",
        )

    def test_every_form_says_the_same(self, store: Path, tmp_path: Path) -> None:
        for form in ("parquet", "jsonl", "csv"):
            lexkit.export(store, tmp_path / form, form=form, tokenizer="bytes")  # type: ignore[arg-type]
        rows = pq.read_table(tmp_path / "parquet/relations.parquet").to_pylist()
        lines = (tmp_path / "jsonl/relations.jsonl").read_text("utf-8").splitlines()
        assert [json.loads(line) for line in lines] == rows
        with (tmp_path / "csv/relations.csv").open(encoding="utf-8", newline="") as stream:
            cells = list(csv.DictReader(stream))
        assert [[int(i) for i in row["token_ids_a"].split()] for row in cells] == [row["token_ids_a"] for row in rows]
        assert [row["direct"] == "true" for row in cells] == [row["direct"] for row in rows]
        assert [row["sources"].split() for row in cells] == [row["sources"] for row in rows]

    def test_a_distiller_gets_relations_and_token_ids_and_nothing_contested(self, store: Path, tmp_path: Path) -> None:
        lexkit.export(store, tmp_path / "out", tokenizer="bytes", max_tokens=9)
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"README.md", "relations.parquet"}
        with lexkit.open(store) as lexicon:
            wanted = lexicon.relations(tokenizer="bytes", max_tokens=9, contested=False)
            (recorded,) = lexicon.sql("FROM tokenizer").to_pylist()
        table = pq.read_table(tmp_path / "out/relations.parquet")
        assert table.equals(wanted)
        facts = json.loads(table.schema.metadata[b"lexkit"])
        assert facts["tokenizer"]["fingerprint"] == recorded["fingerprint"]
        assert facts["tokenizer"]["max_tokens"] == 9
        lexkit.export(store, tmp_path / "out", tokenizer="bytes", max_tokens=9, contested=True)
        assert pq.read_metadata(tmp_path / "out/relations.parquet").num_rows == wanted.num_rows + 2

    def test_the_same_store_gives_the_same_bytes(self, folder: Path, store: Path, tmp_path: Path) -> None:
        again = build(folder, "again.duckdb", morpholex=folder / "m.tsv", jobs=1)
        for form in ("parquet", "jsonl", "csv", "sqlite"):
            for name, path in (("a", store), ("b", again)):
                lexkit.export(path, tmp_path / f"{name}-{form}", form=form)  # type: ignore[arg-type]
            for file in (tmp_path / f"a-{form}").iterdir():
                assert file.read_bytes() == (tmp_path / f"b-{form}" / file.name).read_bytes(), file.name


class TestReadme:
    @pytest.mark.parametrize("tokenizer", [None, "bytes"])
    def test_it_documents_every_column_of_every_table(self, store: Path, tmp_path: Path, tokenizer: str | None) -> None:
        lexkit.export(store, tmp_path / "out", tokenizer=tokenizer)
        tables = sorted((tmp_path / "out").glob("*.parquet"))
        assert len(tables) == (2 if tokenizer is None else 1)
        for table in tables:
            section = (tmp_path / "out/README.md").read_text("utf-8").partition(f"\n## {table.name}")[2]
            rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| ")]
            documented = [column.strip() for row in rows[2:] for column in row.split("|")[1].split(",")]
            columns = pq.read_schema(table).names
            assert documented[: len(columns)] == columns


class TestLicences:
    def test_they_are_in_the_metadata_and_the_readme_and_no_path_of_this_machine(
        self, store: Path, tmp_path: Path
    ) -> None:
        lexkit.export(store, tmp_path / "out")
        readme = (tmp_path / "out/README.md").read_text("utf-8")
        metadata = pq.read_schema(tmp_path / "out/evidence.parquet").metadata[b"lexkit"].decode()
        licences = {row["source"]: row["licence"] for row in json.loads(metadata)["sources"]}
        assert licences == {"morpholex": "CC-BY-NC-SA-4.0", "pairs": None, "pairs:2": None}
        assert re.search(r"^\| morpholex \| m\.tsv \| CC-BY-NC-SA-4\.0 \(non-commercial", readme, re.MULTILINE)
        assert "unknown to lexkit" in readme
        assert "Sánchez-Gutiérrez" in readme
        assert str(tmp_path.parent) not in readme + metadata

    def test_free_of_nc_holds_nothing_that_a_build_without_morpholex_lacks(
        self, folder: Path, store: Path, tmp_path: Path
    ) -> None:
        lexkit.export(store, tmp_path / "free", licence_free_of="nc")
        lexkit.export(build(folder, "without.duckdb"), tmp_path / "without")
        free, without = (pq.read_table(tmp_path / out / "evidence.parquet") for out in ("free", "without"))
        rows, others = ([json.dumps(row) for row in table.to_pylist()] for table in (free, without))
        assert set(rows) == set(others)
        relations, built = (pq.read_table(tmp_path / out / "relations.parquet") for out in ("free", "without"))
        assert set(map(json.dumps, relations.to_pylist())) == set(map(json.dumps, built.to_pylist()))
        stated = [row for row in others if json.loads(row)["rule"] is None]
        assert set(stated) <= set(rows)
        facts = json.loads(free.schema.metadata[b"lexkit"])
        assert facts["left_out"] == ["morpholex"]
        assert {row["source"] for row in facts["sources"]} <= {"affix", "pairs", "pairs:2"}
        assert "morpholex" in (tmp_path / "free/README.md").read_text("utf-8")  # that it is left out

    @pytest.mark.slow
    def test_free_of_nc_on_real_data(self, real_store: Path, tmp_path: Path) -> None:
        lexkit.export(real_store, tmp_path / "all")
        lexkit.export(real_store, tmp_path / "free", licence_free_of="nc")
        everything, free = (pq.read_table(tmp_path / out / "evidence.parquet") for out in ("all", "free"))
        assert everything.num_rows - free.num_rows > 5000
        assert "morpholex" not in free["source"].to_pylist()
        derived = {(row["word_a"], row["word_b"], row["rule"]) for row in free.to_pylist() if row["rule"]}
        assert ("happy", "unhappy", "negation") in derived  # found by the affix alone
        rows = pq.read_table(tmp_path / "free" / "relations.parquet").to_pylist()
        n_sources = {len(row["sources"]) for row in rows}
        assert n_sources <= {1, 2, 3, 4}
        before = {
            (row["word_a"], row["word_b"], row["kind"]): row
            for row in pq.read_table(tmp_path / "all" / "relations.parquet").to_pylist()
        }
        stated = [row for row in rows if row["direct"]]
        same = [before[row["word_a"], row["word_b"], row["kind"]]["weight_a"] == row["weight_a"] for row in stated]
        assert sum(same) > 0.95 * len(same)  # a phrase is used as its rarest word, which MorphoLEX alone may know

    def test_a_derivation_that_another_analyser_supports_stays(self, store: Path, tmp_path: Path) -> None:
        path = Path(shutil.copy(store, tmp_path / "s.duckdb"))
        with duckdb.connect(str(path)) as connection:
            connection.execute(
                "INSERT INTO negation SELECT word_id, base_id, affix, position, 'affix', reverses, same_pos"
                " FROM negation WHERE word_id = (SELECT word_id FROM word WHERE word = 'unkind')"
            )
        lexkit.export(path, tmp_path / "free", licence_free_of="nc")
        rows = pq.read_table(tmp_path / "free/relations.parquet").to_pylist()
        pairs = {(row["word_a"], row["word_b"], row["kind"]) for row in rows}
        assert ("friendly", "kind", "synonym") in pairs  # by un- of unkind
        assert ("just", "kind", "synonym") not in pairs  # it takes unjust, too
        assert ("kind", "unjust", "antonym") in pairs
        assert ("just", "unkind", "antonym") not in pairs

    def test_the_starter_data_are_free(self, starter_store: Path, tmp_path: Path) -> None:
        for out, free in (("all", None), ("free", "nc")):
            lexkit.export(starter_store, tmp_path / out, licence_free_of=free)  # type: ignore[arg-type]
        name = "relations.parquet"
        assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "free" / name).read_bytes()


class TestFolder:
    def test_an_earlier_export_is_replaced_whole(self, store: Path, tmp_path: Path) -> None:
        lexkit.export(store, tmp_path / "out", form="csv")
        lexkit.export(store, tmp_path / "out", tokenizer="bytes")
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"README.md", "relations.parquet"}
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_anything_else_is_left_alone(self, store: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        lexkit.export(store, out)
        (out / "notes.txt").write_text("mine", encoding="utf-8")
        with pytest.raises(StoreError, match="holds other files than an export"):
            lexkit.export(store, out)
        with pytest.raises(StoreError, match="a file; name a folder"):
            lexkit.export(store, out / "notes.txt")
        with pytest.raises(StoreError, match="does not exist"):
            lexkit.export(store, tmp_path / "no" / "where")
        assert (out / "notes.txt").read_text("utf-8") == "mine"

    @pytest.mark.parametrize("can_swap", [True, False])
    def test_a_failure_leaves_the_old_export(
        self, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_swap: bool
    ) -> None:
        from lexkit.store import export, publish_folder

        if not can_swap:
            monkeypatch.setattr(publish_folder, "_exchanged", lambda a, b: False)
        lexkit.export(store, tmp_path / "out", form="csv")
        before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
        monkeypatch.setattr(export, "write_readme", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            lexkit.export(store, tmp_path / "out")
        assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_a_full_disk_is_told_in_one_line(
        self, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from lexkit.store import export

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(export, "write_readme", fail)
        with pytest.raises(StoreError, match=r"No space left on device.*free disk space"):
            lexkit.export(store, tmp_path / "out")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", range(5))
def test_loading_back_as_the_docs_show(starter_store: Path, tmp_path: Path, place: int) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/exports.md").read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 5
    library = re.findall(r"^(?:import|from) (\w+)", blocks[place], re.MULTILINE)[-1]
    pytest.importorskip(library)
    lexkit.export(starter_store, tmp_path / "thesaurus", form="sqlite" if "sqlite3" in blocks[place] else "parquet")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", blocks[place]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = re.findall(r"# (\d+)$", blocks[place], re.MULTILINE)
    assert done.stdout.split() == shown
    assert shown
