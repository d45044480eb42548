"""Which records a corpus may have, how they are read, and how the others are refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexkit.errors import LexkitError
from lexkit_distill.corpus import Document, documents
from lexkit_distill.errors import CorpusError

ASKED = {"role": "user", "content": "What color is the sky?"}
ANSWERED = {"role": "assistant", "content": "It is blue."}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}
SCHEMA = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def read(path: Path, *records: Any) -> tuple[list[Document], list[str]]:
    """The documents of a file with these records, and why others were skipped."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    skipped: list[str] = []
    return list(documents([str(path)], skipped.append)), skipped


@pytest.fixture
def one(tmp_path: Path) -> Callable[[Any], Document]:
    """Read a record that is a document."""

    def document(record: Any) -> Document:
        found, skipped = read(tmp_path / "one.jsonl", record)
        assert len(found) == 1, skipped
        return found[0]

    return document


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[Any], str]:
    """Read a good record and a bad one; return what the error says behind file and line."""

    def message(record: Any) -> str:
        file = tmp_path / "bad.jsonl"
        with pytest.raises(CorpusError) as raised:
            read(file, {"text": "good"}, record)
        place, said = str(raised.value).split(", line 2: ", 1)
        assert place == str(file)
        assert "\n" not in said
        return said

    return message


def test_content_in_parts_is_read_as_its_text(one: Callable[[Any], Document], shared: Callable[[str], Path]) -> None:
    parts = [{"type": "text", "text": "It is "}, "really ", {"type": "text", "text": "blue.", "image_url": None}]
    found = one({"messages": [ASKED, {"role": "assistant", "content": parts}]})
    assert found.messages[1] == {"role": "assistant", "content": "It is really blue."}
    (case,) = documents([str(shared("cases/chats-parts.jsonl"))], print)
    assert [message["content"] for message in case.messages] == ["Hello there", "Hi"]


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"type": "image_url", "image_url": {"url": "x.png"}}, "'image_url'"),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "'input_audio'"),
        ({"type": "image"}, "'image'"),
        ({"type": "text", "text": None}, "'text'"),
        (7, "'a number'"),
    ],
)
def test_other_parts_are_refused_by_name(refused: Callable[[Any], str], part: Any, kind: str) -> None:
    said = refused({"messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, part]}, ANSWERED]})
    assert said.startswith("message 1 of 'messages' (role 'user') has a part that cannot be read as text")
    assert f"(type {kind})" in said


@pytest.mark.parametrize("name", ["conversations", "conversation", "messages"])
@pytest.mark.parametrize(
    ("speakers", "roles"),
    [
        (["system", "human", "gpt"], ["system", "user", "assistant"]),
        (["user", "chatgpt", "Human", "Assistant"], ["user", "assistant"] * 2),
        (["user", "model", "user", "bard", "user", "bing"], ["user", "assistant"] * 3),
        (["human", "gpt", "tool", "gpt"], ["user", "assistant", "tool", "assistant"]),
        (["function", "observation", "function_response", "gpt"], ["tool", "tool", "tool", "assistant"]),
    ],
)
def test_sharegpt_in_its_dialects(
    one: Callable[[Any], Document], name: str, speakers: list[str], roles: list[str]
) -> None:
    turns = [{"from": speaker, "value": f"turn {number}"} for number, speaker in enumerate(speakers)]
    found = one({"id": "a_1", name: turns})
    assert [message["role"] for message in found.messages] == roles
    assert [message["content"] for message in found.messages] == [turn["value"] for turn in turns]
    assert found.context_turns == 0


def test_conversations_with_roles_and_a_system_prompt_beside_them(
    one: Callable[[Any], Document], shared: Callable[[str], Path]
) -> None:
    assert one({"conversations": [ASKED, ANSWERED]}).messages == (ASKED, ANSWERED)
    system = {"role": "system", "content": "Be brief."}
    assert one({"system": "Be brief.", "conversations": [ASKED, ANSWERED]}).messages == (system, ASKED, ANSWERED)
    assert one({"system": "Be long.", "messages": [system, ANSWERED]}).messages == (system, ANSWERED)
    (case,) = documents([str(shared("cases/sharegpt.jsonl"))], print)
    assert case.messages == ({"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"})


def test_a_prompt_and_a_completion_of_messages_are_a_chat(
    one: Callable[[Any], Document], shared: Callable[[str], Path]
) -> None:
    found = one({"prompt": [ASKED, ANSWERED, ASKED], "completion": [ANSWERED], "tools": [SCHEMA]})
    assert found.messages == (ASKED, ANSWERED, ASKED, ANSWERED)
    assert (found.context_turns, found.tools, found.text) == (3, (SCHEMA,), None)
    (case,) = documents([str(shared("cases/trl.jsonl"))], print)
    assert (case.messages, case.context_turns) == ((ASKED, ANSWERED), 1)
    (plain,) = documents([str(shared("cases/prompt-completion.jsonl"))], print)
    assert (plain.prompt, plain.text) == ("Question: capital of France?\nAnswer:", " Paris")


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"prompt": "a", "completion": [ANSWERED]}, "'prompt' is a text and 'completion' is a list; write both in one"),
        ({"prompt": [ASKED], "completion": "b"}, "'prompt' is a list and 'completion' is a text; write both in one"),
        ({"prompt": "a", "completion": 3}, "'completion' is a number; write both in one form"),
        ({"prompt": [ASKED]}, "'prompt' without 'completion'; add the answer"),
        ({"prompt": "a"}, "'prompt' without 'completion'; add the answer"),
        ({"completion": "a"}, "'completion' without 'prompt'; add the prompt"),
        ({"prompt": [ASKED], "completion": [ASKED]}, "no message of 'completion' has the role 'assistant'; add"),
        ({"prompt": [ASKED], "completion": []}, "'completion' is an empty list"),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "preference data; keep the preferred answers only"),
        ({"chosen": [ASKED, ANSWERED], "rejected": [ASKED, ANSWERED]}, "preference data; keep the preferred"),
        ({"prompt": "a", "completion": "b", "label": False}, "preference data; keep the preferred answers only"),
    ],
)
def test_halves_that_do_not_fit_are_refused(refused: Callable[[Any], str], record: Any, says: str) -> None:
    assert says in refused(record)


