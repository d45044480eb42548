"""Chats as text: what a chat template writes, and which part of it the model is to say.

Nobody searches for an answer in the rendered text: "art" is also in "assistant". A unique placeholder is rendered in
the answer's place instead; what stands before and after the placeholder bounds the answer. Everything else that a
template decides (the generation prompt, what ends a turn, a header that nobody asked for) is learnt once, from a chat
of three placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from lexkit_distill.errors import CorpusError, DataError

Message = dict[str, Any]
Span = tuple[int, int]
"""Where something begins and ends in a text, in characters."""
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
_FIRST, _ANSWER, _SECOND = "lexkitplaceholderone", "lexkitplaceholdertwo", "lexkitplaceholderthree"


@dataclass(frozen=True)
class RenderedChat:
    """A chat as the teacher reads it."""

    text: str
    turns: tuple[Span, ...]
    """What is predicted of each of the assistant's turns: the answer, up to and including the end of the turn."""
    ended: bool
    """Whether the template has ended the last turn, so that no end of text belongs after it."""


@dataclass(frozen=True)
class _Habits:
    """What a template does in every chat."""

    prompt: str = ""
    """What asks the assistant for an answer."""
    end: str | None = None
    """What ends the last turn of the assistant; None where it could not be found out."""
    inner_end: str = ""
    """What ends the assistant's other turns."""
    header: str = ""
    """A header that the template writes after every chat, although nobody asked for an answer."""


class _Turn(NamedTuple):
    begin: int
    answer_end: int
    end: int


