from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from tokenizers import Regex, Tokenizer, normalizers
from tokenizers.models import BPE, Unigram, WordLevel, WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel, Metaspace, WhitespaceSplit
from tokenizers.processors import TemplateProcessing

import lexkit
from lexkit.errors import TokenizerError
from lexkit.store.verify import verify_store
from lexkit.tokens.loading import load_tokenizer
from lexkit.tokens.spans import fingerprint, leading_space, spans

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
    assert leading_space(tokenizer) == ("" if legacy else " ")


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
    lead = leading_space(tokenizer)
    alone = [tokenizer.encode(lead + word, add_special_tokens=False).ids for word in words]
    unk = None if legacy is None else tokenizer.token_to_id("<unk>")
    written = [ids if ids and unk not in ids else None for ids in alone]
    assert [ids for batch in grouped for ids in batch["token_ids"].to_pylist()] == written
    assert [n for batch in grouped for n in batch["n_tokens"].to_pylist()] == [ids and len(ids) for ids in written]
    assert len(list(filter(None, written))) >= 5
    monkeypatch.setattr("lexkit.tokens.spans.find_spec", lambda _: None)  # as if numpy were not installed
    assert list(spans(tokenizer, words)) == grouped


def test_a_word_without_tokens_does_not_shift_the_others() -> None:
    tokenizer = Tokenizer(BPE(vocab={"a": 0, " ": 1, "b": 2}, merges=[]))
    (batch,) = spans(tokenizer, ["b", "x", "ab", "axb"])
    assert batch["token_ids"].to_pylist() == [[1, 2], None, [1, 0, 2], None]
    tokenizer.normalizer = normalizers.Replace(" ", "")  # type: ignore[assignment]
    (batch,) = spans(tokenizer, ["b", "x", "ab", "axb"])
    assert batch["n_tokens"].to_pylist() == [1, None, 2, None]


LETTERS = "abcdefghijklmnopqrstuvwxyzP\u00ef"
WORDS = [
    "kind",
    "unkind",
    "k\u0131nd",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "\u0939\u093f",
    "\u4e2d\u6587",
    "\U0001f600",
]
"""Two that the vocabularies below can write; a Turkish, a Persian (with ZWNJ), a Hindi and a Chinese one; an emoji."""


def word_piece() -> Tokenizer:
    pieces = ["[UNK]", "un", "##kind", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    tokenizer = Tokenizer(WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)  # type: ignore[assignment]
    tokenizer.pre_tokenizer = BertPreTokenizer()  # type: ignore[assignment]
    return tokenizer


def word_level() -> Tokenizer:
    tokenizer = Tokenizer(WordLevel({"kind": 0, "unkind": 1, "?": 2, "a": 3}, unk_token="?"))
    tokenizer.pre_tokenizer = WhitespaceSplit()  # type: ignore[assignment]
    return tokenizer


def unigram(*, byte_fallback: bool) -> Tokenizer:
    pieces = ["\u2581kind", "\u2581un", "kind", "\u2581", *LETTERS]
    pieces += [f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else []
    vocabulary = [("<unk>", 0.0), *((piece, -float(i + 1)) for i, piece in enumerate(pieces))]
    tokenizer = Tokenizer(Unigram(vocabulary, unk_id=0, byte_fallback=byte_fallback))
    tokenizer.pre_tokenizer = Metaspace()  # type: ignore[assignment]
    return tokenizer


def bpe(*, byte_fallback: bool, unk: str | None = "<unk>") -> Tokenizer:
    pieces = ["<unk>", "\u2581", *LETTERS, *([f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else [])]
    model = BPE({piece: i for i, piece in enumerate(pieces)}, [], unk_token=unk, byte_fallback=byte_fallback)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = Metaspace()  # type: ignore[assignment]
    return tokenizer


@pytest.mark.parametrize(
    "tokenizer",
    [
        word_piece(),
        word_level(),
        unigram(byte_fallback=False),
        bpe(byte_fallback=False),
        bpe(byte_fallback=False, unk=None),  # passes over what it does not know
    ],
    ids=["WordPiece", "WordLevel", "Unigram", "BPE", "BPE without unk"],
)
def test_a_word_that_a_tokenizer_cannot_write_has_no_span(tokenizer: Tokenizer) -> None:
    (batch,) = spans(tokenizer, [*WORDS, "kind \u4e2d"])
    kind, unkind, *others = batch["token_ids"].to_pylist()
    assert kind
    assert unkind
    assert others == [None] * 6
    assert batch["n_tokens"].to_pylist() == [len(kind), len(unkind), *[None] * 6]


@pytest.mark.parametrize("tokenizer", [unigram(byte_fallback=True), bpe(byte_fallback=True)], ids=["Unigram", "BPE"])
def test_bytes_write_any_word(tokenizer: Tokenizer) -> None:
    (batch,) = spans(tokenizer, WORDS)
    assert all(batch["token_ids"].to_pylist())


def test_words_without_a_span_count_as_too_long(tmp_path: Path) -> None:
    word_level().save(str(tmp_path / "tokenizer.json"))
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("kind unkind\nkind nice\nzany crazy\n", encoding="utf-8")
    summary = lexkit.build(tmp_path / "s.duckdb", pairs=[("antonym", pairs)])
    (done,) = lexkit.tokenize(tmp_path / "s.duckdb", [f"words={tmp_path}"])
    assert (done.words, done.cannot_write) == (summary.statistics.words, 3)
    assert [finding.code for finding in verify_store(tmp_path / "s.duckdb", [f"words={tmp_path}"])] == []
    with lexkit.open(tmp_path / "s.duckdb") as lexicon:
        (counted,) = lexicon.statistics().tokenizers
        assert (counted.tokenizer, counted.cannot_write) == ("words", 3)
        rates = lexicon.keep_rate("words").to_pylist()
        assert {(row["reading"], round(row["percent"], 2)) for row in rates} == {
            ("both", 33.33),  # kind - unkind, of three pairs
            ("partner", 50),  # to kind, twice, and to unkind, of six directions
            ("one_token_head", 66.67),  # kind -> unkind and unkind -> kind, of these and kind -> nice
        }
        exported = lexicon.relations(tokenizer="words").to_pylist()
        assert [(row["word_a"], row["word_b"]) for row in exported] == [("kind", "unkind")]


class TestRealVocabularies:
    @pytest.mark.parametrize(("name", "letters"), [("llama3", [362, 426, 356, 423]), ("mistral", [330, 365, 334, 384])])
    def test_known_ids(self, vocabulary: Callable[[str], Path], name: str, letters: list[int]) -> None:
        tokenizer = load_tokenizer(str(vocabulary(name)))
        (batch,) = spans(tokenizer, list("ABCD"))
        assert batch["token_ids"].to_pylist() == [[letter] for letter in letters]

    @pytest.mark.parametrize("name", ["llama3", "mistral", "qwen3"])
    def test_words_of_any_script_can_be_written(self, vocabulary: Callable[[str], Path], name: str) -> None:
        tokenizer = load_tokenizer(str(vocabulary(name)))
        (batch,) = spans(tokenizer, WORDS)
        assert [tokenizer.decode(ids).strip() for ids in batch["token_ids"].to_pylist()] == WORDS

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