def test_a_turn_that_calls_tools_needs_no_text(one: Callable[[Any], Document]) -> None:
    result = {"role": "tool", "content": "rain"}
    for call in (
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "tool_calls": [CALL]},
    ):
        found = one({"messages": [ASKED, call, result, ANSWERED], "tools": [SCHEMA]})
        assert found.messages == (ASKED, {"role": "assistant", "content": "", "tool_calls": [CALL]}, result, ANSWERED)
        assert found.tools == (SCHEMA,)
    older = {"role": "assistant", "content": None, "function_call": CALL["function"]}
    assert one({"messages": [ASKED, older]}).messages[1] == {**older, "content": "", "tool_calls": [CALL]}


@pytest.mark.parametrize("message", [{"role": "user"}, {"role": "user", "content": None, "tool_calls": [CALL]}])
@pytest.mark.parametrize("calls", [{}, {"tool_calls": None}, {"tool_calls": []}])
def test_other_messages_need_text(refused: Callable[[Any], str], message: Any, calls: Any) -> None:
    said = refused({"messages": [message, ANSWERED]})
    assert said.startswith("message 1 of 'messages' (role 'user') has no 'content'")
    said = refused({"messages": [ASKED, {"role": "assistant", "content": None, **calls}]})
    assert said.startswith("message 2 of 'messages' (role 'assistant') has no 'content'")
    assert refused({"conversations": [{"from": "gpt", "value": None}]}).startswith(
        "message 1 of 'conversations' (role 'assistant') has no 'value'"
    )


