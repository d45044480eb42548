from __future__ import annotations

import bz2
import os
from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10" xml:lang="{edition}">\n'
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

    def write(name: str = "dump.xml", pages: dict[str, str] | None = None, edition: str = "en") -> Path:
        body = "".join(PAGE.format(title=title, text=text) for title, text in (pages or PAGES).items())
        data = (HEAD.format(edition=edition) + body + "</mediawiki>\n").encode()
        path = tmp_path / name
        path.write_bytes(bz2.compress(data) if name.endswith(".bz2") else data)
        return path

    return write


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and no Brown corpus anywhere."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LEXKIT_CACHE", str(folder))
    monkeypatch.delenv("NLTK_DATA", raising=False)
    monkeypatch.setattr("lexkit.sources.dumps.brown._nltk_path", list)
    return folder


@pytest.fixture
def development(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a stand-in for wiktextract's development version before the installed one; returns its log of calls."""
    site = tmp_path / "site"
    files = {
        "wiktextract/__init__.py": "",
        "wiktextract/wiktwords.py": Path(__file__).with_name("wiktwords_of_development.py").read_text("utf-8"),
        "wikitextprocessor/__init__.py": "",
        "mediawiki_langcodes.py": (
            "def code_to_name(code, edition):\n    return {'en': 'English', 'fr': 'French'}.get(code, '')\n"
        ),
    }
    for package in ("wiktextract", "wikitextprocessor"):
        info = f"{package}-1.99.7.dist-info"
        files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.99.7\n"
        files[f"{info}/RECORD"] = f"{package}/__init__.py,sha256=0,0\n"
    files["wiktextract-1.99.7.dist-info/entry_points.txt"] = (
        "[console_scripts]\nwiktwords = wiktextract.wiktwords:main\n"
    )
    for name, text in files.items():
        file = site / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")])))
    return cache / "wiktextract" / "calls.txt"
