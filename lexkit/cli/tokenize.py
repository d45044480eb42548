"""The commands ``lexkit tokenize`` and ``keep-rate``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lexkit.arguments import user_path
from lexkit.cli.completion import complete_files, complete_tokenizers
from lexkit.cli.output import (
    is_terminal,
    json_option,
    open_store,
    print_json,
    print_table,
    quiet_option,
    store_option,
    store_path,
)
from lexkit.cli.progress import working

if TYPE_CHECKING:
    import pyarrow as pa


@click.command()
@click.option(
    "--tokenizer",
    "tokenizers",
    multiple=True,
    required=True,
    metavar="[NAME=]X",
    shell_complete=complete_files,
    help="A tokenizer.json, a folder that contains one, or a name on the Hugging Face hub, optionally with the NAME it "
    "gets in the store. May be given several times.",
)
@click.option("--replace", is_flag=True, help="Replace a different tokenizer with the same name.")
@quiet_option
@json_option
@store_option
def tokenize(tokenizers: tuple[str, ...], replace: bool, quiet: bool, as_json: bool, store: str) -> None:
    """Add to a store how a tokenizer splits its words.

    In the store, a tokenizer has its name on the hub, the name of its folder, or NAME. A tokenizer that is already in
    the store is skipped. The store is replaced in one step at the end, so other programs can read it meanwhile.

    \b
    Example:
      lexkit tokenize --tokenizer meta-llama/Meta-Llama-3-8B
      lexkit tokenize --tokenizer mistral=models/7b/tokenizer.json
    """
    path = store_path(store)
    with working(quiet, "open the store") as progress:
        from lexkit.store.spans import tokenize as tokenize_store

        done = tokenize_store(path, tokenizers, replace=replace, progress=progress)
    if as_json:
        print_json({"store": store, "tokenizers": done})
    elif not quiet:
        for row in done:
            lacking = f"; it has no tokens for {row.cannot_write:,} words" if row.cannot_write else ""
            click.echo(f"{row.tokenizer}: {row.words:,} words, {row.vocab_size:,} tokens, {row.outcome}{lacking}")


@click.command("keep-rate")
@click.option(
    "--tokenizer",
    required=True,
    metavar="X",
    shell_complete=complete_tokenizers,
    help="Name of the tokenizer in the store, or the value that 'tokenize' was given.",
)
@click.option(
    "--plot",
    metavar="FILE",
    shell_complete=complete_files,
    help="Also draw the keep rates, to a .png, .svg or .pdf file (needs lexkit[plot]).",
)
@json_option
@store_option
def keep_rate(tokenizer: str, plot: str | None, as_json: bool, store: str) -> None:
    """Show how many relations need at most 1 to 5 tokens per word, like Table 2 of the DSKD paper.

    There are three readings of "how many tokens a relation needs". both: both words need at most this number. partner:
    each pair counts in both directions, and only the partner's tokens count. one_token_head: like partner, but only for
    words that are a single token.

    \b
    Example:
      lexkit keep-rate --tokenizer meta-llama/Meta-Llama-3-8B --plot keep-rate.png
    """
    with open_store(store) as lexicon:
        name = lexicon.tokenizer(tokenizer)
        rates = lexicon.keep_rate(name)
    if plot is not None:
        from lexkit.reporting.keep_rate import plot_keep_rate

        plot_keep_rate(rates, name, user_path(plot))
    if as_json:
        print_json({"tokenizer": name, "keep_rate": rates.to_pylist()})
    else:
        print_table(f"per cent of relations, {name}", ("reading", "kind", *_columns(rates)), _rows(rates))


def _columns(rates: pa.Table) -> list[str]:
    most = sorted(set(rates["max_tokens"].to_pylist()))
    return [f"at most {n}" for n in most] if is_terminal(sys.stdout) else [str(n) for n in most]


def _rows(rates: pa.Table) -> list[list[str]]:
    rows: dict[tuple[str, str], list[str]] = {}
    for row in rates.to_pylist():
        rows.setdefault((row["reading"], row["kind"]), []).append(f"{row['percent']:.2f}")
    return [[*key, *percents] for key, percents in rows.items()]