def test_null_is_as_if_the_field_were_absent(one: Callable[[Any], Document], tmp_path: Path) -> None:
    nulls = {"name": None, "tool_calls": None, "function_call": None}
    absent = {"text": None, "prompt": None, "completion": None, "conversations": None, "tools": None}
    found = one({**absent, "messages": [{**ASKED, **nulls}, {**ANSWERED, **nulls}]})
    assert (found.messages, found.tools) == ((ASKED, ANSWERED), ())
    assert one({"text": "a", "messages": None, "prompt": None}).text == "a"
    pair = one({"text": None, "messages": None, "prompt": "a", "completion": " b"})
    assert (pair.prompt, pair.text) == ("a", " b")
    # Only where no other field has anything is a line without text: counted, and no error
    assert read(tmp_path / "empty.jsonl", {"text": None}, {**absent, "messages": None, "id": 1}) == (
        [],
        ["no text"] * 2,
    )


def test_records_that_went_through_datasets_and_pandas(tmp_path: Path, one: Callable[[Any], Document]) -> None:
    import datasets
    import pandas

    other = {"type": "function", "function": {"name": "sum", "arguments": {"of": [1, 2]}}}
    records: list[dict[str, Any]] = [
        {"messages": [ASKED, {"role": "assistant", "tool_calls": [CALL]}], "tools": [SCHEMA]},
        {"messages": [ASKED, {"role": "assistant", "content": "Let me see.", "tool_calls": [other]}]},
        {"messages": [ASKED, ANSWERED]},
        {"text": "a"},
        {"prompt": "p", "completion": "c"},
    ]
    expected = [one(record) for record in records]
    # Both give every row every column; datasets takes the columns from the first row
    columns = dict.fromkeys(("messages", "tools", "text", "prompt", "completion"))
    records = [{**columns, **record} for record in records]
    pandas.DataFrame(records).to_json(tmp_path / "pandas.jsonl", orient="records", lines=True)
    datasets.Dataset.from_list(records).to_json(tmp_path / "datasets.jsonl")
    for name in ("pandas.jsonl", "datasets.jsonl"):
        found = list(documents([str(tmp_path / name)], print))
        assert [(d.text, d.prompt, d.messages) for d in found] == [(d.text, d.prompt, d.messages) for d in expected]
        assert [bool(d.tools) for d in found] == [True, False, False, False, False]


def test_tools_are_kept_as_a_list_or_as_json_text_of_one(
    one: Callable[[Any], Document], refused: Callable[[Any], str]
) -> None:
    for tools in ([SCHEMA], json.dumps([SCHEMA])):
        assert one({"conversations": [ASKED, ANSWERED], "tools": tools}).tools == (SCHEMA,)
    for tools in ([], "", None):
        assert one({"messages": [ASKED, ANSWERED], "tools": tools}).tools == ()
    for tools in ("weather", ["weather"], {"name": "weather"}, 1):
        assert "'tools' is not a list of schemas" in refused({"messages": [ASKED, ANSWERED], "tools": tools})


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"messages": []}, "'messages' is an empty list"),
        ({"messages": ["hi"]}, "message 1 of 'messages' is a text; write an object with 'role' and 'content'"),
        ({"messages": [{"content": "hi"}]}, "message 1 of 'messages': no text as 'role'"),
        ({"messages": [ASKED, {"role": 1, "content": "hi"}]}, "message 2 of 'messages': no text as 'role'"),
        ({"messages": [{"role": "", "content": "hi"}]}, "no text as 'role'"),
        ({"messages": [{"role": "user", "content": 5}]}, "(role 'user'): 'content' is a number; write text"),
        ({"messages": [{"role": "user", "content": {"a": 1}}]}, "'content' is an object; write text"),
        ({"messages": [{"role": "user", "text": "hi"}]}, "(role 'user') has no 'content'"),
        ({"conversations": [{"from": "narrator", "value": "hi"}]}, "unknown speaker 'narrator' in 'from'; rename it"),
        ({"conversations": [{"from": None, "value": "hi"}]}, "no text as 'from'"),
        ({"messages": "[{}]"}, "'messages' is a text; each line needs"),
        ({"text": 3}, "'text' is a number; each line needs"),
        ({"text": True}, "'text' is true or false; each line needs"),
        ({"conversation": {"a": 1}}, "'conversation' is an object; each line needs"),
        ({"instruction": "a", "output": "b"}, "neither 'text' nor 'messages' in it; each line needs"),
        ({"messages": None}, "neither 'text' nor 'messages' in it; each line needs"),
        (["a"], "a list instead of an object; each line needs"),
        (None, "null instead of an object; each line needs"),
    ],
)
def test_records_of_other_shapes_are_refused(refused: Callable[[Any], str], record: Any, says: str) -> None:
    said = refused(record)
    assert says in said
    if "each line needs" in says:
        assert "'text', 'messages', 'conversations', or 'prompt' and 'completion' (two texts, or two lists of " in said


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"text": NaN, "messages": []}', "JSON has no NaN, write null instead"),
        ('{"scores": [1, -Infinity], "text": "a"}', "JSON has no -Infinity, write null instead"),
        ("[" * 5000 + "]" * 5000, "not JSON"),
        ('{"messages": ' + "[" * 600 + "]" * 600 + "}", "message 1 of 'messages' is a list|nested too deeply"),
        ("{'text': 'a'}", "write one object on each line"),
    ],
)
def test_lines_that_are_not_json_or_too_deep(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match=f"a.jsonl, line 2: .*({says})") as raised:
        list(documents([str(tmp_path / "a.jsonl")], print))
    assert "\n" not in str(raised.value)


