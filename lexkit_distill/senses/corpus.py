"""Documents of a corpus: text files, JSON lines, folders of these, or a data set of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lexkit.errors import SourceError
from lexkit.sources.files import open_binary
from lexkit_distill.errors import CorpusError

_HUB = "hub:"
_TEXT_SUFFIXES = {".txt", ".text", ".md", ".raw", ".tokens"}
_JSON_SUFFIXES = {".jsonl", ".ndjson", ".json"}
_COMPRESSED = {".gz", ".bz2", ".zst"}
Message = dict[str, Any]


@dataclass(frozen=True)
class Document:
    """A text, or the messages of a chat."""

    where: str
    """File and line, for error messages."""
    text: str | None = None
    messages: tuple[Message, ...] = ()
    prompt: str | None = None
    """What *text* completes."""


def documents(corpus: Sequence[str], skipped: Callable[[str], None]) -> Iterator[Document]:
    """Yield every document of the corpus that holds something.

    In text files, blank lines part documents. A JSON line is an object with ``text``, with ``messages`` (a list of
    objects with ``role`` and ``content``), or with ``prompt`` and ``completion``; or a string.

    Args:
        corpus: files, folders, or ``hub:NAME[/CONFIG][:SPLIT]``.
        skipped: called with the reason for each document without text.

    Raises:
        CorpusError: missing, unreadable, not UTF-8, or a JSON line of another shape.
    """
    for name in corpus:
        if name.startswith(_HUB):
            records: Iterator[Document] = _hub(name[len(_HUB) :])
        else:
            records = (document for path in _files(Path(name).expanduser()) for document in _file(path))
        for document in records:
            if document.messages or (document.text and document.text.strip()):
                yield document
            else:
                skipped("no text")


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.rglob("*") if file.is_file() and _kind(file) is not None)
    if not files:
        raise CorpusError(f"{path}: no .txt or .jsonl file in this folder (.gz, .bz2 and .zst too); check the path")
    return files


def _kind(path: Path) -> str | None:
    suffix = Path(path.stem).suffix if path.suffix in _COMPRESSED else path.suffix
    return "json" if suffix in _JSON_SUFFIXES else "text" if suffix in _TEXT_SUFFIXES or suffix == "" else None


def _file(path: Path) -> Iterator[Document]:
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
            except msgspec.DecodeError as error:
                raise CorpusError(f"{where}: not JSON ({error}); a .jsonl file has one object a line") from error


def records(name: str) -> Iterator[tuple[str, object]]:
    """Yield place and value of every line of a JSONL file, or of every row of ``hub:NAME[/CONFIG][:SPLIT]``.

    Raises:
        CorpusError: as `documents`.
    """
    if name.startswith(_HUB):
        yield from _hub_records(name[len(_HUB) :])
        return
    path = Path(name).expanduser()
    try:
        with open_binary(path) as stream:
            yield from _records((_decoded(line, path, number) for number, line in enumerate(stream, 1)), path)
    except SourceError as error:
        raise CorpusError(str(error)) from error


def _document(record: object, where: str) -> Document:
    if isinstance(record, str):
        return Document(where, record)
    if isinstance(record, dict):
        text, messages = record.get("text"), record.get("messages")
        if isinstance(messages, list) and messages and all(map(_is_message, messages)):
            return Document(where, messages=tuple(messages))
        if isinstance(text, str) or (text is None and "text" in record):
            return Document(where, text or "")
        prompt, completion = record.get("prompt"), record.get("completion")
        if isinstance(prompt, str) and isinstance(completion, str):
            return Document(where, completion, prompt=prompt)
    raise CorpusError(
        f"{where}: neither 'text' nor 'messages' (a list of objects with 'role' and 'content') nor 'prompt' and "
        "'completion'; rename the fields"
    )


def _is_message(message: object) -> bool:
    return isinstance(message, dict) and isinstance(message.get("role"), str) and "content" in message


def _hub(name: str) -> Iterator[Document]:
    for where, record in _hub_records(name):
        yield _document(record, where)


def _hub_records(name: str) -> Iterator[tuple[str, object]]:
    try:
        import datasets
    except ImportError as error:
        raise CorpusError(
            f"hub:{name}: data sets of the hub need another package; 'pip install datasets', or name a file"
        ) from error
    dataset, _, split = name.partition(":")
    path, config = dataset, None
    if dataset.count("/") == 2:
        path, config = dataset.rsplit("/", 1)
    try:
        rows = datasets.load_dataset(path, config, split=split or "train", streaming=True)
        for number, row in enumerate(rows, 1):
            yield f"hub:{name}, row {number}", row
    except CorpusError:
        raise
    except Exception as error:  # the library and the hub's client raise many kinds
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise CorpusError(f"hub:{name}: cannot be read ({reason}); check name, config and split, or name a file") from (
            error
        )
