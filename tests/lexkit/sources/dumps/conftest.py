from __future__ import annotations

import bz2
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10" xml:lang="en">
<siteinfo><sitename>Wiktionary</sitename><base>https://en.wiktionary.org/wiki/Wiktionary:Main_Page</base></siteinfo>
"""
PAGE = """<page><title>{title}</title><ns>0</ns><id>1</id><revision><id>1</id><model>wikitext</model>
<format>text/x-wiki</format><text xml:space="preserve">{text}</text></revision></page>
"""
PAGES = {
    "glad": "==en==\n[[happy]] [[content]]",
    "sad": "==en==\n[[unhappy]]",
    "triste": "==fr==\n[[malheureux]]",
}


@pytest.fixture
def write_dump(tmp_path: Path) -> Callable[..., Path]:
    """Write a dump of a few pages, as its name says plain or bzip2."""

    def write(name: str = "dump.xml", pages: dict[str, str] | None = None) -> Path:
        body = "".join(PAGE.format(title=title, text=text) for title, text in (pages or PAGES).items())
        data = f"{HEAD}{body}</mediawiki>\n".encode()
        path = tmp_path / name
        path.write_bytes(bz2.compress(data) if name.endswith(".bz2") else data)
        return path

    return write


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and no Brown corpus anywhere."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LEXKIT_CACHE", str(folder))
    monkeypatch.setattr("lexkit.sources.dumps.brown_corpus._nltk_path", list)
    return folder


@pytest.fixture
def calls(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put `fake_wiktextract` before the installed wiktextract; returns its log of calls."""
    site = tmp_path / "site"
    site.mkdir()
    shutil.copy(Path(__file__).with_name("fake_wiktextract.py"), site)
    for name in ("wiktextract", "wikitextprocessor", "nltk"):
        (site / f"{name}.py").write_text("from fake_wiktextract import *\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")])))
    log = tmp_path / "calls.txt"
    monkeypatch.setenv("FAKE_LOG", str(log))
    return log
