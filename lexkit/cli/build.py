"""The command ``lexkit build``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from lexkit.arguments import LANGUAGE_CODE, MOST_JOBS, user_path
from lexkit.cli.completion import complete_files, complete_readers
from lexkit.cli.output import FiniteRange, json_option, print_json, quiet_option
from lexkit.cli.progress import working

if TYPE_CHECKING:
    from lexkit.store.build import BuildSummary

_SAMPLE = (
    "note: no source was given, so this store is a sample made from the starter data; for the full sources, run "
    "`lexkit fetch wiktionary roget-10681 morpholex oewn`, then "
    "`lexkit build --wiktionary fetched --roget fetched --morpholex fetched --source wordnet=fetched`"
)


def _parse_pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    from lexkit.sources.records import KINDS

    parsed = []
    for value in values:
        kind, _, file = value.partition("=")
        if kind.partition("@")[0] not in KINDS or kind.endswith("@") or not file:
            raise click.BadParameter(
                f"{value!r} is not synonym=FILE or antonym=FILE; an origin is optional, as in synonym@moby=FILE.",
                ctx,
                param,
            )
        parsed.append((kind, file))
    return tuple(parsed)


def _check_language(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not re.fullmatch(LANGUAGE_CODE, value):
        raise click.BadParameter(f"{value!r} is not a language code of Wiktionary, such as 'en'.", ctx, param)
    return value


def _parse_sources(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    parsed = []
    for value in values:
        name, _, path = value.partition("=")
        if not (name and path):
            raise click.BadParameter(f"{value!r} is not NAME=PATH.", ctx, param)
        parsed.append((name, path))
    return tuple(parsed)


def _only_one(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str | None:
    if len(values) > 1:
        raise click.BadParameter("may be given only once.", ctx, param)
    return next(iter(values), None)


@click.command()
@click.option(
    "--output",
    "-o",
    default="lexkit.duckdb",
    show_default=True,
    metavar="FILE",
    shell_complete=complete_files,
    help="Path of the new store.",
)
@click.option(
    "--wiktionary",
    multiple=True,
    metavar="FILE",
    shell_complete=complete_files,
    help="JSONL made by wiktextract, or an XML dump of Wiktionary.",
)
@click.option(
    "--roget",
    multiple=True,
    metavar="FILE",
    shell_complete=complete_files,
    help="Roget's Thesaurus of 1911: Gutenberg #22 or #10681, or a table made from it.",
)
@click.option(
    "--morpholex",
    multiple=True,
    metavar="FILE",
    shell_complete=complete_files,
    callback=_only_one,
    help="MorphoLEX-English, as .xlsx or as a text table.",
)
@click.option(
    "--pairs",
    multiple=True,
    callback=_parse_pairs,
    metavar="KIND[@ORIGIN]=FILE",
    help="List with two words per line; KIND is synonym or antonym. Lists with different origins count as independent.",
)
@click.option(
    "--tokenizer",
    "tokenizers",
    multiple=True,
    metavar="[NAME=]X",
    shell_complete=complete_files,
    help="Tokenizer whose splits of the words are added to the store; see 'tokenize'.",
)
@click.option(
    "--source",
    "sources",
    multiple=True,
    callback=_parse_sources,
    metavar="NAME=PATH",
    shell_complete=complete_readers,
    help="File or folder for the reader NAME; `lexkit sources` lists the readers.",
)
@click.option(
    "--language",
    default="en",
    show_default=True,
    callback=_check_language,
    metavar="CODE",
    help="Wiktionary's code of the language to build.",
)
@click.option("--no-headwords", is_flag=True, help="Leave out words whose Wiktionary entries have no relations.")
@click.option(
    "--roget-scope",
    type=click.Choice(["group", "paragraph"]),
    default="group",
    show_default=True,
    help="Whether the terms of one semicolon group of Roget, or of one paragraph, are synonyms.",
)
@click.option(
    "--affixes",
    type=click.Choice(["none", "common", "all"]),
    default="common",
    show_default=True,
    help="Negating affixes to use: none, the common ones of the language (un-, in-, -less), or all, with riskier ones "
    "such as anti-.",
)
@click.option(
    "--max-rejected",
    type=FiniteRange(0, 1),
    default=0.01,
    show_default=True,
    metavar="N",
    help="Share of a file's records, from 0 to 1, that may be bad before the build stops.",
)
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(1, MOST_JOBS),
    metavar="N",
    help="Number of processes and threads.  [default: number of CPU cores]",
)
@quiet_option
@json_option
def build(
    output: str,
    wiktionary: tuple[str, ...],
    roget: tuple[str, ...],
    morpholex: str | None,
    pairs: tuple[tuple[str, str], ...],
    sources: tuple[tuple[str, str], ...],
    tokenizers: tuple[str, ...],
    language: str,
    no_headwords: bool,
    roget_scope: str,
    affixes: str,
    max_rejected: float,
    jobs: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Build a store from source files, or from the starter data if no file is given.

    --wiktionary, --roget, --pairs, --source and --tokenizer may be given several times. Instead of a file, 'fetched'
    stands for what `lexkit fetch` has downloaded into the cache. The store appears, or replaces the old one, in one
    step at the end: a build that fails or is stopped changes nothing.

    \b
    Example:
      lexkit build --roget pg10681.txt --wiktionary kaikki.jsonl.gz --morpholex MorphoLEX_en.xlsx
      lexkit build --roget fetched --wiktionary fetched
      lexkit build --source wordnet=/usr/share/wordnet
    """
    with working(quiet, "find the sources") as progress:
        from lexkit.store.build import build as build_store

        summary = build_store(
            user_path(output),
            wiktionary=wiktionary,
            roget=roget,
            morpholex=morpholex,
            pairs=pairs,
            sources=sources,
            tokenizers=tokenizers,
            language=language,
            headwords=not no_headwords,
            roget_scope=roget_scope,  # type: ignore[arg-type]  # click checks the choice
            affixes=affixes,  # type: ignore[arg-type]
            max_rejected=max_rejected,
            jobs=jobs,
            progress=progress,
        )
    if as_json:
        print_json(summary)
    elif not quiet:
        click.echo("\n".join(_summary(summary)))
    if not (quiet or wiktionary or roget or morpholex or pairs or sources):
        click.echo(_SAMPLE, err=True)


