"""From files to positions: what is a target, what word a token is, and that n_t, m_t and x_{t+1} line up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lexkit.progress import Progress
from lexkit_distill.errors import CorpusError, DataError

_NUMBERS = count()
Shared = Callable[[str], Path]


def tokenizer_of(folder: Path) -> Any:
    import transformers

    return transformers.AutoTokenizer.from_pretrained(folder)


def read(data: list[str], *, dropped: Counter[str], seed: int = 0, **options: Any) -> Iterator[Any]:
    """The documents of training data."""
    from lexkit_distill.training.config import DataConfig
    from lexkit_distill.training.data import training_documents

    return training_documents(data, DataConfig(**options), seed=seed, dropped=dropped)


def encoded(path: Path | str, tokenizer: Any, relations: Any = None, **options: Any) -> Any:
    from lexkit_distill.tokenization import TextEncoder
    from lexkit_distill.training.encode import RowEncoder, WordFinder
    from lexkit_distill.training.row_cache import encoded_rows

    dropped = options.pop("dropped", Counter())
    reading = {name: options.pop(name) for name in ("shots", "seed", "mmlu_test", "fraction") if name in options}
    finding = {name: options.pop(name) for name in ("multi_token_words", "forms") if name in options}
    samples = read([str(path)], dropped=dropped, **reading)
    encoder = TextEncoder("teacher", tokenizer, options.pop("vocabulary", 520))
    rows = RowEncoder(encoder, WordFinder(relations, 520, **finding), dropped=dropped, **{"max_length": 128, **options})
    number = next(_NUMBERS)
    return encoded_rows(lambda: f"{number}", lambda _: [rows.rows(samples)], Progress()).data


def lines(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def targets(data: Any, tokenizer: Any) -> list[str]:
    """The text that each row has to predict."""
    return [
        tokenizer.decode(data.token_ids[start:end][data.is_target[start:end]])
        for start, end in zip(data.offsets, data.offsets[1:], strict=False)
    ]


def test_of_a_chat_the_assistants_turns_are_predicted(six_layers: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(six_layers)
    turns = [("user", "the river"), ("assistant", "and the bank"), ("user", "the bank"), ("assistant", "of the river")]
    file = lines(tmp_path / "chat.jsonl", {"messages": [{"role": r, "content": c} for r, c in turns]})
    assert targets(encoded(file, tokenizer), tokenizer) == ["and the bank<|end|>of the river<|end|>"]
    everything = encoded(file, tokenizer, loss_on="all")
    assert not everything.is_target[0]
    assert everything.is_target[1:].all()


def test_of_a_prompt_with_completion_the_completion_is_predicted(six_layers: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(six_layers)
    file = lines(tmp_path / "pairs.jsonl", {"prompt": "red car", "completion": " and a bus"}, {"text": "the house"})
    found = targets(encoded(file, tokenizer), tokenizer)
    assert found[0] == " and a bus<|end|>"
    assert "house" in found[1]


def test_of_a_prompt_of_messages_nothing_is_predicted(six_layers: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(six_layers)
    example = [{"role": "user", "content": "the river"}, {"role": "assistant", "content": "and the bank"}]
    prompt = [*example, {"role": "user", "content": "the house"}]
    completion = [{"role": "assistant", "content": "of the king"}]
    file = lines(tmp_path / "trl.jsonl", {"prompt": prompt, "completion": completion})
    assert targets(encoded(file, tokenizer), tokenizer) == ["of the king<|end|>"]
    whole = lines(tmp_path / "chat.jsonl", {"messages": [*prompt, *completion]})
    assert targets(encoded(whole, tokenizer), tokenizer) == ["and the bank<|end|>of the king<|end|>"]
    # The same text, of which another part is predicted
    assert encoded(file, tokenizer).token_ids.tolist() == encoded(whole, tokenizer).token_ids.tolist()
    turns = [{"from": "human", "value": "the river"}, {"from": "gpt", "value": "and the bank"}]
    sharegpt = lines(tmp_path / "sharegpt.jsonl", {"conversations": turns})
    assert targets(encoded(sharegpt, tokenizer), tokenizer) == ["and the bank<|end|>"]


def test_tools_of_a_chat_reach_its_sample(tmp_path: Path) -> None:
    schema = {"type": "function", "function": {"name": "weather"}}
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    file = lines(tmp_path / "tools.jsonl", {"messages": chat, "tools": [schema]}, {"messages": chat})
    assert [sample.tools for sample in read([str(file)], dropped=Counter())] == [(schema,), ()]


def test_every_token_of_a_long_text_but_its_first_is_predicted_once(six_layers: Path, tmp_path: Path) -> None:
    from lexkit_distill.training.batches import Batches

    tokenizer = tokenizer_of(six_layers)
    text = "the quick fish and the slow horse " * 10
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    ids = tokenizer(text.strip() + " ")["input_ids"]
    data = encoded(tmp_path / "a.txt", tokenizer, max_length=9)
    assert max(data.lengths) <= 9
    batches = Batches(data, 4)
    import numpy as np

    positions = batches.positions(np.arange(len(data)), 0)
    assert positions.targets[-1] == tokenizer.eos_token_id
    assert positions.targets[:-1].tolist() == ids[1 : len(positions.targets)]
    assert len(positions.targets) >= len(ids) - 1


def test_positions_line_up_with_their_targets_and_nothing_else_supervises(
    six_layers: Path, tmp_path: Path, make_sentences: Any
) -> None:
    import numpy as np

    from lexkit_distill.supervision.nearest import Availability
    from lexkit_distill.training.batches import Batches

    tokenizer = tokenizer_of(six_layers)
    records = [
        {"prompt": a, "completion": " " + b} for a, b in zip(make_sentences(20), make_sentences(20, 1), strict=True)
    ]
    data = encoded(lines(tmp_path / "a.jsonl", *records), tokenizer)
    available = Availability(*(np.ones(520, dtype=bool),) * 3)
    batches = Batches(data, 7, sample_rate=0.4, available=available)
    seen: list[int] = []
    for number in range(batches.steps_per_epoch):
        epoch, rows = batches.step(number)
        batch = batches.batch(rows, epoch)
        seen += rows.tolist()
        lengths = data.lengths[batch.rows]
        for row, t, target in zip(batch.positions.rows, batch.positions.places, batch.positions.targets, strict=True):
            assert t + 1 < lengths[row]  # inside the row: neither padding nor the next row
            assert batch.token_ids[row, t + 1] == target
            assert data.is_target[data.offsets[batch.rows[row]] + t + 1]
        assert len(batch.positions.targets) == sum(
            int(data.is_target[data.offsets[row] + 1 : data.offsets[row + 1]].sum()) for row in batch.rows
        )
    assert sorted(seen) == list(range(20))


def test_rows_of_a_step_are_of_like_length_and_their_order_changes_by_epoch(
    six_layers: Path, tmp_path: Path, make_sentences: Any
) -> None:
    from lexkit_distill.training.batches import Batches

    (tmp_path / "a.txt").write_text("\n\n".join(make_sentences(300)), encoding="utf-8")
    data = encoded(tmp_path / "a.txt", tokenizer_of(six_layers))
    batches = Batches(data, 10)
    spans = [data.lengths[batches.step(number)[1]] for number in range(batches.steps_per_epoch)]
    padded = sum(len(lengths) * lengths.max() for lengths in spans)
    assert padded < 1.1 * data.lengths.sum()
    orders = [[batches.step(epoch * batches.steps_per_epoch)[1].tolist()] for epoch in range(2)]
    assert orders[0] != orders[1]
    assert Batches(data, 10).step(3)[1].tolist() == batches.step(3)[1].tolist()
    assert Batches(data, 10, seed=1).step(3)[1].tolist() != batches.step(3)[1].tolist()


def test_the_sample_is_of_the_wanted_rate_and_changes_by_epoch(
    six_layers: Path, tmp_path: Path, make_sentences: Any
) -> None:
    import numpy as np

    from lexkit_distill.supervision.nearest import Availability
    from lexkit_distill.training.batches import Batches

    (tmp_path / "a.txt").write_text("\n\n".join(make_sentences(300)), encoding="utf-8")
    data = encoded(tmp_path / "a.txt", tokenizer_of(six_layers))
    some = np.arange(520) % 2 == 0
    batches = Batches(
        data, 10, sample_rate=0.4, available=Availability(some, np.zeros(520, dtype=bool), np.zeros(520, dtype=bool))
    )
    first, second = (batches.positions(np.arange(len(data)), epoch) for epoch in range(2))
    assert not first.sampled[first.targets % 2 == 1].any()
    assert 0.35 < first.sampled[first.targets % 2 == 0].mean() < 0.45
    assert (first.sampled != second.sampled).any()
    # The same position has the same fate in whatever batch it comes
    alone = batches.positions(np.array([7]), 0)
    assert np.array_equal(alone.sampled, first.sampled[first.rows == 7])


def test_rows_are_dealt_out_so_that_every_process_has_as_many_batches(six_layers: Path, tmp_path: Path) -> None:
    import numpy as np

    from lexkit_distill.training.batches import Batches

    (tmp_path / "a.txt").write_text("\n\n".join(["the house"] * 5), encoding="utf-8")
    batches = Batches(encoded(tmp_path / "a.txt", tokenizer_of(six_layers)), 8)
    shares = batches.shares(np.arange(5), 3, 1)
    assert [len(share) for share in shares] == [3, 3, 3]
    assert sorted(int(row) for share in shares for rows in share for row in rows) == [0, 1, 2, 3, 4]
    empty = batches.batch(shares[2][2], 0)
    assert empty.token_ids.shape == (1, 2)
    assert len(empty.positions.targets) == 0


def words_found(text: str, six_layers: Path, dictionary: Any, **options: Any) -> dict[str, int]:
    """The token texts that have a word, and the word's number."""
    from lexkit_distill.training.encode import WordFinder

    backend = tokenizer_of(six_layers).backend_tokenizer
    encoding = backend.encode(text)
    found = WordFinder(dictionary.relations, 520, **options).words(text, encoding.ids, encoding.offsets)
    return {backend.decode([token]): int(word) for token, word in zip(encoding.ids, found, strict=True) if word >= 0}


