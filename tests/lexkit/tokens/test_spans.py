from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from tokenizers import Regex, Tokenizer, normalizers
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Metaspace
from tokenizers.processors import TemplateProcessing

import lexkit
from lexkit.errors import TokenizerError
from lexkit.tokens.loading import load_tokenizer
from lexkit.tokens.spans import fingerprint, leading, spans

READINGS = ("both", "partner", "one_token_head")


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
    lexkit.build(tmp_path / "s.duckdb", pairs=[("antonym", pairs)], tokenizers=[f"tokenizer={tokenizer_file}"])
    with lexkit.open(tmp_path / "s.duckdb") as lexicon:
        rows = lexicon.sql("SELECT word, n_tokens FROM span JOIN word USING (word_id) ORDER BY word").to_pylist()
        assert rows == [
            {"word": "kind", "n_tokens": 1},
            {"word": "nice", "n_tokens": 5},
            {"word": "unkind", "n_tokens": 3},
        ]
        rates = lexicon.keep_rate("tokenizer").to_pylist()
        percents = {reading: [row["percent"] for row in rates if row["reading"] == reading] for reading in READINGS}
        # kind (1 token) - unkind (3), kind - nice (5): of four directions two lead to kind
        assert percents == {
            "both": [0, 0, 50, 50, 100],
            "partner": [50, 50, 75, 75, 100],
            "one_token_head": [0, 0, 50, 50, 100],
        }
        (row,) = lexicon.sql("SELECT * FROM tokenizer").to_pylist()
        tokenizer = load_tokenizer(str(tokenizer_file))
        assert row["vocab_size"] == tokenizer.get_vocab_size()
        assert row["fingerprint"] == fingerprint(tokenizer)


