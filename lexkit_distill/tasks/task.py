"""Base classes of all benchmarks: questions with their prompts, and the description of a benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lexkit.arguments import user_path
from lexkit.errors import first_line
from lexkit_distill.data_files import DataFiles
from lexkit_distill.errors import DataError

if TYPE_CHECKING:
    from lexkit_distill.corpus import Message

LETTERS = "ABCDEFGHIJ"
UNANSWERABLE = "unanswerable"


@dataclass(frozen=True)
class Question:
    """A question with lettered options, or one about a passage."""

    id: str
    where: str
    """File and line, for error messages."""
    text: str
    answers: tuple[str, ...]
    """The letter of the right option, or all right answers about the passage (empty if it contains none)."""
    options: tuple[str, ...] = ()
    passage: str = ""
    group: str = ""
    """Subject or passage; worked examples are drawn from the same group."""
    shots: tuple[Question, ...] = ()
    """Worked examples to show before the question."""

    @property
    def letters(self) -> tuple[str, ...]:
        """Letters of the options: A, B, ..."""
        return tuple(LETTERS[: len(self.options)])

    @property
    def listed(self) -> str:
        """The options as text, one per line, each after its letter."""
        return "".join(f"{letter}. {option}\n" for letter, option in zip(self.letters, self.options, strict=True))

    @property
    def prompt(self) -> str:
        """The user's message, in training and under ``--protocol paper``."""
        if self.options:
            return f"{self.text}\n{self.listed}Answer with the letter."
        return f"{self.passage}\n\n{self.text}\nAnswer with words of the text, or '{UNANSWERABLE}'."

    @property
    def target(self) -> str:
        """The answer that a model should give."""
        return self.answers[0] if self.answers else UNANSWERABLE

    @property
    def right(self) -> int:
        """Index of the right option."""
        return LETTERS.index(self.target)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The worked examples, the question and its answer as a chat."""
        return tuple(
            {"role": role, "content": content}
            for turn in (*self.shots, self)
            for role, content in (("user", turn.prompt), ("assistant", turn.target))
        )


def lettered(id_: str, where: str, text: str, options: Iterable[Any], right: int, group: str = "") -> Question:
    """Return a question with options, given the index of the right one.

    Raises:
        DataError: the index is out of range, or there are more than ten options.
    """
    shown = tuple(str(option).strip() for option in options)
    if not 0 <= right < len(shown):
        raise DataError(f"{where}: the label {right} is not one of the {len(shown)} options; correct the label")
    if len(shown) > len(LETTERS):
        raise DataError(f"{where}: {len(shown)} options, at most {len(LETTERS)} are possible; remove some")
    return Question(id_, where, text.strip(), (LETTERS[right],), shown, group=group)


def about_passage(id_: str, where: str, text: str, passage: str, answers: Iterable[str]) -> Question:
    """Return a question about a passage, given its right answers."""
    return Question(id_, where, text.strip(), tuple(answers), passage=passage, group=passage)


def number_of(where: str) -> str:
    """Return the line or row number at the end of a location, as an id for questions published without one.

    >>> number_of("valid.jsonl, line 3")
    '3'
    """
    return where.rpartition(" ")[2]


def _read_lines(file: Path) -> Iterator[tuple[str, Any]]:
    from lexkit_distill.corpus import records

    return records(str(file))


@dataclass(frozen=True)
class HubData:
    """Where a benchmark is on the Hugging Face hub."""

    name: str
    split: str
    """Split with the questions for evaluation."""
    examples: str | None = None
    """Split that worked examples are drawn from; None uses `split`."""
    config: str | None = None


@dataclass(frozen=True)
class Task:
    """A benchmark: where its questions are found, how to parse them, and what counts as an answer."""

    name: str
    parse: Callable[[Any, str, int], Question]
    """Parses a question, given a record (from the hub or `read`), its location for error messages, and the seed."""
    files: DataFiles
    hub: HubData
    read: Callable[[Path], Iterator[tuple[str, Any]]] = _read_lines
    """Yields location and record of each question in a file; by default, a line of JSON each."""
    compared: Literal["options", "letters", "words"] = "options"
    """What ``--protocol likelihood`` compares: texts or letters of options. With ``words``, answers are generated."""
    shots: int = 5
    """Default number of worked examples before a question."""
    max_shots: int | None = None
    aliases: tuple[str, ...] = ()
    screen: Callable[[list[Question], str | None, Counter[str]], list[Question]] | None = None
    """Removes questions that training must not see; takes the questions, ``--mmlu-test`` and a counter of reasons."""

    def shots_of(self, asked: int | None) -> int:
        """Return the number of worked examples before a question, given ``--shots`` (None if not given)."""
        shots = self.shots if asked is None else asked
        return shots if self.max_shots is None else min(shots, self.max_shots)

    def questions(self, name: str, seed: int) -> list[Question]:
        """Return the questions of a file, or of ``hub:NAME[/CONFIG][:SPLIT]``.

        Raises:
            CorpusError: the file is missing, unreadable, or not JSON lines.
            DataError: the file contains no questions, or one that cannot be parsed.
        """
        from lexkit_distill.corpus import records

        found = records(name) if name.startswith("hub:") else self.read(user_path(name))
        questions = [self.question(record, where, seed) for where, record in found]
        if not questions:
            raise DataError(f"{self.name}: no questions in {name}; check the file")
        return questions

    def question(self, record: object, where: str, seed: int) -> Question:
        """Parse the question in a record.

        Raises:
            DataError: a field is missing or invalid.
        """
        try:
            return self.parse(record, where, seed)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise DataError(f"{where}: not a question of {self.name} ({reason}); check task and file") from error


def read_text(file: Path) -> str:
    """Return the content of a text file.

    Raises:
        DataError: the file cannot be read as UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read as UTF-8 ({first_line(error)}); check the file") from error
