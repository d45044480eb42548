"""The negating affixes of English: how they are spelt, what they attach to, and where to cut them off.

Only un-, in-, dis-, non- and -less are productive negation; the others mean 'against', 'badly', 'away from' or 'safe
from' as well, and are cut off only where they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Position = Literal["prefix", "suffix"]
AffixSet = Literal["common", "all"]


REVERSIBLE = frozenset(
    "arm bandage bar bend bind block bolt box braid buckle bundle burden button cap chain clasp clench clip clog"
    " clothe coil cork couple cover crate cross crown curl do dock dress fasten fetter fix fold freeze furl glue"
    " harness hinge hitch hook horse install jam knit knot lace latch lead leash load lock loop make mask moor"
    " muzzle pack peel pin plait plug reel rig roll saddle say scramble screw seal seat sheathe ship sling snap"
    " snarl solder spool staple stick stitch stop strap string subscribe swathe tack tangle tether thread tie truss"
    " tuck twine twist veil weave wind wrap yoke zip".split()
)
"""Verbs that un- reverses, for words of which no source tells the part of speech, or one that is an adjective, too."""
REVERSED_BY_DIS = frozenset(
    "affiliate afforest arm arrange array articulate assemble associate band branch bud burden compose connect"
    " corporate embark embarrass embody embroil enable enchant encumber endow enfranchise engage entangle enthral"
    " enthrall enthrone entitle espouse establish forest franchise frock furnish incarnate infect infest inherit"
    " integrate inter invest involve join joint lodge mask mount organise organize orient orientate people place plant"
    " plume possess qualify robe unify unite".split()
)
"""Verbs that dis- reverses; others it denies (disagree)."""


class Affix(NamedTuple):
    """A negating affix."""

    name: str
    """The affix as the table ``negation`` spells it."""
    position: Position
    spellings: tuple[str, ...]
    bases: re.Pattern[str] | None = None
    """What the base looks like, lower case, where most words that begin so are something else; None: anything."""
    hyphen: bool = True
    """Whether the affix negates when a hyphen follows it: non- does in non-smoker, in- does not in in-house."""
    short: int = 4
    """Bases of so few letters count only if the sources use them, compared to the word."""
    morpholex: tuple[str, ...] = ()
    """MorphoLEX's names for it, if MorphoLEX tells it from its look-alikes (in- 'not' is ``im``, in- 'into' ``in``)."""

    @property
    def rule(self) -> str:
        """The name of the affix in evidence: ``un-``, ``-less``."""
        return f"{self.name}-" if self.position == "prefix" else f"-{self.name}"


class Cut(NamedTuple):
    """A word without its affix: a base if it is a word."""

    affix: Affix
    base: str
    keeps_pos: bool
    """Whether the affix leaves the part of speech as it is. Of nouns, -less makes adjectives, but -lessness nouns."""


# in- 'not' came with Latin adjectives and what is derived from them; in- 'into' with verbs
_LATIN_ENDINGS = (
    r"[aiou]bl[ey]|[aiou]bility|[aiou]bleness|[ae]nt|[ae]nce|[ae]ncy|[ae]ntly|[ae]ntness|ive|ively|iveness|ivity"
    r"|ous|ously|ousness|osity|al|ally|alness|ality|ic|ical|ically|icality|icity|ile|ility|ory|ary|arily|ity|itude"
)
_LATIN = rf"\w{{2,}}(?:{_LATIN_ENDINGS})|\w{{2,}}(?:{_LATIN_ENDINGS}|ie)s"
_IN_STEMS = (
    r"ac(?:tion|tiv)|accura|apposit|adapt(?:at|iv)|adequa|animat|appropriat|apprehens|apt(?!er)|articula|artis|attent"
    r"|balance|cauti|certain|civil|clement|commensura|complet|comprehens|conclus|congru|considera|convenien"
    r"|coordinat|correct|corrupt|curi|decen|decis|decor|definit|delibera|delica|determin|digest|direct|disciplin"
    r"|discreet|discret|discrimina|distinct|edit(?:ed)?$|effica|egalitar|elaborat|elegan|equit|exact|experience|expert|explicit"
    r"|famil|felicit|ferti|finit|firm(?!ar)|formal|grat(?:e$|eful|itude)|harmon|humane|human(?!is)|just(?:ice|ly)?"
    r"|legal|liber|licit|litera|logic|legitim|maculate|materi(?!alis|aliz)|matur|method|mobil|moder|modest|moral(?!e$)|mortal"
    r"|noble|nobly|numera(?:te|cy)|opportun|organi[cz]|partial|passib|patien|penit|perfect|perforat|permeab|person(?!at)|pi(?:ous|et)|plausib"
    r"|polic|polite|poten|practic|precis|proper|propri|prob(?:ab|it)|provid|pruden|pur(?:e|i)|quiet|rational|real"
    r"|regul|relev|relig|resol|respons|reveren|san(?:e|it)|sat[ei]|sensate|secur|separa|sincer|sobri|solub|solven"
    r"|appreciati|circumspect|cohesi|compassion|complex(?!ion)|connection|devot|devout|education|erudit|execution|exertion"
    r"|exhaust|expect|fecund|limit(?:ed|ation)|liquid(?!a)|observation|occupation|percept|perturb|quorate|recognition"
    r"|reconcil|reflection|relat(?:ed|ion)|urban|viscid"
    r"|stabilit|stable|subordina|tempera|tens[ei]?b|testa[tc]|trepid|toler|transiti|vali|vertebra|violat|visib|volunt|vulner"
)
_SEEMLY = re.compile(rf"(?:{_LATIN})|(?:{_IN_STEMS})\w*")
_GREEK_ENDINGS = r"(?:al|ic|ical|ally|ically|ous|ously|icity|ality|ism|ist)s?"
_GREEK = re.compile(rf"[^aeiou]\w{{2,}}{_GREEK_ENDINGS}")
_GREEK_VOWEL = re.compile(rf"h?[aeiouy]\w{{2,}}{_GREEK_ENDINGS}")
_REVERSIBLE = re.compile(
    r"\w{3,}(?:i[sz](?:e[drs]?|ers?|ing|ation|ations)|if(?:y|ying|ier|ies|ied|ication))"
    r"|(?:activat|aerat|salinat|contaminat|segregat|regulat|populat|hydrat|escalat|pressur|hydrogenat|oxygenat|coagulat"
    r"|consecrat|toxif|valu|forest|frost|throne?|bug|rail|coupl|compos(?!it)|compress|central|class|coloni|commission"
    r"|construct|control|emphas|grease|horn|ice|ic|icing|ionat|iodinat|louse?|lous|mist|mobil|natur|restrict|salt|scale?"
    r"|select|sensit|stabil|synchron|criminal|militar|magnet|material|moral|mystif|nuclear|polar|sex|tach|thaw|train)"
    r"(?:e|ed|er|es|ing|or|ion|ions|ation|s|ment|ments)?"
)
_ILL = re.compile(
    r"(?:adapt|adjust|administ|apportion|content|develop|distribut|form|function|nourish|nutrit|occlu|odorous|position"
    r"|practice|treat)\w*"
)

