from __future__ import annotations

import re

import msgspec
import pytest

from lexkit.sources.catalog import is_non_commercial, licence_of, licence_of_starter, load_catalog
from lexkit.sources.data_files import data_file
from lexkit.store.choose_sources import STARTER


def test_every_source_says_where_it_comes_from() -> None:
    entries = load_catalog().source
    assert {"wiktionary", "wiktionary-dump", "roget-22", "roget-10681", "morpholex"} <= {e.name for e in entries}
    for entry in entries:
        texts = [value for value in msgspec.to_builtins(entry).values() if isinstance(value, str)]
        assert all(texts), entry.name
        assert entry.download, entry.name
        assert all(download.url.startswith("https://") for download in entry.download)


def test_one_row_makes_a_source_of_a_language() -> None:
    entries = {entry.name: entry for entry in load_catalog().source}
    editions = "cs de el es fr id it ja ko ku ms nl pl pt ru th tr vi zh".split()
    assert [name for name in entries if re.fullmatch("wiktionary-[a-z]{2}", name)] == [
        f"wiktionary-{code}" for code in editions
    ]
    spanish = entries["wiktionary-es"]
    assert spanish.title == "Spanish Wiktionary, as extracted by wiktextract"
    assert spanish.to_fetch.url == "https://kaikki.org/eswiktionary/raw-wiktextract-data.jsonl.gz"
    assert (spanish.language, spanish.note, spanish.has_thesaurus) == ("es", None, False)
    english = entries["kaikki-en"]
    assert english.to_fetch.url == "https://kaikki.org/dictionary/English/kaikki.org-dictionary-English.jsonl.gz"
    assert english.note is not None
    assert english.note.startswith("its publisher calls the postprocessed files deprecated")
    texts = [
        text for entry in entries.values() for text in (entry.name, entry.title, entry.homepage, entry.to_fetch.url)
    ]
    assert not [text for text in texts if "{" in text]


def test_licences() -> None:
    assert licence_of("wiktionary") == "CC-BY-SA-4.0"
    assert licence_of("morpholex") == "CC-BY-NC-SA-4.0"
    assert licence_of("pairs") is None


def test_the_starter_files_are_there_with_a_licence() -> None:
    for name in STARTER.values():
        assert data_file(f"starter/{name}").stat().st_size > 0
        assert licence_of_starter(name)


def test_what_lexkit_brings_may_be_used_commercially() -> None:
    catalog = load_catalog()
    assert not any(is_non_commercial(item.licence) for item in (*catalog.carried, *catalog.starter))


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC-BY-NC-SA-4.0", True),
        ("CC-BY-NC AND CC0-1.0", True),
        ("cc-by-nc-4.0", True),
        ("CC BY NC 4.0", True),
        ("Creative Commons Attribution-NonCommercial 4.0 International", True),
        ("LicenseRef-Brown-non-commercial", True),
        ("cc-by-nc 3.0", True),
        ("CC_BY_NC_SA", True),
        ("CCBYNCSA", True),
        ("https://creativecommons.org/licenses/by-nc/4.0/", True),
        ("CC-BY-NC4.0", True),
        ("Non Commercial", True),
        ("Free, but not for commercial use", True),
        ("No commercial use", True),
        ("Attribution-NoComercial", True),
        ("nicht-kommerziell", True),
        ("for research purposes only", True),
        ("academic use", True),
        ("CC-BY-4.0 OR CC-BY-NC-4.0", True),
        ("", False),
        ("NCSA", False),
        ("Example Inc.", False),
        ("free for any purpose, commercial ones included", False),
        ("Apache-2.0", False),
        ("CC-BY-SA-4.0", False),
        ("LicenseRef-Vincent", False),
        (None, False),
    ],
)
def test_non_commercial_licences_are_known(licence: str | None, expected: bool) -> None:
    assert is_non_commercial(licence) is expected
