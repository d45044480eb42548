"""Takes the place of wiktextract and what it needs in tests: the same functions, and a simple idea of a page.

``$FAKE`` and the text of a page make it misbehave.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ALL_LANGUAGES = [{"code": "en", "name": "English"}, {"code": "fr", "name": "French"}]
CODES = {language["name"]: language["code"] for language in ALL_LANGUAGES}


def log(what: str) -> None:
    with Path(os.environ["FAKE_LOG"]).open("a") as calls:
        calls.write(f"{what}\n")


class Wtp:
    """Keeps the pages, in memory and in its cache file."""

    def __init__(self, cache_file: str, quiet: bool) -> None:
        self.saved = Path(f"{cache_file}.pickle")
        self.pages = json.loads(self.saved.read_text()) if self.saved.exists() else []
        self.page_seq = [(model, title) for model, title, _ in self.pages]

    def add_page(self, model: str, title: str, text: str, transient: bool = False) -> None:
        if not transient:
            self.pages.append((model, title, text))

    def analyze_templates(self) -> None:
        log("collect")
        misbehave("collect")
        self.saved.write_text(json.dumps(self.pages))

    def start_page(self, title: str) -> None:
        self.title = title

    def read_by_title(self, title: str) -> str:
        assert title == self.title
        return next(text for _, known, text in self.pages if known == title)

    def reprocess(self, handle: Callable[..., Any], autoload: bool = True) -> Iterator[Any]:
        raise NotImplementedError


class WiktionaryConfig:
    def __init__(self, capture_languages: list[str]) -> None:
        self.codes = [CODES[name] for name in capture_languages]


def reprocess_wiktionary(
    context: Wtp, config: WiktionaryConfig, write: Callable[[dict[str, Any]], None], capture: None
) -> None:
    log("extract")
    print("NOISE")  # noqa: T201
    misbehave("extract")
    list(context.reprocess(lambda model, title, text: [title], autoload=False))

    def handle(model: str, title: str, text: str) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
        misbehave(f"page {title}")
        codes = [code for code in config.codes if f"=={code}==" in text]
        synonyms = [{"word": word} for word in re.findall(r"\[\[(.*?)\]\]", text)]
        entries = [{"word": title, "lang_code": code, "pos": "adj", "synonyms": synonyms} for code in codes]
        return (entries, {"errors": ["x"] * 1000}) if model == "wikitext" else None

    for entries, statistics in context.reprocess(handle):
        assert "errors" not in statistics
        for entry in entries:
            write(entry)


def misbehave(place: str) -> None:
    wanted, _, how = os.environ.get("FAKE", "").partition(": ")
    if wanted != place:
        return
    if how == "fail":
        sys.stderr.write("UserWarning: an old thing\n")
        raise ValueError("this is too hard\nfor me")
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "leave a worker and die":
        worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        log(f"pid {worker.pid}")
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "take all memory":
        sys.stderr.write(f"{len(bytes(1 << 40))}")
    if how == "hang":
        log(f"pid {os.getpid()}")
        while True:
            signal.pause()