class ChatTemplate:
    """The chat template of a tokenizer.

    Args:
        tokenizer: of transformers.
    """

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401  # a transformers tokenizer
        self._tokenizer = tokenizer

    def text(self, messages: Sequence[Message], where: str, *, prompt: bool = False, tools: Sequence[Any] = ()) -> str:
        """Return what the template makes of messages.

        Args:
            messages: the chat.
            where: file and line, for error messages.
            prompt: whether to ask the assistant for its next turn. Otherwise no header for such a turn is left in.
            tools: schemas of the functions that the assistant may call.

        Raises:
            CorpusError: the tokenizer has no template, or the template rejects the messages.
        """
        text = self._rendered(messages, where, prompt, tools)
        return text if prompt else text.removesuffix(self._habits.header)

    def render(
        self, messages: Sequence[Message], where: str, *, context_turns: int = 0, tools: Sequence[Any] = ()
    ) -> RenderedChat:
        """Return a chat as text, and what is predicted of it.

        Args:
            messages: the chat.
            where: file and line, for error messages.
            context_turns: messages at the beginning of which nothing is predicted.
            tools: schemas of the functions that the assistant may call.

        Raises:
            CorpusError: as `text`; or the assistant calls tools and the template does not write calls.
            DataError: the template rewrites an answer, so that its place cannot be told.
        """
        text = self.text(messages, where, tools=tools)
        numbers = [
            number
            for number, message in enumerate(messages)
            if message["role"] == "assistant" and number >= context_turns
        ]
        found = {number: self._turn(text, messages, number, where, tools) for number in numbers}
        turns = [turn for turn in found.values() if turn is not None]
        spans = [(turn.begin, turn.end) for turn in turns]
        if turns and _GENERATION.search(str(self._tokenizer.chat_template)):
            spans = self._generated(text, messages, tools, turns)
        last = found.get(len(messages) - 1)
        if last is None or last.end > last.answer_end or text[last.end :].strip():
            return RenderedChat(text, tuple(spans), ended=True)
        # White space after an answer without an end would come between the answer and the end of the text
        return RenderedChat(text[: last.end], tuple(spans), ended=False)

    def _rendered(self, messages: Sequence[Message], where: str, prompt: bool, tools: Sequence[Any] = ()) -> str:
        if not self._tokenizer.chat_template:
            raise CorpusError(
                f"{where}: chat messages, but the teacher's tokenizer has no chat template; "
                "use an instruct model, or give 'text'"
            )
        options: dict[str, Any] = {"tools": list(tools)} if tools else {}
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    list(messages), tokenize=False, add_generation_prompt=prompt, **options
                )
            )
        except Exception as error:  # a template may raise anything, most of all for roles it does not know
            reason = " ".join(str(error).split()).rstrip(".")
            raise CorpusError(
                f"{where}: the chat template rejects this chat ({reason}); change its roles or their order"
            ) from error

    def _turn(
        self, text: str, messages: Sequence[Message], number: int, where: str, tools: Sequence[Any]
    ) -> _Turn | None:
        """Where a turn of the assistant is; None if the template leaves it out because it is empty."""
        before, after = self._around(messages, number, where, tools, _unused(text))
        begin = self._begin(messages, number, where, tools, before)
        answer_end = len(text) - len(after)
        if not text.startswith(before[:begin]) or not text.endswith(after) or begin > answer_end:
            others = [*messages[:number], *messages[number + 1 :]]
            if not messages[number]["content"] and others and text == self.text(others, where, tools=tools):
                return None
            raise _rewritten(where)
        if messages[number].get("tool_calls"):
            silent = {name: value for name, value in messages[number].items() if name != "tool_calls"}
            if text == self.text([*messages[:number], silent, *messages[number + 1 :]], where, tools=tools):
                raise CorpusError(
                    f"{where}: the chat template does not write the assistant's tool calls; use another teacher, or "
                    "leave the chat out"
                )
        return _Turn(begin, answer_end, self._end(text, answer_end, is_last=number == len(messages) - 1))

    def _around(
        self, messages: Sequence[Message], number: int, where: str, tools: Sequence[Any], mark: str
    ) -> tuple[str, str]:
        """What the template writes before and after an answer; calls of tools count as part of the answer."""
        answer = {name: value for name, value in messages[number].items() if name != "tool_calls"}
        marked = [*messages[:number], {**answer, "content": mark}, *messages[number + 1 :]]
        before, found, after = self.text(marked, where, tools=tools).partition(mark)
        if not found or mark in after:
            raise _rewritten(where)
        return before, after

    def _begin(self, messages: Sequence[Message], number: int, where: str, tools: Sequence[Any], before: str) -> int:
        """Where the answer begins; a think block after the generation prompt is part of it."""
        prompt = self._habits.prompt
        place = before.rfind(prompt) + len(prompt)
        thought = before[place:]
        if not prompt or prompt not in before or not thought.strip():
            return len(before)
        # What other messages say must not pass for a think block
        blank = [{**message, "content": _FIRST} for message in messages[:number]]
        around = self._around([*blank, *messages[number:]], number, where, tools, _unused(before))
        if not around[0].endswith(prompt + thought):
            return len(before)
        return place + len(thought) - len(thought.lstrip())

    def _end(self, text: str, answer_end: int, *, is_last: bool) -> int:
        """Where a turn ends, the token that ends it included and the white space after that token not."""
        habits = self._habits
        if habits.end is None:
            return answer_end + len(self._through_special(text[answer_end:]))
        endings = (habits.end, habits.inner_end) if is_last else (habits.inner_end, habits.end)
        ending = next((ending for ending in endings if ending and text.startswith(ending, answer_end)), "")
        return answer_end + len(ending)

    def _through_special(self, text: str) -> str:
        """The text up to and including its first special token; nothing if it has none."""
        special = sorted(self._special, key=len, reverse=True)
        found = re.search("|".join(map(re.escape, special)), text) if special else None
        return text[: found.end()] if found else ""

    @cached_property
    def _special(self) -> set[str]:
        added = self._tokenizer.added_tokens_decoder.values()
        return {token.content for token in added if token.special} | set(self._tokenizer.all_special_tokens)

    @cached_property
    def _habits(self) -> _Habits:
        user, answer, reply = (
            {"role": role, "content": content}
            for role, content in (("user", _FIRST), ("assistant", _ANSWER), ("user", _SECOND))
        )
        try:
            asked, plain = (self._rendered([user], "", prompt) for prompt in (True, False))
            last = self._rendered([user, answer], "", False).partition(_ANSWER)[2]
        except CorpusError:  # an unusual template, or none: what can be told without these is told
            return _Habits()
        prompt = asked.removeprefix(plain) if asked.startswith(plain) else ""
        try:
            inner = self._rendered([user, answer, reply], "", False).partition(_ANSWER)[2].partition(_SECOND)[0]
        except CorpusError:
            return _Habits(prompt, last.rstrip())
        if inner.startswith(last.rstrip()):
            return _Habits(prompt, last.rstrip(), last.rstrip())
        # Something else follows the last turn than other turns: an end of its own, or a header
        opening = plain.partition(_FIRST)[0].removeprefix(self._tokenizer.bos_token or "")
        shared = inner.removesuffix(opening) if opening and inner.endswith(opening) else None
        end = shared if shared and last.startswith(shared) else self._through_special(last)
        header = last[len(end) :] if last[len(end) :].strip() else ""
        inner_end = self._through_special(inner) if shared is None else shared
        return _Habits(prompt, end.rstrip(), inner_end.rstrip(), header)

    def _generated(
        self, text: str, messages: Sequence[Message], tools: Sequence[Any], turns: Sequence[_Turn]
    ) -> list[Span]:
        """The parts of turns that the template itself marks as generated, each with the end of its turn."""
        options: dict[str, Any] = {"tools": list(tools)} if tools else {}
        found = self._tokenizer.apply_chat_template(
            list(messages), tokenize=True, return_dict=True, return_assistant_tokens_mask=True, **options
        )
        encoding = self._tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
        spans: list[Span] = []
        for (start, end), is_generated in zip(encoding.offsets, found["assistant_masks"], strict=False):
            if is_generated and spans and spans[-1][1] >= start:
                spans[-1] = (spans[-1][0], end)
            elif is_generated:
                spans.append((start, end))
        result = []
        for turn in turns:
            mine = [(start, stop) for start, stop in spans if start < turn.end and stop > turn.begin]
            if not mine and turn.begin == turn.answer_end:  # an empty answer has no token that could be marked
                result.append((turn.begin, turn.end))
            for start, stop in mine:
                reaches_end = stop >= turn.answer_end and not text[turn.end : stop].strip()
                result.append((start, turn.end if reaches_end else stop))
        return result


def _rewritten(where: str) -> DataError:
    return DataError(
        f"{where}: the chat template rewrites the assistant's answers, so that they cannot be told from the prompt; "
        "use --loss-on all, or 'prompt' and 'completion'"
    )


def _unused(*texts: str) -> str:
    """A word that is in none of some texts."""
    number = 0
    while any(f"lexkitanswer{number}x" in text for text in texts):
        number += 1
    return f"lexkitanswer{number}x"
