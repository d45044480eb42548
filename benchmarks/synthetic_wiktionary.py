"""Write a file as large as you like in the form of wiktextract's JSON lines.

Usage: python benchmarks/synthetic_wiktionary.py FOLDER OUTPUT --size 2GB [--english 1.0] [--mean-length 1900]

How it is made: every line is a real entry of the sample files in FOLDER (wiktextract-1.99.7-mini.jsonl.gz,
kaikki-sample.jsonl, raw-mixed-languages.jsonl), with all its fields, whose own word and whose synonyms and antonyms
are replaced by made-up words. So the schema, the nesting and the bytes that a reader must pass over are the true ones.

- Own words are new in four lines of five, and otherwise repeat the last, as parts of speech do.
- Targets are drawn from the own words so far, lower numbers more often, as frequent words are.
- The samples are long entries (5 kB on average), since they are of common words; the real file has 1,900 bytes a line
  (kaikki.org: 2.7 GB, 1.4 million entries). So shorter entries are drawn more often: the k-th shortest of n with
  k = n * u ** e, u uniform, and e such that the expected length is --mean-length.
- --english is the share of English lines; the rest are the entries of other languages. The raw file of all languages
  has about 0.14.

The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SLOT = "\x1a"
_SYLLABLES = [c + v for c in "b c d f g h k l m n p r s t v w".split() for v in "a e i o u".split()]
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


def main() -> None:
    """Write the file and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--size", default="2GB")
    parser.add_argument("--english", type=float, default=1.0)
    parser.add_argument("--mean-length", type=float, default=1900)
    options = parser.parse_args()
    size = int(float(options.size[:-2]) * _UNITS[options.size[-2:]])
    n_lines = write(options.folder, options.output, size, options.english, options.mean_length)
    print(f"{options.output}: {options.output.stat().st_size:,} bytes, {n_lines:,} lines")


def write(folder: Path, output: Path, size: int, english: float = 1.0, mean_length: float = 1900) -> int:
    """Write at least *size* bytes to *output* and return the number of lines."""
    templates: dict[bool, list[list[bytes]]] = {True: [], False: []}
    for entry in _samples(folder):
        templates[entry["lang_code"] == "en"].append(_template(entry))
    draws = {is_english: _Draw(kind, mean_length) for is_english, kind in templates.items()}
    random_ = random.Random(0)
    written = n_lines = n_words = 0
    with output.open("wb") as stream:
        while written < size:
            parts = draws[random_.random() < english].one(random_)
            n_words += random_.random() < 0.8
            words = [_word(n_words)]
            words += [_word(int(n_words * random_.random() ** 2)) for _ in range(len(parts) - 2)]
            line = b"".join(piece for pair in zip(parts, [*words, b""], strict=True) for piece in pair)
            stream.write(line)
            written += len(line)
            n_lines += 1
    return n_lines


def _samples(folder: Path) -> Iterator[dict[str, Any]]:
    for name in ("wiktextract-1.99.7-mini.jsonl.gz", "kaikki-sample.jsonl", "raw-mixed-languages.jsonl"):
        path = folder / name
        with gzip.open(path, "rt", encoding="utf-8") if name.endswith(".gz") else path.open(encoding="utf-8") as lines:
            for line in lines:
                entry = json.loads(line)
                if "lang_code" in entry and "word" in entry:
                    yield entry


def _template(entry: dict[str, Any]) -> list[bytes]:
    """The bytes of an entry around its own word and its targets; the own word comes first."""
    del entry["word"]
    entry = {"word": _SLOT, **entry}
    for holder in [entry, *entry.get("senses", [])]:
        for linkage in holder.get("synonyms", []) + holder.get("antonyms", []):
            linkage["word"] = _SLOT
    return (json.dumps(entry, ensure_ascii=False) + "\n").encode().split(json.dumps(_SLOT)[1:-1].encode())


class _Draw:
    """Draws templates, shorter ones more often, so that a line has *mean* bytes on average."""

    def __init__(self, templates: list[list[bytes]], mean: float) -> None:
        self._templates = sorted(templates, key=lambda parts: (sum(map(len, parts)), parts))
        lengths = [sum(map(len, parts)) + 6 * (len(parts) - 1) for parts in self._templates]
        low, high = 0.01, 100.0
        for _ in range(60):
            self._exponent = (low + high) / 2
            points = [int(len(lengths) * ((i + 0.5) / 5000) ** self._exponent) for i in range(5000)]
            if sum(lengths[k] for k in points) / len(points) > mean:
                low = self._exponent
            else:
                high = self._exponent

    def one(self, random_: random.Random) -> list[bytes]:
        return self._templates[int(len(self._templates) * random_.random() ** self._exponent)]


def _word(number: int) -> bytes:
    """The made-up word of a number; different numbers give different words."""
    syllables = []
    number += len(_SYLLABLES)
    while number:
        number, digit = divmod(number, len(_SYLLABLES))
        syllables.append(_SYLLABLES[digit])
    return "".join(syllables).encode()


if __name__ == "__main__":
    main()
