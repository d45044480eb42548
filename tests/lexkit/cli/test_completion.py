from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lexkit

Complete = Callable[..., list[str]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, write_tokenizer: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("store")
    pairs = "ice cream\tgelato\nicy\tfrozen\no'clock\ttime\nPolish\tPole\nbest: worst\tx\n"
    (folder / "pairs").write_text(pairs, encoding="utf-8")
    path = folder / "s.duckdb"
    lexkit.build(path, pairs=[("synonym@mine", folder / "pairs")])
    lexkit.tokenize(path, [f"tiny={write_tokenizer(folder / 'tokenizer.json')}"])
    return path


def ask(instruction: str, line: str, store: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `lexkit` as a shell does when somebody presses Tab at the end of a line."""
    words = line.split(" ")
    environment = {**os.environ, "LEXKIT_STORE": str(store), "_LEXKIT_COMPLETE": instruction, **variables}
    environment |= {
        "COMP_WORDS": line,
        "COMP_CWORD": words[-1] if instruction == "fish_complete" else str(len(words) - 1),
    }
    command = [sys.executable, "-m", "lexkit"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("lexkit lo", ["lookup"]),
        ("lexkit distill pre", ["preview"]),
        ("lexkit lookup --so", ["--sort", "--source"]),
        ("lexkit lookup --sort w", ["weight", "word"]),
        ("lexkit lookup --source p", ["pairs"]),
        ("lexkit keep-rate --tokenizer t", ["tiny"]),
        ("lexkit export pairs --tokenizer t", ["tiny"]),
        ("lexkit fetch morph", ["morpholex"]),
        ("lexkit build --source wor", ["wordnet="]),
        ("lexkit build --source pa", []),  # a list of pairs is given with --pairs
        ("lexkit lookup ic", ["ice cream", "icy"]),
        ("lexkit lookup icy froz", ["frozen"]),
        ("lexkit explain icy froz", ["frozen"]),
        ("lexkit path icy froz", ["frozen"]),
        ("lexkit synonyms Pol", ["Pole", "Polish"]),
        ("lexkit synonyms pol", ["Pole", "Polish"]),  # no word begins so in lower case
        ("lexkit lookup ", []),  # any word could follow
        ("lexkit lookup xyz", []),
    ],
)
def test_what_a_shell_offers(store: Path, line: str, completions: list[str]) -> None:
    done = ask("zsh_complete", line, store)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()[1::3]) == completions


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("lexkit build --roget ", "file"),
        ("lexkit lookup --store ", "file"),
        ("lexkit tokenize --tokenizer ", "file"),
        ("lexkit export ", "dir"),
        ("lexkit distill train --teacher ", "file"),
        ("lexkit distill train --senses ", "dir"),
    ],
)
def test_paths_are_left_to_the_shell(store: Path, line: str, kind: str) -> None:
    assert ask("bash_complete", line, store).stdout == f"{kind},\n"


def test_a_file_follows_the_name_of_a_reader(store: Path) -> None:
    assert ask("fish_complete", "lexkit build --source wordnet=ab", store).stdout == "file,wordnet=ab\n"


@pytest.mark.parametrize("line", ["lexkit lookup ic", "lexkit lookup --source p", "lexkit keep-rate --tokenizer t"])
def test_without_a_store_nothing_is_offered_and_nothing_said(tmp_path: Path, line: str) -> None:
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(b"no store")
    for path in (tmp_path / "missing.duckdb", broken):
        done = ask("bash_complete", line, path)
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_the_store_of_the_line_is_asked(store: Path, tmp_path: Path) -> None:
    done = ask("bash_complete", f"lexkit lookup --store {store} froz", tmp_path / "other.duckdb")
    assert done.stdout == "plain,frozen\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_for_shells(store: Path, shell: str) -> None:
    done = ask(f"{shell}_source", "", store)
    assert done.returncode == 0
    assert f"_LEXKIT_COMPLETE={shell}_complete" in done.stdout


@pytest.fixture
def bash(tmp_path: Path, store: Path) -> Callable[[str, str], list[str]]:
    """Complete the last word of a line in a real bash, to which `lexkit` is this one."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not there")
    program = tmp_path / "lexkit"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lexkit "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    environment = {**os.environ, "LEXKIT_STORE": str(store), "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def complete(before: str, word: str) -> list[str]:
        script = (
            'eval "$(_LEXKIT_COMPLETE=bash_source lexkit)"\n'
            f"COMP_WORDS=({before} {shlex.quote(word)}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
            '_lexkit_completion lexkit\nprintf "%s\\n" "${COMPREPLY[@]}"'
        )
        command = ["bash", "--norc", "-c", script]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr == ""
        return done.stdout.splitlines()

    return complete


def test_bash(bash: Callable[[str, str], list[str]]) -> None:
    assert bash("lexkit", "expl") == ["explain"]
    assert bash("lexkit lookup", "gel") == ["gelato"]


def test_bash_gets_words_as_they_have_to_be_typed(bash: Callable[[str, str], list[str]]) -> None:
    assert bash("lexkit lookup", "ice") == [r"ice\ cream"]
    assert bash("lexkit lookup", r"ice\ cr") == [r"ice\ cream"]
    assert bash("lexkit lookup", "o") == [r"o\'clock"]


@pytest.mark.parametrize(
    ("before", "word", "inserted"),
    [
        ("lexkit lookup", "'ice cr", "ice cream"),
        ("lexkit lookup", '"ice cr', "ice cream"),
        ("lexkit lookup", "'o", r"o'\''clock"),
        ("lexkit lookup", '"o', "o'clock"),
        ("lexkit lookup --sort =", "wo", "word"),
        ("lexkit lookup --limit = 3", "gel", "gelato"),
        ("lexkit lookup best :", r"\ wo", r"\ worst"),
        ("lexkit lookup best", ":", r"\ worst"),
        ("lexkit lookup", "'best: wo", "best: worst"),
        ("lexkit build --source", "wor", "wordnet="),
        ("lexkit build --source =", "wor", "wordnet="),
    ],
)
def test_bash_inside_quotes_and_where_it_splits_words(
    bash: Callable[[str, str], list[str]], before: str, word: str, inserted: str
) -> None:
    assert bash(before, word) == [inserted]


@pytest.mark.parametrize("instruction", ["bash", "bash_complete", "zsh_complete", "nonsense"])
def test_whoever_is_no_shell_is_told_in_a_line(instruction: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMP_")}
    environment["_LEXKIT_COMPLETE"] = instruction
    command = [sys.executable, "-m", "lexkit"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: _LEXKIT_COMPLETE={instruction}: ")
