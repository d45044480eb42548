"""Subprocess that tries a chat template with limited memory and time; see `lexkit.bounded_process`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CHAT = [{"role": role, "content": "kind"} for role in ("system", "user", "assistant", "user")]
_LONGEST = 1 << 20
"""Most characters that a template may make of a chat of four words."""


def main(send: Callable[[Any], None], file: str) -> None:
    """Render short chats with the template in *file*; exit with a message if the output grows without bound.

    A template may reject any of the chats.
    """
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
                    sys.exit(f"it writes more than {_LONGEST:,} characters for a chat of four words")
        except MemoryError:
            raise
        except Exception:  # a template may refuse a chat, which is reported where the template is used
            continue
