"""Shell completion for commands and options, and for words, sources and tokenizers, which are looked up in the store.

At every Tab, the shell runs ``lexkit`` with ``$_LEXKIT_COMPLETE`` set. Nothing but completions may be printed then, so
any failure, such as a store that does not exist, gives no completions.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
    shell_complete,
)

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
    """Completion for bash, which splits words at = and : and inserts answers as they are: signs are quoted here."""

    source_template = BashComplete.source_template.replace(
        "return 0", '[[ "${COMPREPLY[0]}" == *= ]] && compopt -o nospace 2> /dev/null\n\n    return 0'
    )
    """The script of click, which here inserts no space after *NAME=*."""
    _complete_before = ""
    """What bash does not replace of the last word: all up to its last colon or equals sign."""

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        words: list[str] = []
        for word in (*args, incomplete):
            if word == "=" and words and words[-1].startswith("--"):
                continue  # --pos = adj is --pos adj
            if words and word and (words[-1].endswith((":", "=")) or not word.strip(":=")):
                word = words.pop() + word
            words.append(word)
        if incomplete == "=" and words[-1].startswith("--"):
            words.append("")
        self._complete_before = words[-1][: len(words[-1]) - len(incomplete.lstrip(":="))]
        return words[:-1], words[-1]

    def format_completion(self, item: CompletionItem) -> str:
        if item.type != "plain":
            return f"{item.type},{item.value}"
        value, quote = item.value[len(self._complete_before) :], _open_quote(os.environ["COMP_WORDS"])
        if quote == "'":
            value = value.replace("'", r"'\''")
        else:
            value = re.sub(r'(["$`\\])' if quote else r"([^\w@%+:,./=-])", r"\\\1", value)
        # once more, since bash takes off one level when it reads the answer
        return f"plain,{value}".replace("\\", r"\\")


class _Zsh(ZshComplete):
    """Completion for zsh, which completes a file after *NAME=*, and inserts no space after the equals sign."""

    source_template = ZshComplete.source_template.replace("_path_files -f", "compset -P '*='; _path_files -f").replace(
        "compadd -U", "[[ $completions[1] == *= ]] && compadd -S '' -U -a completions || compadd -U"
    )


class _Fish(FishComplete):
    """Completion for fish, which completes a file after *NAME=*."""

    source_template = FishComplete.source_template.replace(
        "__fish_complete_path $metadata[2];",
        """set -l name (string match -r '.*=' -- $metadata[2]);
            for path in (__fish_complete_path (string replace -r '.*=' '' -- $metadata[2]));
                echo "$name$path";
            end;""",
    )


def _open_quote(line: str) -> str:
    """Return the quote that a line opens and does not close, if there is one."""
    parts = shlex.shlex(line, posix=True)
    parts.whitespace_split, parts.commenters = True, ""
    try:
        list(parts)
    except ValueError:
        state = str(vars(parts)["state"])
        return state if state in ("'", '"') else ""
    return ""


def complete(command: click.Command, instruction: str) -> int:
    """Print completions, or the script for a shell, and return the exit code.

    Args:
        command: the top-level command.
        instruction: value of the variable, such as ``bash_source`` or ``bash_complete``.
    """
    add_completion_class(_Bash, "bash")
    add_completion_class(_Zsh, "zsh")
    add_completion_class(_Fish, "fish")
    shell, _, job = instruction.partition("_")
    if get_completion_class(shell) is None or job not in ("source", "complete"):
        click.echo(
            f"error: {VARIABLE}={instruction}: say bash_source, zsh_source or fish_source, or unset it", err=True
        )
        return 2
    try:
        return shell_complete(command, {}, "lexkit", VARIABLE, instruction)
    except (KeyError, ValueError):
        click.echo(
            f"error: {VARIABLE}={instruction}: only a shell can ask this, with the script that "
            f"{VARIABLE}={shell}_source prints",
            err=True,
        )
        return 2


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


def complete_readers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the names of readers as *NAME=*; after that, have the shell complete the name of a file."""
    if "=" in incomplete:
        return complete_files(ctx, param, incomplete)
    from lexkit.sources.plugins import path_readers

    return [CompletionItem(f"{name}=") for name in path_readers() if name.startswith(incomplete)]


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
