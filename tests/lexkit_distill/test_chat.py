"""What is predicted of a chat, under templates in the manner of many models, against the same templates in Python."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import CorpusError, DataError

Segments = Iterator[tuple[str, bool]]
"""Parts of a rendered chat, and whether each is predicted."""
Chat = list[tuple[str, str]]

ANSWERS = (
    "art",
    "music",
    "",
    "assistant",
    "user",
    "model",
    "ASSISTANT: art",
    "two\nlines",
    "painting",
    "naïve 東京 🙂",
    "[/INST]",
    "</think>",
)


def chatml(chat: Chat, system: str = "") -> Segments:
    if system and chat[0][0] != "system":
        yield f"<|im_start|>system\n{system}<|im_end|>\n", False
    for role, content in chat:
        yield f"<|im_start|>{role}\n", False
        yield f"{content}<|im_end|>", role == "assistant"
        yield "\n", False


CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
DEFAULT_SYSTEM = (
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou are an assistant of art.<|im_end|>\n' }}"
    "{% endif %}" + CHATML
)
MARKED = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}{% else %}{{ m.content + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MARKED_WITHOUT_END = MARKED.replace(
    "{{ m.content + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}",
    "{{ m.content }}{% endgeneration %}{{ '<|im_end|>\n' }}",
)
THINKING = (
    "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}"
    "{% endif %}{% endfor %}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.role == 'assistant' and loop.index0 > ns.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m.content.split('</think>')[-1] if m.role == 'assistant' else m.content }}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def thinking(chat: Chat) -> Segments:
    last = max(number for number, (role, _) in enumerate(chat) if role == "user")
    for number, (role, content) in enumerate(chat):
        yield f"<|im_start|>{role}\n", False
        if role == "assistant":
            thought = "<think>\n\n</think>\n\n" if number > last else ""
            yield thought + content.split("</think>")[-1] + "<|im_end|>", True
        else:
            yield f"{content}<|im_end|>", False
        yield "\n", False


LLAMA_3 = (  # as first published: it always asks for an answer
    "{% for m in messages %}{% set c = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content']"
    " | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set c = bos_token + c %}{% endif %}{{ c }}{% endfor %}"
)
LLAMA_3_ALWAYS = LLAMA_3 + "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
LLAMA_3_ASKED = (
    LLAMA_3 + "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)


def llama3(chat: Chat) -> Segments:
    yield "<s>", False
    for role, content in chat:
        yield f"<|start_header_id|>{role}<|end_header_id|>\n\n", False
        yield f"{content.strip()}<|eot_id|>", role == "assistant"


LLAMA_2 = (
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set s = messages[0]['content'] %}"
    "{% else %}{% set rest = messages %}{% set s = false %}{% endif %}{% for m in rest %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{% if loop.index0 == 0 and s %}{% set c = '<<SYS>>\n' + s + '\n<</SYS>>\n\n' + m['content'] %}"
    "{% else %}{% set c = m['content'] %}{% endif %}{% if m['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + c | trim + ' [/INST]' }}{% else %}{{ ' ' + c | trim + ' ' + eos_token }}{% endif %}"
    "{% endfor %}"
)


def llama2(chat: Chat) -> Segments:
    system = f"<<SYS>>\n{chat[0][1]}\n<</SYS>>\n\n" if chat[0][0] == "system" else ""
    for role, content in chat[1:] if system else chat:
        if role == "user":
            yield f"<s>[INST] {(system + content).strip()} [/INST]", False
            system = ""
        else:
            yield " ", False
            yield f"{content.strip()} </s>", True


VICUNA = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ m.content + ' ' }}{% elif m.role == 'user' %}"
    "{{ 'USER: ' + m.content + ' ' }}{% else %}{{ 'ASSISTANT: ' + m.content + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def vicuna(chat: Chat) -> Segments:
    for role, content in chat:
        if role == "assistant":
            yield "ASSISTANT: ", False
            yield f"{content}</s>", True
        else:
            yield f"{'USER: ' if role == 'user' else ''}{content} ", False


GEMMA = (
    "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}{% set r = 'model' if m['role'] == 'assistant' else "
    "m['role'] %}{{ '<start_of_turn>' + r + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def gemma(chat: Chat) -> Segments:
    yield "<s>", False
    for role, content in chat:
        yield f"<start_of_turn>{'model' if role == 'assistant' else role}\n", False
        yield f"{content.strip()}<end_of_turn>", role == "assistant"
        yield "\n", False


MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}{% if m['role'] == 'user' %}"
    "{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}"
)


def mistral(chat: Chat) -> Segments:
    yield "<s>", False
    for role, content in chat:
        yield (f"{content}</s>", True) if role == "assistant" else (f"[INST] {content} [/INST]", False)


DEEPSEEK = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '<|User|>' + m.content }}"
    "{% elif m.role == 'system' %}{{ m.content }}{% else %}{{ '<|Assistant|>' + m.content + eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|Assistant|><think>\n' }}{% endif %}"
)


def deepseek(chat: Chat) -> Segments:
    yield "<s>", False
    for role, content in chat:
        if role == "assistant":
            yield "<|Assistant|>", False
            yield f"{content}</s>", True
        else:
            yield f"{'<|User|>' if role == 'user' else ''}{content}", False


ALPACA = (
    "{% for m in messages %}{{ '### ' + ('Response' if m.role == 'assistant' else 'Instruction') + ':\n' + m.content"
    " + '\n\n' }}{% endfor %}{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
)


def alpaca(chat: Chat) -> Segments:
    for number, (role, content) in enumerate(chat):
        yield f"### {'Response' if role == 'assistant' else 'Instruction'}:\n", False
        yield content, role == "assistant"
        if role != "assistant" or number < len(chat) - 1:  # at the end the text ends instead
            yield "\n\n", False


PHI = (  # it ends the text, too, unless it asks for an answer
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% else %}{{ eos_token }}{% endif %}"
)


def phi(chat: Chat) -> Segments:
    yield from chatml(chat)
    yield "</s>", False


QWEN_1 = (  # the last turn has no end
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}{{ '<|im_start|>system\nHelp.<|im_end|>\n' }}"
    "{% endif %}{{ '<|im_start|>' + m.role + '\n' + m.content }}{% if not loop.last or add_generation_prompt %}"
    "{{ '<|im_end|>\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% endif %}"
)


def qwen1(chat: Chat) -> Segments:
    parts = list(chatml(chat, "Help."))[:-1]
    yield from parts[:-1]
    yield parts[-1][0].removesuffix("<|im_end|>"), parts[-1][1]


ASKING_AFTER_USER = CHATML.replace("if add_generation_prompt", "if messages[-1].role == 'user'")
TRIMMED = (  # the header of an empty answer loses its space
    "{% for m in messages %}{{ (('ASSISTANT: ' if m.role == 'assistant' else 'USER: ') + m.content) | trim + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def trimmed(chat: Chat) -> Segments:
    for number, (role, content) in enumerate(chat):
        header = "ASSISTANT: " if role == "assistant" else "USER: "
        yield (header if content.strip() else header.strip()), False
        yield content.rstrip(), role == "assistant"
        if role != "assistant" or number < len(chat) - 1:
            yield "\n", False


MARKED_HEADER = MARKED.replace(
    "{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content + '<|im_end|>' }}"
    "{% endgeneration %}{{ '\n' }}{% else %}{{ m.content + '<|im_end|>\n' }}{% endif %}",
    "{% if m.role == 'assistant' %}{% generation %}{{ '<|im_start|>assistant\n' + m.content + '<|im_end|>\n' }}"
    "{% endgeneration %}{% else %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}",
)
CHANNELS = (  # an answer after a thought has a second header, which the assistant says
    "{% for m in messages %}{% if m.role == 'assistant' %}{% if m.thinking %}"
    "{{ '<|im_start|>assistant analysis\n' + m.thinking + '<|im_end|>' }}{% endif %}"
    "{{ '<|im_start|>assistant final\n' + m.content + '<|im_end|>' }}{% else %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant' }}{% endif %}"
)


def channels(chat: Chat) -> Segments:
    for role, content in chat:
        yield f"<|im_start|>{role}", False
        yield f"{' final' if role == 'assistant' else ''}\n{content}<|im_end|>", role == "assistant"


FAMILIES: dict[str, tuple[str, Callable[[Chat], Segments]]] = {
    "chatml": (CHATML, chatml),
    "chatml with a system prompt": (DEFAULT_SYSTEM, lambda chat: chatml(chat, "You are an assistant of art.")),
    "chatml, marked": (MARKED, chatml),
    "chatml, marked without end": (MARKED_WITHOUT_END, chatml),
    "thinking": (THINKING, thinking),
    "llama 3, always asking": (LLAMA_3_ALWAYS, llama3),
    "llama 3": (LLAMA_3_ASKED, llama3),
    "llama 2": (LLAMA_2, llama2),
    "vicuna": (VICUNA, vicuna),
    "gemma": (GEMMA, gemma),
    "mistral": (MISTRAL, mistral),
    "deepseek": (DEEPSEEK, deepseek),
    "alpaca": (ALPACA, alpaca),
    "phi": (PHI, phi),
    "qwen 1": (QWEN_1, qwen1),
    "chatml, asking after the user": (ASKING_AFTER_USER, chatml),
    "trimmed": (TRIMMED, trimmed),
    "chatml, header marked": (MARKED_HEADER, chatml),
    "channels": (CHANNELS, channels),
}
WITHOUT_END = {"alpaca", "qwen 1", "trimmed"}
"""Families that do not end the last turn, so that the text ends there instead."""
REJECTING = {"llama 2", "gemma", "mistral"}
"""Families that take turns of user and assistant only."""
MARKS = """<|im_start|> <|im_end|> <|start_header_id|> <|end_header_id|> <|eot_id|> <start_of_turn> <end_of_turn>
<|User|> <|Assistant|>""".split()


def chats(answer: str) -> Iterator[Chat]:
    """A turn, two of them, after a system prompt, begun by the assistant, ended by the user."""
    yield [("user", "What is painting?"), ("assistant", answer)]
    yield [("user", f"{answer} assistant: {answer}"), ("assistant", answer), ("user", answer), ("assistant", "Bye")]
    yield [("system", "Be an artful assistant"), ("user", "q"), ("assistant", answer), ("user", "and")]
    yield [("assistant", answer), ("user", "art"), ("assistant", "yes")]


@pytest.fixture(scope="module", params=["bytes", "words", "plain marks"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    """Byte-level BPE; SentencePiece's way, with BOS before every text; and one that cuts the marks of turns, too."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    special = ["<unk>", "<s>", "</s>", *([] if request.param == "plain marks" else MARKS)]
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=request.param == "words"))
    text = ["What is painting? Be an artful assistant of art. USER: ASSISTANT: yes Bye Instruction Response music"] * 9
    if request.param == "words":
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        made.decoder = decoders.Metaspace(prepend_scheme="first")
        special += [f"<0x{byte:02X}>" for byte in range(256)]
    else:
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet() if request.param != "words" else sorted(set("".join(text)))
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(text, trainer)
    if request.param == "words":
        made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def rows(tokenizer: Any, *records: dict[str, Any], context_turns: int = 0, **options: Any) -> list[Any]:
    from lexkit_distill.corpus import Document
    from lexkit_distill.tokenization import TextEncoder
    from lexkit_distill.training.encode import RowEncoder, WordFinder

    dropped: Counter[str] = Counter()
    encoder = RowEncoder(
        TextEncoder("teacher", tokenizer, len(tokenizer)),
        WordFinder(None, 0),
        dropped=dropped,
        **{"max_length": 4000, **options},
    )
    samples = [
        Document(f"chats.jsonl, line {number}", messages=tuple(record["messages"]), context_turns=context_turns)
        for number, record in enumerate(records, 1)
    ]
    return list(encoder.rows(samples))


