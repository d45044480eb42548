"""A program that renders a short chat with a chat template; see `lexkit.bounded_process`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CHAT = [{"role": role, "content": "kind"} for role in ("system", "user", "assistant", "user")]
_LONGEST = 1 << 20
"""Characters of a chat of four words."""


def main(send: Callable[[Any], None], file: str) -> None:
    """Try the template in a file; fail with the reason if it fills the memory. What rejects chats is fine."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    template = Path(file).read_text(encoding="utf-8")
    for chat, asks in ((_CHAT, False), (_CHAT[1:], False), (_CHAT[1:], True)):
        try:
            length = 0
            for part in environment.from_string(template).generate(messages=chat, add_generation_prompt=asks):
                length += len(part)
                if length > _LONGEST:
                    sys.exit(f"it makes more than {_LONGEST:,} characters of a chat of four words")
        except MemoryError:
            raise
        except Exception:  # a template may reject a chat
            continue
