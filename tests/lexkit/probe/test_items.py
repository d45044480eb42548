"""Items of the probe: what they rest on, and that frequency gains nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

import lexkit
from lexkit.errors import QueryError
from lexkit.probe.frames import FRAMES, ItemType
from lexkit.probe.item import Item
from lexkit.probe.items import make_items
from lexkit.probe.substitution import substitution_items
from lexkit.probe.words import Words
from lexkit.sources.offensive import offensive_words
from lexkit.store.lexicon import Lexicon

ADJECTIVES = (
    "active afraid alive angry beautiful big capable careful central certain cheap constant dangerous dead different"
    " difficult easy entire excellent expensive false famous final foreign friendly great guilty happy healthy honest"
    " hot huge illegal immediate important legal loud lucky mad massive modern nice obvious old permanent personal"
    " physical powerful proud pure quick rare raw ready real recent religious sad serious severe short sick significant"
    " small strange stupid sweet tall terrible tight tiny typical unable unknown useful usual valuable weak wide"
)
TEXT = "\n".join(
    f"In the end it was known to all of them that the {word} one was theirs ." for word in ADJECTIVES.split()
)


@pytest.fixture(scope="module")
def lexicon(starter_store: Path) -> Lexicon:
    return lexkit.open(starter_store)


@pytest.fixture(scope="module")
def items(lexicon: Lexicon) -> list[Item]:
    return make_items(lexicon, 1000)


@pytest.fixture(scope="module")
def words(lexicon: Lexicon) -> Words:
    return Words(lexicon)


@pytest.fixture(scope="module")
def every_item(lexicon: Lexicon) -> list[Item]:
    """All items of the store, of which cells are whole."""
    return make_items(lexicon, 10**6)


def cells(items: list[Item]) -> dict[tuple[str, str, str], list[Item]]:
    found = defaultdict(list)
    for item in items:
        found[item.pos, item.frequency, item.relation].append(item)
    return found


def test_number(items: list[Item]) -> None:
    counts = Counter(item.type for item in items)
    assert counts["antonym"] == counts["synonym"] == 996  # whole rounds of twelve permutations
    assert counts["negation"] > 180
    assert counts["substitution"] == 0
    assert len({item.id for item in items}) == len(items)


def test_one_item_a_head(items: list[Item]) -> None:
    for kind in ("antonym", "synonym", "negation"):
        heads = [item.head for item in items if item.type == kind]
        assert len(heads) == len(set(heads))


def test_the_right_option_has_the_relation_and_the_others_do_not(items: list[Item], lexicon: Lexicon) -> None:
    for item in Random(0).sample([item for item in items if item.type == "antonym"], 60):
        twin = next(one for one in items if one.id == f"synonym/{item.head}")
        assert twin.options == item.options
        antonym, synonym = item.options[item.right], twin.options[twin.right]
        assert lexicon.relation(item.head, antonym) == ["antonym"]
        assert lexicon.relation(item.head, synonym) == ["synonym"]
        for other in set(item.options) - {antonym, synonym}:
            assert lexicon.relation(item.head, other) == []
            assert lexicon.relation(antonym, other) == lexicon.relation(synonym, other) == []


def test_relations_are_sure(items: list[Item], lexicon: Lexicon) -> None:
    sure = {
        (word, other)
        for word, other in zip(
            *lexicon.sql(
                "SELECT word, antonym FROM antonyms WHERE confidence >= .9 AND NOT contested AND len(usage) = 0"
            ).columns,
            strict=True,
        )
        for word, other in [(word.as_py(), other.as_py())]
    }
    antonyms = [item for item in items if item.type == "antonym"]
    assert all((item.head, item.options[item.right]) in sure for item in antonyms)


@pytest.mark.parametrize("kind", ["antonym", "synonym"])
@pytest.mark.parametrize("sign", [1, -1])
def test_frequency_alone_is_at_chance_in_every_cell(every_item: list[Item], words: Words, kind: str, sign: int) -> None:
    # whether the most or the least frequent option is chosen
    frequency = words.frequency
    for of_cell in cells([item for item in every_item if item.type == kind]).values():
        chosen = [max(item.options, key=lambda word: sign * frequency[word]) for item in of_cell]
        right = [item.options[item.right] == word for item, word in zip(of_cell, chosen, strict=True)]
        assert sum(right) * 4 == len(right)


def test_whoever_prefers_an_option_is_right_every_other_time(items: list[Item]) -> None:
    pairs = defaultdict(list)
    for item in items:
        if item.type == "negation":
            pairs[item.group].append(item)
    for of_base in pairs.values():
        base, negated = of_base
        assert base.options == negated.options
        assert {base.right, negated.right} == {0, 1}


def test_negation_cannot_be_told_by_a_prefix(items: list[Item], lexicon: Lexicon) -> None:
    negated = set(
        lexicon.sql("SELECT word FROM word JOIN negation USING (word_id) WHERE NOT reverses AND same_pos")[
            "word"
        ].to_pylist()
    )
    assert all(negated.isdisjoint(item.options) for item in items if item.type == "negation")


def test_insults_are_left_out(every_item: list[Item]) -> None:
    insults = {one.word for one in offensive_words()}
    assert insults.isdisjoint(word for item in every_item for word in (item.head, *item.options))


def test_negations_are_right(items: list[Item], lexicon: Lexicon) -> None:
    for item in [item for item in items if item.type == "negation"][:100]:
        right, wrong = item.options[item.right], item.options[1 - item.right]
        # "dark" is an antonym of "fair", but no synonym of "unfair"
        assert lexicon.relation(item.head, right) == ["synonym"]
        if item.head == item.group:
            assert lexicon.relation(item.head, wrong) == ["antonym"]


def test_negations_are_of_the_usual_part_of_speech(items: list[Item], lexicon: Lexicon) -> None:
    # a store may have incorrect as a verb, which hardly anyone uses
    usual = """
        SELECT part FROM (
            SELECT unnest(pos) AS part FROM synonyms WHERE word = $1 UNION ALL
            SELECT unnest(pos) FROM antonyms WHERE word = $1)
        GROUP BY part QUALIFY 2 * count(*) > sum(count(*)) OVER ()
    """
    for item in [item for item in items if item.type == "negation"][:60]:
        assert lexicon.sql(usual, [item.head])["part"].to_pylist() == [item.pos]


def test_no_word_shows_the_answer(items: list[Item]) -> None:
    for item in items:
        right = item.options[item.right]
        assert right not in item.head
        assert item.head not in right
        assert right[:4] != item.head[:4]


def test_everyday_words(every_item: list[Item]) -> None:
    answers = {item.id: item.options[item.right] for item in every_item}
    expected = {"antonym/white": "black", "antonym/deep": "shallow", "synonym/big": "large"}
    assert {name: answers[name] for name in expected if name in answers}.items() <= expected.items()
    assert len(answers.keys() & expected.keys()) >= 2


@pytest.mark.slow
def test_the_seed_alone_chooses(lexicon: Lexicon, items: list[Item]) -> None:
    assert make_items(lexicon, 1000) == items
    assert make_items(lexicon, 1000, seed=1) != items
    fewer = make_items(lexicon, 120)
    assert {item.id for item in fewer if item.type == "antonym"} < {item.id for item in items}


def test_sentences(items: list[Item]) -> None:
    item = next(item for item in items if item.type == "antonym")
    sentences = item.sentences()
    assert len(sentences) == len(FRAMES["antonym"][item.pos]) == 3
    own, neutral = sentences[0]
    assert own == [f"The opposite of {item.head} is {option}" for option in item.options]
    assert neutral == [f"The next word is {option}" for option in item.options]


def test_a_verb_is_not_put_where_an_adjective_stands(items: list[Item]) -> None:
    for item in items:
        if item.pos != "adj":
            assert not any(text.startswith("It is ") for own, neutral in item.sentences() for text in (*own, *neutral))


@pytest.mark.parametrize("pos", ["adj", "adv", "noun", "verb"])
@pytest.mark.parametrize("kind", FRAMES)
def test_frame_and_neutral_frame_begin_with_the_same_word(kind: ItemType, pos: str) -> None:
    for frame in FRAMES[kind][pos]:
        assert frame.sentence.split()[0] == frame.neutral.split()[0]
        assert "{head}" not in frame.neutral


@pytest.fixture(scope="module")
def of_text(lexicon: Lexicon, shared: Callable[[str], Path]) -> list[Item]:
    text = shared("text/wikitext2-valid.txt").read_text(encoding="utf-8")
    return [item for item in make_items(lexicon, 1000, text=text) if item.type == "substitution"]


@pytest.fixture(scope="module")
def every_of_text(words: Words, shared: Callable[[str], Path]) -> list[Item]:
    text = shared("text/wikitext2-valid.txt").read_text(encoding="utf-8")
    return substitution_items(words, text, 10**6, 0)


class TestSubstitution:
    def test_sentences_are_of_the_text(self, of_text: list[Item], shared: Callable[[str], Path]) -> None:
        text = shared("text/wikitext2-valid.txt").read_text(encoding="utf-8")
        assert len(of_text) > 100
        assert {len(item.contexts) for item in of_text} == {1, 2, 3}
        for item in of_text:
            assert len(set(item.contexts)) == len(item.contexts)
            for before, after in item.contexts:
                assert f"{before} {item.head}{after}" in text
                assert "<unk>" not in before + after
                assert {item.head, *item.options}.isdisjoint(f"{before} {after}".split())

    def test_a_sentence_is_a_frame(self, of_text: list[Item]) -> None:
        item = next(item for item in of_text if len(item.contexts) > 1)
        sentences = item.sentences()
        assert len(sentences) == len(item.contexts)
        before, after = item.contexts[1]
        assert sentences[1][0] == [f"{before} {option}{after}" for option in item.options]

    def test_one_synonym_one_antonym_and_unrelated_words(self, of_text: list[Item], lexicon: Lexicon) -> None:
        for item in of_text[:50]:
            kinds = [lexicon.relation(item.head, option) for option in item.options]
            assert kinds[item.right] == ["synonym"]
            assert sorted(kinds) == [[], [], ["antonym"], ["synonym"]]

    def test_heads_are_of_one_part_of_speech(self, every_of_text: list[Item], lexicon: Lexicon) -> None:
        # "recorded by Fitch" has a verb
        forms = lexicon.sql("SELECT word FROM form JOIN word USING (word_id) WHERE kind = 'inflection'")
        assert {item.head for item in every_of_text}.isdisjoint(forms["word"].to_pylist())
        parts = lexicon.sql(
            "SELECT word, list(DISTINCT part) AS parts FROM (SELECT word, unnest(pos) AS part FROM synonyms "
            "UNION ALL SELECT word, unnest(pos) FROM antonyms) GROUP BY word"
        ).to_pydict()
        known = dict(zip(*parts.values(), strict=True))
        assert all(known[item.head] == [item.pos] for item in every_of_text)

    def test_synonym_and_antonym_are_of_one_sense(self, of_text: list[Item], lexicon: Lexicon) -> None:
        # a synonym of another sense than the antonym's rarely fits: in "heavy rain", dull does not
        def senses(word: str, other: str) -> set[tuple[str, str]]:
            found = lexicon.explain(word, other)
            stated = [one for one in found if one.sense and not one.rule]
            return {(one.source, part.strip()) for one in stated for part in one.sense.split("¶")[0].split(" / ")}

        for item in of_text[:100]:
            kinds = {option: lexicon.relation(item.head, option) for option in item.options}
            (antonym,) = (option for option, kind in kinds.items() if kind == ["antonym"])
            synonym = item.options[item.right]
            opposed = lexicon.relation(antonym, synonym) == ["antonym"]
            assert opposed or senses(item.head, antonym) & senses(item.head, synonym), item

    def test_the_part_of_speech_fits_the_sentence(self, words: Words, every_of_text: list[Item]) -> None:
        # a store may lack the other use of a word: the extract, in order to power, care for the sick
        for item in every_of_text:
            for before, after in item.contexts:
                last = before.split()[-1:]
                assert item.pos != "verb" or last not in (["the"], ["of"], ["their"])
                assert item.pos not in ("noun", "adj") or last != ["to"]
                assert item.pos != "adj" or last != ["the"] or after.strip()[:1].isalpha()

    def test_other_items_do_not_matter(
        self, of_text: list[Item], lexicon: Lexicon, shared: Callable[[str], Path]
    ) -> None:
        text = shared("text/wikitext2-valid.txt").read_text(encoding="utf-8")
        assert substitution_items(Words(lexicon), text, 1000, 0) == of_text

    @pytest.mark.parametrize("sign", [1, -1])
    def test_frequency_alone_is_at_chance_in_every_cell(
        self, every_of_text: list[Item], words: Words, sign: int
    ) -> None:
        frequency = words.frequency
        right = [
            item.options[item.right] == max(item.options, key=lambda word: sign * frequency[word])
            for item in every_of_text
        ]
        assert sum(right) * 4 == len(right)

    def test_nothing_that_a_sentence_gives_away(self, words: Words) -> None:
        # after "a", the first letter of an option would tell
        heads = {item.head for item in substitution_items(words, TEXT, 1000, 0)}
        assert len(heads) > 1
        for head in heads:
            text = TEXT.replace(f"the {head}", f"a {head}")
            assert head not in {item.head for item in substitution_items(words, text, 1000, 0)}

    @pytest.mark.parametrize("space", ["\t", "\u00a0", "  ", "\u2028", "\x85"])
    def test_white_space_is_one_space(self, words: Words, space: str) -> None:
        text = TEXT.replace("end it", f"end{space}it").replace("In the", f"In{space}the")
        assert substitution_items(words, text, 50, 0) == substitution_items(words, TEXT, 50, 0) != []

    def test_what_gives_the_answer_away_is_left_out(self, words: Words) -> None:
        for item in substitution_items(words, TEXT, 50, 0)[:4]:
            for given in item.options:
                text = TEXT.replace(f"the {item.head} one", f"the {item.head} {given} one")
                found = [other for other in substitution_items(words, text, 50, 0) if other.head == item.head]
                assert all(given not in other.options for other in found)
            text = TEXT.replace(f"the {item.head} one", f"the {item.head} {item.head} one")
            assert item.head not in {other.head for other in substitution_items(words, text, 50, 0)}

    @pytest.mark.parametrize("text", ["", "\n\n", "a b c", "x" * 100_000, ". " * 10_000, "\0 the cold one"])
    def test_text_without_sentences(self, words: Words, text: str) -> None:
        assert substitution_items(words, text, 12, 0) == []


class TestStoresWithoutItems:
    def test_another_language(self, built_once: Callable[..., Path], tmp_path: Path) -> None:
        (tmp_path / "pairs").write_text("kalt warm\n", encoding="utf-8")
        lexkit.build(tmp_path / "s.duckdb", pairs=[("antonym", tmp_path / "pairs")], language="de")
        with (
            lexkit.open(tmp_path / "s.duckdb") as german,
            pytest.raises(QueryError, match=r"^items need an English store, .* is de; build it with --language en$"),
        ):
            make_items(german)

    def test_too_little_confidence(self, tmp_path: Path) -> None:
        (tmp_path / "pairs").write_text("cold warm\nhot icy\n", encoding="utf-8")
        lexkit.build(tmp_path / "s.duckdb", pairs=[("antonym", tmp_path / "pairs")])
        with (
            lexkit.open(tmp_path / "s.duckdb") as poor,
            pytest.raises(QueryError, match=r"^no items can be made from this store: .*; build it from more sources$"),
        ):
            make_items(poor)

    def test_only_words_without_a_frequency(self, tmp_path: Path) -> None:
        (tmp_path / "pairs").write_text("kindd frendly\n", encoding="utf-8")
        lexkit.build(tmp_path / "s.duckdb", pairs=[("synonym", tmp_path / "pairs")])
        with (
            lexkit.open(tmp_path / "s.duckdb") as unknown,
            pytest.raises(
                QueryError, match=r"^no items can be made .* has a frequency from 2.5 to 6 on the Zipf scale;"
            ),
        ):
            make_items(unknown)