def messages(chat: Chat) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in chat]}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_token_of_the_assistants_turns_is_predicted_and_no_other(tokenizer: Any, family: str) -> None:
    tokenizer.chat_template, segments = FAMILIES[family]
    if family == "qwen 1" and "<|im_end|>" not in tokenizer.get_vocab():
        pytest.skip(
            "an end that only inner turns have cannot be separated from the next header unless it is a special token"
        )
    checked = 0
    for answer in ANSWERS:
        for chat in chats(answer):
            if family in REJECTING and chat[0][0] not in ("user", "system" if family == "llama 2" else "user"):
                continue
            parts = list(segments(chat))
            text = "".join(part for part, _ in parts)
            encoding = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
            places = [place for part, is_predicted in parts for place in [is_predicted] * len(part)]
            wanted = [any(places[start:end]) for start, end in encoding.offsets]
            ids = list(encoding.ids)
            if family in WITHOUT_END and chat[-1][0] == "assistant":
                ids, wanted = [*ids, tokenizer.eos_token_id], [*wanted, True]
            if tokenizer("art")["input_ids"][0] == tokenizer.bos_token_id != ids[0]:
                ids, wanted = [tokenizer.bos_token_id, *ids], [False, *wanted]
            wanted[0] = False
            found = rows(tokenizer, messages(chat))
            if not any(wanted):
                assert found == []
                continue
            (row,) = found
            assert row.token_ids.tolist() == ids, chat
            assert row.is_target.tolist() == wanted, chat
            checked += 1
    assert checked >= 2 * len(ANSWERS)