def test_a_token_is_a_word_only_where_the_word_is_that_token_alone(six_layers: Path, dictionary: Any) -> None:
    backend = tokenizer_of(six_layers).backend_tokenizer
    kind = backend.encode(" kind").ids
    assert len(kind) == 1
    for text in ("he is kind to it", "he is kind, not red", "(he was kind)"):
        assert words_found(text, six_layers, dictionary)[" kind"] == kind[0], text
    # Followed by what makes it a longer word, it is none
    for text in ("his kindxy is", "a kind-hearted man", "kind_of"):
        assert " kind" not in words_found(text, six_layers, dictionary), text
    # The start of a text and capitals have tokens of their own, if at all
    assert all(
        word in backend.encode(text).ids
        for text in ("the kind", "The Kind")
        for word in words_found(text, six_layers, dictionary).values()
    )


def test_the_last_token_of_a_longer_word_has_its_relations_if_asked(six_layers: Path, dictionary: Any) -> None:
    names = dictionary.relations.words["word"].to_pylist()
    long = next(w for w, n in zip(names, dictionary.relations.words["n_tokens"].to_pylist(), strict=True) if n > 1)
    text = f"the {long} house"
    pieces = [tokenizer_of(six_layers).decode([t]) for t in tokenizer_of(six_layers).encode(" " + long)]
    plain = words_found(text, six_layers, dictionary)
    found = words_found(text, six_layers, dictionary, multi_token_words=True)
    assert not set(pieces) & set(plain)
    assert found[pieces[-1]] == 520 + names.index(long)
    assert not set(pieces[:-1]) & set(found)
    capital = words_found(f"The {long.capitalize()} house", six_layers, dictionary, multi_token_words=True)
    assert 520 + names.index(long) in capital.values()


