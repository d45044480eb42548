"""How fast words are looked up in a store of a million relations, beside NLTK's WordNet and `wn`.

Usage: python benchmarks/lookup.py [--relations 1000000] [--words 3000] [--wordnet /usr/share/wordnet]

The store is made by synthetic_store.py; WordNet is Debian's package wordnet-base (or the folder dict/ of Princeton's
WordNet 3.0), `wn` comes from PyPI and gets the same WordNet, as WN-LMF that is written here. All three are asked for
the synonyms and antonyms of the same words, drawn by seed from those that all know; a look-up is both questions about
one word. NLTK holds WordNet's index in memory and reads its data files; `wn` asks SQLite; lexkit holds an index in
memory. Every library runs in a process of its own, in turns; the median look-up of each run is taken, and of these the
median.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.sax.saxutils import quoteattr

import nltk.data
import synthetic_store
from nltk.corpus.reader.wordnet import WordNetCorpusReader

import lexkit

_TIMED = """
import sys, time, statistics
words = sys.stdin.read().splitlines()
started = time.perf_counter()
look_up = open_it()
opened = time.perf_counter()
n = len(look_up(words[0]))
first = time.perf_counter()
seconds = []
for word in words:
    start = time.perf_counter()
    look_up(word)
    seconds.append(time.perf_counter() - start)
print(opened - started, first - opened, statistics.median(seconds), sum(seconds))
"""
_LEXKIT = """
import lexkit.store.lexicon
def open_it():
    lexicon = lexkit.open(sys.argv[1])
    return lambda word: lexicon.synonyms(word) + lexicon.antonyms(word)
"""
_NLTK = """
import nltk.data
nltk.data.path.append(sys.argv[1])  # it reads nowhere else
from nltk.corpus.reader.wordnet import WordNetCorpusReader
WordNetCorpusReader.map_wn = lambda self, version=None: None
def open_it():
    wordnet = WordNetCorpusReader(sys.argv[1], None)
    def look_up(word):
        lemmas = wordnet.lemmas(word)
        synonyms = [other.name() for lemma in lemmas for other in lemma.synset().lemmas()]
        return synonyms + [antonym.name() for lemma in lemmas for antonym in lemma.antonyms()]
    return look_up
"""
_WN = """
import wn
def open_it():
    wn.config.data_directory = sys.argv[1]
    wordnet = wn.Wordnet("wordnet:3.0")
    def look_up(word):
        senses = wordnet.senses(word)
        synonyms = [lemma for sense in senses for lemma in sense.synset().lemmas()]
        return synonyms + [a.word().lemma() for sense in senses for a in sense.get_related("antonym")]
    return look_up
"""
_MANY = """
import sys, time, lexkit
words = sys.stdin.read().splitlines()
with lexkit.open(sys.argv[1]) as lexicon:
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        lexicon.neighbors(words, "synonym")
        seconds.append(time.perf_counter() - start)
