from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

import lexkit
from lexkit.store.verify import CHECKS, verify_store


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    (folder / "synonyms").write_text("unkind cruel\nbig large\n", encoding="utf-8")
    (folder / "antonyms").write_text("unkind friendly\nbig small\ncruel kind\nx\n" + "a b\n" * 200, encoding="utf-8")
    (folder / "m.tsv").write_text("Word\tMorphoLexSegm\nunkind\t<un<{(kind)}\nkind\t{(kind)}\n", encoding="utf-8")
    tokenizer = folder / "tokenizer.json"
    write_tokenizer(tokenizer)
    lexkit.build(
        folder / "s.duckdb",
        pairs=[("synonym", folder / "synonyms"), ("antonym", folder / "antonyms")],
        morpholex=folder / "m.tsv",
        tokenizers=[str(tokenizer)],
    )
    return folder / "s.duckdb"


def write_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel

    alphabet = {letter: i for i, letter in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Tokenizer(BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    tokenizer.save(str(path))


def test_stores_as_they_are_built_have_no_errors(small_store: Path, starter_store: Path, real_store: Path) -> None:
    for store in (small_store, starter_store, real_store):
        assert [f for f in verify_store(store) if f.code.startswith("E")] == []


BREAKAGES = {
    "E101": "DROP TABLE rejection",
    "E102": "UPDATE word SET word_id = word_id + 100 WHERE word = 'big'",
    "E103": "UPDATE word SET word = 'large', folded = 'large' WHERE word = 'big'",
    "E104": "UPDATE word SET folded = 'BIG' WHERE word = 'big'",
    "E105": "UPDATE relation SET word_a = word_b, word_b = word_a WHERE kind = 'synonym'",
    "E106": "INSERT INTO relation SELECT * FROM relation",
    "E107": "UPDATE relation SET kind = 'hypernym' WHERE kind = 'synonym'",
    "E108": "CREATE OR REPLACE TABLE relation AS FROM relation ORDER BY kind, word_a DESC",
    "E109": "UPDATE evidence SET sense = 'another' WHERE kind = 'synonym'",
    "E201": "UPDATE negation SET base_id = 999",
    "E202": "DELETE FROM evidence WHERE kind = 'synonym'",
    "E203": "DELETE FROM relation WHERE kind = 'synonym'",
    "E204": "DELETE FROM source WHERE source = 'pairs'",
    "E205": "UPDATE relation SET n_sources = 7",
    "E206": "UPDATE rejection SET n = n + 1",
    "E207": "DELETE FROM evidence WHERE rule IS NULL",
    "E208": "UPDATE evidence SET rule = 'contradicted:negation' WHERE rule = 'negation'",
    "E209": "UPDATE span SET n_tokens = n_tokens + 1",
    "E210": "DELETE FROM span WHERE word_id = 0",
    "W301": "UPDATE relation SET contested = true WHERE kind = 'synonym'",
    "W302": "INSERT INTO source SELECT 'idle', 'pairs', uri, sha256, bytes, licence, 0, 0, read_at FROM source LIMIT 1",
}


def test_every_check_has_its_breakage() -> None:
    assert list(BREAKAGES) == [check.code for check in CHECKS]


@pytest.mark.parametrize("code", BREAKAGES)
def test_each_check_finds_what_it_is_for(small_store: Path, tmp_path: Path, code: str) -> None:
    path = tmp_path / "broken.duckdb"
    path.write_bytes(small_store.read_bytes())
    assert code not in {finding.code for finding in verify_store(path)}
    with duckdb.connect(str(path)) as connection:
        connection.execute(BREAKAGES[code])
    found = {finding.code: finding for finding in verify_store(path)}
    assert code in found
    assert found[code].n >= 1
    assert found[code].example
