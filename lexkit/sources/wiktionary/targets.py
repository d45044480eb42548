"""Parse the text of a linkage: usually a word, sometimes a list, a cross reference, a note or remains of markup."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence

from lexkit.sources.read_report import Reason
from lexkit.sources.wiktionary.labels import labels_of_note, split_mark
from lexkit.sources.wiktionary.references import (
    FIRST_WORDS,
    TEMPLATE,
    is_joined,
    languages_with,
    without_references,
    words_of,
)
from lexkit.text import is_word, normalize_word

Target = tuple[Sequence[str], tuple[str, ...], Reason | None]
"""The words that a linkage names, the labels from notes in brackets, and why something was left out, if it was."""

# Words of letters only, in any script, are plain unless they begin like a reference or a remark
_LETTER = r"[^\W\d_²³¹⁰-₉]"
_VOWEL_SIGNS = "\u0591-\u05c7\u064b-\u0652\u0900-\u0963\u0971-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
_WORD = rf"(?![\u00bc-\u00be\u1369-\u137c\u2150-\u218b\u2460-\u249b]){_LETTER}+(?:[{_VOWEL_SIGNS}]+{_LETTER}*)*"
_PLAIN = re.compile(rf"{_WORD}(?:[ '’-]{_WORD})*")  # noqa: RUF001
_PLAIN_ASCII = re.compile(r"[A-Za-z]+(?:[ '-][A-Za-z]+)*")  # the same for most words, in half the time
_NOT_PLAIN = FIRST_WORDS | {"to", "and", "or", "more", "lua", "script"}
_LONGEST = 2000
"""Maximum number of characters in a target, which may be a list of words."""
_ENTITY = re.compile(r"&(?:[a-zA-Z]+|#\d+|#x[\da-fA-F]+);")
# Patterns of markup, each with the text that readers of the page see in its place
_MARKUP = [
    (re.compile(r"<ref\b[^<>]*/>|<ref\b[^<>]*>.*?(?:</ref\s*>|$)", re.DOTALL | re.IGNORECASE), ""),
    # Numbers of footnotes; "CO<sub>2</sub>" and "km<sup>2</sup>" are kept and refused later, as they have no plain form
    (re.compile(r"(?<=[^\W\d_]{3})<sup\b[^<>]*>[^<>]*(?:</sup\s*>|$)", re.IGNORECASE), ""),
    (re.compile(r"<[/!]?(?!su[bp]\b)[a-z][^<>]*>|<!--.*?-->|\[\d+\]", re.DOTALL | re.IGNORECASE), ""),
    (re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]"), r"\1"),
    (re.compile(r"\[https?://\S+(?:\s+([^\[\]]*))?\]"), r"\1"),
    (re.compile(r"\{\{(?:l|ll|link|m|mention|lien|lenke|enlace|л)\|[\w-]+\|([^{}|]+)[^{}]*\}\}"), r"\1"),
    (re.compile(r"-\{([^{}|]*)\}-"), r"\1"),  # text that must not be converted between the scripts of Chinese
    (re.compile(r"'{2,}"), ""),
]
_SIGNS_OF_MARKUP = ("<", "[", "{", "''")
_DEBRIS = re.compile(
    r"""\||\{\{|\}\}|\{!|-\{|\}-|\[\[|\]\]|</?[a-z]|<!--|-->|=\s*["']|UNIQ-|-QINU|https?://|\bwww\.|__[A-Z]+__|
    ^[\w-]+\s*:[^;]*;$|^[a-z]+(?:-[a-z]+)+\s*:\s*\S|^(?:lua|script)\s+error\b|
    ^(?:background|border|color|display|float|font|height|margin|padding|width)\s*:\s*\S|
    \b(?:align|bgcolor|border|cellpadding|cellspacing|class|colspan|height|rowspan|scope|style|valign|width)\s*=""",
    re.IGNORECASE | re.VERBOSE,
)
_THESAURI = frozenset({"Thesaurus", "Wikisaurus"})
_BARE = _THESAURI | words_of("bare")
_CJK = "々〆\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
# Signs that always separate words. Commas do so only in lists of single words; in a Chinese saying, the parts between
# commas are longer than two characters
_BREAK = re.compile(r"</?(?:br|div|hr|li|p|tr|td)\b[^<>]*>|[、；؛](?![^(（]*[)）])", re.IGNORECASE)  # noqa: RUF001
_SHORT_LIST = re.compile(rf"[{_CJK}]{{1,2}}(?:[，,][{_CJK}]{{1,2}})+")  # noqa: RUF001
_ANY_COMMA = re.compile("[，,]")  # noqa: RUF001
_CJK_NOTE = re.compile(rf"(?<=[{_CJK}])\s*[【〔［\[]([^】〕］\]]*)[】〕］\]]?$")  # noqa: RUF001
_CJK_BRACKET = re.compile(rf"(?<=[{_CJK}])\((?=[^()]*\)?$)")
_ROUND = str.maketrans("（）", "()")  # noqa: RUF001
# Labels of senses: "[1, 2] Hund", "(1.1-2) pies", "2) dog"
_LABEL_OF_SENSE = re.compile(
    r"\[\d[\d.]*[a-z]?(?:\s*[,;–-]\s*\d[\d.]*[a-z]?)*\]\s*(?=\S)|"  # noqa: RUF001
    r"\(\d[\d.]*[a-z]?(?:\s*[,;–-]\s*\d[\d.]*[a-z]?)*\)\s+(?=\S)|\d{1,2}\)\s*(?=[^\W\d_])"  # noqa: RUF001
)
_NUMBERED = re.compile(r"\d{1,2}\.\s+(?=[^\W\d_])")
_ITALICS_BEFORE = re.compile(r"^''+([^']+?)''+:?\s+(?=\S)")
_SECTION = re.compile(r"(?<=.)#(?=\w).*$", re.DOTALL)  # but "C#" is a word
_NOTES = re.compile(r"(?:\s+(?:\([^()]*\)|\[[^\[\]]*\]))+$")
_FIRST_NOTE = re.compile(r"^\(([^()]*)\)\s*")
_REST_OF_NOTE = re.compile(r"^([^()]*)\)\s+(?=\S)")
_BULLET = re.compile(
    r"^(?:(?:[*·•,;:=→←↔↑↓⇒†‡/~^\u2013\u2014-]|\):)\s+|-{2,}|[,;→⇒⇨•†‡↑↓※☆★{}<>\\|،。、，；]+\s*(?=[^\W\d]))"  # noqa: RUF001
)
_LAST_SIGN = re.compile(
    r"\s+[-\u2013\u2014=→←↔↑↓⇒/~*†‡:;,،؛※☆★{}<>^\\|]+$|(?<=\w\w)[,;:†‡→]+$|"
    r"(?<=\S)[،؛。、，；：※☆★{}<>\\|↑↓⇒]+$|(?<=\w)-{2,}$|(?<=[^\W\d_]{4})\*+$|^[^\s,;]+(?P<dots>\s+(?:…|\.\.\.)$)"  # noqa: RUF001
)
_NUMBER = re.compile(r"(?<=[^\W_])([¹²³⁴-⁹₀-₉]+)\.?$")
_WHOLE_QUOTE = re.compile(r"^(?:‘([^‘’]{3,})’|'([^']{3,})')$")  # noqa: RUF001
_PAIRS = [tuple(pair) for pair in '() [] "" “” „“ «» \u2039\u203a 「」 『』 《》 〈〉 【】 〖〗'.split()]
_ONLY_NOTE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_COMMA = re.compile(r"\s*[,;،]\s+(?![^()]*\))")
# A sentence ends within the text, or a note of five words or more is about the word. "Mr. Right" and "Prof. X" are
# words, and so are "English as a second language" and "for what it is worth"
_SENTENCE = re.compile(r"\b[a-z]{4,}[.?!]\s+\w")
_REMARK = re.compile(
    r"[A-Z](?=(?:\S+\s+){4})(?:.*\s)?(?:is|are|was|were|means|negates|refers|denotes|used)\s", re.DOTALL
)
_SAYINGS = frozenset({"phrase", "proverb", "intj", "prep_phrase"})


def read_target(text: str, pos: str | None, language: str = "en") -> Target:
    """Return the words that a linkage of a word with the part of speech *pos* names.

    Markup is replaced by the text it displays. Notes in brackets, a ``#section``, references to other pages, and "to"
    before an English verb are removed. Commas and semicolons separate targets if every part is a single word and none
    occurs twice ("þe, ẏe, ye"). Otherwise the target stays whole, since "X, Y and Z" looks like an idiom such as "lock,
    stock and barrel", and "X and Y" like "rain cats and dogs".
    """
    if text.isalpha():
        if text not in _BARE and (text.isascii() or not is_joined(text)):
            return (normalize_word(text),), (), None
    elif (_PLAIN_ASCII if text.isascii() else _PLAIN).fullmatch(text) and (
        text not in _BARE
        if " " not in text
        else (text.split(" ", 1)[0].lower() not in _NOT_PLAIN and text.count(" ") < 4)
    ):
        return (normalize_word(text),), (), None
    if text in _BARE and (language == "en" or text not in _THESAURI):
        return (), (), Reason.THESAURUS_PAGE if text in _THESAURI else Reason.CROSS_REFERENCE
    if TEMPLATE.match(text):
        return (), (), Reason.PLACEHOLDER
    if len(text) > _LONGEST:
        return (), (), Reason.NOT_A_WORD
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    if _SHORT_LIST.fullmatch(text):
        return _read_several(_ANY_COMMA.split(text), pos, language)
    if _BREAK.search(text):
        return _read_several(_BREAK.split(text), pos, language)
    return _read_marked(text, pos, language)


def _read_marked(text: str, pos: str | None, language: str) -> Target:
    """Parse a target that is not plain and has no signs that always separate words."""
    target = _without_label_of_sense(normalize_word(_shown(text)), language)
    target, reason = without_references(target, pos, language)
    if reason is not None and not target:
        return (), (), reason
    if _DEBRIS.search(target):
        return (), (), Reason.MARKUP
    target, labels = _without_notes(target, language)
    if language == "en":
        if pos == "verb" and target.startswith("to "):
            target = target[3:]
        if _SENTENCE.search(target) or (pos not in _SAYINGS and _REMARK.match(target)):
            return (), (), Reason.RUNNING_TEXT
    parts, common = _parts(target, language)
    words = [part for part in parts if _is_clean_word(part)]
    if len(words) < len(parts):
        reason = reason or (Reason.NOT_A_WORD if target else Reason.EMPTY_TARGET)
    return words, labels or common, reason


def has_leftovers(word: str) -> bool:
    """Whether a word from a list contains markup, or begins or ends with signs that do not belong to it.

    >>> [has_leftovers(word) for word in ("[[kind]]", "{{nice}}", "kind--", "nice,", "rock 'n' roll", "Mr.", "-ness")]
    [True, True, True, True, False, False, False]
    """
    if word.isalpha():
        return False
    return bool(_DEBRIS.search(word) or _LAST_SIGN.search(word) or _BULLET.match(word))


def _read_several(texts: Sequence[str], pos: str | None, language: str) -> Target:
    """Parse separated texts up to a reference. Labels are kept only if all parts have the same ones."""
    words: list[str] = []
    reason: Reason | None = None
    labels: list[tuple[str, ...]] = []
    for text in filter(str.strip, texts):
        own, own_labels, own_reason = read_target(text, pos, language)
        if own:
            labels.append(own_labels)
        words += [word for word in own if word not in words]
        reason = reason or own_reason
        if own_reason is Reason.CROSS_REFERENCE:
            break
    if not words and reason is None:
        reason = Reason.EMPTY_TARGET
    return words, labels[0] if labels and len(set(labels)) == 1 else (), reason


def _parts(target: str, language: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the words of a list, or else the whole target, and the labels that all of them share.

    Parts that stand for more words ("etc."), or are the article or an ending of the word before ("Hund, der", "chien,
    -ne"), become empty strings.
    """
    parts = _COMMA.split(target)
    if len(parts) == 1:
        return parts, ()
    noted = [_without_notes(part, language) if "(" in part or "[" in part else (part, ()) for part in parts]
    tidied = [part for part, _ in noted]
    extras = words_of("rest") if parts[-1] in words_of("rest") else frozenset()
    if len(parts) == 2:
        extras |= words_of("article", language)
    tidied = [
        "" if i and (part in extras or (part.startswith("-") and not tidied[0].startswith("-"))) else part
        for i, part in enumerate([*tidied[:-1], parts[-1] if parts[-1] in extras else tidied[-1]])
    ]
    if any(" " in part for part in tidied) or len(set(tidied)) < len(tidied):
        return [target], ()
    labels = {own for _, own in noted}
    return tidied, labels.pop() if len(labels) == 1 else ()


def _is_clean_word(text: str) -> bool:
    """Whether a target is a word without braces or replacement characters, and does not begin with a combining mark."""
    return is_word(text) and not re.search("[{}\ufffd]", text) and not unicodedata.category(text[0]).startswith("M")


def _without_label_of_sense(text: str, language: str) -> str:
    """Remove the label of a sense. In languages that write ordinals with a full stop, "1. Mai" is a word."""
    if not text[:1].isdigit() and text[:1] not in ("[", "("):
        return text
    text = _LABEL_OF_SENSE.sub("", text, count=1) if _LABEL_OF_SENSE.match(text) else text
    number = _NUMBERED.match(text)
    if number and language not in languages_with("ordinal") and not text[number.end()].isupper():
        return text[number.end() :]
    return text


def _shown(text: str) -> str:
    """Replace markup by the text that readers of the page see."""
    if any(sign in text for sign in _SIGNS_OF_MARKUP):
        text = _LABEL_OF_SENSE.sub("", text, count=1) if _LABEL_OF_SENSE.match(text) else text
        text = _ITALICS_BEFORE.sub(_note_in_italics, text)
        for pattern, shown in _MARKUP:
            text = pattern.sub(shown, text)
    return text


def _note_in_italics(found: re.Match[str]) -> str:
    """Put a mark of usage into brackets, remove any other note, and leave a word as it is."""
    note = found[1].strip(" :")
    if labels_of_note(note):
        return f"({note}) "
    return "" if found[0].rstrip().endswith(":") or found[1].endswith((".", ":")) else found[0]


def _without_notes(text: str, language: str) -> tuple[str, tuple[str, ...]]:
    """Remove notes and signs around a target, and return the target and the labels that the notes give it."""
    if text.startswith("(") and ")" not in text and " " in text:
        return "", ()  # nothing shows where the note ends
    if not text.isascii():
        text = _CJK_BRACKET.sub(" (", _CJK_NOTE.sub(r" (\1)", text.translate(_ROUND)))
    target = _unwrapped(_BULLET.sub("", text)).strip() if not _ONLY_NOTE.fullmatch(text) else ""
    labels: tuple[str, ...] = ()
    if target.endswith((")", "]")) and (notes := _NOTES.search(target)):
        found = labels_of_note(re.sub(r"[^\w-]+", ", ", notes[0]).strip(", "))
        # Other editions have few notes, and some phrases end in brackets: "вода бьёт (ключом, фонтаном)"
        if found or language == "en" or " " not in target[: notes.start()]:
            target, labels = target[: notes.start()], found
    # Other brackets at the beginning contain optional words: "(as) good as gold"
    if (note := _FIRST_NOTE.match(target)) and (first := labels_of_note(note[1])):
        target, labels = target[note.end() :], first
    if target.count("(") != target.count(")"):
        target, first = _without_half_note(target)
        labels = labels or first
    if ":" in target or "." in target:
        first, target = split_mark(target, language)
        labels = labels or first
    target = _without_number(_unwrapped(_without_last_sign(_SECTION.sub("", target))))
    return normalize_word(target), labels


def _without_half_note(target: str) -> tuple[str, tuple[str, ...]]:
    """Remove a note without an opening bracket. If it is not a mark of usage, nothing of the target is kept."""
    if (note := _REST_OF_NOTE.match(target)) and (labels := labels_of_note(note[1])):
        return target[note.end() :], labels
    return ("", ()) if note else (target, ())


def _without_last_sign(target: str) -> str:
    if not (sign := _LAST_SIGN.search(target)):
        return target
    return target[: sign.start("dots") if sign["dots"] else sign.start()]


def _without_number(target: str) -> str:
    """Remove the number of a footnote, but not that of "m²" or "AlCl₃".

    Before a footnote, the word must be long enough, or end in small letters.
    """
    if not (number := _NUMBER.search(target)):
        return target
    word = target[: number.start()]
    before = word[-3:]
    is_word_before = before.isalpha() and (before.islower() or before == before.swapcase() or len(word) > 3)
    if number[1][0] in "²³":
        is_note = word[-4:].isalpha() and len(word) > 3
    elif number[1][0] in "₀₁₂₃₄₅₆₇₈₉":
        is_note = len(before) == 3 and before.islower()
    else:
        is_note = (len(before) == 3 and is_word_before) or (before == before.swapcase() and before.isalpha())
    return word if is_note else target


def _unwrapped(text: str) -> str:
    """Remove quotation marks around a target, and unpaired brackets or quotation marks at either end."""
    if quote := _WHOLE_QUOTE.match(text):
        return quote[1] or quote[2]
    if text[:1].isalnum() and text[-1:].isalnum() and "(" not in text and "[" not in text:
        return text
    for opening, closing in _PAIRS:
        starts, ends = text.startswith(opening), text.endswith(closing)
        n_signs = text.count(opening) + (text.count(closing) if opening != closing else 0)
        if n_signs == (starts + ends if opening != closing or len(text) > 1 else 1):
            text = text[starts : len(text) - ends]
        elif opening in "([" and text.count(opening) > text.count(closing):
            text = text[: max(text.rfind(f" {opening}"), 0)] or text
    return text