@pytest.mark.parametrize("family", sorted(REJECTING))
def test_a_chat_that_the_template_rejects_is_named_in_one_line(tokenizer: Any, family: str) -> None:
    tokenizer.chat_template = FAMILIES[family][0]
    good = messages([("user", "q"), ("assistant", "a")])
    bad = messages([("assistant", "a"), ("user", "q"), ("assistant", "a")])
    with pytest.raises(CorpusError, match=r"chats.jsonl, line 2: the chat template rejects .*Roles must") as raised:
        rows(tokenizer, good, bad)
    assert "\n" not in str(raised.value)


def test_a_template_that_rewrites_answers_is_one_line_and_may_be_predicted_whole(tokenizer: Any) -> None:
    tokenizer.chat_template = "{% for m in messages %}{{ m.role + ': ' + m.content | upper + '\n' }}{% endfor %}"
    chat = messages([("user", "q"), ("assistant", "a")])
    with pytest.raises(DataError, match="--loss-on all") as raised:
        rows(tokenizer, chat)
    assert "\n" not in str(raised.value)
    (row,) = rows(tokenizer, chat, loss_on="all")
    assert row.is_target[1:].all()


def test_turns_of_the_context_are_not_predicted(tokenizer: Any) -> None:
    tokenizer.chat_template = CHATML
    chat = messages([("user", "q"), ("assistant", "art"), ("user", "q"), ("assistant", "art")])
    whole, last = (rows(tokenizer, chat, context_turns=turns)[0] for turns in (0, 3))
    assert last.token_ids.tolist() == whole.token_ids.tolist()
    assert 2 * last.is_target.sum() == whole.is_target.sum()


