"""Takes the place of the development version's ``wiktwords`` in tests: the same options, and a simple idea of a page.

It keeps the database it collects, reads only what ends in .bz2, and writes beside the result, as the original does.
``$FAKE`` makes it misbehave, ``$FAKE_SECONDS`` makes every page take time.
"""

from __future__ import annotations

import argparse
import bz2
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", nargs="?", default=None)
    parser.add_argument("--out")
    parser.add_argument("--dump-file-language-code", "--edition", default="en")
    parser.add_argument("--language-code", action="append", default=[])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--skip-extraction", action="store_true")
    parser.add_argument("--db-path")
    parser.add_argument("--num-processes", type=int)
    arguments = parser.parse_args()
    misbehave(os.environ.get("FAKE", ""))
    database = Path(arguments.db_path)
    with Path("../calls.txt").open("a") as calls:
        calls.write("collect\n" if arguments.skip_extraction else "extract\n")
    if arguments.path:
        assert arguments.path.endswith(".bz2")
        with database.open("w", encoding="utf-8") as pages, bz2.open(arguments.path, "rt", encoding="utf-8") as dump:
            for page in re.findall("<page>.*?</page>", dump.read(), re.DOTALL):
                found = re.search("<title>(.*?)</title>.*<text[^>]*>(.*?)</text>", page, re.DOTALL)
                assert found
                pages.write(json.dumps(found.groups()) + "\n")
                pause()
    if not arguments.skip_extraction:
        lines = database.read_text(encoding="utf-8").splitlines()
        with Path(f"{arguments.out}.tmp").open("w", encoding="utf-8") as entries:
            for n, line in enumerate(lines, 1):
                title, text = json.loads(line)
                for code in arguments.language_code:
                    if f"=={code}==" in text:
                        synonyms = [{"word": word} for word in re.findall(r"\[\[(.*?)\]\]", text)]
                        entry = {"word": title, "lang_code": code, "pos": "adj", "synonyms": synonyms}
                        entries.write(json.dumps(entry) + "\n")
                sys.stderr.write(f"2026-01-01 00:00:00,000 INFO:   ... {n}/{len(lines)} pages (1.0%) processed\n")
                pause()
        Path(f"{arguments.out}.tmp").replace(arguments.out)


def pause() -> None:
    time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))


def misbehave(how: str) -> None:
    if how == "fail":
        sys.stderr.write("[nltk_data] Error loading brown: no network\nUserWarning: an old thing\n")
        raise ValueError("page 7 is too hard")
    if how == "die":
        os.kill(os.getpid(), 9)
    if how == "give up pages":
        for title in ("glad", "sad", "glad"):
            sys.stderr.write(f'{title}: ERROR: === EXCEPTION while parsing page "{title}" in process 1\n')
    if how == "leave a worker":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        os.kill(os.getpid(), 9)


if __name__ == "__main__":
    main()
