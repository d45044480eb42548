"""Render chats as text with a chat template, and find the parts that the assistant is trained to write.

Searching for an answer in the rendered text would be unsafe: "art" also occurs in "assistant". Instead, the chat is
rendered again with a unique placeholder in place of the answer; the text before and after the placeholder delimits the
answer. Everything else that depends on the template (the generation prompt, the end of a turn, headers that were not
asked for) is found once, by rendering a chat of three placeholders.
"""

from __future__ import annotations

import re
import tempfile
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from lexkit.bounded_process import ProcessError, run
from lexkit_distill.errors import CorpusError, DataError

Message = dict[str, Any]
Span = tuple[int, int]
"""Begin and end of a part of a text, in characters."""
_GENERATION = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
_GENERATION_TAG = re.compile(r"\{%[-+]?\s*(?:end)?generation\s*[-+]?%\}")
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_MEMORY, _SILENCE = 1 << 30, 20
"""Limits of memory (bytes) and time (seconds) for trying a template on a short chat."""
_FIRST, _ANSWER, _SECOND = "lexkitplaceholderone", "lexkitplaceholdertwo", "lexkitplaceholderthree"


@dataclass(frozen=True)
class RenderedChat:
    """A chat as the teacher reads it."""

    text: str
    turns: tuple[Span, ...]
    """Predicted part of each of the assistant's turns: from the answer to the end of the turn, inclusive."""
    ended: bool
    """Whether the template wrote an end of the last turn, so that no end-of-text token is added."""


@dataclass(frozen=True)
class _Habits:
    """Texts that a template writes in every chat."""

    prompt: str = ""
    """Generation prompt: the text that asks the assistant for an answer."""
    end: str | None = None
    """Text that ends the assistant's last turn; None if it could not be determined."""
    inner_end: str = ""
    """Text that ends the assistant's other turns."""
    header: str = ""
    """Header of a next turn that the template writes after a final turn of the assistant without being asked to."""
    reply_header: str = ""
    """Header of a next turn that the template writes after a final turn of the user without being asked to."""


class _Turn(NamedTuple):
    begin: int
    answer_end: int
    end: int


