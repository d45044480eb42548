from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import lexkit
from lexkit.errors import TokenizerError
from lexkit.store.checks import CHECKS
from lexkit.store.files import open_read_only
from lexkit.store.verify import SPANS, run_check, verify_store


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory, write_tokenizer: Callable[..., Path]) -> str:
    return f"bytes={write_tokenizer(tmp_path_factory.mktemp('bytes') / 'tokenizer.json')}"


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory, tokenizer: str) -> Path:
    folder = tmp_path_factory.mktemp("small")
    (folder / "synonyms").write_text(
        "unkind cruel\nbig large\nkinds sorts\nunkind unfriendly\nunkind firm\nkind firm\n", encoding="utf-8"
    )
    antonyms = "unkind friendly\nbig small\ncruel kind\nx\n" + "a b\n" * 200
    (folder / "antonyms").write_text(antonyms, encoding="utf-8")
    rows = ("unkind\t<un<{(kind)}\tJJ", "kind\t{(kind)}\tJJ|ZZ", "unfriendly\t<un<{(friend)}>ly>\tJJ")
    (folder / "m.tsv").write_text("\n".join(["Word\tMorphoLexSegm\tPOS", *rows, ""]), encoding="utf-8")
    lexkit.build(
        folder / "s.duckdb",
        pairs=[("synonym", folder / "synonyms"), ("antonym", folder / "antonyms")],
        morpholex=folder / "m.tsv",
        tokenizers=[tokenizer],
    )
    return folder / "s.duckdb"


# That of the starter data has none is shown in docs/data-model.md, which is tested, too
@pytest.mark.parametrize("store", ["small_store", pytest.param("real_store", marks=pytest.mark.slow)])
def test_stores_as_they_are_built_have_no_errors(store: str, request: pytest.FixtureRequest) -> None:
    assert [f for f in verify_store(request.getfixturevalue(store)) if f.code.startswith("E")] == []


DERIVED = "rule = 'un-' AND kind = 'synonym'"

IDLE = (
    "INSERT INTO source SELECT * REPLACE ('idle' AS source, 0 AS n_records, 0 AS n_rejected)"
    " FROM source WHERE source = 'pairs'"
)

