from __future__ import annotations

import json
from pathlib import Path

import pytest

from lexkit.sources.read_report import ReadReport
from lexkit.sources.wiktionary import reader, thesaurus

LINES = [
    {
        "word": "bombastic",
        "senses": [
            {
                "glosses": ["wordy"],
                "synonyms": [{"word": "pompous", "source": "Thesaurus:verbose"}],
                "antonyms": [{"word": "verbose", "source": "Thesaurus:concise"}, {"word": "terse"}],
            }
        ],
        # of the page of the word itself, which was always read rightly
        "antonyms": [{"word": "plain", "source": "Thesaurus:bombastic"}],
    },
    {"word": "c++", "antonyms": [{"word": "rust", "source": "Thesaurus:c++", "sense": "language"}]},
]


def scopes(path: Path, last_modified: str | None) -> tuple[dict[str, str | None], list[str]]:
    notes: list[str] = []
    path.write_text("".join(json.dumps({"lang_code": "en", "pos": "adj", **line}) + "\n" for line in LINES))
    batches = thesaurus.mark(reader.read(path, ReadReport()), last_modified, notes.append)
    records = [record for batch in batches for record in batch.records()]
    return {record.other: record.scope for record in records if hasattr(record, "other")}, notes


@pytest.mark.parametrize("last_modified", [None, "not a date", "Tue, 02 Dec 2025 03:04:05 GMT"])
def test_antonyms_from_the_page_of_another_word_are_doubtful(tmp_path: Path, last_modified: str | None) -> None:
    found, notes = scopes(tmp_path / "w.jsonl", last_modified)
    assert found == {
        "pompous": "thesaurus",
        "verbose": "old_thesaurus",
        "terse": None,
        "plain": "thesaurus",
        "rust": "thesaurus",
    }
    (note,) = notes
    assert note.startswith("1 antonyms from Thesaurus pages have a low confidence: this extract ")
    assert ("this extract was made before 2025-12-18" in note) == (last_modified or "").endswith("GMT")


def test_a_newer_extract_is_right(tmp_path: Path) -> None:
    found, notes = scopes(tmp_path / "w.jsonl", "Thu, 25 Dec 2025 03:04:05 GMT")
    assert found["verbose"] == "thesaurus"
    assert notes == []