RECORDS: list[dict[str, Any]] = [
    {"text": "the sky"},
    {"messages": [ASKED, ANSWERED]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, "b"]}, ANSWERED], "text": None},
    {"messages": [ASKED, {"role": "assistant", "content": None, "tool_calls": [CALL]}], "tools": [SCHEMA]},
    {"messages": [ASKED, {"role": "assistant", "content": None, "function_call": CALL["function"]}]},
    {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}], "system": "s"},
    {"prompt": "the sky is", "completion": " blue"},
    {"prompt": [ASKED], "completion": [ANSWERED], "tools": None},
    {"prompt": "a", "chosen": "b", "rejected": "c"},
]
ODD: list[Any] = [None, "", "a\nb", 0, 1.5, True, [], {}, [None], ["x"], [[]], [{}], {"type": "text"}, [ASKED], [CALL]]
DROPPED = object()


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the parts of a record are."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(inner, (*path, key))


def mutated(record: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """A copy of the record with what is at a path replaced, or left out."""
    if not path:
        return None if odd is DROPPED else odd
    result = copy.deepcopy(record)
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    if odd is DROPPED:
        del inner[path[-1]]
    else:
        inner[path[-1]] = odd
    return result


def check(file: Path, record: Any) -> None:
    """The record is read, is skipped as one without text, or is refused by one line that names the place."""
    try:
        found, skipped = read(file, record)
    except LexkitError as error:
        assert str(error).startswith(f"{file}, line 1: "), record
        assert str(error).count("\n") == 0, record
        return
    assert len(found) + len(skipped) == 1
    for document in found:
        assert (document.text is None) == bool(document.messages), record
        assert all(isinstance(tool, dict) for tool in document.tools), record
        assert document.context_turns < max(len(document.messages), 1), record
        for message in document.messages:
            assert isinstance(message["role"], str), record
            assert isinstance(message["content"], str), record
            assert None not in message.values(), record


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_with_one_part_changed_is_read_or_refused_in_one_line(tmp_path: Path, record: Any) -> None:
    for path in paths(record):
        for odd in (DROPPED, *ODD):
            check(tmp_path / "a.jsonl", mutated(record, path, odd))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(data=st.data())
def test_a_record_with_several_parts_changed_is_read_or_refused_in_one_line(
    tmp_path: Path, data: st.DataObject
) -> None:
    record: Any = {**data.draw(st.sampled_from(RECORDS)), **data.draw(st.sampled_from(RECORDS))}
    for _ in range(data.draw(st.integers(1, 4))):
        record = mutated(
            record, data.draw(st.sampled_from(list(paths(record)))), data.draw(st.sampled_from([DROPPED, *ODD]))
        )
    check(tmp_path / "a.jsonl", record)
