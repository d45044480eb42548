"""Map wiktextract's tags and topics to the labels of `lexkit.sources.records.USAGES`.

The extractors of most editions translate the marks of their pages into the tags of the English edition. Marks that they
cannot translate are in ``raw_tags``, as they are on the page; ``data_sources/wiktionary_marks.tsv`` says what they
mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache

import msgspec

from lexkit.sources.data_files import data_file
from lexkit.sources.read_report import Reason
from lexkit.sources.records import USAGES

# Tags that are not about usage (grammar, "idiomatic", "broadly") have no label. A word used in part of a country is
# labelled dialect; one used in a whole country or several, regional.
_TAGS = {
    "archaic": "archaic",
    "obsolete": "obsolete",
    "dated": "dated",
    "historical": "historical",
    "rare": "rare uncommon nonce-word",
    "dialect": (
        "dialectal dialect African-American-Vernacular-English Appalachia Appalachian Brummie Cockney Cornish Cornwall "
        "Cumbria Derbyshire Devon Doric Durham East-Anglia East-Midlands English-Midlands Essex Estuary-English "
        "Geordie Kent Lancashire Lincolnshire Liverpudlian London Mackem Merseyside Midlands Midwestern-US "
        "Multicultural-London-English New-England New-York New-York-City Newfoundland Norfolk Northamptonshire "
        "Northern-England Northern-English Northern-UK Northumbria Orkney Orcadian Pennsylvania Philadelphia Scouse "
        "Sheffield Shetland Shropshire Southern-American-English Southern-US Suffolk Sussex Teesside Texas Tyneside "
        "Ulster West-Country West-Midlands Yorkshire"
    ),
    "regional": (
        "regional Africa Argentina Asia Australia Australian Austria Austrian Bahamas Bangladesh Barbados Bavaria "
        "Belgium Belize Bolivia Botswana Brazil Brazilian Britain British British-Columbia Brunei California Canada "
        "Canadian Canadian-English Caribbean Catalonia Central-America Channel-Islands Chile Colombia Commonwealth "
        "Costa-Rica Cuba Cyprus Dominican-Republic East-Africa Ecuador El-Salvador England Europe European-Union "
        "Finland France Georgia Germany Ghana Greece Guatemala Guernsey Guyana Hawaii Hiberno-English Honduras "
        "Hong-Kong India Indian-English Indonesia Iran Ireland Irish Isle-of-Man Israel Italy Jamaica Jamaican Japan "
        "Jersey Kenya Latin-America Liechtenstein Louisiana Luxembourg Malaysia Malta Mexico Moldova Mozambique "
        "Namibia Nepal Netherlands New-Zealand Nicaragua Nigeria North-America North-American North-Korea "
        "Northern-Ireland Norway Pakistan Panama Papua-New-Guinea Paraguay Peru Philippine Philippines Portugal "
        "Puerto-Rico Quebec Romania Russia Scotland Scottish Singapore South-Africa South-African South-America "
        "South-Asia South-Korea Southern-Africa Spain Sri-Lanka Surinam Suriname Sweden Switzerland Swiss Taiwan "
        "Tasmania Thailand Trinidad-and-Tobago UK US Uganda Ukraine Uruguay Venezuela Vietnam Wales Welsh-English "
        "Zambia Zimbabwe"
    ),
    "literary": "literary poetic",
    "informal": "informal colloquial familiar childish baby-talk",
    "slang": "slang internet-slang Leet Polari",
    "vulgar": "vulgar taboo",
    "offensive": "offensive derogatory pejorative slur",
    "humorous": "humorous",
    "euphemistic": "euphemistic",
    "figurative": "figuratively figurative metaphoric metonymically",
    "technical": "jargon",
}
_LABELS = {tag: label for label, tags in _TAGS.items() for tag in tags.split()}
# Topics are usually fields, such as "medicine" or "chess". These are not: they say what a word is about ("vehicles"),
# are misread notes ("state"), or are headings that wiktextract adds to fields ("sports")
_NO_FIELDS = frozenset(
    "Internet LGBT arts automotive beverages business cause cities color communication countries country dogs drugs "
    "entertainment fish food games geography heading hobbies horses human-sciences language lifestyle location manner "
    "meats media natural-sciences organization origin person pets physical-sciences place planets position "
    "prefectures property region religion science sciences sexuality source "
    "sports state states temperature time tools transport vehicles weather weekdays".split()
)
# Errors are refused. Words with other tags (obsolete, rare, informal, abbreviation ...) are kept; "symbol" and
# "numeral" alone are also given to ordinary words ("decimal point", "policy racket").
ERRORS = frozenset({"misspelling", "misconstruction"})
_NUMERALS = frozenset({"Roman", "Arabic"})
_DECODER = msgspec.json.Decoder(list[str | None] | None)
MARKS = "wiktionary_marks.tsv"
_MARK_BEFORE = re.compile(r"([^:;()]{2,40}):\s+|([^\s:;,()]{2,20}\.),?\s+")
Marks = tuple[Reason | None, tuple[str, ...], tuple[str, ...]]
"""Why some tags lead to a refusal (or None), the labels that they give, in the order of `USAGES`, and unknown marks."""


def read_tags(raw: bytes) -> tuple[str, ...]:
    """Decode a list of tags or topics, without nulls."""
    return tuple(tag for tag in _DECODER.decode(raw) or () if tag is not None)


def read_marks(tags: msgspec.Raw, topics: msgspec.Raw, raw_tags: msgspec.Raw) -> Marks:
    """Return what the tags, topics and raw tags of a sense or a linkage mean."""
    return _marks(bytes(tags), bytes(topics), bytes(raw_tags))


@cache
def _known_marks(only: str | None = None) -> dict[str, str]:
    """Return the labels of marks in lower case, for all editions or only for one language."""
    found: dict[str, str] = {}
    for line in data_file(MARKS).read_text(encoding="utf-8").splitlines()[1:]:
        label, language, marks = line.split("\t")
        if only not in (None, language):
            continue
        for mark in marks.lower().split("|"):
            found[mark] = found[mark.rstrip(".")] = label
    return found


def _label(mark: str) -> str | None:
    return _LABELS.get(mark) or _known_marks().get(mark.lower())


# There are only a few thousand combinations
@lru_cache(1 << 14)
def _marks(json_tags: bytes, json_topics: bytes, json_marks: bytes) -> Marks:
    tags = read_tags(json_tags)
    reason = None
    if not ERRORS.isdisjoint(tags):
        reason = Reason.MISSPELLING
    elif "numeral" in tags and not _NUMERALS.isdisjoint(tags):
        reason = Reason.NUMERAL
    labels = {_LABELS[tag] for tag in tags if tag in _LABELS}
    if not _NO_FIELDS.issuperset(read_tags(json_topics)):
        labels.add("technical")
    marks = {mark: _label(mark) for mark in read_tags(json_marks)}
    labels.update(label for label in marks.values() if label)
    unknown = tuple(mark for mark, label in marks.items() if not label)
    return reason, _ordered(labels), unknown


def labels_of_note(note: str) -> tuple[str, ...]:
    """Return the labels of a note in brackets, such as ``archaic`` or ``slang, US``. Centuries mark old spellings."""
    if "centur" in note:
        return ("obsolete",)
    labels = map(_label, note.replace(" and ", ", ").replace("、", ", ").split(", "))
    return _ordered({label for label in labels if label})


def split_mark(text: str, language: str) -> tuple[tuple[str, ...], str]:
    """Return the labels of marks that precede a word without brackets, and the rest of the text.

    Before a colon, any mark counts. An abbreviation counts only in its own language, and not if it stands for a field,
    since it may then be a part of the word ("med. dr").

    >>> split_mark("разг.: пёс", "ru"), split_mark("pot. pies", "pl"), split_mark("med. dr", "sv")
    ((('informal',), 'пёс'), (('informal',), 'pies'), ((), 'med. dr'))
    """
    labels: set[str] = set()
    while mark := _MARK_BEFORE.match(text):
        if mark[1]:
            own = labels_of_note(mark[1])
        else:
            label = _known_marks(language).get(mark[2].lower())
            own = (label,) if label and label != "technical" else ()
        if not own:
            break
        labels.update(own)
        text = text[mark.end() :]
    return _ordered(labels), text


def _ordered(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(labels, key=USAGES.index))
