"""Faults that benchmarks/fuzz.py has found: what comes from elsewhere ends in one line, whatever is wrong with it."""

from __future__ import annotations

import gzip
import inspect
import json
import mmap
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import lexkit
from lexkit.cli.sql import sql
from lexkit.errors import LexkitError, QueryError, SourceError, StoreError, TokenizerError
from lexkit.morphology import affixes
from lexkit.reporting.page import write_report
from lexkit.sources import catalog, files, frequency
from lexkit.sources.read_report import ReadReport
from lexkit.sources.roget.reader import read_terms
from lexkit.store.verify import verify_store
from lexkit.tokens.loading import load_tokenizer


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    (folder / "pairs").write_text("kind friendly\nbig large\n", encoding="utf-8")
    lexkit.build(folder / "s.duckdb", pairs=[("synonym", folder / "pairs")])
    return folder / "s.duckdb"


def changed_tokenizer(write_tokenizer: Callable[..., Path], folder: Path, **changes: object) -> Path:
    file = write_tokenizer(folder / "t" / "tokenizer.json")
    file.write_text(json.dumps({**json.loads(file.read_bytes()), **changes}), encoding="utf-8")
    return file


def test_a_tokenizer_that_fills_the_memory(write_tokenizer: Callable[..., Path], tmp_path: Path) -> None:
    """A million letters for each, twice; the library would end the process."""
    grow = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10**6}
    normalizer = {"type": "Sequence", "normalizers": [grow, grow]}
    file = changed_tokenizer(write_tokenizer, tmp_path, normalizer=normalizer)
    with pytest.raises(TokenizerError, match=r"\(.*memory\); give a tokenizer.json"):
        load_tokenizer(str(file))


def test_a_tokenizer_with_an_id_that_no_store_can_hold(write_tokenizer: Callable[..., Path], tmp_path: Path) -> None:
    file = write_tokenizer(tmp_path / "t" / "tokenizer.json")
    content = json.loads(file.read_bytes())
    content["model"]["vocab"]["far"] = 2**32 - 1
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"\(ValueError: a token has the id 4,294,967,295\); give a"):
        load_tokenizer(str(file))


def test_messages_of_libraries_are_quoted_in_part(write_tokenizer: Callable[..., Path], tmp_path: Path) -> None:
    file = changed_tokenizer(write_tokenizer, tmp_path, added_tokens="x" * 100_000)
    with pytest.raises(TokenizerError, match=r"invalid type: string") as failure:
        load_tokenizer(str(file))
    assert len(str(failure.value)) < 1000


@pytest.mark.parametrize("change", ["ALTER TABLE word RENAME TO other", "ALTER TABLE source RENAME uri TO other"])
def test_a_store_without_a_table_or_a_column(small_store: Path, tmp_path: Path, change: str) -> None:
    store = Path(shutil.copy(small_store, tmp_path / "s.duckdb"))
    with duckdb.connect(str(store)) as connection:
        connection.execute(change)
    with pytest.raises(StoreError, match=rf"^{store}: damaged \(.*\); build it again$"):
        lexkit.export(store, tmp_path / "export")


def test_a_store_that_does_not_say_when_it_was_built(small_store: Path, tmp_path: Path) -> None:
    store = Path(shutil.copy(small_store, tmp_path / "s.duckdb"))
    with duckdb.connect(str(store)) as connection:
        connection.execute("DELETE FROM meta WHERE key = 'built_at'")
    with (
        lexkit.open(store) as lexicon,
        pytest.raises(StoreError, match="its table meta has no built_at"),
    ):
        write_report(lexicon, tmp_path / "report.html")


def test_a_store_that_lacks_a_word_of_a_relation(small_store: Path, tmp_path: Path) -> None:
    store = Path(shutil.copy(small_store, tmp_path / "s.duckdb"))
    with duckdb.connect(str(store)) as connection:
        connection.execute("DELETE FROM word WHERE word = 'kind'")
    with lexkit.open(store) as lexicon, pytest.raises(StoreError, match="a relation has no word"):
        write_report(lexicon, tmp_path / "report.html")


