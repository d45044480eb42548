"""What all benchmarks have in common: questions, the prompts that ask them, and the description of a benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lexkit.arguments import user_path
from lexkit.errors import first_line
from lexkit_distill.errors import DataError
from lexkit_distill.files import DataFiles

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
    """The letter of the right option; or right answers about the passage, none if it does not say."""
    options: tuple[str, ...] = ()
    passage: str = ""
    group: str = ""
    """Worked examples come from the same group: the subject, or the passage."""
    shots: tuple[Question, ...] = ()
    """Worked examples to show before it."""

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters of its options."""
        return tuple(LETTERS[: len(self.options)])

    @property
    def listed(self) -> str:
        """Its options, one a line, after their letters."""
        return "".join(f"{letter}. {option}\n" for letter, option in zip(self.letters, self.options, strict=True))

    @property
    def prompt(self) -> str:
        """What a user says: in training, and under ``--protocol paper``."""
        if self.options:
            return f"{self.text}\n{self.listed}Answer with the letter."
        return f"{self.passage}\n\n{self.text}\nAnswer with words of the text, or '{UNANSWERABLE}'."

    @property
    def target(self) -> str:
        """What a model should answer."""
        return self.answers[0] if self.answers else UNANSWERABLE

    @property
    def right(self) -> int:
        """The place of the right option."""
        return LETTERS.index(self.target)

    @property
    def messages(self) -> tuple[Message, ...]:
        """A chat: the worked examples, the question, and its answer."""
        return tuple(
            {"role": role, "content": content}
            for turn in (*self.shots, self)
            for role, content in (("user", turn.prompt), ("assistant", turn.target))
        )


def lettered(id_: str, where: str, text: str, options: Iterable[Any], right: int, group: str = "") -> Question:
    """Return a question with options, given the place of the right one.

    Raises:
        DataError: none of the options is at that place, or there are more than ten.
    """
    shown = tuple(str(option).strip() for option in options)
    if not 0 <= right < len(shown):
        raise DataError(f"{where}: the label {right} is none of the {len(shown)} options; correct the label")
    if len(shown) > len(LETTERS):
        raise DataError(f"{where}: {len(shown)} options, and at most {len(LETTERS)} can be shown; shorten it")
    return Question(id_, where, text.strip(), (LETTERS[right],), shown, group=group)


def about_passage(id_: str, where: str, text: str, passage: str, answers: Iterable[str]) -> Question:
    """Return a question about a passage, given its right answers."""
    return Question(id_, where, text.strip(), tuple(answers), passage=passage, group=passage)


def number_of(where: str) -> str:
    """Return the number at the end of a place, which identifies a question whose publisher gives it no id.

    >>> number_of("valid.jsonl, line 3")
    '3'
    """
    return where.rpartition(" ")[2]


def _read_lines(file: Path) -> Iterator[tuple[str, Any]]:
    from lexkit_distill.corpus import records

    return records(str(file))


@dataclass(frozen=True)
class HubData:
    """A benchmark on the Hugging Face hub."""

    name: str
    split: str
    """The questions of an evaluation."""
    examples: str | None = None
    """The split that worked examples are drawn from; None is the same."""
    config: str | None = None


@dataclass(frozen=True)
class Task:
    """A benchmark: where its questions are, how they are published, and what an answer is."""

    name: str
    parse: Callable[[Any, str, int], Question]
    """Makes a question of a record (as the hub has it, or as `read` makes it), its place and the seed."""
    files: DataFiles
    hub: HubData
    read: Callable[[Path], Iterator[tuple[str, Any]]] = _read_lines
    """Yields place and record of each question of a file; by default JSON lines."""
    compared: Literal["options", "letters", "words"] = "options"
    """What ``--protocol likelihood`` chooses between: texts of options, or their letters. Words are written."""
    shots: int = 5
    """Worked examples before a question, unless something else is asked."""
    max_shots: int | None = None
    aliases: tuple[str, ...] = ()
    screen: Callable[[list[Question], str | None, Counter[str]], list[Question]] | None = None
    """Leaves out of training what it must not see; takes ``--mmlu-test``, and counts what it leaves out by reason."""

    def shots_of(self, asked: int | None) -> int:
        """Return how many worked examples a question gets, given ``--shots``."""
        shots = self.shots if asked is None else asked
        return shots if self.max_shots is None else min(shots, self.max_shots)

    def questions(self, name: str, seed: int) -> list[Question]:
        """Return the questions of a file, or of ``hub:NAME[/CONFIG][:SPLIT]``.

        Raises:
            CorpusError: the file is missing, unreadable, or not JSON lines.
            DataError: it holds no questions, or one of another shape.
        """
        from lexkit_distill.corpus import records

        found = records(name) if name.startswith("hub:") else self.read(user_path(name))
        questions = [self.question(record, where, seed) for where, record in found]
        if not questions:
            raise DataError(f"{self.name}: no questions in {name}; check the file")
        return questions

    def question(self, record: object, where: str, seed: int) -> Question:
        """Return the question of a record.

        Raises:
            DataError: the record lacks something, or has another shape.
        """
        try:
            return self.parse(record, where, seed)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise DataError(f"{where}: not a question of {self.name} ({reason}); check task and file") from error


def read_text(file: Path) -> str:
    """Return what a file holds.

    Raises:
        DataError: it cannot be read as UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read as UTF-8 ({first_line(error)}); check the file") from error