def test_an_empty_turn_that_the_template_leaves_out_is_not_predicted(tokenizer: Any) -> None:
    tokenizer.chat_template = CHATML.replace(
        "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}",
        "{% if m.content %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}",
    )
    full = rows(tokenizer, messages([("user", "q"), ("assistant", ""), ("user", "q"), ("assistant", "art")]))[0]
    short = rows(tokenizer, messages([("user", "q"), ("user", "q"), ("assistant", "art")]))[0]
    assert full.token_ids.tolist() == short.token_ids.tolist()
    assert full.is_target.tolist() == short.is_target.tolist()


def test_calls_of_tools_are_predicted_or_refused(tokenizer: Any) -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "art", "arguments": "{}"}}]}
    chat = {"messages": [{"role": "user", "content": "q"}, call]}
    tokenizer.chat_template = CHATML
    with pytest.raises(CorpusError, match="does not write the assistant's tool calls") as raised:
        rows(tokenizer, chat)
    assert "\n" not in str(raised.value)
    tokenizer.chat_template = CHATML.replace(
        "m.content + '<|im_end|>\n' }}",
        "m.content }}{% for c in m.tool_calls or [] %}{{ '<call>' + c.function.name }}{% endfor %}{{ '<|im_end|>\n' }}",
    )
    (row,) = rows(tokenizer, chat)
    predicted = "".join(text for text, is_target in zip(row.texts, row.is_target, strict=True) if is_target)
    assert predicted.strip() == "<call>art<|im_end|>"


def predicted(row: Any) -> list[str]:
    """Runs of text that are predicted."""
    parts = (text if is_target else "\0" for text, is_target in zip(row.texts, row.is_target, strict=True))
    return [part for part in "".join(parts).split("\0") if part]