def _summary(summary: BuildSummary) -> list[str]:
    counts = summary.statistics
    lines = [
        f"{summary.path}  built in {summary.seconds:.1f} s",
        "",
        f"  words     {counts.words:>10,}   {counts.words_in_relations:,} of them in relations",
    ]
    for kind in counts.kinds:
        contested = f", {kind.contested:,} contested" if kind.contested else ""
        lines.append(
            f"  {kind.kind + 's':<9} {kind.relations:>10,}   "
            f"{kind.stated:,} stated, {kind.derived:,} derived{contested}"
        )
    lines += ["", "  sources"]
    for source in counts.sources:
        lines.append(
            f"    {source.source:<12} {source.n_records:>10,} records, {source.n_rejected:,} rejected   {source.uri}"
        )
    if counts.rejections:
        lines += ["", "  rejected"]
        for row in counts.rejections:
            lines.append(f"    {row.source:<12} {row.n:>10,} {row.reason}, first at {row.example}")
    if counts.tokenizers:
        lines += ["", "  relations whose words need at most 3 tokens"]
        for tokenizer in counts.tokenizers:
            percents = [
                f"{percent:.1f}% of {kind}"
                for kind, percent in (
                    ("synonyms", tokenizer.synonyms_percent),
                    ("antonyms", tokenizer.antonyms_percent),
                )
                if percent is not None
            ]
            if tokenizer.cannot_write:
                percents.append(f"no tokens for {tokenizer.cannot_write:,} words")
            lines.append(f"    {tokenizer.tokenizer}: {', '.join(percents)}")
    return lines