_COMMON = (
    Affix("non", "prefix", ("non",), short=2, morpholex=("non",)),
    Affix("un", "prefix", ("un",), short=2, morpholex=("un",)),
    Affix("in", "prefix", ("in", "im", "il", "ir", "ig"), _SEEMLY, hyphen=False, morpholex=("im",)),
    Affix("dis", "prefix", ("dis",), morpholex=("dis",)),
    Affix("less", "suffix", ("less", "lessly", "lessness"), morpholex=("less",)),
)
_RISKY = (
    Affix("anti", "prefix", ("anti",)),
    Affix("de", "prefix", ("de",), _REVERSIBLE),
    Affix("mis", "prefix", ("mis",)),
    Affix("a", "prefix", ("a",), _GREEK, hyphen=False),
    Affix("a", "prefix", ("an",), _GREEK_VOWEL, hyphen=False),  # anaerobic, but atonal
    Affix("counter", "prefix", ("counter",), re.compile(r"\w{3,}(?:al|ive|ory|ary|wise)(?:ly)?")),
    Affix("mal", "prefix", ("mal",), _ILL),
    Affix("free", "suffix", ("free",)),
    Affix("proof", "suffix", ("proof",)),
)
_SHORTEST_BASE = 2
_SHORTEST_CHANGED = 3
"""Up to this length a base keeps its y: skyless, but pitiless."""
_NO_ROOT = re.compile(r"[ <>(){}]")
"""What a word to be cut may not hold: it is a phrase, or no root in MorphoLEX's notation."""


def affixes_of(chosen: AffixSet) -> tuple[Affix, ...]:
    """Return the affixes of a set, in the order in which they are tried."""
    return _COMMON if chosen == "common" else _COMMON + _RISKY


class Cutter:
    """Cuts the outermost negating affix off words, in the spelling of the word.

    What is inside may be negated itself: *nonunhappy* is cut to *unhappy*.
    """

    def __init__(self, chosen: AffixSet = "common") -> None:
        self._prefixes: list[tuple[str, Affix]] = []
        self._suffixes: list[tuple[str, Affix]] = []
        for affix in affixes_of(chosen):
            listed = self._prefixes if affix.position == "prefix" else self._suffixes
            listed += [(spelling, affix) for spelling in affix.spellings]
        self._beginnings = tuple(spelling for spelling, _ in self._prefixes)
        self._endings = tuple(spelling for spelling, _ in self._suffixes)

    def cuts(self, word: str, folded: str) -> Iterator[Cut]:
        """Yield what may be the base of *word*, best first; *folded* is its lower case. Phrases are left alone."""
        if _NO_ROOT.search(word):
            return
        if folded.startswith(self._beginnings):
            for spelling, affix in self._prefixes:
                if folded.startswith(spelling):
                    yield from _without_prefix(word, spelling, affix)
        if folded.endswith(self._endings):
            for spelling, affix in self._suffixes:
                if folded.endswith(spelling):
                    yield from _without_suffix(word, spelling, affix)


def _without_prefix(word: str, spelling: str, affix: Affix) -> Iterator[Cut]:
    base = word[len(spelling) :]
    bare = base.lstrip("-")
    if len(bare) >= _SHORTEST_BASE and (affix.hyphen or bare == base):
        yield Cut(affix, bare, keeps_pos=True)


def _without_suffix(word: str, spelling: str, affix: Affix) -> Iterator[Cut]:
    base = word[: -len(spelling)].rstrip("-")
    if len(base) < _SHORTEST_BASE:
        return
    keeps_pos = spelling == "lessness"
    if base.endswith("i") and len(base) > _SHORTEST_CHANGED:
        yield Cut(affix, base[:-1] + "y", keeps_pos)  # penniless -> penny, though there is a penni; but skiless -> ski
    yield Cut(affix, base, keeps_pos)