def test_a_form_of_a_longer_word_has_its_relations_if_asked(six_layers: Path, dictionary: Any) -> None:
    place = 520 + dictionary.relations.words["word"].to_pylist().index("kindness")
    text = "the kindnesses of the king"
    options = {"multi_token_words": True}
    assert place not in words_found(text, six_layers, dictionary, **options).values()
    assert place in words_found(text, six_layers, dictionary, **options, forms=True).values()


def test_heads_after_a_space_and_of_three_letters_only(six_layers: Path, dictionary: Any) -> None:
    from lexkit_distill.training.official_code import OfficialCode

    options = OfficialCode(spaced_heads_only=True)
    found = words_found('at a "red" bus', six_layers, dictionary, is_head=options.is_head)
    assert " bus" in found
    assert " at" not in found
    assert "red" not in found


@pytest.mark.parametrize(
    ("task", "name", "shots"),
    [
        ("arc", "benchmarks/arc/train.jsonl", 5),
        ("arc", "benchmarks/arc/validation-ai2.jsonl", 5),
        ("csqa", "benchmarks/csqa/dev_rand_split.jsonl", 5),
        ("piqa", "benchmarks/piqa/valid.jsonl", 5),
        ("mmlu", "benchmarks/mmlu/test/nutrition_test.csv", 5),
        ("squad", "benchmarks/squad/dev-v2.0-2articles.json", 1),
    ],
)
def test_tasks_become_worked_examples_and_a_gold_answer(shared: Shared, task: str, name: str, shots: int) -> None:
    dropped: Counter[str] = Counter()
    samples = list(read([f"{task}:{shared(name)}"], dropped=dropped))
    assert len(samples) > 200
    for sample in samples:
        questions = [message["content"] for message in sample.messages[::2]]
        assert len(questions) == shots + 1
        assert sample.context_turns == 2 * shots + 1  # all but the answer
        assert len(set(questions)) == shots + 1
        if task == "squad":
            assert len({question.rpartition("\n\n")[0] for question in questions}) == 1
        else:
            assert sample.messages[-1]["content"] in "ABCDE"
    again = list(read([f"{task}:{shared(name)}"], dropped=Counter()))
    other = list(read([f"{task}:{shared(name)}"], seed=1, dropped=Counter()))
    assert again == samples
    assert other != samples


