"""Read the documents of a corpus: text files, JSON lines, folders of these, or a data set on the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lexkit.arguments import user_path
from lexkit.errors import SourceError, first_line
from lexkit.sources.files import check_file, fingerprint, open_binary
from lexkit_distill.errors import CorpusError

_HUB = "hub:"
_TEXT_SUFFIXES = {".txt", ".text", ".md", ".raw", ".tokens"}
_JSON_SUFFIXES = {".jsonl", ".ndjson", ".json"}
_TABLES = {".csv", ".tsv", ".parquet", ".arrow", ".xlsx"}
_COMPRESSED = {".gz", ".bz2", ".zst"}
_CHATS = ("messages", "conversations", "conversation")
_ACCEPTED = (
    "each line needs 'text', 'messages', 'conversations', or 'prompt' and 'completion' (two texts, or two lists of "
    "messages)"
)
_ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "model", "bard", "bing"), "assistant"),
    "system": "system",
    **dict.fromkeys(("tool", "function", "function_response", "observation"), "tool"),
}
"""Role of each speaker (``from``) in the variants of the ShareGPT format."""
_NOT_JSON = re.compile(r"[:,\[]\s*(NaN|-?Infinity)\b")
Message = dict[str, Any]


@dataclass(frozen=True)
class Document:
    """A text, or the messages of a chat. Every message has a role and a text content."""

    where: str
    """File and line, for error messages."""
    text: str | None = None
    messages: tuple[Message, ...] = ()
    prompt: str | None = None
    """Prompt that *text* completes."""
    context_turns: int = 0
    """Number of leading messages that are context only: under --loss-on completion, they are not predicted."""
    tools: tuple[dict[str, Any], ...] = ()
    """Schemas of the tools that the assistant may call, for the chat template."""


def documents(corpus: Sequence[str], skipped: Callable[[str], None]) -> Iterator[Document]:
    """Yield every non-empty document of the corpus.

    In text files, blank lines separate documents. A JSON line is a string, or an object of which the first of these
    fields is read: ``messages`` or ``conversations`` (objects with ``role`` and ``content``, or ``from`` and
    ``value``), ``text``, ``prompt`` and ``completion`` (two texts, or two lists of messages). A null field is ignored.

    Args:
        corpus: files, folders, or ``hub:NAME[/CONFIG][:SPLIT]``.
        skipped: called with the reason for each document without text.

    Raises:
        CorpusError: a file is missing, unreadable or not UTF-8, or a JSON line has none of these forms.
    """
    for name in corpus:
        if name.startswith(_HUB):
            records: Iterator[Document] = _hub(name[len(_HUB) :])
        else:
            records = (document for path in _files(user_path(name)) for document in _file(path))
        for document in records:
            if document.messages or (document.text and document.text.strip()):
                yield document
            else:
                skipped("no text")


def identity(name: str) -> list[str]:
    """Return strings that identify the content of a file, a folder or a data set on the hub.

    A data set is identified by its name and its revision on the hub, or by its name alone if the revision is unknown.

    Args:
        name: a file, folder, or ``hub:NAME[/CONFIG][:SPLIT]``.

    Raises:
        CorpusError: a file is missing or unreadable.
    """
    if name.startswith(_HUB):
        return [name, _revision(_hub_parts(name[len(_HUB) :])[0])]
    found = []
    for path in _files(user_path(name)):
        try:
            check_file(path)
        except SourceError as error:
            raise CorpusError(str(error)) from error
        found += [_kind(path) or "", fingerprint(path)[0]]
    return found


def hub_dataset(name: str) -> str | None:
    """Return the name of a data set of the hub, or None for a file or a folder.

    >>> hub_dataset("hub:Salesforce/wikitext/wikitext-2-v1:test"), hub_dataset("text.txt")
    ('Salesforce/wikitext', None)
    """
    if not name.startswith(_HUB):
        return None
    dataset = _hub_parts(name[len(_HUB) :])[0]
    return None if Path(dataset).is_dir() else dataset  # `datasets` prefers a folder to the hub


def _revision(dataset: str) -> str:
    if Path(dataset).is_dir():  # `datasets` prefers a local folder to the hub
        return fingerprint(Path(dataset))[0]
    try:
        from huggingface_hub import HfApi

        return str(HfApi().dataset_info(dataset, timeout=10).sha)
    except Exception:  # no network, or a mock of the hub; errors are reported when the rows are read
        return ""


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.rglob("*") if file.is_file() and _kind(file) is not None)
    if not files:
        raise CorpusError(f"{path}: no .txt or .jsonl file in this folder, compressed or not; check the path")
    return files


def _kind(path: Path) -> str | None:
    suffix = Path(path.stem).suffix if path.suffix in _COMPRESSED else path.suffix
    return "json" if suffix in _JSON_SUFFIXES else "text" if suffix in _TEXT_SUFFIXES or suffix == "" else None


def check_texts(names: Iterable[str]) -> None:
    """Check that the files of a corpus exist and are not empty, without reading them.

    Raises:
        CorpusError: a file is missing, empty, unreadable, or a table.
    """
    for name in names:
        if not name.startswith(_HUB):
            for path in _files(user_path(name)):
                _check_file(path)


def _check_file(path: Path) -> None:
    if path.suffix in _TABLES:
        raise CorpusError(f"{path}: a table, not text; write JSON lines with 'text', or 'prompt' and 'completion'")
    try:
        check_file(path)
    except SourceError as error:
        raise CorpusError(str(error)) from error


def _file(path: Path) -> Iterator[Document]:
    _check_file(path)
    try:
        with open_binary(path) as stream:
            lines = (_decoded(line, path, number) for number, line in enumerate(stream, 1))
            yield from _json_lines(lines, path) if _kind(path) == "json" else _paragraphs(lines, path)
    except SourceError as error:
        raise CorpusError(str(error)) from error


def _decoded(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path}, line {number}: invalid UTF-8 (byte 0x{line[error.start]:02x}); convert the file to UTF-8"
        ) from error


def _paragraphs(lines: Iterator[str], path: Path) -> Iterator[Document]:
    paragraph: list[str] = []
    first = 1
    for number, line in enumerate(lines, 1):
        if line.strip():
            first = first if paragraph else number
            paragraph.append(line.rstrip("\r\n"))
        elif paragraph:
            yield Document(f"{path}, line {first}", "\n".join(paragraph))
            paragraph = []
    if paragraph:
        yield Document(f"{path}, line {first}", "\n".join(paragraph))


def _json_lines(lines: Iterator[str], path: Path) -> Iterator[Document]:
    for where, record in _records(lines, path):
        yield _document(record, where)


def _records(lines: Iterator[str], path: Path) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                yield where, msgspec.json.decode(line)
            except (msgspec.DecodeError, RecursionError) as error:
                found = _NOT_JSON.search(line)
                fix = f"JSON has no {found[1]}, write null instead" if found else "write one object on each line"
                raise CorpusError(f"{where}: not JSON ({first_line(error)}); {fix}") from error


def records(name: str) -> Iterator[tuple[str, object]]:
    """Yield location and value of every line of a JSONL file, or of every row of ``hub:NAME[/CONFIG][:SPLIT]``.

    Raises:
        CorpusError: the file is missing, unreadable or not UTF-8, or a line is not JSON.
    """
    if name.startswith(_HUB):
        yield from _hub_records(name[len(_HUB) :])
        return
    path = user_path(name)
    try:
        with open_binary(path) as stream:
            yield from _records((_decoded(line, path, number) for number, line in enumerate(stream, 1)), path)
    except SourceError as error:
        raise CorpusError(str(error)) from error


def _document(record: object, where: str) -> Document:
    if isinstance(record, str):
        return Document(where, record)
    if not isinstance(record, dict):
        raise CorpusError(f"{where}: {_kind_of(record)} instead of an object; {_ACCEPTED}")
    fields = {name: value for name, value in record.items() if value is not None}
    try:
        return _of_fields(fields, where, empty="text" in record)
    except RecursionError as error:
        raise CorpusError(f"{where}: nested too deeply; remove the line") from error


def _without_nulls(value: Any) -> Any:  # noqa: ANN401
    """Remove null fields from a JSON value, since `datasets` and pandas write absent fields as null."""
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _of_fields(fields: dict[str, Any], where: str, *, empty: bool) -> Document:
    for name in _CHATS:
        if isinstance(fields.get(name), list):
            return _chat(fields, name, where)
    if isinstance(fields.get("text"), str):
        return Document(where, fields["text"])
    for name in ("text", *_CHATS):
        if name in fields:
            raise CorpusError(f"{where}: {name!r} is {_kind_of(fields[name])}; {_ACCEPTED}")
    if fields.keys() & {"prompt", "completion", "chosen", "rejected"}:
        return _completed(fields, where)
    if empty:
        return Document(where, "")
    raise CorpusError(f"{where}: neither 'text' nor 'messages' in it; {_ACCEPTED}")


def _chat(fields: dict[str, Any], name: str, where: str) -> Document:
    messages, system = _messages(fields, name, where), fields.get("system")
    if isinstance(system, str) and system and messages[0]["role"] != "system":
        messages = ({"role": "system", "content": system}, *messages)
    return Document(where, messages=messages, tools=_tools(fields, where) if "tools" in fields else ())


def _completed(fields: dict[str, Any], where: str) -> Document:
    prompt, completion = fields.get("prompt"), fields.get("completion")
    if fields.get("label") is False or (completion is None and fields.keys() & {"chosen", "rejected"}):
        fault = "preference data; keep the preferred answers only, as 'completion'"
    elif completion is None:
        fault = "'prompt' without 'completion'; add the answer, or rename 'prompt' to 'text' or 'messages'"
    elif prompt is None:
        fault = "'completion' without 'prompt'; add the prompt, or rename 'completion' to 'text' or 'messages'"
    elif isinstance(prompt, str) and isinstance(completion, str):
        return Document(where, completion, prompt=prompt)
    elif isinstance(prompt, list) and isinstance(completion, list):
        return _completed_chat(fields, where)
    else:
        fault = f"'prompt' is {_kind_of(prompt)} and 'completion' is {_kind_of(completion)}; write both in one form"
    raise CorpusError(f"{where}: {fault} ({_ACCEPTED})")


def _completed_chat(fields: dict[str, Any], where: str) -> Document:
    context, answer = _messages(fields, "prompt", where), _messages(fields, "completion", where)
    if not any(message["role"] == "assistant" for message in answer):
        raise CorpusError(f"{where}: no message of 'completion' has the role 'assistant'; add the answer to learn")
    return Document(where, messages=context + answer, context_turns=len(context), tools=_tools(fields, where))


def _messages(fields: dict[str, Any], name: str, where: str) -> tuple[Message, ...]:
    if not fields[name]:
        raise CorpusError(f"{where}: {name!r} is an empty list; add messages, or remove the line")
    return tuple(
        message if _is_plain(message) else _message(_without_nulls(message), f"{where}: message {number} of {name!r}")
        for number, message in enumerate(fields[name], 1)
    )


def _is_plain(message: Any) -> bool:  # noqa: ANN401
    """Whether a message already has just a role and a text content, as nearly all have."""
    if not isinstance(message, dict) or len(message) != 2:
        return False
    role, content = message.get("role"), message.get("content")
    return isinstance(role, str) and role != "" and isinstance(content, str)


def _message(message: object, place: str) -> Message:
    if not isinstance(message, dict):
        raise CorpusError(f"{place} is {_kind_of(message)}; write an object with 'role' and 'content'")
    sharegpt = "role" not in message and message.keys() & {"from", "value"}
    speaker, said = ("from", "value") if sharegpt else ("role", "content")
    role = message.get(speaker)
    if not isinstance(role, str) or not role:
        raise CorpusError(f"{place}: no text as {speaker!r}; write who speaks, such as 'user' or 'assistant'")
    if speaker == "from":
        if role.lower() not in _ROLES:
            raise CorpusError(f"{place}: unknown speaker {role!r} in 'from'; rename it to one of {', '.join(_ROLES)}")
        role = _ROLES[role.lower()]
    rest = {name: value for name, value in message.items() if name not in (speaker, said)}
    calls = rest.get("tool_calls")
    if not calls:  # templates test whether the field exists, even if it is empty
        rest.pop("tool_calls", None)
    if isinstance(rest.get("function_call"), dict) and not calls:  # OpenAI's older form, which templates ignore
        calls = rest["tool_calls"] = [{"type": "function", "function": rest["function_call"]}]
    content = message.get(said, "" if role == "assistant" and isinstance(calls, list) and calls else None)
    return {**rest, "role": role, "content": _text(content, f"{place} (role {role!r})", said)}


def _text(content: object, place: str, name: str) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_part(part, place) for part in content)
    if content is None:
        raise CorpusError(f"{place} has no {name!r}, which only tool calls may omit; add it, or remove the message")
    raise CorpusError(f"{place}: {name!r} is {_kind_of(content)}; write text, or a list of parts with text")


def _part(part: object, place: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, dict) else _kind_of(part)
    if isinstance(part, dict) and kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    raise CorpusError(f"{place} has a part that cannot be read as text (type {kind!r}); remove the part, or the line")


def _tools(fields: dict[str, Any], where: str) -> tuple[dict[str, Any], ...]:
    tools = _without_nulls(fields.get("tools", []))
    if isinstance(tools, str):  # columnar data sets store schemas as JSON text, since their fields differ
        with suppress(ValueError, RecursionError):
            tools = msgspec.json.decode(tools or "[]")
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise CorpusError(f"{where}: 'tools' is not a list of schemas (objects), nor JSON text of one; correct it")
    return tuple(tools)


def _kind_of(value: object) -> str:
    kinds = {str: "a text", list: "a list", dict: "an object", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number" if isinstance(value, (int, float)) else type(value).__name__)


def _hub(name: str) -> Iterator[Document]:
    for where, record in _hub_records(name):
        yield _document(record, where)


def _hub_records(name: str) -> Iterator[tuple[str, object]]:
    try:
        import datasets
    except ImportError as error:
        raise CorpusError(
            f"hub:{name}: data sets on the hub need the package datasets; run 'pip install datasets', or give a file"
        ) from error
    path, config, split = _hub_parts(name)
    try:
        rows = datasets.load_dataset(path, config, split=split, streaming=True)
        for number, row in enumerate(rows, 1):
            yield f"hub:{name}, row {number}", row
    except CorpusError:
        raise
    except Exception as error:  # the library and the hub's client raise many kinds
        reason = first_line(error)
        raise CorpusError(f"hub:{name}: cannot be read ({reason}); check name, config and split, or give a file") from (
            error
        )


def _hub_parts(name: str) -> tuple[str, str | None, str]:
    """Split ``NAME[/CONFIG][:SPLIT]`` into data set, configuration and split (default: train)."""
    dataset, _, split = name.partition(":")
    path, config = dataset.rsplit("/", 1) if dataset.count("/") == 2 else (dataset, None)
    return path, config, split or "train"
