"""WordNet in the database format of Princeton, wndb(5WN): the files data.noun, data.verb, data.adj and data.adv.

A line of a data file is a synset: its words, its pointers to other synsets, and after a bar its gloss. The index files
hold nothing that these do not.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lexkit.errors import SourceError
from lexkit.sources.files import open_binary
from lexkit.sources.plugins import Reader
from lexkit.sources.records import Group, Record, Statement
from lexkit.sources.tally import OwnReason, Reason, Tally

_FILES = {"data.noun": ("n", "noun"), "data.verb": ("v", "verb"), "data.adj": ("a", "adj"), "data.adv": ("r", "adv")}
"""What pointers call the synsets of each file, and wiktextract's part of speech."""
_MARKER = re.compile(r"\((?:p|a|ip)\)$")
"""Where an adjective may stand: predicate, prenominal, immediately postnominal; no part of the word."""
_EXAMPLES = re.compile(r';\s*"')

NO_TARGET = OwnReason("a pointer to a synset or word that is not there", bad=True)
SEMANTIC = OwnReason("antonymy between synsets, not words")


class _Pointer(NamedTuple):
    target: tuple[str, str]
    """Part of speech and offset of a synset."""
    source_word: int
    target_word: int
    """Numbers of the words, from 1; 0 for the whole synset."""


class _Synset(NamedTuple):
    words: tuple[str, ...]
    pos: str
    gloss: str | None
    antonyms: tuple[_Pointer, ...]
    where: str


def read(path: Path, tally: Tally, language: str = "en") -> Iterator[Record]:
    """Yield the words of each synset as a group, and an antonym for each antonym pointer from one word to another.

    The indirect antonyms of satellite adjectives (swift and slow, by way of fast) are not stated by WordNet and are not
    yielded. Senses are the definitions of the synsets, without their examples.

    Args:
        path: a folder with the four data files, or with a folder ``dict`` that has them; or a tar archive of such.
        tally: counts synsets read, and lines and pointers refused.
        language: not looked at; the files do not say theirs.

    Raises:
        SourceError: one of the files is not there, or cannot be read.
    """
    synsets: dict[tuple[str, str], _Synset] = {}
    for name, content in _contents(path).items():
        for key, synset in _synsets(name, content, tally):
            if key in synsets:
                tally.reject(Reason.DUPLICATE, " ".join(synset.words), where=synset.where)
                continue
            synsets[key] = synset
            yield Group(synset.words, synset.pos, synset.gloss)
    for synset in synsets.values():
        for pointer in synset.antonyms:
            yield from _antonym(synset, pointer, synsets, tally)


def _contents(path: Path) -> dict[str, bytes]:
    try:
        contents = _from_folder(path) if path.is_dir() else _from_archive(path)
    except (OSError, tarfile.TarError) as error:
        raise SourceError(
            f"{path}: cannot be read ({error}); give the folder with {', '.join(_FILES)}, or a tar archive of it"
        ) from error
    missing = [name for name in _FILES if name not in contents]
    if missing:
        raise SourceError(f"{path}: no {', '.join(missing)} in it; give WordNet's folder dict, or a tar archive of it")
    return contents


def _from_folder(path: Path) -> dict[str, bytes]:
    folder = path if (path / "data.noun").exists() else path / "dict"
    return {name: (folder / name).read_bytes() for name in _FILES if (folder / name).exists()}


def _from_archive(path: Path) -> dict[str, bytes]:
    found = {}
    with open_binary(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if name in _FILES and (file := archive.extractfile(member)):
                found[name] = file.read()
        while stream.read(1 << 20):  # to the checksum at the end of what is compressed
            pass
    return {name: found[name] for name in _FILES if name in found}


def _synsets(name: str, content: bytes, tally: Tally) -> Iterator[tuple[tuple[str, str], _Synset]]:
    letter, pos = _FILES[name]
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip() or line.startswith(b"  "):  # the licence, at the top of each file
            continue
        tally.n_records += 1
        where = f"{name}, line {number}"
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            tally.reject(Reason.INVALID_UTF8, line.decode("utf-8", "replace"), where=where)
            continue
        try:
            offset, words, antonyms = _parse(text.partition("|")[0].split())
        except (ValueError, IndexError):
            tally.reject(Reason.MALFORMED, text, where=where)
            continue
        definition = _EXAMPLES.split(text.partition("|")[2], maxsplit=1)[0].strip() or None
        yield (letter, offset), _Synset(words, pos, definition, antonyms, where)


def _parse(fields: list[str]) -> tuple[str, tuple[str, ...], tuple[_Pointer, ...]]:
    """Return offset, words and antonym pointers of a synset.

    Raises:
        ValueError, IndexError: the fields are not those of a synset.
    """
    offset, n_words = fields[0], int(fields[3], 16)
    after_words = 4 + 2 * n_words
    n_pointers = int(fields[after_words])
    pointers = fields[after_words + 1 : after_words + 1 + 4 * n_pointers]
    if not offset.isdecimal() or n_words < 1 or len(pointers) != 4 * n_pointers:
        raise ValueError("not a synset")
    words = tuple(_MARKER.sub("", word).replace("_", " ") for word in fields[4:after_words:2])
    antonyms = tuple(
        # a satellite (s) is in the file of the adjectives
        _Pointer(("a" if pos == "s" else pos, target), *_word_numbers(numbers))
        for symbol, target, pos, numbers in zip(*(pointers[i::4] for i in range(4)), strict=True)
        if symbol == "!"
    )
    return offset, words, antonyms


def _word_numbers(text: str) -> tuple[int, int]:
    source, target = bytes.fromhex(text)
    return source, target


def _antonym(
    synset: _Synset, pointer: _Pointer, synsets: dict[tuple[str, str], _Synset], tally: Tally
) -> Iterator[Statement]:
    words, target = synset.words, synsets.get(pointer.target)
    if target is None or pointer.source_word > len(words) or pointer.target_word > len(target.words):
        tally.reject(NO_TARGET, f"{', '.join(words)} ! {' '.join(pointer.target)}", where=synset.where)
    elif not (pointer.source_word and pointer.target_word):
        tally.reject(SEMANTIC, f"{', '.join(words)} / {', '.join(target.words)}", where=synset.where)
    else:
        word, other = words[pointer.source_word - 1], target.words[pointer.target_word - 1]
        yield Statement(word, other, "antonym", synset.pos, synset.gloss)


READER = Reader(
    title="Princeton WordNet, or another wordnet in its format",
    reads="the folder of data.noun, data.verb, data.adj, data.adv, or a tar archive of it",
    read=read,
    licence="LicenseRef-WordNet-3.0",
    licence_note="free for any purpose; keep Princeton's notice with all copies, changed ones included",
    citation=(
        "George A. Miller: WordNet: A Lexical Database for English. Communications of the ACM 38(11), 39-41, 1995. "
        "Christiane Fellbaum (ed.): WordNet: An Electronic Lexical Database. MIT Press, 1998."
    ),
    folders=True,
)
