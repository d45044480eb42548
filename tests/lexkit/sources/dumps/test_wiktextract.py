"""With the wiktextract that is installed."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

import lexkit
from lexkit.errors import SourceError
from lexkit.sources.dumps.extraction import extract
from lexkit.sources.read_report import ReadReport
from lexkit.sources.records import Statement
from lexkit.sources.wiktionary import reader

pytest.importorskip("importlib.metadata").distribution("wiktextract")

MINI = "wiktionary/enwiktionary-mini-standin-templates-pages-articles.xml.bz2"
MINI_JSONL = "wiktionary/wiktextract-1.99.7-mini.jsonl.gz"
PAGES = {
    "glad": """==English==
===Adjective===
{{en-adj}}
# Pleased, happy &amp; gratified.
====Synonyms====
* [[happy]], [[cheerful]]
====Antonyms====
* [[sad]]
""",
    "sad": """==English==
===Adjective===
# Feeling sorrow.
#: {{synonyms|en|unhappy}}
====Synonyms====
* [[blue]]
==Danish==
===Verb===
# past tense of [[sidde]]
""",
    "triste": """==French==
===Adjective===
# [[sad]]
====Synonyms====
* [[malheureux]]
""",
}


def statements(path: Path) -> list[Statement]:
    records = (record for batch in reader.read(path, ReadReport()) for record in batch.records())
    return [record for record in records if isinstance(record, Statement)]


def counts(path: Path) -> Counter[str]:
    """Lines, entries of English, and their linkages at both levels."""
    found: Counter[str] = Counter()
    with gzip.open(path) as lines:
        for entry in map(json.loads, lines):
            found["lines"] += 1
            if entry.get("lang_code") == "en":
                found["entries"] += 1
                for kind in ("synonyms", "antonyms"):
                    found[f"{kind} of entries"] += len(entry.get(kind, ()))
                    found[f"{kind} of senses"] += sum(len(sense.get(kind, ())) for sense in entry["senses"])
    return found


def related(store: Path) -> set[tuple[str, str, str]]:
    """The stated relations."""
    with closing(duckdb.connect(str(store), read_only=True)) as connection:
        return set(
            connection.execute(
                "SELECT a.word, b.word, kind FROM relation JOIN word a ON a.word_id = word_a"
                " JOIN word b ON b.word_id = word_b WHERE direct"
            ).fetchall()
        )


@pytest.mark.slow
def test_a_dump_of_three_pages(write_dump: Callable[..., Path], cache: Path) -> None:
    dump = write_dump("dump.xml.bz2", PAGES)
    assert {(s.word, s.other, s.kind) for s in statements(extract(dump, jobs=2))} >= {
        ("glad", "happy", "synonym"),
        ("glad", "cheerful", "synonym"),
        ("glad", "sad", "antonym"),
        ("sad", "blue", "synonym"),
    }
    batches = reader.read(extract(dump, language="fr"), ReadReport(), "fr")
    french = [record for batch in batches for record in batch.records()]
    assert ("triste", "malheureux", "synonym") in {record[:3] for record in french if isinstance(record, Statement)}
    with pytest.raises(SourceError, match="does not know the language 'xx'"):
        extract(dump, language="xx")


@pytest.mark.slow
def test_the_mini_dump_gives_the_relations_of_its_jsonl(
    shared: Callable[[str], Path], cache: Path, tmp_path: Path
) -> None:
    """The JSONL was made with the real Brown corpus; with the stand-in a few notes are taken for terms."""
    from_dump, from_jsonl = tmp_path / "dump.duckdb", tmp_path / "jsonl.duckdb"
    lexkit.build(from_dump, wiktionary=[shared(MINI)])
    lexkit.build(from_jsonl, wiktionary=[shared(MINI_JSONL)])
    made, expected = counts(next(cache.glob("wiktextract/*.jsonl.gz"))), counts(shared(MINI_JSONL))
    assert expected - made == {"synonyms of entries": 2_477 - 2_461, "antonyms of entries": 311 - 302}
    assert not made - expected
    ours, theirs = related(from_dump), related(from_jsonl)
    assert len(theirs) == 2_550
    assert (len(theirs - ours), len(ours - theirs)) == (11, 21)
    assert ("crude", "crude oil", "synonym") in ours - theirs


@pytest.mark.slow
def test_an_extraction_killed_twice_gives_the_same_bytes(
    shared: Callable[[str], Path], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bz2.open(shared(MINI), "rt", encoding="utf-8") as stream:
        text = stream.read()
    pages = re.findall("<page>.*?</page>\n", text, re.DOTALL)
    kept = [page for n, page in enumerate(pages) if "<ns>0</ns>" not in page or n % 10 == 0]
    dump = tmp_path / "dump.xml"
    dump.write_text(text[: text.index("<page>")] + "".join(kept) + "</mediawiki>\n", encoding="utf-8")

    whole = extract(dump, jobs=2).read_bytes()
    monkeypatch.setenv("LEXKIT_CACHE", str(tmp_path / "killed"))
    code = (
        "import sys, pathlib; from lexkit.sources.dumps.extraction import extract; extract(pathlib.Path(sys.argv[1]))"
    )
    work, collected = tmp_path / "killed" / "wiktextract", set()
    for n_batches in (1, 2):
        with subprocess.Popen([sys.executable, "-c", code, dump], env=os.environ | {"HOME": str(tmp_path)}) as process:
            while len(list(work.glob("*.partial/results/*.json"))) < n_batches:
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
        collected |= {file.stat().st_mtime_ns for file in work.glob("*.partial/pages")}
    assert not list(work.glob("*.jsonl.gz"))
    assert len(collected) == 1
    assert extract(dump, jobs=1).read_bytes() == whole
