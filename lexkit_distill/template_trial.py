"""A program that renders a short chat with a chat template; see `lexkit.bounds.run_trial`."""

from __future__ import annotations

import contextlib
import sys

_MEMORY = 1 << 30
_CHAT = [{"role": role, "content": "kind"} for role in ("system", "user", "assistant", "user")]
_LONGEST = 1 << 20
"""Characters of a chat of four words."""


def main() -> None:
    """Try the template on standard input; exit with the reason if it fills the memory. What rejects chats is fine."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    from lexkit.bounds import bound_memory

    bound_memory(_MEMORY)
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    template = sys.stdin.buffer.read().decode("utf-8", "replace")
    for chat, asks in ((_CHAT, False), (_CHAT[1:], False), (_CHAT[1:], True)):
        length = 0
        with contextlib.suppress(Exception):
            try:
                parts = environment.from_string(template).generate(messages=chat, add_generation_prompt=asks)
                for part in parts:
                    length += len(part)
                    if length > _LONGEST:
                        sys.exit(f"it makes more than {_LONGEST:,} characters of a chat of four words")
            except MemoryError:
                sys.exit("it takes too much memory")
