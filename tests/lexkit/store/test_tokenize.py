from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

import lexkit
from lexkit.errors import StoreError, TokenizerError
from lexkit.store.files import claimed_folder
from lexkit.store.verify import verify_store

Write = Callable[..., Path]


@pytest.fixture
def bytes_(tmp_path: Path, write_tokenizer: Write) -> Path:
    return write_tokenizer(tmp_path / "bytes" / "tokenizer.json")


@pytest.fixture
def pairs(tmp_path: Path, write_tokenizer: Write) -> Path:
    return write_tokenizer(tmp_path / "pairs" / "tokenizer.json", ("e", "r"), ("i", "n"))


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    rows = [f"the{i:x} other{i:x}er" for i in range(3000)]
    (folder / "pairs.txt").write_text("\n".join([*rows, "unkind friendly", "happy glad"]), encoding="utf-8")
    (folder / "m.tsv").write_text("Word\tMorphoLexSegm\nunkind\t<un<{(kind)}\nkind\t{(kind)}\n", encoding="utf-8")
    lexkit.build(folder / "s.duckdb", **sources(folder))
    return folder / "s.duckdb"


def sources(folder: Path) -> dict[str, Any]:
    return {"pairs": [("synonym", folder / "pairs.txt")], "morpholex": folder / "m.tsv"}


@pytest.fixture
def store(small_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(small_store, tmp_path / "s.duckdb"))


def n_tokens(store: Path) -> dict[str, int]:
    with lexkit.open(store) as lexicon:
        rows = lexicon.sql("SELECT tokenizer, sum(n_tokens)::BIGINT AS n FROM span GROUP BY tokenizer").to_pylist()
    return {row["tokenizer"]: row["n"] for row in rows}


def test_spans_are_the_same_as_a_build_makes(
    store: Path, small_store: Path, bytes_: Path, pairs: Path, tmp_path: Path
) -> None:
    lexkit.tokenize(store, [str(bytes_)])
    lexkit.tokenize(store, [str(pairs)])
    lexkit.build(tmp_path / "built.duckdb", **sources(small_store.parent), tokenizers=[str(bytes_), str(pairs)])
    tables = []
    for path in (store, tmp_path / "built.duckdb"):
        with lexkit.open(path) as lexicon:
            tables.append(lexicon.sql("SELECT * FROM span ORDER BY tokenizer, word_id"))
            assert lexicon.tokenizers() == ["bytes", "pairs"]
    assert tables[0] == tables[1]
    assert not [finding for finding in verify_store(store) if finding.code.startswith("E")]


def test_the_rest_of_the_store_is_untouched_and_old_versions_of_duckdb_read_it(
    store: Path, small_store: Path, bytes_: Path
) -> None:
    lexkit.tokenize(store, [str(bytes_)])
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{small_store}' AS a (READ_ONLY)")
        connection.execute(f"ATTACH '{store}' AS b (READ_ONLY)")
        for table in ("source", "rejection", "word", "relation", "evidence", "morphology", "negation"):
            for x, y in ("ab", "ba"):
                assert not connection.execute(f"FROM {x}.{table} EXCEPT ALL FROM {y}.{table}").fetchall(), table
        versions = connection.execute("SELECT tags['storage_version'] FROM duckdb_databases() WHERE tags <> MAP {}")
        assert {version for (version,) in versions.fetchall()} == {"v1.0.0+"}


def test_what_is_there_already_is_left_alone(store: Path, bytes_: Path) -> None:
    (first,) = lexkit.tokenize(store, [str(bytes_)])
    before = store.stat()
    (second,) = lexkit.tokenize(store, [str(bytes_.parent)])
    assert (first.outcome, second.outcome) == ("added", "unchanged")
    assert first.fingerprint == second.fingerprint
    assert os.path.samestat(before, store.stat())


def test_another_file_of_the_same_name_is_an_error_unless_replaced(
    store: Path, bytes_: Path, pairs: Path, write_tokenizer: Write
) -> None:
    lexkit.tokenize(store, [str(bytes_), str(pairs)])
    before = n_tokens(store)
    size = store.stat().st_size
    write_tokenizer(bytes_, ("t", "h"), ("th", "e"))
    with pytest.raises(TokenizerError, match=r"a different tokenizer named 'bytes'.*--replace"):
        lexkit.tokenize(store, [str(bytes_)])
    assert n_tokens(store) == before
    (done,) = lexkit.tokenize(store, [str(bytes_)], replace=True)
    assert done.outcome == "replaced"
    after = n_tokens(store)
    assert after["pairs"] == before["pairs"]
    assert after["bytes"] < before["bytes"]
    assert not [finding for finding in verify_store(store) if finding.code.startswith("E")]
    assert store.stat().st_size < 1.3 * size


def test_two_of_one_name_at_once(store: Path, bytes_: Path, pairs: Path) -> None:
    with pytest.raises(TokenizerError, match=r"both would be named 'x'.*NAME=PATH"):
        lexkit.tokenize(store, [f"x={bytes_}", f"x={pairs}"])
    assert len(lexkit.tokenize(store, [str(bytes_), str(bytes_)])) == 1


def test_a_reader_goes_on(store: Path, bytes_: Path) -> None:
    with lexkit.open(store) as old:
        lexkit.tokenize(store, [str(bytes_)])
        assert old.tokenizers() == []
        assert old.synonyms("happy")
    with lexkit.open(store) as new:
        assert new.tokenizers() == ["bytes"]


def test_one_change_at_a_time(store: Path, bytes_: Path) -> None:
    with claimed_folder(store, store), pytest.raises(StoreError, match="another process is writing it"):
        lexkit.tokenize(store, [str(bytes_)])
    assert lexkit.tokenize(store, [str(bytes_)])[0].outcome == "added"


def test_a_store_replaced_meanwhile_is_not_overwritten(
    store: Path, small_store: Path, bytes_: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexkit.store import spans

    add_spans = spans.add_spans

    def build_meanwhile(*args: object) -> None:
        add_spans(*args)  # type: ignore[arg-type]
        shutil.copy(small_store, store.with_name("new"))
        store.with_name("new").replace(store)

    monkeypatch.setattr(spans, "add_spans", build_meanwhile)
    with pytest.raises(StoreError, match="another process has replaced it"):
        lexkit.tokenize(store, [str(bytes_)])
    assert n_tokens(store) == {}
    assert [path.name for path in store.parent.glob(".*")] == []


def test_a_full_disk_leaves_the_old_store_and_names_no_option_that_tokenize_lacks(store: Path, bytes_: Path) -> None:
    before = store.read_bytes()
    command = f"ulimit -f 100; exec {sys.executable} -m lexkit tokenize --store {store} --tokenizer {bytes_}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {store}: cannot be written (")
    assert done.stderr.endswith("); free disk space or memory, or copy the store to a larger disk\n")
    assert len(done.stderr.splitlines()) == 1
    assert store.read_bytes() == before
    assert [path.name for path in store.parent.glob(".*")] == []


def test_not_a_store(tmp_path: Path, bytes_: Path) -> None:
    with pytest.raises(StoreError, match="no such store"):
        lexkit.tokenize(tmp_path / "none.duckdb", [str(bytes_)])