def test_a_quarter_of_a_task_and_no_shots(shared: Shared) -> None:
    file = f"arc:{shared('benchmarks/arc/train.jsonl')}"
    samples = list(read([file], fraction=0.25, shots=0, dropped=Counter()))
    assert 200 < len(samples) < 330
    assert all(len(sample.messages) == 2 for sample in samples)


def test_questions_of_the_test_of_mmlu_are_left_out_of_mmlu_pro(shared: Shared, tmp_path: Path) -> None:
    path = shared("benchmarks/mmlu_pro/mmlu_pro-hfstyle-240.jsonl")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with pytest.raises(DataError, match="--mmlu-test"):
        list(read([f"mmlu-pro:{path}"], dropped=Counter()))
    (tmp_path / "x_test.csv").write_text(f'"{records[3]["question"].upper()}",1,2,3,4,A\n', encoding="utf-8")
    dropped: Counter[str] = Counter()
    samples = list(read([f"mmlu-pro:{path}"], mmlu_test=str(tmp_path), dropped=dropped))
    assert len(samples) == len(records) - 1
    assert dropped == {"question of MMLU's test set": 1}
    (tmp_path / "x_test.csv").write_bytes(b"caf\xe9,a,b,c,d,A\n")
    with pytest.raises(DataError, match=r"x_test\.csv: cannot be read as UTF-8") as raised:
        list(read([f"mmlu-pro:{path}"], mmlu_test=str(tmp_path), dropped=Counter()))
    assert "\n" not in str(raised.value)


def test_too_few_questions_for_worked_examples(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "arc.jsonl", *[{"question": "q", "choices": {"text": ["a"], "label": ["A"]}, "answerKey": "A"}] * 5
    )
    with pytest.raises(DataError, match=r"has only 5 questions for 5 worked examples each; lower --shots"):
        list(read([f"arc:{file}"], dropped=Counter()))
    assert len(list(read([f"arc:{file}"], shots=4, dropped=Counter()))) == 5