class ChatTemplate:
    """The chat template of a tokenizer.

    Args:
        tokenizer: a transformers tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401  # a transformers tokenizer
        self._tokenizer = tokenizer

    def text(self, messages: Sequence[Message], where: str, *, prompt: bool = False, tools: Sequence[Any] = ()) -> str:
        """Render messages as text.

        Args:
            messages: the chat.
            where: file and line, for error messages.
            prompt: whether to end with the generation prompt. If not, a header for a next turn is removed.
            tools: schemas of the functions that the assistant may call.

        Raises:
            CorpusError: the tokenizer has no template, or the template rejects the messages.
        """
        text = self._rendered(messages, where, prompt, tools)
        if prompt:
            return text
        of_user = bool(messages) and messages[-1]["role"] == "user"
        return text.removesuffix(self._habits.reply_header if of_user else self._habits.header)

    def render(
        self, messages: Sequence[Message], where: str, *, context_turns: int = 0, tools: Sequence[Any] = ()
    ) -> RenderedChat:
        """Render a chat as text, and find the assistant's turns in it.

        Args:
            messages: the chat.
            where: file and line, for error messages.
            context_turns: number of leading messages that are not predicted.
            tools: schemas of the functions that the assistant may call.

        Raises:
            CorpusError: the tokenizer has no template, the template rejects the messages, or it does not write the
                assistant's tool calls.
            DataError: the template rewrites an answer, so that it cannot be located.
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
        if turns and self._marks_generations(tools):
            spans = self._generated(text, messages, tools, turns) or spans
        last = found.get(len(messages) - 1)
        if last is None or last.end > last.answer_end or text[last.end :].strip():
            return RenderedChat(text, tuple(spans), ended=True)
        # Trailing white space would come between the answer and the end-of-text token
        return RenderedChat(text[: last.end], tuple(spans), ended=False)

    def _rendered(self, messages: Sequence[Message], where: str, prompt: bool, tools: Sequence[Any] = ()) -> str:
        if not self._tokenizer.chat_template:
            raise CorpusError(
                f"{where}: has chat messages, but the teacher's tokenizer has no chat template; "
                "use an instruct model, or give 'text'"
            )
        try:
            _try(self._templates)
            return str(
                self._tokenizer.apply_chat_template(
                    list(messages), tokenize=False, add_generation_prompt=prompt, tools=list(tools) or None
                )
            )
        except ProcessError as error:
            raise CorpusError(f"{where}: the chat template cannot be used ({error}); use another teacher") from error
        except Exception as error:  # a template may raise anything, typically for unknown roles
            reason = " ".join(str(error).split()).rstrip(".")
            raise CorpusError(
                f"{where}: the chat template rejects this chat ({reason}); change the chat, or leave it out"
            ) from error

    def _turn(
        self, text: str, messages: Sequence[Message], number: int, where: str, tools: Sequence[Any]
    ) -> _Turn | None:
        """Locate a turn of the assistant; None if the template omits it because it is empty."""
        message, last = messages[number], len(messages) - 1
        calls = bool(message.get("tool_calls"))
        if calls and number < last and (turn := self._turn_with_results(text, messages, number, where, tools)):
            return turn
        try:
            before, after = self._around(messages, number, where, tools, _unused(text))
        except CorpusError as error:  # the template rejects tool results without their calls
            raise _rewritten(where) from error
        begin = self._begin(text, messages, number, where, tools, before)
        answer_end = len(text) - len(after)
        if begin > answer_end >= len(before[:begin].rstrip()):  # the template trims the header's trailing space
            begin = answer_end
        if not text.startswith(before[:begin]) or not text.endswith(after) or begin > answer_end:
            return self._turn_elsewhere(text, messages, number, where, tools)
        if calls:
            silent = {name: value for name, value in message.items() if name != "tool_calls"}
            if text == self.text([*messages[:number], silent, *messages[number + 1 :]], where, tools=tools):
                raise CorpusError(
                    f"{where}: the chat template does not write the assistant's tool calls; use another teacher, or "
                    "leave the chat out"
                )
        return _Turn(begin, answer_end, self._end(text, answer_end, is_last=number == last))

    def _turn_with_results(
        self, text: str, messages: Sequence[Message], number: int, where: str, tools: Sequence[Any]
    ) -> _Turn | None:
        """Locate a turn that calls tools in the chat that ends with it, since later messages depend on the calls."""
        shorter = messages[: number + 1]
        short = self.text(shorter, where, tools=tools)
        turn = self._turn(short, shorter, number, where, tools)
        if turn is None or not text.startswith(short[: turn.answer_end]):
            return None
        if turn.end > turn.answer_end and text.startswith(short[: turn.end]):
            return turn
        return turn._replace(end=self._end(text, turn.answer_end, is_last=False))

    def _turn_elsewhere(
        self, text: str, messages: Sequence[Message], number: int, where: str, tools: Sequence[Any]
    ) -> _Turn | None:
        """Locate a turn that replacing the answer did not find: tool calls after the prompt, or an empty answer."""
        if messages[number].get("tool_calls"):
            asked = self._asked(messages[:number], where, tools) if self._habits.prompt else None
            if number == len(messages) - 1 and asked and text.startswith(asked):
                end = len(text.rstrip())
                final = self._last_special(text[:end])
                return _Turn(len(asked), end - len(final) if text[:end].endswith(final) else end, end)
        elif not messages[number]["content"].strip() and len(messages) > 1:
            others = [*messages[:number], *messages[number + 1 :]]
            if text == self.text(others, where, tools=tools):
                return None
        raise _rewritten(where)

    def _around(
        self, messages: Sequence[Message], number: int, where: str, tools: Sequence[Any], mark: str
    ) -> tuple[str, str]:
        """Return the text before and after an answer; tool calls count as part of the answer."""
        answer = {name: value for name, value in messages[number].items() if name != "tool_calls"}
        after = list(messages[number + 1 :])
        result = f"{mark}result"
        if messages[number].get("tool_calls") and after:  # mark the tool result, which is not part of the answer
            after[0] = {**after[0], "content": result}
        marked = [*messages[:number], {**answer, "content": mark}, *after]
        before, found, rest = self.text(marked, where, tools=tools).partition(mark)
        if result in rest:
            rest = rest.replace(result, messages[number + 1]["content"])
        elif messages[number].get("tool_calls") and after:
            found = ""
        if not found or mark in rest:
            raise _rewritten(where)
        return before, rest

    def _begin(
        self, text: str, messages: Sequence[Message], number: int, where: str, tools: Sequence[Any], before: str
    ) -> int:
        """Return where the answer begins; a think block after the generation prompt is part of the answer."""
        prompt = self._habits.prompt
        if not prompt:
            return len(before)
        asked = self._asked(messages[:number], where, tools)
        if asked is None or not before.startswith(asked) or not text.startswith(asked):
            # The template renders earlier turns differently once later ones follow, for example without think blocks
            blank = [{**message, "content": _FIRST} for message in messages[:number]]
            try:
                around = self._around([*blank, *messages[number:]], number, where, tools, _unused(text, before))
            except (CorpusError, DataError):
                return len(before)
            header, found, thought = around[0].rpartition(_FIRST)[2].partition(prompt)
            if not found or not before.endswith(header + prompt + thought):
                return len(before)
            asked = before.removesuffix(thought)
        return len(asked) if before[len(asked) :].strip() else len(before)

    def _asked(self, messages: Sequence[Message], where: str, tools: Sequence[Any]) -> str | None:
        """Render messages with the generation prompt; None if the template rejects them."""
        try:
            return self._rendered(messages, where, True, tools)
        except CorpusError:
            return None

    def _end(self, text: str, answer_end: int, *, is_last: bool) -> int:
        """Return where a turn ends, including its end token but not the white space after that token."""
        habits = self._habits
        if habits.end is None:
            return answer_end + len(self._through_special(text[answer_end:]))
        endings = (habits.end, habits.inner_end) if is_last else (habits.inner_end, habits.end)
        ending = next((ending for ending in endings if ending and text.startswith(ending, answer_end)), "")
        return answer_end + len(ending)

    def _through_special(self, text: str) -> str:
        """Return the text up to and including its first special token, or "" if it has none."""
        special = sorted(self._special, key=len, reverse=True)
        found = re.search("|".join(map(re.escape, special)), text) if special else None
        return text[: found.end()] if found else ""

    def _last_special(self, text: str) -> str:
        """Return the last special token in a text, or "" if it has none."""
        return max((token for token in self._special if token in text), key=text.rfind, default="")

    @cached_property
    def _templates(self) -> str:
        """All chat templates of the tokenizer, joined, without the ``generation`` tags that plain Jinja lacks."""
        found = self._tokenizer.chat_template
        whole = found if isinstance(found, str) else "".join(map(str, found.values()))
        return _GENERATION_TAG.sub("", whole)

    @cached_property
    def _special(self) -> set[str]:
        added = self._tokenizer.added_tokens_decoder.values()
        return {token.content for token in added if token.special} | set(self._tokenizer.all_special_tokens)

    @cached_property
    def _habits(self) -> _Habits:
        system = {"role": "system", "content": "lexkitplaceholderzero"}
        for beginning in ([], [system]):
            try:
                return self._habits_after(beginning)
            except CorpusError:  # some templates require a system prompt
                continue
        return _Habits()  # an unusual template

    def _habits_after(self, beginning: list[Message]) -> _Habits:
        user, answer, reply = (
            {"role": role, "content": content}
            for role, content in (("user", _FIRST), ("assistant", _ANSWER), ("user", _SECOND))
        )
        asked, plain = (self._rendered([*beginning, user], "", prompt) for prompt in (True, False))
        until_answer, _, last = self._rendered([*beginning, user, answer], "", False).partition(_ANSWER)
        prompt = asked.removeprefix(plain) if asked.startswith(plain) else ""
        try:
            inner = self._rendered([*beginning, user, answer, reply], "", False)
        except CorpusError:
            return _Habits(prompt, last.rstrip())
        inner = inner.partition(_ANSWER)[2].partition(_SECOND)[0]
        asks = plain.rstrip() == until_answer.rstrip()
        after_user = plain.partition(_FIRST)[2]
        if last.strip() and inner.startswith(last.rstrip()):
            end = last.rstrip()
            reply_header = after_user.removeprefix(end).lstrip() if asks and after_user.startswith(end) else ""
            return _Habits(prompt, end, end, "", reply_header)
        # The last turn is followed by something different: an end of its own, nothing, or a header
        before = plain.partition(_FIRST)[0]
        openings = [opening for opening in (before, before.removeprefix(self._tokenizer.bos_token or "")) if opening]
        opening = next((opening for opening in openings if inner.endswith(opening)), None)
        if opening is not None:
            inner_end = inner.removesuffix(opening)
        elif not last.strip() and self._last_special(before) == self._last_special(self._through_special(inner)):
            inner_end = ""  # the special token begins the user's turn
        else:
            inner_end = self._through_special(inner)
        end = inner_end if opening and last.startswith(inner_end) else self._through_special(last)
        header = last[len(end) :].lstrip()
        if not asked.rstrip().endswith(header.rstrip()):  # not a header: the template may also end the text
            header, end = "", end or last
        return _Habits(prompt, end.rstrip(), inner_end.rstrip(), header, header)

    def _marks_generations(self, tools: Sequence[Any]) -> bool:
        template = self._tokenizer.get_chat_template(tools=list(tools) or None)
        return _GENERATION.search(_COMMENT.sub("", template)) is not None

    def _generated(
        self, text: str, messages: Sequence[Message], tools: Sequence[Any], turns: Sequence[_Turn]
    ) -> list[Span]:
        """Return the parts of turns that the template marks with ``generation`` tags, extended to the turns' ends."""
        found = self._tokenizer.apply_chat_template(
            list(messages),
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
            tools=list(tools) or None,
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
            if not mine and turn.begin == turn.answer_end:  # an empty answer has no token to mark
                result.append((turn.begin, turn.end))
            for start, stop in mine:
                # Some templates also mark the header, which the assistant does not write
                begin = max(start, turn.begin) if self._habits.prompt else start
                following = bisect_left(encoding.offsets, (stop, stop))
                reaches_end = following == len(encoding.offsets) or encoding.offsets[following][0] >= turn.answer_end
                result.append((begin, turn.end if reaches_end else stop))
        return result


@lru_cache
def _try(template: str) -> None:
    """Check that a template terminates, by running it in a process that can be killed."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(template.encode("utf-8", "replace"))
        file.flush()
        list(run("lexkit_distill.template_trial", [file.name], _MEMORY, silence=_SILENCE))


def _rewritten(where: str) -> DataError:
    return DataError(
        f"{where}: the chat template rewrites the assistant's answers, so they cannot be separated from the prompt; "
        "use --loss-on all, or 'prompt' and 'completion'"
    )


def _unused(*texts: str) -> str:
    """Return a word that occurs in none of the texts."""
    number = 0
    while any(f"lexkitanswer{number}x" in text for text in texts):
        number += 1
    return f"lexkitanswer{number}x"
