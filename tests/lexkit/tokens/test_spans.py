from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing

import lexkit
from lexkit.errors import TokenizerError
from lexkit.tokens.spans import fingerprint, load_tokenizer, spans


@pytest.fixture
def tokenizer_file(tmp_path: Path) -> Path:
    """Byte-level BPE that knows " kind" and "un", and would add a start token if it were let."""
    vocabulary = {letter: i for i, letter in enumerate(sorted(ByteLevel.alphabet()))}
    merges = [("u", "n"), ("i", "n"), ("k", "in"), ("kin", "d"), ("\u0120", "kind")]
    for a, b in merges:
        vocabulary[a + b] = len(vocabulary)
    vocabulary["<s>"] = len(vocabulary)
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    tokenizer.post_processor = TemplateProcessing(  # type: ignore[assignment]
        single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=8)
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def test_a_span_is_a_space_and_the_word(tokenizer_file: Path) -> None:
    tokenizer = load_tokenizer(str(tokenizer_file))
    (batch,) = spans(tokenizer, ["kind", "unkind"])
    kind, unkind = batch["token_ids"].to_pylist()
    assert [tokenizer.id_to_token(i) for i in kind] == ["\u0120kind"]
    assert [tokenizer.id_to_token(i) for i in unkind] == ["\u0120", "un", "kind"]  # not cut, not filled, no <s>
    assert batch["n_tokens"].to_pylist() == [1, 3]


def test_spans_in_a_store(tokenizer_file: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("kind unkind\nkind nice\n", encoding="utf-8")
    lexkit.build(tmp_path / "s.duckdb", pairs=[("antonym", pairs)], tokenizers=[str(tokenizer_file.parent)])
    with lexkit.open(tmp_path / "s.duckdb") as lexicon:
        rows = lexicon.sql("SELECT word, n_tokens FROM span JOIN word USING (word_id) ORDER BY word").to_pylist()
        assert rows == [
            {"word": "kind", "n_tokens": 1},
            {"word": "nice", "n_tokens": 5},
            {"word": "unkind", "n_tokens": 3},
        ]
        rates = lexicon.sql("SELECT max_tokens, percent FROM keep_rate WHERE kind = 'antonym'").to_pylist()
        assert [row["percent"] for row in rates] == [0, 0, 50, 50, 100]
        (row,) = lexicon.sql("SELECT * FROM tokenizer").to_pylist()
        tokenizer = load_tokenizer(str(tokenizer_file))
        assert row["vocab_size"] == tokenizer.get_vocab_size()
        assert row["fingerprint"] == fingerprint(tokenizer)


@pytest.mark.parametrize("name", ["missing.json", "/no/such/folder", "."])
def test_a_tokenizer_that_is_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TokenizerError, match=r"no such tokenizer\.json"):
        load_tokenizer(name)


def test_a_file_that_is_no_tokenizer(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"tokenizer\.json: not a tokenizer that can be loaded"):
        load_tokenizer(str(file))