def sentencepiece_style(path: Path, *, legacy: bool) -> Tokenizer:
    """A tokenizer that knows the words kind and un, spaces marked in the old or the new way."""
    pieces = ["<unk>", "\u2581", "\u2581kind", "\u2581un", "kind", *"\u2581abcdefghijklmnopqrstuvwxyzP\u00ef"]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    merges = [("k", "i"), ("n", "d"), ("ki", "nd"), ("\u2581", "kind"), ("u", "n"), ("\u2581", "un")]
    for a, b in merges:
        vocabulary.setdefault(a + b, len(vocabulary))
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=merges, unk_token="<unk>"))
    if legacy:
        marks = [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
        tokenizer.normalizer = normalizers.Sequence(marks)  # type: ignore[assignment]
    else:
        tokenizer.pre_tokenizer = Metaspace(prepend_scheme="first", split=False)  # type: ignore[assignment]
    tokenizer.save(str(path))
    return load_tokenizer(str(path))


@pytest.mark.parametrize("legacy", [True, False])
def test_sentencepiece_style_gives_the_tokens_of_running_text(tmp_path: Path, legacy: bool) -> None:
    tokenizer = sentencepiece_style(tmp_path / "tokenizer.json", legacy=legacy)
    (batch,) = spans(tokenizer, ["kind", "unkind", "kind un"])
    cut = [[tokenizer.id_to_token(i) for i in row] for row in batch["token_ids"].to_pylist()]
    assert cut == [["\u2581kind"], ["\u2581un", "kind"], ["\u2581kind", "\u2581un"]]
    assert leading(tokenizer) == ("" if legacy else " ")


def test_a_tokenizer_without_spans_of_words_is_refused() -> None:
    """Here a word's tokens depend on how many letters stand before it."""
    tokenizer = Tokenizer(BPE(vocab={"a": 0, " ": 1, "<unk>": 2}, merges=[], unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(Regex("^a .*"), "a")  # type: ignore[assignment]
    with pytest.raises(TokenizerError, match="no spans of their own"):
        next(spans(tokenizer, ["kind"]))


def test_batches_follow_one_another(tokenizer_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = load_tokenizer(str(tokenizer_file))
    words = ["kind", "nice", "unkind", "un", "king"]
    whole = pa.Table.from_batches(list(spans(tokenizer, words)))
    monkeypatch.setattr("lexkit.tokens.spans._BATCH", 2)
    batches = list(spans(tokenizer, words))
    assert [batch.num_rows for batch in batches] == [2, 2, 1]
    assert pa.Table.from_batches(batches).combine_chunks() == whole
    assert list(spans(tokenizer, [])) == []


@pytest.mark.parametrize("legacy", [None, True, False])
def test_words_of_a_group_are_cut_as_each_alone(
    tokenizer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, legacy: bool | None
) -> None:
    if legacy is None:
        tokenizer = load_tokenizer(str(tokenizer_file))
    else:
        tokenizer = sentencepiece_style(tmp_path / "tokenizer.json", legacy=legacy)
    words = ["kind", "un kind", "kin-d", "", "unkind", "k", "na\u00efve \u2581 <s>", "kind", "2,000", "\u0130un"]
    monkeypatch.setattr("lexkit.tokens.spans._GROUP", 4)
    grouped = list(spans(tokenizer, words))
    lead = leading(tokenizer)
    alone = [tokenizer.encode(lead + word, add_special_tokens=False).ids for word in words]
    assert [ids for batch in grouped for ids in batch["token_ids"].to_pylist()] == alone
    assert [n for batch in grouped for n in batch["n_tokens"].to_pylist()] == list(map(len, alone))
    monkeypatch.setattr("lexkit.tokens.spans._keeps_apart", lambda *_: False)
    assert list(spans(tokenizer, words)) == grouped


def test_a_word_without_tokens_does_not_shift_the_others() -> None:
    tokenizer = Tokenizer(BPE(vocab={"a": 0, " ": 1, "b": 2}, merges=[]))
    (batch,) = spans(tokenizer, ["b", "x", "ab"])
    words = [[tokenizer.id_to_token(i) for i in ids] for ids in batch["token_ids"].to_pylist()]
    assert words == [[" ", "b"], [" "], [" ", "a", "b"]]
    tokenizer.normalizer = normalizers.Replace(" ", "")  # type: ignore[assignment]
    (batch,) = spans(tokenizer, ["b", "x", "ab"])
    assert batch["n_tokens"].to_pylist() == [1, 0, 2]


class TestRealVocabularies:
    @pytest.mark.parametrize(("name", "letters"), [("llama3", [362, 426, 356, 423]), ("mistral", [330, 365, 334, 384])])
    def test_known_ids(self, vocabulary: Callable[[str], Path], name: str, letters: list[int]) -> None:
        tokenizer = load_tokenizer(str(vocabulary(name)))
        (batch,) = spans(tokenizer, list("ABCD"))
        assert batch["token_ids"].to_pylist() == [[letter] for letter in letters]

    def test_letters_alone(self, vocabulary: Callable[[str], Path]) -> None:
        tokenizer = load_tokenizer(str(vocabulary("llama3")))
        assert [tokenizer.encode(letter, add_special_tokens=False).ids for letter in "ABCD"] == [[32], [33], [34], [35]]

    def test_mistral_cuts_as_sentencepiece_does_in_running_text(
        self, vocabulary: Callable[[str], Path], starter_store: Path
    ) -> None:
        sentencepiece = pytest.importorskip("sentencepiece")
        folder = vocabulary("mistral")
        reference = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
        with lexkit.open(starter_store) as lexicon:
            words = lexicon.words().to_pylist()[::20]
        token_ids = [
            row for batch in spans(load_tokenizer(str(folder)), words) for row in batch["token_ids"].to_pylist()
        ]
        before = reference.encode("the")
        assert token_ids == [reference.encode(f"the {word}")[len(before) :] for word in words]

    def test_llama_cuts_as_in_running_text(self, vocabulary: Callable[[str], Path], starter_store: Path) -> None:
        tokenizer = load_tokenizer(str(vocabulary("llama3")))
        with lexkit.open(starter_store) as lexicon:
            words = lexicon.words().to_pylist()[::20]
        token_ids = [row for batch in spans(tokenizer, words) for row in batch["token_ids"].to_pylist()]
        before = tokenizer.encode("the", add_special_tokens=False).ids
        texts = [f"the {word}" for word in words]
        running = tokenizer.encode_batch(texts, add_special_tokens=False)
        assert token_ids == [encoding.ids[len(before) :] for encoding in running]