# What the promise is, and a statement that breaks it
BREAKAGES = [
    ("E101", "DROP TABLE rejection"),
    ("E101", "DROP VIEW antonyms"),
    ("E101", "CREATE OR REPLACE VIEW keep_rate AS SELECT 1 AS x"),
    ("E101", "DROP VIEW keep_rate; ALTER TABLE span RENAME TO spam"),
    ("E101", "ALTER TABLE word ALTER frequency TYPE VARCHAR"),
    ("E102", "UPDATE word SET word_id = word_id + 100 WHERE word = 'big'"),
    ("E103", "UPDATE word SET word = 'large', folded = 'large' WHERE word = 'big'"),
    ("E104", "UPDATE word SET folded = 'BIG' WHERE word = 'big'"),
    ("E104", "UPDATE word SET word = 'b\tg', folded = 'b\tg' WHERE word = 'big'"),
    ("E104", "UPDATE word SET word = 'a' || chr(27) || '[2J', folded = 'a' || chr(27) || '[2j' WHERE word_id = 0"),
    ("E104", "UPDATE word SET word = '123', folded = '123' WHERE word_id = 0"),
    ("E104", "UPDATE word SET word = 'b' || chr(0) || 'g', folded = 'b' || chr(0) || 'g' WHERE word = 'big'"),
    ("E104", "UPDATE word SET word = 'a' || chr(8238), folded = 'a' || chr(8238) WHERE word_id = 0"),
    ("E104", "UPDATE word SET word = 'e' || chr(769), folded = 'e' || chr(769) WHERE word_id = 0"),
    ("E104", "UPDATE word SET word = repeat('a', 1001), folded = repeat('a', 1001) WHERE word_id = 0"),
    ("E105", "UPDATE relation SET word_a = word_b, word_b = word_a WHERE kind = 'synonym'"),
    ("E105", "UPDATE evidence SET word_a = word_b, word_b = word_a WHERE kind = 'synonym'"),
    ("E105", "UPDATE evidence SET from_a = from_b, from_b = from_a WHERE from_a IS NOT NULL"),
    ("E105", "UPDATE relation SET word_b = word_a WHERE kind = 'synonym'"),
    ("E105", "UPDATE evidence SET word_b = word_a WHERE kind = 'synonym'"),
    ("E105", "UPDATE negation SET base_id = word_id"),
    ("E106", "INSERT INTO relation SELECT * FROM relation"),
    ("E107", "UPDATE relation SET kind = 'hypernym' WHERE kind = 'synonym'"),
    ("E107", "UPDATE evidence SET from_kind = 'hypernym' WHERE from_kind = 'synonym'"),
    ("E108", "CREATE OR REPLACE TABLE relation AS FROM relation ORDER BY kind, word_a DESC"),
    ("E109", "UPDATE evidence SET sense = 'another' WHERE kind = 'synonym'"),
    ("E109", "DELETE FROM meta WHERE key = 'checksums'"),
    ("E110", "CREATE OR REPLACE VIEW synonyms AS SELECT 'big' AS word, 'large' AS synonym"),
    (
        "E110",
        "CREATE OR REPLACE VIEW synonyms AS SELECT word, word AS synonym, * EXCLUDE (word, antonym) FROM antonyms",
    ),
    ("E111", "UPDATE evidence SET sense = 'a' || chr(27) || '[2J'"),
    ("E111", "UPDATE evidence SET sense = repeat('long ', 3000)"),
    ("E111", "UPDATE evidence SET pos = 'noun,verb'"),
    ("E111", "UPDATE evidence SET usage_b = ['odd']"),
    ("E111", "UPDATE morphology SET roots = ['ki' || chr(0) || 'nd']"),
    ("E111", "UPDATE morphology SET segmentation = ''"),
    ("E111", "UPDATE word SET frequency = 'inf'"),
    ("E111", "UPDATE word SET frequency = 'nan'"),
    ("E111", "UPDATE source SET uri = 'a' || chr(10) || 'b'"),
    ("E111", "UPDATE rejection SET example = chr(155) || '2J'"),
    ("E201", "UPDATE negation SET base_id = 999"),
    ("E201", "UPDATE span SET word_id = 999 WHERE word_id = 0"),
    ("E201", "UPDATE evidence SET word_b = 999 WHERE kind = 'synonym'"),
    ("E202", "DELETE FROM evidence WHERE kind = 'synonym'"),
    ("E203", "DELETE FROM relation WHERE kind = 'synonym'"),
    ("E204", "DELETE FROM source WHERE source = 'pairs'"),
    ("E204", "UPDATE rejection SET source = 'nobody'"),
    ("E205", "UPDATE relation SET n_sources = 7"),
    ("E205", "UPDATE relation SET direct = NOT direct"),
    ("E205", "UPDATE relation SET confidence = 0.3"),
    ("E205", "UPDATE relation SET weight_b = weight_b + 1 WHERE kind = 'antonym'"),
    ("E205", "UPDATE relation SET usage_a = 'slang' WHERE kind = 'antonym'"),
    ("E206", "UPDATE rejection SET n = n + 1"),
    ("E206", "UPDATE source SET n_rejected = 0"),
    ("E207", "DELETE FROM evidence WHERE rule IS NULL"),
    ("E207", "UPDATE evidence SET from_kind = 'synonym' WHERE " + DERIVED),
    ("E208", "UPDATE evidence SET rule = 'contradicted:negation' WHERE rule = 'negation'"),
    ("E209", "UPDATE span SET n_tokens = n_tokens + 1"),
    ("E209", "DELETE FROM tokenizer"),
    ("E210", "INSERT INTO span FROM span LIMIT 1"),
    ("E211", "UPDATE evidence SET kind = 'antonym' WHERE " + DERIVED),
    ("E211", "UPDATE evidence SET kind = 'synonym' WHERE rule = 'negation'"),
    ("E211", "UPDATE evidence SET from_kind = NULL WHERE rule = 'un-+un-'"),
    ("E212", "UPDATE evidence SET rule = 'in-' WHERE " + DERIVED),
    ("E212", "DELETE FROM negation WHERE word_id = (SELECT word_id FROM word WHERE word = 'unkind')"),
    ("E212", "DELETE FROM evidence WHERE " + DERIVED),
    ("E213", "UPDATE evidence SET rule = replace(rule, 'contradicted:', '')"),
    ("E214", "UPDATE source SET n_records = 0 WHERE source = 'pairs'"),
    ("E214", "UPDATE source SET n_records = 2 WHERE source = 'pairs:2'"),
    ("E214", "UPDATE source SET n_records = n_records + 1 WHERE source = 'morpholex'"),
    ("E215", "DELETE FROM source WHERE source = 'pairs'"),
    ("E215", IDLE),
    ("E216", "DELETE FROM morphology"),
    ("E216", "INSERT INTO morphology FROM morphology"),
    ("E218", "UPDATE form SET lemma_id = 999"),
    ("E218", "UPDATE form SET word_id = 999"),
    ("E219", "UPDATE form SET kind = 'plural'"),
    ("E219", "UPDATE form SET word_id = lemma_id"),
    ("E219", "INSERT INTO form FROM form"),
    ("E220", "UPDATE form SET source = 'nobody'"),
    ("W301", "UPDATE relation SET contested = true WHERE kind = 'synonym'"),
    ("W302", IDLE),
]