def test_results_of_tools_are_never_predicted(tokenizer: Any) -> None:
    tokenizer.chat_template = (  # the result is a part of the assistant's turn, and needs a call before it
        "{% for m in messages %}{% if m.role == 'user' %}{{ '<|im_start|>user\n' + m.content + '<|im_end|>' }}"
        "{% elif m.role == 'tool' %}{% if not messages[loop.index0 - 1].tool_calls %}{{ raise_exception('no call') }}"
        "{% endif %}{{ '<|eot_id|>' + m.content + '<|eot_id|>' }}{% else %}"
        "{% if messages[loop.index0 - 1].role == 'user' %}{{ '<|im_start|>assistant\n' }}{% endif %}"
        "{% if m.tool_calls %}{{ 'call ' + m.tool_calls[0].function.name }}"
        "{% else %}{{ m.content + '<|im_end|>' }}{% endif %}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    call = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "art", "arguments": "{}"}}]}
    asked, result = {"role": "user", "content": "q"}, {"role": "tool", "content": "painting"}
    (row,) = rows(tokenizer, {"messages": [asked, call, result, {"role": "assistant", "content": "art"}]})
    assert "painting" in "".join(row.texts)
    runs = predicted(row)
    assert "call art" in runs[0]
    assert runs[-1].endswith("art<|im_end|>")
    assert not any("painting" in run for run in runs)


def test_a_thought_before_the_answer_is_predicted(tokenizer: Any) -> None:
    said = {"role": "assistant", "content": "art", "thinking": "hm", "reasoning_content": "hm"}
    chat = {"messages": [{"role": "user", "content": "q"}, said]}
    tokenizer.chat_template = CHANNELS
    (row,) = rows(tokenizer, chat)
    assert predicted(row) == [" analysis\nhm<|im_end|><|im_start|>assistant final\nart<|im_end|>"]
    tokenizer.chat_template = (  # asking for an answer opens the thought
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}"
        "{{ '<think>\n' + (m.reasoning_content or '') + '\n</think>\n\n' }}{% endif %}{{ m.content + '<|im_end|>' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"
    )
    (row,) = rows(tokenizer, chat)
    assert predicted(row)[0].endswith("hm\n</think>\n\nart<|im_end|>")
    assert "<think>" not in predicted(row)[0]


def test_the_template_that_is_used_decides_whether_generations_are_marked(tokenizer: Any) -> None:
    chat = messages([("user", "q"), ("assistant", "art")])
    tokenizer.chat_template = CHATML
    (plain,) = rows(tokenizer, chat)
    for template in ({"default": CHATML, "training": MARKED}, "{# {% generation %} #}" + CHATML):
        tokenizer.chat_template = template
        (row,) = rows(tokenizer, chat)
        assert row.is_target.tolist() == plain.is_target.tolist()
        assert row.is_target.any()


@pytest.mark.parametrize("name", ["llama3", "qwen3"])
def test_real_templates_with_real_chats(name: str, vocabulary: Callable[[str], Path], shared: Any) -> None:
    import transformers

    real = transformers.AutoTokenizer.from_pretrained(vocabulary(name))
    if real.chat_template is None:
        pytest.skip(f"{name}'s chat template is not there: run benchmarks/vocabularies.py again")
    lines = shared("cases/chats.jsonl").read_text(encoding="utf-8").splitlines()
    end, thought = {"llama3": ("<|eot_id|>", ""), "qwen3": ("<|im_end|>", "<think>\n\n</think>\n\n")}[name]
    wanted = [["art"], ["music"], [""], ["helpful", "yes"], ["Hello", "Farewell"]]
    for row, answers in zip(rows(real, *map(json.loads, lines)), wanted, strict=True):
        parts = "".join(
            text if is_target else "\0" for text, is_target in zip(row.texts, row.is_target, strict=True)
        ).split("\0")
        assert [part for part in parts if part] == [
            *(answer + end for answer in answers[:-1]),
            thought + answers[-1] + end,
        ]


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ 'a' * 10000000000 }}", "it needs more than 1,024 MiB of memory"),
        ("{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}", "more than 1,048,576"),
    ],
)
def test_a_template_that_has_no_end(template: str, reason: str) -> None:
    from types import SimpleNamespace

    from lexkit_distill.chat import ChatTemplate

    chats = ChatTemplate(SimpleNamespace(chat_template=template))
    with pytest.raises(CorpusError, match=rf"^here: the chat template cannot be used \(.*{reason}.*\)"):
        chats.text([{"role": "user", "content": "kind"}], "here")
