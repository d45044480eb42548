"""Parse the two plain-text layouts in which Project Gutenberg publishes Roget's Thesaurus of 1911.

The result is the same for both: heads, each a list of paragraphs with a part of speech. `lexkit.sources.roget.terms`
parses the paragraphs.

Etext #22 (MICRA 1991)::

         #2. Inexistence.-- N. inexistence[obs3]; nonexistence, nonsubsistence;
    nonentity, nil; negativeness &c. adj.
         annihilation; extinction &c. (destruction) 162.
         V. not exist &c. 1; have no existence &c. 1.

    <--  p.  1  -->
    %
    2. BEING, IN THE CONCRETE
    %

Etext #10681 (Old 2003)::

    2. Inexistence -- N. inexistence^; nonexistence, nonsubsistence;
    nonentity, nil; negativeness &c adj.
         annihilation; extinction &c (destruction) 162.
    V. not exist &c 1; have no existence &c 1.

    2. BEING, IN THE CONCRETE
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

# wiktextract's names for the parts of speech
PARTS_OF_SPEECH = {
    "N": "noun",
    "V": "verb",
    "Adj": "adj",
    "Adv": "adv",
    "Phr": "phrase",
    "Int": "intj",
    "Pref": "prefix",
    "Pron": "pron",
}
_LATER_LABEL = re.compile(r"(?<!&c)\.\s+(?=(?:N|V|[Aa]dj|[Aa]dv|[Pp]hr)\.{1,2}\s*[a-z\"])")
# A note may precede the full stop ("Phr[Lat]."); the stop may be doubled, or have no space after it ("Adj..escaping").
_LABELLED = re.compile(
    r"(?P<label>[NnVv]|[Aa]dj|[Aa]dv|[Pp]hr|Int|Pref|Pron)(?:\s*\[[^\]]*\])*\.{1,2}(?:\s+(?=\S)|(?=[a-z])|$)"
)
_NUMBER = r"(?P<number>[0-9]{1,6}[a-z]?)"
# Head 252a lacks the "#" in etext #22, and the full stop in both texts.
_HEAD_22 = re.compile(r"^\s*(?:#\s*|(?=252a\s+Sponge))" + _NUMBER + r"\.?\s*")
_HEAD_10681 = re.compile(r"^" + _NUMBER + r"(?:\.\s+|\s+(?=[A-Z\[]))")
# Etext #22 is in code page 437 with the eighth bit lost; #10681 writes accents out.
_LOST_ACCENTS = {0x02: "é", 0x03: "â", 0x05: "à", 0x08: "ê"}
_WRITTEN_ACCENTS = {"_e": "é", "_¬": "é", "+a": "à", "=e": "ê", "=a": "â"}
_WRITTEN_ACCENT = re.compile(r"_e|_¬|\+a(?=\s)|=[ae](?=[a-z\s])")
# Slips in the texts that no rule can recognise: a part of speech within a sentence, wrong signs, a footnote
_SLIPS = {
    "floridness c^.\n     adj.. turgidity": "floridness &c adj.; turgidity",
    "floridness c[obs3]. adj. turgidity": "floridness &c. adj.; turgidity",
    "cr=eme": "crème",
    "aller =a t": "aller à t",
    "prim=a facie": "prima facie",
    "     b. be - imbecile": "     V. be imbecile",
    "1The word miscreant, which originally meant simply misbeliever, has now\n"
    "quite another meaning (949).  See Trench, On the Study of Words, p. 71.": "\n",
}
_ABBREVIATED = re.compile(r"\b(?:St|Mr|Mrs|Dr|No)\.$")
_FOOTER = re.compile(r"^(?:\*\*\* ?END OF|End of (?:the )?Project Gutenberg)", re.MULTILINE)
_INDENT = re.compile(r"^\s{3,}\S")
_BRACKETS = {"[": 1, "]": -1, "{": 1, "}": -1}
# Headings that follow the text without an empty line: "(iii) MUSICAL SOUNDS", "2. Special", "DIVISION II"
_HEADING_10681 = re.compile(r"^(?:\d+\.|\(\d+\)|\([ivx]+\)) [A-Z][A-Za-z ,]*$|^DIVISION [IVX]+$|^\s*\d [A-Z ]{9,}$")


class Paragraph(NamedTuple):
    """A paragraph of a head, joined into one line, with its brackets and references."""

    pos: str
    text: str
    line: int
    """Number of the line in the file where the paragraph starts, from 1."""


class Head(NamedTuple):
    """A head of the thesaurus: a number such as ``100a``, a name, and the paragraphs in order."""

    number: str
    name: str
    line: int
    paragraphs: tuple[Paragraph, ...]


class _Line(NamedTuple):
    number: int
    text: str
    starts: bool
    """Whether a paragraph starts with this line."""


def parse_heads(text: str) -> list[Head]:
    """Split the text of either etext into heads. The result is empty if the text is neither.

    Licence texts, section headings, page numbers and editors' comments are dropped.
    """
    for slip, meant in _SLIPS.items():
        text = text.replace(slip, meant)
    text = _FOOTER.split(text, maxsplit=1)[0]
    is_22 = re.search(r"^\s*#\s*\d+[a-z]?\.", text, re.MULTILINE) is not None
    text = text.translate(_LOST_ACCENTS) if is_22 else _WRITTEN_ACCENT.sub(lambda m: _WRITTEN_ACCENTS[m[0]], text)
    blocks = _blocks_22(text) if is_22 else _blocks_10681(text)
    pattern = _HEAD_22 if is_22 else _HEAD_10681
    return [_head(pattern, block) for block in blocks]


def _blocks_22(text: str) -> Iterator[list[_Line]]:
    # Blank comments instead of deleting them, so that line numbers remain those of the file.
    text = re.sub(r"<--.*?-->", _blank, text, flags=re.DOTALL)
    text = re.sub(r"^%.*?^%\s*$", _blank, text, flags=re.DOTALL | re.MULTILINE)
    block: list[_Line] = []
    for number, line in enumerate(text.split("\n"), 1):
        if _HEAD_22.match(line):
            if block:
                yield block
            block = [_Line(number, line, True)]
        elif block and line.strip():
            block.append(_Line(number, line, _INDENT.match(line) is not None))
    if block:
        yield block


def _blocks_10681(text: str) -> Iterator[list[_Line]]:
    """Yield the blocks of heads. Headings are blocks between empty lines too, but lack the number or the dash."""
    last = 0
    block: list[_Line] = []
    after_blank = True
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if not line.strip() or _HEADING_10681.match(line):
            after_blank = True
            continue
        if after_blank:
            if block:
                yield block
            block = []
            number = _head_number_10681(lines[index : index + 4])
            # Headings start with numbers too ("2. FLUID MATTER"), but the numbers of heads always increase.
            if number is not None and last <= number <= last + 5:
                last = number
                block = [_Line(index + 1, line, True)]
        elif block:
            labelled = line[0].isupper() and _LABELLED.match(line) is not None
            starts = _INDENT.match(line) is not None or labelled
            block.append(_Line(index + 1, line, starts))
        after_blank = False
    if block:
        yield block


def _head_number_10681(lines: list[str]) -> int | None:
    match = _HEAD_10681.match(lines[0])
    beginning = " ".join(takewhile(str.strip, lines))
    if match is None or "--" not in beginning:
        return None
    return int(match["number"].rstrip("abcdefghijklmnopqrstuvwxyz"))


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def _head(pattern: re.Pattern[str], block: list[_Line]) -> Head:
    paragraphs = _paragraphs(block)
    start = pattern.match(paragraphs[0].text)
    assert start is not None  # blocks begin where the pattern matched
    title, _, first = paragraphs[0].text[start.end() :].partition("--")
    first = first.lstrip("- ")
    labelled: list[Paragraph] = []
    pos = "noun"  # etext #22 lacks the label of one head; every head begins with its nouns
    for paragraph in _split_labels([paragraphs[0]._replace(text=first), *paragraphs[1:]]):
        match = _LABELLED.match(paragraph.text)
        body = paragraph.text
        if match:
            pos = PARTS_OF_SPEECH[match["label"].capitalize()]
            body = body[match.end() :]
        labelled.append(Paragraph(pos, body, paragraph.line))
    return Head(start["number"], _name(title), block[0].number, tuple(labelled))


def _paragraphs(block: list[_Line]) -> list[Paragraph]:
    pieces: list[tuple[int, list[str]]] = []
    open_brackets = 0
    for line in block:
        # No paragraph starts inside "[Henry\nV. ...]" or "{opp.\n87}", nor between "St." and "Swithin": #10681 starts a
        # new paragraph after every full stop at the end of a line.
        last = pieces[-1][1][-1] if pieces else ""
        if line.starts and open_brackets <= 0 and not _ABBREVIATED.search(last):
            pieces.append((line.number, [line.text.strip()]))
            open_brackets = 0
        else:
            glue = "" if last.endswith("-") and not last.endswith("--") else " "
            pieces[-1][1].extend((glue, line.text.strip()))
        open_brackets += sum(sign * line.text.count(bracket) for bracket, sign in _BRACKETS.items())
    return [Paragraph("", "".join(texts), number) for number, texts in pieces]


def _split_labels(paragraphs: list[Paragraph]) -> Iterator[Paragraph]:
    """Split paragraphs that continue with the next part of speech: ``stolen goods. Adj. manubial.``."""
    for paragraph in paragraphs:
        first, *later = _LATER_LABEL.split(paragraph.text)
        for text in (first, *later):
            yield paragraph._replace(text=text)


def _name(title: str) -> str:
    """Return the name of a head without notes: ``[Want, or absence of relation.]  Irrelation.`` -> ``Irrelation``."""
    title = re.sub(r"\[[^\[\]]*\]\.?|\{[^{}]*\}", " ", title)
    title = re.sub(r"[|^]|&c\.?", "", title)
    return " ".join(title.split()).rstrip(".,0123456789 ").lstrip(". ")