def test_a_store_with_damaged_blocks(small_store: Path, tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    data = bytearray(small_store.read_bytes())
    for place in range(1 << 16, len(data), 5000):
        data[place] ^= 1
    store.write_bytes(data)
    with pytest.raises(StoreError):
        lexkit.export(store, tmp_path / "export")


def test_a_store_with_a_macro_in_the_place_of_a_function(small_store: Path, tmp_path: Path) -> None:
    store = Path(shutil.copy(small_store, tmp_path / "s.duckdb"))
    with duckdb.connect(str(store)) as connection:
        connection.execute("CREATE MACRO list_contains(a, b) AS true")
    with pytest.raises(StoreError, match=r"damaged \(it has a macro 'list_contains', which builds never make\)"):
        lexkit.open(store)


def test_a_store_of_a_schema_version_with_five_thousand_digits(small_store: Path, tmp_path: Path) -> None:
    store = Path(shutil.copy(small_store, tmp_path / "s.duckdb"))
    with duckdb.connect(str(store)) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", ["9" * 5000])
    with pytest.raises(StoreError, match="not a lexkit store"):
        lexkit.open(store)


@pytest.mark.parametrize("options", ["[" * 200_000, "[]", "{}", "no JSON"])
def test_a_store_whose_options_cannot_be_read(small_store: Path, tmp_path: Path, options: str) -> None:
    store = Path(shutil.copy(small_store, tmp_path / "s.duckdb"))
    with duckdb.connect(str(store)) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'options'", [options])
    assert {finding.code for finding in verify_store(store)} == {"E212", "E215"}


@pytest.mark.parametrize("content", [b"title = ", b"\xff", b"title = 1\n", b"\x1f\x8b\x08"])
def test_a_damaged_file_of_lexkits_own(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    for module, load in ((affixes, affixes.affixes_of), (frequency, frequency.frequencies), (catalog, None)):
        monkeypatch.setattr(module, "data_file", lambda name: file)
        with pytest.raises(SourceError, match=rf"^{file}: damaged \(.+\); correct it, or install lexkit again$"):
            inspect.unwrap(load)("xx") if load else catalog.load_catalog()  # whatever other tests have loaded


def test_a_wrong_regular_expression_is_found_when_affixes_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.toml"
    file.write_text('title = "X"\nsources = []\naffix = []\nverbs = "("\n', encoding="utf-8")
    monkeypatch.setattr(affixes, "data_file", lambda name: file)
    with pytest.raises(LexkitError, match="missing \\), unterminated subpattern"):
        affixes.affixes_of("xy")


def test_a_head_of_roget_with_brackets_that_nobody_closes(tmp_path: Path) -> None:
    file = tmp_path / "roget.txt"
    file.write_text(f"1. Existence {'[' * 100_000} -- N. existence, being; reality.\n", encoding="utf-8")
    terms = [term.term for term in read_terms(file, ReadReport())]
    assert terms == ["existence", "being", "reality"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_text_without_end(packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LONGEST_TEXT", 1000)
    file = tmp_path / "roget.txt"
    file.write_bytes(gzip.compress(b"a" * 1001) if packed else b"a" * 1001)
    with pytest.raises(SourceError, match="a text of more than 1,000 bytes; check that it is the right file"):
        files.read_text(file)


def test_more_than_fits_into_memory(tmp_path: Path) -> None:
    file = tmp_path / "packed"
    file.write_bytes(gzip.compress(b"a"))
    with pytest.raises(SourceError, match="gzip data too large for memory"), files.open_binary(file):
        raise MemoryError


def test_a_wordnet_without_synsets(tmp_path: Path) -> None:
    file = tmp_path / "w.xml"
    entry = '<LexicalEntry id="e"><Lemma writtenForm="kind" partOfSpeech="a"/><Sense id="s" synset="y"/></LexicalEntry>'
    lexicon = f'<Lexicon id="w" label="W" language="en" email="x" license="x" version="1">{entry}</Lexicon>'
    file.write_text(f"<LexicalResource>{lexicon}</LexicalResource>", encoding="utf-8")
    with pytest.raises(SourceError, match=r"no synsets in it; give"):
        lexkit.build(tmp_path / "s.duckdb", sources=[("wordnet", file)])


@pytest.mark.parametrize("sign", ["[", "*", '"', "<gr/", "reality,\n"])
def test_a_head_of_roget_with_a_sign_a_hundred_thousand_times(sign: str, tmp_path: Path) -> None:
    """Each took minutes, since a search began again at every sign."""
    file = tmp_path / "roget.txt"
    file.write_text(f"1. Existence -- N. existence, being; {sign * 100_000} ; reality.\n", encoding="utf-8")
    terms = [term.term for term in read_terms(file, ReadReport())]
    assert terms[:2] == ["existence", "being"]


def test_a_term_of_mythes_in_fifty_thousand_brackets(tmp_path: Path) -> None:
    """It took minutes, since the inner ones were taken away one after the other."""
    term = "(" * 50_000 + "x" + ")" * 50_000
    (tmp_path / "th.dat").write_text(f"UTF-8\nkind|1\n-|{term}|friendly\n", encoding="utf-8")
    lexkit.build(tmp_path / "s.duckdb", sources=[("mythes", tmp_path / "th.dat")])
    with lexkit.open(tmp_path / "s.duckdb") as lexicon:
        assert [neighbor.word for neighbor in lexicon.synonyms("kind")] == ["friendly"]
        assert [(row.n, row.reason) for row in lexicon.statistics().rejections] == [(1, "not a word")]


def test_a_tag_of_a_wordnet_that_is_as_long_as_the_file(tmp_path: Path) -> None:
    """It took minutes, since it was read from its beginning again with each block."""
    (tmp_path / "w.xml").write_bytes(b"<LexicalResource" + b" " * (20 << 20))
    with pytest.raises(SourceError, match="broken XML"):
        lexkit.build(tmp_path / "s.duckdb", sources=[("wordnet", tmp_path / "w.xml")])


def test_fields_of_wiktionary_with_a_sign_a_hundred_thousand_times(tmp_path: Path) -> None:
    targets = [{"word": "a, " * 100_000}, {"word": "mild", "sense_index": " " * 100_000}, {"word": "friendly"}]
    entry = {"word": "kind", "lang_code": "en", "senses": [{"glosses": ["good"]}], "synonyms": targets}
    (tmp_path / "w.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    lexkit.build(tmp_path / "s.duckdb", wiktionary=tmp_path / "w.jsonl")
    with lexkit.open(tmp_path / "s.duckdb") as lexicon:
        assert {neighbor.word for neighbor in lexicon.synonyms("kind")} == {"mild", "friendly"}


@pytest.mark.parametrize("asked", ["Lexicon.sql", "lexkit sql"])
def test_a_thread_that_cannot_start(small_store: Path, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    def fails(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with lexkit.open(small_store) as lexicon:
        monkeypatch.setattr(threading.Thread, "start", fails)
        with pytest.raises(
            QueryError, match=r"^the query takes too much memory; narrow it, or raise the memory limit$"
        ):
            if asked == "Lexicon.sql":
                lexicon.sql("SELECT 1")
            else:
                sql.main(["SELECT 1", "--store", str(small_store)], standalone_mode=False)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_memory_of_the_process_itself_is_not_that_of_a_query(
    small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # as a query before it may leave gigabytes of addresses
    with mmap.mmap(-1, 3 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000):  # MAP_NORESERVE
        sql.main(["SELECT 1 AS n", "--memory", "64", "--store", str(small_store)], standalone_mode=False)
    assert capsys.readouterr().out == "n\n1\n"
