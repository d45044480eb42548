"""Everything of lexkit that reads a file from outside: how its inputs are made, and what is done with each."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import fuzz_mutations as mutations
import fuzz_seeds as seeds

import lexkit
from lexkit.progress import Progress

Change = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Reader:
    """A reader, and inputs for it."""

    name: str
    share: int
    """Blocks of a hundred that are for this reader."""
    make: Callable[[Path, random.Random], Path]
    """Writes an input into a folder, and returns its path."""
    read: Callable[[Path], bool]
    """Reads an input; whether there is something in it for `keep`."""
    keep: Callable[[list[Path], Path], None] | None = None
    """Does what a command does with inputs that can be read, in an empty folder."""
    needs_torch: bool = False
    together: bool = True
    """Whether `keep` takes several inputs at once."""


def all_readers(work: Path, *, with_torch: bool) -> list[Reader]:
    """Return all readers; *work* holds what they need, and is written here."""
    files = {
        "wiktionary": (28, "w.jsonl", {"": seeds.wiktionary()}, mutations.mutated_json, True),
        "roget": (
            16,
            "r.txt",
            {"22": seeds.roget_22(), "10681": seeds.roget_10681(), "table": seeds.roget_table()},
            mutations.mutated_bytes,
            True,
        ),
        "pairs": (6, "p.txt", {"": seeds.pairs()}, mutations.mutated_bytes, True),
        "morpholex": (
            6,
            "m.tsv",
            {"tabs": seeds.morpholex_table("\t"), "commas": seeds.morpholex_table(",")},
            mutations.mutated_bytes,
            True,
        ),
        "mythes": (6, "th.dat", {"": seeds.mythes()}, mutations.mutated_bytes, True),
        "lmf": (7, "w.xml", {"": seeds.lmf()}, mutations.mutated_bytes, True),
    }
    readers = [
        _source(name, share, file, texts, change, packs) for name, (share, file, texts, change, packs) in files.items()
    ]
    readers += [
        Reader(
            "xlsx", 3, _make_workbook, partial(_read_source, "morpholex"), partial(_build, "morpholex"), False, False
        ),
        Reader("wndb", 6, _make_wndb, partial(_read_source, "wndb"), partial(_build, "wndb")),
        Reader("dump", 1, _make_dump, partial(_read_source, "wiktionary"), None),
        Reader("affixes", 2, partial(_make_toml, "affixes/en.toml"), _read_affixes),
        Reader("catalog", 1, partial(_make_toml, "catalog.toml"), _read_catalog),
        Reader("frequency", 1, _make_frequency, _read_frequency),
        Reader("tokenizer", 8, partial(_make_tokenizer, seeds.tokenizers()), _read_tokenizer, partial(_tokenize, work)),
        Reader("store", 3, partial(_make_store, work), _read_store),
    ]
    if with_torch:
        readers += [
            Reader("teacher", 3, partial(_make_teacher, work), _read_teacher, needs_torch=True),
            Reader("gguf", 1, partial(_make_gguf, work), _read_teacher, needs_torch=True),
            Reader("dictionary", 2, partial(_make_dictionary, work), _read_dictionary, needs_torch=True),
        ]
    return readers


def _source(name: str, share: int, file: str, texts: Mapping[str, bytes], change: Change, packs: bool) -> Reader:
    def make(folder: Path, rng: random.Random) -> Path:
        data = texts[rng.choice(list(texts))]
        chosen = change if rng.random() < 0.6 else mutations.mutated_bytes
        is_packed = packs and rng.random() < 0.25
        path = folder / file
        path.write_bytes(mutations.mutated_compressed(data, rng, chosen) if is_packed else chosen(data, rng))
        return path

    return Reader(name, share, make, partial(_read_source, name), partial(_build, name), together=name != "morpholex")


def _asked(name: str, paths: list[Path]) -> dict[str, Any]:
    """Return the arguments of `lexkit.build` for files of a reader."""
    if name == "pairs":
        return {"pairs": [("synonym", path) for path in paths]}
    if name in ("mythes", "lmf", "wndb"):
        return {"sources": [("mythes" if name == "mythes" else "wordnet", path) for path in paths]}
    return {name: paths[0] if name == "morpholex" else paths}


def _read_source(name: str, path: Path) -> bool:
    from lexkit.sources.read_report import ReadReport
    from lexkit.store.choose_sources import Options, choose_sources

    asked: dict[str, Any] = {"wiktionary": (), "roget": (), "morpholex": None, "pairs": (), "sources": ()}
    options = Options("en", True, "group", 1, Progress())
    (source,) = choose_sources(*{**asked, **_asked(name, [path])}.values(), options)
    return sum(1 for _ in source.read(source.path, ReadReport())) > 0


def _build(name: str, paths: list[Path], folder: Path) -> None:
    store = folder / "s.duckdb"
    lexkit.build(store, **_asked(name, paths), jobs=1, max_rejected=1)
    _require_sound(store)
    with lexkit.open(store) as lexicon:
        for word in lexicon.words().to_pylist()[:3]:
            lexicon.synonyms(word)
            lexicon.antonyms(word)
    assert [path.name for path in folder.iterdir()] == [store.name], sorted(folder.iterdir())


def _require_sound(store: Path) -> None:
    from lexkit.store.verify import verify_store

    findings = [finding for finding in verify_store(store) if finding.code.startswith("E")]
    assert not findings, findings


def _make_workbook(folder: Path, rng: random.Random) -> Path:
    path = folder / "m.xlsx"
    path.write_bytes(mutations.mutated_zip(seeds.morpholex_workbook(), rng, mutations.mutated_bytes))
    return path


def _make_wndb(folder: Path, rng: random.Random) -> Path:
    files = seeds.wndb()
    name = rng.choice(list(files))
    if rng.random() < 0.3:
        path = folder / "dict.zip"
        data = seeds.zipped(files) if rng.random() < 0.5 else seeds.tarred(files)
        path.write_bytes(mutations.mutated_bytes(data, rng))
        return path
    files[name] = mutations.mutated_bytes(files[name], rng)
    path = folder / "dict"
    path.mkdir()
    for file, data in files.items():
        (path / file).write_bytes(data)
    return path


def _make_dump(folder: Path, rng: random.Random) -> Path:
    data = mutations.mutated_bytes(seeds.dump(), rng)
    if rng.random() < 0.9:  # what is a whole dump takes wiktextract some seconds
        place = rng.randrange(len(data) + 1)
        data = data[:place] + rng.choice([b"<page>", b"</text>", b"<", b"&x;", b"<!DOCTYPE a>", b"\0"]) + data[place:]
    path = folder / "d.xml"
    path.write_bytes(mutations.compressed(data, "bz2") if rng.random() < 0.3 else data)
    return path


def _make_toml(name: str, folder: Path, rng: random.Random) -> Path:
    from lexkit.sources.data_files import data_file

    path = folder / "x.toml"
    path.write_bytes(mutations.mutated_bytes(data_file(name).read_bytes(), rng))
    return path


def _read_affixes(path: Path) -> bool:
    from lexkit.morphology import affixes

    affixes.data_file = lambda name: path
    affixes.affixes_of.cache_clear()
    found = affixes.affixes_of("en")
    assert found is not None
    cutter = affixes.Cutter(found.in_set("all"))
    for word in seeds.WORDS:
        list(cutter.cuts(word, word))
        list(found.lemmas(word))
        found.looks_like_a_verb(word)
    return False


def _read_catalog(path: Path) -> bool:
    from lexkit.sources import catalog

    catalog.data_file = lambda name: path
    for entry in catalog.load_catalog().source:
        assert entry.to_fetch.url
    return False


def _make_frequency(folder: Path, rng: random.Random) -> Path:
    path = folder / "f.tsv.gz"
    text = b"word\tzipf\n" + b"".join(f"{word}\t{3.5}\n".encode() for word in seeds.WORDS)
    path.write_bytes(mutations.compressed(mutations.mutated_bytes(text, rng), "gz"))
    if rng.random() < 0.3:
        path.write_bytes(mutations.mutated_bytes(path.read_bytes(), rng))
    return path


def _read_frequency(path: Path) -> bool:
    from lexkit.sources import frequency

    frequency.data_file = lambda name: path
    frequency.frequencies.cache_clear()
    frequency.frequencies("en")
    return False


def _make_tokenizer(kinds: Mapping[str, bytes], folder: Path, rng: random.Random) -> Path:
    data = kinds[rng.choice(list(kinds))]
    change = mutations.mutated_json if rng.random() < 0.8 else mutations.mutated_bytes
    path = folder / "tokenizer.json"
    path.write_bytes(change(data, rng))
    return path


def _read_tokenizer(path: Path) -> bool:
    from lexkit.tokens.loading import load_tokenizer
    from lexkit.tokens.spans import fingerprint, spans

    tokenizer = load_tokenizer(str(path))
    fingerprint(tokenizer)
    list(spans(tokenizer, [*seeds.WORDS, "na\u00efve", "\u65e5\u672c", "a" * 300]))
    return True


def _tokenize(work: Path, paths: list[Path], folder: Path) -> None:
    from lexkit.store.verify import verify_store

    store = folder / "s.duckdb"
    shutil.copy(work / "small.duckdb", store)
    named = [f"t{number}={path}" for number, path in enumerate(paths)]
    lexkit.tokenize(store, named, jobs=1)
    findings = [finding for finding in verify_store(store, named) if finding.code.startswith("E")]
    assert not findings, findings
    assert [path.name for path in folder.iterdir()] == [store.name], sorted(folder.iterdir())


def _make_store(work: Path, folder: Path, rng: random.Random) -> Path:
    path = folder / "s.duckdb"
    if rng.random() < 0.4:
        shutil.copy(work / "small.duckdb", path)
        _change_tables(path, rng)
        return path
    data = bytearray((work / "small.duckdb").read_bytes())
    for _ in range(rng.choice((1, 1, 4, 100))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.2:
        data = data[: rng.randrange(len(data))]
    path.write_bytes(data)
    return path


def _change_tables(path: Path, rng: random.Random) -> None:
    """Make of a store a sound database that is not a sound store."""
    import duckdb

    with duckdb.connect(str(path), config={"threads": 1}) as connection:
        tables = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        views = [
            row[0]
            for row in connection.execute(
                "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1"
            ).fetchall()
        ]
        table, view = rng.choice(tables), rng.choice(views)
        columns = [row[0] for row in connection.execute(f'DESCRIBE "{table}"').fetchall()]
        column, version = rng.choice(columns), rng.choice(["0", "3", "9" * 20, "-1", "\u0662"])
        statements = [
            f'DELETE FROM "{table}"',
            f'DROP TABLE "{table}"',
            f'ALTER TABLE "{table}" DROP COLUMN "{column}"',
            f'ALTER TABLE "{table}" ADD COLUMN more INTEGER',
            f'ALTER TABLE "{table}" RENAME COLUMN "{column}" TO other',
            f'UPDATE "{table}" SET "{column}" = NULL',
            f'INSERT INTO "{table}" SELECT * FROM "{table}"',
            f'DROP VIEW "{view}"; CREATE VIEW "{view}" AS SELECT * FROM read_text(\'/etc/passwd\')',
            f'DROP VIEW "{view}"; CREATE VIEW "{view}" AS SELECT repeat(\'x\', 1 << 40) AS word FROM range(1 << 40)',
            f'CREATE MACRO lower(x) AS "{column}"',
            "UPDATE meta SET value = 'x' WHERE key = 'language'",
            f"UPDATE meta SET value = '{version}' WHERE key = 'schema_version'",
            "UPDATE meta SET value = '[[[' WHERE key <> 'schema_version'",
            "DELETE FROM meta WHERE key <> 'schema_version'",
            "CREATE SCHEMA store",
            "CREATE SCHEMA store; CREATE TABLE store.word AS SELECT 1 AS word",
        ]
        for statement in rng.sample(statements, rng.choice((1, 1, 2))):
            try:
                connection.execute(statement)
            except duckdb.Error:
                continue


def _read_store(path: Path) -> bool:
    """Do with a store what commands do, each of which may refuse it."""
    from lexkit.errors import LexkitError
    from lexkit.reporting.page import write_report
    from lexkit.store.verify import verify_store

    with lexkit.open(path) as lexicon:
        asked: list[Callable[[], object]] = [
            lambda: lexicon.synonyms("kind", forms=True),
            lambda: lexicon.antonyms("KIND"),
            lambda: lexicon.explain("kind", "unkind"),
            lambda: lexicon.sql("SELECT * FROM antonyms", timeout=5, max_rows=1000),
            lambda: lexicon.tokenizers(),
            lambda: lexicon.statistics(),
            lambda: lexicon.suggest("knid"),
            lambda: verify_store(path),
            lambda: lexkit.export(path, path.with_name("export")),
            lambda: write_report(lexicon, path.with_name("report.html")),
        ]
        for number, ask in enumerate(asked):
            try:
                ask()
            except LexkitError as error:
                assert len(str(error).splitlines()) == 1, (number, str(error))
    return False


def _make_teacher(work: Path, folder: Path, rng: random.Random) -> Path:
    place = folder / "teacher"
    shutil.copytree(work / "teacher", place)
    files = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]
    file = place / rng.choice([name for name in files if (place / name).exists()])
    data = file.read_bytes()
    if file.suffix == ".jinja":
        file.write_bytes(_changed_template(data, rng))
    elif file.suffix == ".safetensors":
        file.write_bytes(_changed_safetensors(data, rng))
    else:
        change = mutations.mutated_json if rng.random() < 0.8 else mutations.mutated_bytes
        file.write_bytes(change(data, rng))
    return place


TEMPLATES = [
    "{% for i in range(100000000000) %}a{% endfor %}",
    "{{ 'a' * 10000000000 }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__class__.__init__.__globals__ }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{{ b }}{% endfor %}{% endfor %}",
    "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
    "{{ raise_exception('no\nlines') }}",
    "{% include '/etc/passwd' %}",
    "{{ 2 ** 2 ** 40 }}",
    "{{ messages | map(attribute='content') | join('x') * 99999999 }}",
]


def _changed_template(data: bytes, rng: random.Random) -> bytes:
    return rng.choice(TEMPLATES).encode() if rng.random() < 0.5 else mutations.mutated_bytes(data, rng)


def _changed_safetensors(data: bytes, rng: random.Random) -> bytes:
    size = int.from_bytes(data[:8], "little")
    if rng.random() < 0.3:
        return mutations.mutated_bytes(data, rng)
    header = mutations.mutated_json(data[8 : 8 + size].rstrip() + b"\n", rng)
    stated = rng.choice((len(header), len(header), len(header), 0, 1 << 40, (1 << 64) - 1))
    return stated.to_bytes(8, "little") + header + data[8 + size :]


def _make_gguf(work: Path, folder: Path, rng: random.Random) -> Path:
    path = folder / "teacher.gguf"
    data = (work / "teacher.gguf").read_bytes()
    head = 1 << 13  # beyond which there are weights, any of which will do
    path.write_bytes(mutations.mutated_bytes(data[:head], rng) + data[head:])
    return path


def _read_teacher(path: Path) -> bool:
    from lexkit_distill.chat import ChatTemplate
    from lexkit_distill.checks import check_model
    from lexkit_distill.errors import TeacherError
    from lexkit_distill.memory import is_out_of_memory
    from lexkit_distill.teacher import load_teacher

    try:
        if path.is_dir():
            check_model(str(path))
            teacher = load_teacher(str(path), dtype="float32", device="cpu")
        else:
            teacher = load_teacher(str(path.parent), gguf=path.name, dtype="float32", device="cpu")
    except Exception as error:
        if is_out_of_memory(error):  # which the commands turn into a line
            raise TeacherError("too little memory") from error
        raise
    encoder = teacher.encoder
    encoder.check(encoder.prompt("kind words"), "here")
    messages = [{"role": "user", "content": "kind"}, {"role": "assistant", "content": "friendly"}]
    ChatTemplate(teacher.tokenizer).render(messages, "here")
    return False


def _make_dictionary(work: Path, folder: Path, rng: random.Random) -> Path:
    place = folder / "senses"
    shutil.copytree(work / "senses", place)
    file = place / rng.choice(
        ("meta.json", "senses.safetensors", "index.parquet", "tokenizer.json", "contexts.parquet")
    )
    data = file.read_bytes()
    if file.suffix == ".json":
        change = mutations.mutated_json if rng.random() < 0.8 else mutations.mutated_bytes
        file.write_bytes(change(data, rng))
    else:
        file.write_bytes(
            (_changed_safetensors if file.suffix == ".safetensors" else mutations.mutated_bytes)(data, rng)
        )
    return place


def _read_dictionary(path: Path) -> bool:
    from lexkit_distill.senses.dictionary import SenseDictionary
    from lexkit_distill.senses.inspect import inspect_word

    dictionary = SenseDictionary(path)
    inspect_word(dictionary, "kind")
    inspect_word(dictionary, "happy")
    assert dictionary.fingerprint
    return False