def test_squad_takes_one_worked_example_however_many_are_asked(tmp_path: Path) -> None:
    about = [("p", "a?"), ("p", "b?"), ("p", "c?"), ("other", "d?")]
    records = [{"context": passage, "question": text, "answers": {"text": []}} for passage, text in about]
    dropped: Counter[str] = Counter()
    samples = list(read([f"squad:{lines(tmp_path / 's.jsonl', *records)}"], shots=5, dropped=dropped))
    assert [len(sample.messages) for sample in samples] == [4, 4, 4]
    assert dropped == {"too few other questions about the same passage or subject": 1}


def test_bad_data_are_one_clear_line(six_layers: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(six_layers)
    (tmp_path / "empty.jsonl").write_text('{"text": ""}\n', encoding="utf-8")
    with pytest.raises(DataError, match="nothing to predict"):
        encoded(tmp_path / "empty.jsonl", tokenizer)
    long = lines(tmp_path / "long.jsonl", {"text": "the"}, {"prompt": "a", "completion": " house" * 200})
    with pytest.raises(DataError, match=r"long.jsonl, line 2: 20\d tokens, and --max-length is 128"):
        encoded(long, tokenizer)
    dropped: Counter[str] = Counter()
    encoded(long, tokenizer, too_long="drop", dropped=dropped)
    assert dropped == {"longer than --max-length": 1}
    with pytest.raises(CorpusError, match="none"):
        encoded(tmp_path / "none.jsonl", tokenizer)
    tokenizer.chat_template = "{{ messages[-1]['content'] }}"
    chat = [
        {"role": "user", "content": "kind"},
        {"role": "assistant", "content": "red"},
        {"role": "user", "content": "a"},
    ]
    with pytest.raises(DataError, match="cannot be separated from the prompt"):
        encoded(lines(tmp_path / "chat.jsonl", {"messages": chat}), tokenizer)


def test_a_tokenizer_may_have_more_tokens_than_the_head_until_one_occurs(
    tmp_path: Path, make_teacher: Callable[..., Path], configured: Callable[..., Any]
) -> None:
    """Gemma 3 as published has 262,145 tokens and 262,144 rows."""
    import transformers

    from lexkit_distill.senses.build import build_senses
    from lexkit_distill.senses.config import SensesConfig
    from lexkit_distill.training.run import train

    folder = make_teacher(tmp_path / "teacher", layers=4)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = transformers.AutoConfig.from_pretrained(folder).vocab_size
    tokenizer.add_tokens([f"<extra{number}>" for number in range(rows - len(tokenizer) + 1)], special_tokens=True)
    tokenizer.save_pretrained(folder)
    assert len(tokenizer) == rows + 1
    last = tokenizer.convert_ids_to_tokens(rows)
    train(configured(teacher=str(folder), layers=3, beta_p=0.0, beta_n=0.0, senses=None, epochs=1))
    (tmp_path / "good.txt").write_text("the river\n\nthe bank", encoding="utf-8")
    options = {"teacher": str(folder), "dtype": "float32", "device": "cpu", "k": 2}
    build_senses(SensesConfig(corpus=(str(tmp_path / "good.txt"),), output=str(tmp_path / "senses"), **options))
    (tmp_path / "bad.txt").write_text(f"the river\n\nan image: {last}", encoding="utf-8")
    with pytest.raises(DataError, match=rf"bad.txt, line 3: the token '{last}' \({rows}\) is beyond") as raised:
        train(
            configured(
                teacher=str(folder),
                layers=3,
                beta_p=0.0,
                beta_n=0.0,
                senses=None,
                data=(str(tmp_path / "bad.txt"),),
                output=str(tmp_path / "other"),
            )
        )
    assert "\n" not in str(raised.value)
    with pytest.raises(DataError, match=r"bad.txt, line 3: the token"):
        build_senses(SensesConfig(corpus=(str(tmp_path / "bad.txt"),), output=str(tmp_path / "other"), **options))
