"""Which wiktextract is installed, and how its command ``wiktwords`` wants to be asked.

There are two in use: 1.99.7 of PyPI, from 2022, which has English names of languages and ``--cache``, and the
development version, which has language codes and ``--db-path``. The development version still calls itself 1.99.7,
so that only ``wiktwords --help`` tells them apart. wiktextract is not imported here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Protocol

from lexkit.errors import SourceError

ENTRIES = "entries.jsonl"
_NO_OUTPUT = "/dev/null"
_NO_PAGE = "/dev/null"


@dataclass(frozen=True)
class Installed:
    """The wiktextract that is installed."""

    version: str
    fingerprint: str
    """Digest, in hexadecimal, of the code that decides what is extracted."""


def find_installed() -> Installed:
    """Return what is installed, from the metadata of the packages.

    Raises:
        SourceError: wiktextract is not installed.
    """
    try:
        packages = [distribution(name) for name in ("wiktextract", "wikitextprocessor")]
    except PackageNotFoundError as error:
        raise SourceError(
            f"{error.name} is not installed, which reads Wiktionary dumps; 'pip install wiktextract'"
        ) from error
    digest = hashlib.sha256()
    for package in packages:
        digest.update("\n".join([package.version, *_code(package)]).encode())
    return Installed(packages[0].version, digest.hexdigest())


def _code(package: Distribution) -> list[str]:
    """Return the checksums of a package's modules, and the commit it is from, as far as its installer recorded them."""
    record = (package.read_text("RECORD") or "").splitlines()
    modules = sorted(line for line in record if line.partition(",")[0].endswith((".py", "wiktwords")))
    return [*modules, package.read_text("direct_url.json") or ""]


class Wiktwords(Protocol):
    """The arguments of ``wiktwords`` for the two phases; files are in the folder where it runs.

    The first phase collects the dump's pages in a database, the second makes entries of them.
    """

    takes_plain_xml: bool
    only_english: bool
    """Whether it can read the English Wiktionary only."""

    def collect(self, dump: str, edition: str, language: str) -> list[str]:
        """Return the arguments of the first phase, *language* being a code."""

    def extract(self, edition: str, language: str, name: str, jobs: int) -> list[str]:
        """Return the arguments of the second phase, which writes `ENTRIES`; *name* is the language's English name."""


class Released:
    """Version 1.99.7 of PyPI; the number of its processes is set in `lexkit.sources.dumps.child`."""

    takes_plain_xml = True
    only_english = True

    def collect(self, dump: str, edition: str, language: str) -> list[str]:
        """Return arguments that ask for one page, an empty one: the only way to stop after the first phase."""
        return ["--cache", "pages", "--page", _NO_PAGE, "--out", _NO_OUTPUT, dump]

    def extract(self, edition: str, language: str, name: str, jobs: int) -> list[str]:
        """Return arguments that read the pages of the first phase."""
        return ["--cache", "pages", "--all", "--language", name, "--out", ENTRIES]


class Development:
    """The development version."""

    takes_plain_xml = False
    only_english = False

    def __init__(self, usage: str) -> None:
        self._edition = "--edition" if "--edition" in usage else "--dump-file-language-code"
        self._stop = ["--skip-extraction"] if "--skip-extraction" in usage else ["--page", _NO_PAGE]

    def collect(self, dump: str, edition: str, language: str) -> list[str]:
        """Return arguments that stop after the first phase and write no entries."""
        return [*self._common(edition, language), *self._stop, "--out", _NO_OUTPUT, dump]

    def extract(self, edition: str, language: str, name: str, jobs: int) -> list[str]:
        """Return arguments that read the pages of the first phase, which are in the folder's database."""
        return [*self._common(edition, language), "--num-processes", str(jobs), "--all", "--out", ENTRIES]

    def _common(self, edition: str, language: str) -> list[str]:
        return ["--db-path", "pages.db", self._edition, edition, "--language-code", language]


def wiktwords_of(usage: str) -> Wiktwords:
    """Tell from what ``wiktwords --help`` prints which of the two it is.

    Raises:
        SourceError: neither.
    """
    if "--language-code" in usage and "--db-path" in usage:
        return Development(usage)
    if "--language LANGUAGE" in usage and "--cache" in usage:
        return Released()
    raise SourceError("the installed wiktextract is of an unknown kind; 'pip install wiktextract==1.99.7'")