def broken(store: Path, path: Path, statement: str) -> Path:
    path.write_bytes(store.read_bytes())
    with duckdb.connect(str(path)) as connection:
        connection.execute(statement)
    return path


def test_every_check_has_its_breakage() -> None:
    assert list(dict.fromkeys(code for code, _ in BREAKAGES)) == [check.code for check in CHECKS]


@pytest.mark.parametrize(("code", "statement"), BREAKAGES)
def test_each_check_finds_what_it_is_for(small_store: Path, tmp_path: Path, code: str, statement: str) -> None:
    (check,) = [check for check in CHECKS if check.code == code]
    with open_read_only(broken(small_store, tmp_path / "b.duckdb", statement)) as connection:
        found = run_check(connection, check)
    assert found is not None
    assert found.n >= 1
    assert found.example
    assert "Error" not in found.example  # the check itself can be run


class TestSpans:
    def test_those_of_the_tokenizer_are_found_right(self, small_store: Path, tokenizer: str) -> None:
        assert verify_store(small_store, [tokenizer]) == []

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE span SET token_ids = list_reverse(token_ids) WHERE word_id = 3",
            "UPDATE span SET token_ids = token_ids[2:], n_tokens = n_tokens - 1 WHERE word_id = 3",
            "DELETE FROM span WHERE word_id = 3",
        ],
    )
    def test_others_are_found(self, small_store: Path, tmp_path: Path, tokenizer: str, statement: str) -> None:
        path = broken(small_store, tmp_path / "b.duckdb", statement)
        found = {finding.code: finding for finding in verify_store(path, [tokenizer])}
        assert found[SPANS[0]].n == 1
        assert found[SPANS[0]].example == "bytes cruel"
        assert SPANS[0] not in {finding.code for finding in verify_store(path)}

    def test_another_tokenizer_is_none_to_compare_with(
        self, small_store: Path, tmp_path: Path, tokenizer: str, write_tokenizer: Callable[..., Path]
    ) -> None:
        other = write_tokenizer(tmp_path / "other" / "tokenizer.json", ("e", "r"))
        with pytest.raises(TokenizerError, match="give the tokenizer with which the spans were made"):
            verify_store(small_store, [f"bytes={other}"])
        with pytest.raises(
            TokenizerError, match="no tokenizer named 'other'; it has bytes; give its name with NAME=PATH"
        ):
            verify_store(small_store, [str(other)])


@pytest.mark.parametrize("checksums", ["[", "[1]", "1", "null", '{"word": 5}', "[" * 100_000])
def test_damaged_checksums_are_a_finding(small_store: Path, tmp_path: Path, checksums: str) -> None:
    damaged = tmp_path / "damaged.duckdb"
    damaged.write_bytes(small_store.read_bytes())
    with duckdb.connect(str(damaged)) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'checksums'", [checksums])
    assert "E109" in [finding.code for finding in verify_store(damaged)]
