"""What the text of a linkage names: usually a word, sometimes a list, a cross reference, a note or debris of a page."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from lexkit.sources.tally import Reason
from lexkit.sources.wiktionary.labels import labels_of_note
from lexkit.text import is_word, normalize_word

Target = tuple[Sequence[str], tuple[str, ...], Reason | None]
"""The words that a linkage names, the labels that a note in brackets gives them, and why something was left out."""

# What is neither a reference nor running text begins otherwise
_PLAIN = re.compile(
    r"(?!(?:to|see|and|or|more|lua|script|se|siehe|vedi|vegeu|veja|ver|viz|voir|zie|zobacz) |[A-Z])"
    r"[A-Za-z]+(?:[ '-][A-Za-z]+)*"
)
_ENTITY = re.compile(r"&(?:[a-zA-Z]+|#\d+|#x[\da-fA-F]+);")
# Each is replaced by what a reader of the page sees of it
_MARKUP = [
    (re.compile(r"<ref\b[^<>]*>.*?</ref>|<[/!]?[a-z][^<>]*>|<!--.*?-->|\[\d+\]", re.DOTALL | re.IGNORECASE), ""),
    (re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]"), r"\1"),
    (re.compile(r"\[https?://\S+(?:\s+([^\[\]]*))?\]"), r"\1"),
    (re.compile(r"\{\{(?:l|ll|link|m|mention|lien|lenke|enlace|л)\|[\w-]+\|([^{}|]+)[^{}]*\}\}"), r"\1"),
    (re.compile(r"-\{([^{}|]*)\}-"), r"\1"),  # what is not to be converted between the scripts of Chinese
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
# The namespaces of the editions: their templates, their thesauri, and all others
_TEMPLATE = re.compile(
    r"(?i:template|vorlage|modèle|plantilla|predefinição|sjabloon|szablon|šablona|шаблон|mall|skabelon|şablon|templat|"
    r"bản mẫu|テンプレート|แม่แบบ|틀|模板)\s*:"
)
_BARE = frozenset({"Thesaurus", "Wikisaurus"})
_THESAURI = "Thesaurus", "Wikisaurus", "Thésaurus", "Tesaurus", "Tesauro", "Тезаурус", "อรรถาภิธาน"
THESAURUS = tuple(f"{name}:" for name in _THESAURI)
"""How the names of pages in the thesauri of the editions begin."""
_PAGE = re.compile(
    r"^:?(?:w|(?i:appendix|category|citations|file|help|image|module|project|reconstruction|rhymes|special|talk|user|"
    r"wikipedia|wikisource|wikispecies|wiktionary|"
    r"anhang|benutzer|datei|flexion|hilfe|kategorie|reim|spezial|verzeichnis|wikiquote|wikibooks|"
    r"annexe|catégorie|conjugaison|fichier|utilisateur|wikipédia|wiktionnaire|apéndice|archivo|categoría|wikcionario|"
    r"appendice|categoria|wikizionario|apêndice|wikcionário|bijlage|categorie|kategoria|kategori|wikisłownik|aneks|"
    r"příloha|soubor|plik|wikcionari|appendiks|приложение|категория|файл|википедия|викисловарь|категорія|"
    r"вікіпедія|вікісловник|κατηγορία|vikisözlük|thể loại|カテゴリ|분류|หมวดหมู่|附錄|附录|分類|分类)):\s*\S"
)
_THESAURUS = re.compile(
    rf"(?:^|[\s,;]+)(?:(?:and|or|see|also|more|at)[\s:]+)*(?:{'|'.join(_THESAURI)})\s*:.*$", re.IGNORECASE | re.DOTALL
)
_REFERENCE = re.compile(
    r"(?:^|[,;]\s*)(?:(?:and|or)\s+)*(?:see\s+(?:also|above|below|under)\b|see\s*:|more\s+at\b|cf\.|"
    r"siehe\s+(?:auch|oben|unten|unter)\b|siehe\s*:|vgl\.|voir\s+(?:aussi|ci-dessous)\b|véase\b|vedi\s+anche\b|"
    r"ver\s+também\b|veja\s+também\b|vegeu(?:\s+també)?\b|zie\s+ook\b|se\s+(?:även|også)\b|zobacz\s+(?:też|także)\b|"
    r"zob\.|viz\s+(?:též|také)\b|см\.|див\.|βλ\.|參見|参见).*$",
    re.IGNORECASE | re.DOTALL,
)
_SECTION = re.compile(r"(?<=.)#(?=\w).*$", re.DOTALL)  # but "C#" is a word
_NOTES = re.compile(r"(?:\s+(?:\([^()]*\)|\[[^\[\]]*\]))+$")
_FIRST_NOTE = re.compile(r"^\(([^()]*)\)\s+")
_BULLET = re.compile(r"^(?:(?:[*·•,;:=→←↔†‡/~^\u2013\u2014-]|\):)\s+|[,;→•†‡]+(?=\w))")
# A number of a footnote follows a longer word than "m²"
_LAST_SIGN = re.compile(r"\s+[-\u2013\u2014=→←/~*†‡:;,]+$|(?<=\w\w)[,;:†‡→]+$|(?<=[^\W\d_]{4})[¹²³⁴-⁹]+$")
_PAIRS = [tuple(pair) for pair in ("()", "[]", '""', "“”", "„“", "«»", "\u2039\u203a", "「」", "『』")]
_ONLY_NOTE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_COMMA = re.compile(r"[,;]\s+")
# A sentence has ended, or a note of five words or more speaks of the word. "Mr. Right" and "Prof. X" are words, as are
# "English as a second language" and "for what it is worth"
_SENTENCE = re.compile(r"\b[a-z]{4,}[.?!]\s+\w")
_REMARK = re.compile(
    r"[A-Z](?=(?:\S+\s+){4})(?:.*\s)?(?:is|are|was|were|means|negates|refers|denotes|used)\s", re.DOTALL
)
_SAYINGS = frozenset({"phrase", "proverb", "intj", "prep_phrase"})


def read_target(text: str, pos: str | None, language: str = "en") -> Target:
    """Return the words that a linkage of a word with the part of speech *pos* names.

    Markup is replaced by what it shows; notes in brackets, a ``#section`` and references to other pages are cut off;
    so is "to" before an English verb. Commas and semicolons part targets if every part is a single word and none comes
    twice ("þe, ẏe, ye"). Otherwise the target stays whole, since "X, Y and Z" cannot be told from an idiom such as
    "lock, stock and barrel", nor "X and Y" from "rain cats and dogs".
    """
    if (text.isalpha() and text not in _BARE) or _PLAIN.fullmatch(text):
        return (normalize_word(text),), (), None
    if text in _BARE and language == "en":
        return (), (), Reason.THESAURUS_PAGE
    if _TEMPLATE.match(text):
        return (), (), Reason.PLACEHOLDER
    target, reason = _without_references(normalize_word(_shown(text)))
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
    parts = _COMMA.split(target)
    is_list = len(set(parts)) == len(parts) and not any(" " in part for part in parts)
    targets = parts if is_list else [target]
    words = [part for part in targets if is_word(part)]
    if len(words) < len(targets):
        reason = reason or (Reason.NOT_A_WORD if target else Reason.EMPTY_TARGET)
    return words, labels, reason


def _shown(text: str) -> str:
    """Return what a reader of the page sees of some markup."""
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    if any(sign in text for sign in _SIGNS_OF_MARKUP):
        for pattern, shown in _MARKUP:
            text = pattern.sub(shown, text)
    return text


def _without_references(text: str) -> tuple[str, Reason | None]:
    """Cut off a reference to another page, and return the reason if there was one."""
    if ":" in text and (target := _THESAURUS.sub("", text)) != text:
        return target, Reason.THESAURUS_PAGE
    target = _REFERENCE.sub("", text)
    if target != text or _PAGE.match(text):
        return target if target != text else "", Reason.CROSS_REFERENCE
    return text, None


def _without_notes(text: str, language: str) -> tuple[str, tuple[str, ...]]:
    """Cut off notes and signs around a target, and return the labels that the notes give it."""
    target = _unwrapped(_BULLET.sub("", text)).strip() if not _ONLY_NOTE.fullmatch(text) else ""
    labels: tuple[str, ...] = ()
    if target.endswith((")", "]")) and (notes := _NOTES.search(target)):
        found = labels_of_note(re.sub(r"[^\w-]+", ", ", notes[0]).strip(", "))
        # Other editions have few notes, and brackets at the end of their phrases: "вода бьёт (ключом, фонтаном)"
        if found or language == "en" or " " not in target[: notes.start()]:
            target, labels = target[: notes.start()], found
    # Other brackets at the beginning hold words that may be left out: "(as) good as gold"
    if (note := _FIRST_NOTE.match(target)) and (first := labels_of_note(note[1])):
        target, labels = target[note.end() :], first
    return normalize_word(_unwrapped(_LAST_SIGN.sub("", _SECTION.sub("", target)))), labels


def _unwrapped(text: str) -> str:
    """Remove quotation marks around a target, and a bracket or a quotation mark at either end without its partner."""
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
