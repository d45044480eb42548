"""Shell completion for commands and options, and for words, sources and tokenizers, which are looked up in the store.

At every Tab, the shell runs ``lexkit`` with ``$_LEXKIT_COMPLETE`` set. Nothing but completions may be printed then, so
any failure, such as a store that does not exist, gives no completions.
"""

from __future__ import annotations

import re
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, shell_complete

from lexkit.safe_output import printable

VARIABLE = "_LEXKIT_COMPLETE"
"""Environment variable with which a shell requests completions, and a user the script that sets up completion."""
_MOST_WORDS = 50

_WORDS = """
SELECT word FROM word WHERE starts_with({column}, $incomplete)
ORDER BY frequency DESC NULLS LAST, word_id LIMIT $most
"""
_SOURCES = "SELECT source FROM source WHERE starts_with(source, $incomplete) ORDER BY source LIMIT $most"
_TOKENIZERS = "SELECT tokenizer FROM tokenizer WHERE starts_with(tokenizer, $incomplete) ORDER BY tokenizer LIMIT $most"
_POS = """
SELECT DISTINCT name FROM (SELECT unnest(string_split(pos, ',')) AS name FROM (SELECT DISTINCT pos FROM relation))
WHERE name <> '' AND starts_with(name, $incomplete) ORDER BY name LIMIT $most
"""


class _Bash(BashComplete):
    """Completion for bash, which inserts completions unchanged, so spaces and other signs are quoted here."""

    def format_completion(self, item: CompletionItem) -> str:
        # twice, because bash removes one level of quoting when it reads the answer
        value = re.sub(r"([^\w@%+:,./=-])", r"\\\\\1", item.value) if item.type == "plain" else item.value
        return f"{item.type},{value}"


def complete(command: click.Command, instruction: str) -> int:
    """Print completions, or the script for a shell, and return the exit code.

    Args:
        command: the top-level command.
        instruction: value of the variable, such as ``bash_source`` or ``bash_complete``.
    """
    add_completion_class(_Bash, "bash")
    return shell_complete(command, {}, "lexkit", VARIABLE, instruction)


def complete_words(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return words of the store that begin with *incomplete*, the most frequent first.

    If there are none, case is ignored. Nothing is offered before the first letter is typed.
    """
    if not incomplete:
        return []
    as_typed = _ask(ctx, _WORDS.format(column="word"), incomplete)
    return as_typed or _ask(ctx, _WORDS.format(column="folded"), incomplete.lower())


def complete_sources(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of sources of the store."""
    return _ask(ctx, _SOURCES, incomplete)


def complete_tokenizers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of tokenizers of the store."""
    return _ask(ctx, _TOKENIZERS, incomplete)


def complete_pos(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the parts of speech of the store's relations."""
    return _ask(ctx, _POS, incomplete)


def complete_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Have the shell complete the name of a file."""
    return [CompletionItem(incomplete, type="file")]


def complete_folders(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Have the shell complete the name of a folder."""
    return [CompletionItem(incomplete, type="dir")]


def _ask(ctx: click.Context, query: str, incomplete: str) -> list[str]:
    from lexkit.arguments import user_path

    try:
        from lexkit.store.files import open_read_only

        with open_read_only(user_path(ctx.params["store"])) as connection:
            params: dict[str, Any] = {"incomplete": incomplete, "most": _MOST_WORDS}
            names = [str(name) for (name,) in connection.execute(query, params).fetchall()]
            return [name for name in names if printable(name) == name]
    except Exception:  # the store is missing, damaged or being written, and a shell has no place for messages
        return []
