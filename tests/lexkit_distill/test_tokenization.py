"""Beginning and end of a text: every row, piece, window and prompt has them where the tokenizer wants them, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import DataError

BOS, EOS = 1, 0


@pytest.fixture(scope="module")
def begins(tmp_path_factory: pytest.TempPathFactory, make_teacher: Callable[..., Path]) -> Path:
    """A teacher whose tokenizer writes BOS before a text, as those of Llama and Gemma do."""
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing

    folder = make_teacher(tmp_path_factory.mktemp("begins"), layers=4, length=2048)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.post_processor = TemplateProcessing(single="<|start|> $A", special_tokens=[("<|start|>", BOS)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def loaded(folder: Path) -> Any:
    from lexkit_distill.teacher import load_teacher

    return load_teacher(str(folder), dtype="float32", device="cpu")


def rows(folder: Path, *samples: Any, **options: Any) -> list[Any]:
    from lexkit_distill.tokenization import load_encoder
    from lexkit_distill.training.encode import RowEncoder, WordFinder

    encoder = RowEncoder(
        load_encoder(str(folder)), WordFinder(None, 0), dropped=Counter(), **{"max_length": 16, **options}
    )
    return list(encoder.rows(samples))


def test_every_row_of_a_long_text_begins_and_only_its_last_ends(begins: Path, make_sentences: Any) -> None:
    from lexkit_distill.corpus import Document

    text = " ".join(make_sentences(9))
    found = rows(begins, Document("a", text))
    assert len(found) > 5
    ids = [row.token_ids.tolist() for row in found]
    assert all(row[0] == BOS and BOS not in row[1:] and len(row) <= 16 for row in ids)
    assert [EOS in row for row in ids] == [False] * (len(ids) - 1) + [True]
    assert ids[-1][-1] == EOS
    predicted = [token for row in found for token in row.token_ids[row.is_target].tolist()]
    encoder = loaded(begins).encoder
    assert predicted == [*encoder.encode([text])[0].ids, EOS]
    # each row has the token before its first as context
    assert all(after[1] == before[-1] for before, after in pairwise(ids))
    texts = ["".join(part for part in row.texts if part not in ("<|start|>", "<|end|>")) for row in found]
    assert texts[0] + "".join(text[len(row.texts[1]) :] for text, row in zip(texts[1:], found[1:], strict=True)) == text


def test_the_beginning_and_the_end_are_never_doubled(begins: Path) -> None:
    from lexkit_distill.corpus import Document

    (row,) = rows(begins, Document("a", "<|start|>the house<|end|>"))
    assert row.token_ids.tolist().count(BOS) == 1
    assert row.token_ids.tolist().count(EOS) == 1
    encoder = loaded(begins).encoder
    assert encoder.prompt("<|start|>the house") == encoder.prompt("the house")


def test_completions_end_unless_told_otherwise(begins: Path) -> None:
    from lexkit_distill.corpus import Document

    sample = Document("a", " the bank", prompt="the river")
    (row,), (endless,) = rows(begins, sample), rows(begins, sample, end_token=False)
    assert row.token_ids.tolist() == [*endless.token_ids.tolist(), EOS]
    assert row.token_ids[0] == BOS
    assert "".join(text for text, is_target in zip(row.texts, row.is_target, strict=True) if is_target) == (
        " the bank<|end|>"
    )


def test_a_template_that_ends_turns_needs_no_other_end(begins: Path) -> None:
    from lexkit_distill.corpus import Document

    messages = ({"role": "user", "content": "the"}, {"role": "assistant", "content": "house"})
    (row,) = rows(begins, Document("a", messages=messages), max_length=64)
    assert row.token_ids.tolist().count(EOS) == 2  # one a turn
    assert row.token_ids.tolist().count(BOS) == 2  # the test's template marks turns with it


def test_pieces_of_a_corpus_begin_and_do_not_end(begins: Path, tmp_path: Path, make_sentences: Any) -> None:
    from lexkit.progress import Progress
    from lexkit_distill.senses.plan import batches, make_plan

    (tmp_path / "a.txt").write_text(" ".join(make_sentences(9)), encoding="utf-8")
    plan = make_plan(
        tmp_path, [str(tmp_path / "a.txt")], loaded(begins).encoder, max_length=16, batch_tokens=64, progress=Progress()
    )
    pieces = [
        (int(start), row[:length].tolist())
        for batch in batches(plan, 64)
        for row, start, length in zip(batch.token_ids, batch.starts, batch.lengths, strict=True)
    ]
    assert len(pieces) > 5
    assert all(
        piece[0] == BOS and BOS not in piece[1:] and EOS not in piece and len(piece) <= 16 for _, piece in pieces
    )
    text = [token for _, piece in sorted(pieces) for token in piece[1:]]
    assert text == loaded(begins).encoder.encode([" ".join(make_sentences(9))])[0].ids


def test_windows_of_perplexity_begin(begins: Path, make_sentences: Any) -> None:
    import torch

    from lexkit_distill.evaluation.perplexity import score_window, windows

    teacher, text = loaded(begins), " ".join(make_sentences(9))
    found = windows(text, teacher, 16)
    ids = teacher.encoder.encode([text])[0].ids
    assert [token for window in found for token in window.token_ids[1:]] == ids[1:]
    assert max(len(window.token_ids) for window in found) == 15
    window = found[1]
    read = torch.tensor([[BOS, *window.token_ids]])
    with torch.inference_mode():
        log_p = teacher.model(read).logits[0, 1:-1].double().log_softmax(-1)
    expected = -log_p.gather(1, read[0, 2:, None]).sum()
    assert score_window(window, teacher, None).nats == pytest.approx(float(expected), rel=1e-4)


def test_prompts_of_the_harness_begin_and_keep_their_beginning_when_they_are_cut(begins: Path) -> None:
    from lexkit_distill.evaluation.harness import _Model

    teacher = loaded(begins)
    model = _Model(pretrained=teacher.model, tokenizer=teacher.tokenizer, batch_size=1)
    model.encoder = teacher.encoder
    text = "the river of money " * 9
    assert model.tok_encode(text) == teacher.encoder.prompt(text)
    ids, mask = model.tok_batch_encode([text, "<|start|>the"], left_truncate_len=8)
    assert ids[0].tolist() == [BOS, *teacher.encoder.prompt(text)[-7:]]
    assert ids[1][mask[1].bool()].tolist() == teacher.encoder.prompt("the")
    context, continuation = model._encode_pair("the " * 3000, " house")
    assert context[0] == BOS
    assert len(context) + len(continuation) == model.max_length + 1


def test_a_row_with_no_room_is_one_line(begins: Path) -> None:
    from lexkit_distill.corpus import Document

    with pytest.raises(DataError, match="--max-length 2 leaves no room"):
        rows(begins, Document("a", "the house of the king"), max_length=2)


@pytest.mark.parametrize("text", ["naïve 東京 🙂 café", "  two  spaces ", "a\n\nb", "🙂"])
def test_the_texts_of_tokens_join_to_the_text(begins: Path, text: str) -> None:
    from lexkit_distill.corpus import Document

    (row,) = rows(begins, Document("a", text), max_length=200)
    assert "".join(row.texts[1:-1]) == text
    assert (row.texts[0], row.texts[-1]) == ("<|start|>", "<|end|>")