print(*seconds)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--relations", type=int, default=1_000_000)
    parser.add_argument("--words", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store = folder / "lexkit.duckdb"
        synthetic_store.build(store, options.relations)
        with lexkit.open(store) as lexicon:
            counts = lexicon.statistics()
            relations = sum(kind.relations for kind in counts.kinds)
            size = store.stat().st_size
            print(f"{relations:,} relations of {counts.words:,} words, {size / relations:.0f} bytes a relation")
            wordnet = reader(options.wordnet, folder / "wordnet")
            known = sorted({name for name in wordnet.all_lemma_names() if "_" not in name and name in lexicon})
            chance = random.Random(0)
            words = chance.sample(known, options.words)
            many = chance.choices(lexicon.words().to_pylist(), k=10_000)
        write_lmf(wordnet, folder / "wordnet.xml")
        data = folder / "wn"
        data.mkdir()
        add = f"import wn; wn.config.data_directory = {str(data)!r}; wn.add({str(folder / 'wordnet.xml')!r})"
        subprocess.run([sys.executable, "-c", add], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cases = {"lexkit": (_LEXKIT, store), "NLTK": (_NLTK, folder / "wordnet"), "wn": (_WN, data)}
        print(f"{len(words):,} of the {len(known):,} words that all know")
        compare(cases, words, options.runs)
        seconds = run(_MANY, store, many)
        print(f"neighbors() of {len(many):,} words: {seconds[0]:.2f} s, then {statistics.median(seconds[1:]):.2f} s")


def compare(cases: dict[str, tuple[str, Path]], words: list[str], runs: int) -> None:
    """Print what each case takes to open, for its first look-up, and for one of many."""
    measured: dict[str, list[list[float]]] = {name: [] for name in cases}
    for _ in range(runs):
        for name, (code, path) in cases.items():
            measured[name].append(run("import sys\n" + code + _TIMED, path, words))
    print(f"{'':<8} {'open':>9} {'first':>9} {'look-up':>12}   against lexkit")
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in measured.items()
    }
    for name, (opened, first, one, _) in medians.items():
        times = one / medians["lexkit"][2]
        print(f"{name:<8} {opened * 1e3:>6.0f} ms {first * 1e3:>6.0f} ms {one * 1e3:>9.3f} ms   {times:.1f} times")


def run(code: str, path: Path, words: list[str]) -> list[float]:
    """Run Python code in a process of its own, and return the numbers that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], input="\n".join(words), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return [float(number) for number in done.stdout.split()]


def reader(wordnet: Path, folder: Path) -> WordNetCorpusReader:
    """Return NLTK's reader of the files, which wants one more than Debian has: the names of lexicographers' files."""
    folder.mkdir()
    for path in wordnet.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    if not (folder / "lexnames").exists():
        (folder / "lexnames").write_text("".join(f"{i:02d}\tfile{i:02d}\t1\n" for i in range(45)), encoding="ascii")
    nltk.data.path.append(str(folder))  # it reads nowhere else
    # which maps WordNet 3.1 to 3.0 by files that NLTK's own package of 3.0 has
    WordNetCorpusReader.map_wn = lambda self, version=None: None
    return WordNetCorpusReader(str(folder), None)


def write_lmf(wordnet: WordNetCorpusReader, path: Path) -> None:
    """Write words, senses, synsets and antonyms as WN-LMF."""
    entries: dict[tuple[str, str], list[str]] = {}
    synsets = []
    for synset in wordnet.all_synsets():
        key = f"wordnet-{synset.offset():08d}-{synset.pos()}"
        members = []
        for lemma in synset.lemmas():
            members.append(sense_id(lemma))
            relations = "".join(
                f'<SenseRelation relType="antonym" target="{sense_id(antonym)}"/>' for antonym in lemma.antonyms()
            )
            form = lemma.name().replace("_", " ")
            entries.setdefault((form, synset.pos()), []).append(
                f'<Sense id="{members[-1]}" synset="{key}">{relations}</Sense>'
            )
        synsets.append(f'<Synset id="{key}" ili="" partOfSpeech="{synset.pos()}" members="{" ".join(members)}"/>')
    with path.open("w", encoding="utf-8") as out:
        out.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE LexicalResource SYSTEM '
            '"http://globalwordnet.github.io/schemas/WN-LMF-1.1.dtd">\n<LexicalResource '
            'xmlns:dc="https://globalwordnet.github.io/schemas/dc/"><Lexicon id="wordnet" label="WordNet" '
            'language="en" email="none" version="3.0" license="https://wordnet.princeton.edu/license-and-commercial-use">'
        )
        for number, ((form, pos), senses) in enumerate(entries.items()):
            lemma = f'<Lemma writtenForm={quoteattr(form)} partOfSpeech="{pos}"/>'
            out.write(f'<LexicalEntry id="wordnet-w{number}">{lemma}{"".join(senses)}</LexicalEntry>\n')
        out.write("\n".join(synsets))
        out.write("\n</Lexicon></LexicalResource>\n")


def sense_id(lemma: object) -> str:
    """Return an identifier of a lemma in a synset."""
    synset = lemma.synset()  # type: ignore[attr-defined]
    names = [other.name() for other in synset.lemmas()]
    return f"wordnet-{synset.offset():08d}-{synset.pos()}-{names.index(lemma.name())}"  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
