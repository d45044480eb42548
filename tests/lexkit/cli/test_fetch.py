from __future__ import annotations

import gzip
import io
import json
import os
import pty
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import lexkit
from lexkit.cli.main import main
from lexkit.fetching.partial_download import Patience
from lexkit.sources import catalog
from lexkit.sources.data_files import data_file

CATALOGUE = """
[[source]]
name = "{name}"
title = "{name}"
kind = "{kind}"
homepage = "https://{name}.example/"
licence = "{licence}"
licence_note = "note on {name}"
citation = "cite {name}"
{about}
[[source.download]]
file = "{file}"
url = "{url}/{file}"
{more}
"""


OEWN = b"""\
<LexicalResource><Lexicon id="oewn" language="en" license="https://creativecommons.org/licenses/by/4.0/">
<LexicalEntry id="e"><Lemma writtenForm="fast" partOfSpeech="a"/><Sense id="e1" synset="s"/></LexicalEntry>
<LexicalEntry id="f"><Lemma writtenForm="speedy" partOfSpeech="a"/><Sense id="f1" synset="s"/></LexicalEntry>
<Synset id="s" partOfSpeech="a"><Definition>at speed</Definition></Synset>
</Lexicon></LexicalResource>
"""


SPANISH = b"""\
{"word": "caro", "lang_code": "es", "pos": "adj", "antonyms": [{"word": "barato"}]}
"""
ABOUT = {"wiktionary": "has_thesaurus = true", "wiktionary-es": 'language = "es"\nnote = "a note on it"'}


class Output(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Output]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LEXKIT_CACHE", str(folder))
    return folder


@pytest.fixture
def publisher(server: Any, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Everything of the catalogue, small, on loopback."""
    brown = io.BytesIO()
    with zipfile.ZipFile(brown, "w") as archive:
        archive.writestr("brown/cats.txt", "ca01 news\n")
    starter = {name: data_file(f"starter/{name}").read_bytes() for name in ("wiktionary.jsonl", "morpholex.tsv")}
    roget = data_file("starter/roget1911.tsv.gz").read_bytes()
    texts = ["starter = []\n"]
    for name, kind, licence, file, body in (
        ("wiktionary-es", "wiktionary", "CC-BY-SA-4.0", "es.jsonl.gz", gzip.compress(SPANISH)),
        ("wiktionary", "wiktionary", "CC-BY-SA-4.0", "w.jsonl.gz", gzip.compress(starter["wiktionary.jsonl"])),
        ("wiktionary-dump", "wiktionary", "CC-BY-SA-4.0", "w.xml.bz2", b"BZh"),
        ("roget-22", "roget", "LicenseRef-public-domain", "pg22.txt", roget),
        ("roget-10681", "roget", "LicenseRef-public-domain", "pg10681.txt", roget),
        ("morpholex", "morpholex", "CC-BY-NC-SA-4.0", "m.tsv", starter["morpholex.tsv"]),
        ("oewn", "wordnet", "CC-BY-4.0", "oewn.xml.gz", gzip.compress(OEWN)),
        ("wordnet", "wordnet", "LicenseRef-WordNet-3.0", "wordnet.tar.gz", gzip.compress(b"")),
        ("brown", "nltk", "LicenseRef-Brown-non-commercial", "brown.zip", brown.getvalue()),
    ):
        server.on(f"/{file}", server.send(body))
        texts.append(
            CATALOGUE.format(
                name=name,
                kind=kind,
                licence=licence,
                file=file,
                url=server.url,
                more='unpack = "nltk_data/corpora/brown"' if name == "brown" else "",
                about=ABOUT.get(name, ""),
            )
        )
    path = tmp_path / "catalog.toml"
    path.write_text("".join(texts), encoding="utf-8")
    monkeypatch.setattr(catalog, "data_file", lambda name: path)
    return server


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `lexkit` in this process, where the catalogue is another."""

    def run(*arguments: str | Path) -> Output:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        return Output(exit_.value.code, *capsys.readouterr())  # type: ignore[arg-type]

    return run


def test_a_source_with_its_licence(publisher: Any, call: Run, cache: Path) -> None:
    result = call("fetch", "morpholex")
    assert (result.code, result.err) == (0, "")
    path = cache / "morpholex" / "m.tsv"
    assert result.out == (
        "morpholex  fetched\n"
        f"  {path}  {path.stat().st_size:,} bytes\n"
        "  licence   CC-BY-NC-SA-4.0: note on morpholex\n"
        "  cite      cite morpholex\n"
    )
    record = json.loads(path.with_name("m.tsv.json").read_text(encoding="utf-8"))
    assert record["licence"] == "CC-BY-NC-SA-4.0"


def test_again(publisher: Any, call: Run) -> None:
    call("fetch", "morpholex")
    again = call("fetch", "morpholex")
    assert "morpholex  already fetched at 2" in again.out
    assert len(publisher.requests) == 1
    assert "morpholex  fetched\n" in call("fetch", "morpholex", "--force").out
    assert len(publisher.requests) == 2


def test_several_and_both_editions_of_roget(publisher: Any, call: Run, tmp_path: Path) -> None:
    result = call("fetch", "roget", "brown", "--cache", tmp_path / "other", "--json")
    document = json.loads(result.out)
    assert document["cache"] == str(tmp_path / "other")
    assert [file["source"] for file in document["fetched"]] == ["roget-22", "roget-10681", "brown"]
    brown = document["fetched"][-1]
    assert brown["unpacked"] == str(tmp_path / "other" / "nltk_data" / "corpora" / "brown")
    assert (Path(brown["unpacked"]) / "cats.txt").read_text(encoding="utf-8") == "ca01 news\n"
    assert {"path", "url", "sha256", "bytes", "etag", "licence", "fetched_at", "was_there"} <= set(brown)


def test_the_corpus_is_unpacked_again_where_something_else_lies(publisher: Any, call: Run, cache: Path) -> None:
    folder = cache / "nltk_data" / "corpora" / "brown"
    folder.mkdir(parents=True)
    (folder / "cats.txt").write_text("a stand-in", encoding="utf-8")
    call("fetch", "brown")
    assert (folder / "cats.txt").read_text(encoding="utf-8") == "ca01 news\n"
    (folder / ".lexkit-unpacked").unlink()
    assert call("fetch", "brown").code == 0
    assert len(publisher.requests) == 1


def test_all(publisher: Any, call: Run, cache: Path) -> None:
    result = call("fetch", "all", "--quiet")
    assert result == (0, "", "")
    listed = json.loads(call("fetch", "--json").out)
    assert listed["cache"] == str(cache)
    names = [entry.name for entry in catalog.load_catalog().source if entry.language is None]
    assert [row["source"] for row in listed["sources"]] == names
    assert all(row["fetched_at"] and row["bytes"] for row in listed["sources"])


def test_the_list_where_nothing_is_there(publisher: Any, call: Run, cache: Path) -> None:
    result = call("fetch")
    assert result.out.splitlines()[1] == f"wiktionary\t-\t-\tCC-BY-SA-4.0\t{cache / 'wiktionary' / 'w.jsonl.gz'}"
    assert not cache.exists()


def test_one_that_fails_does_not_keep_the_others(publisher: Any, call: Run) -> None:
    publisher.on("/pg22.txt", publisher.status(404))
    publisher.on("/brown.zip", publisher.status(403))
    result = call("fetch", "roget", "morpholex", "brown", "--json")
    assert result.code == 1
    assert [file["source"] for file in json.loads(result.out)["fetched"]] == ["roget-10681", "morpholex"]
    assert result.err == (
        f"error: {publisher.url}/pg22.txt: the server answers 404 Not Found; the publisher has moved or removed it; "
        "see https://roget-22.example/ (and brown failed as well)\n"
    )


def test_a_download_that_goes_on_says_so(publisher: Any, call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    body = data_file("starter/morpholex.tsv").read_bytes()
    publisher.on("/m.tsv", publisher.send(body, stop_after=1000), publisher.status(404), publisher.send(body))
    monkeypatch.setattr("lexkit.fetching.download.Patience", lambda: Patience(sleep=lambda seconds: None))
    assert call("fetch", "morpholex").code == 1
    assert "morpholex  fetched, resumed at byte 1,000\n" in call("fetch", "morpholex").out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wikipedia", "there is no 'wikipedia'; there are wiktionary, wiktionary-LANGUAGE, kaikki-LANGUAGE, "),
        ("morpholx", "there is no 'morpholx'; did you mean morpholex?"),
        ("wiktionery-es", "there is no 'wiktionery-es'; did you mean wiktionary-es?"),
        (
            "wiktionary-sp",
            "no file named 'wiktionary-sp'; use wiktionary-es or 'lexkit fetch wiktionary', which",
        ),
        ("wiktionary-german", "no file named 'wiktionary-german'; use wiktionary-de or 'lexkit fetch wik"),
        ("wiktionary-sv", "no file named 'wiktionary-sv'; use kaikki-sv or 'lexkit fetch wiktionary', which"),
        ("kaikki-ja", "no file named 'kaikki-ja'; use wiktionary-ja or 'lexkit fetch wiktionary', which"),
        ("kaikki-hu", "no file named 'kaikki-hu'; use 'lexkit fetch wiktionary', which has words of all"),
    ],
)
def test_a_name_that_is_none(call: Run, cache: Path, name: str, said: str) -> None:
    result = call("fetch", name)
    assert result.code == 2
    usage, _, _, message = result.err.splitlines()
    assert usage == "Usage: lexkit fetch [OPTIONS] [NAME]..."
    assert said in message


def test_ctrl_c(publisher: Any, call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lexkit.fetching.partial_download._client", interrupted)
    result = call("fetch", "morpholex")
    assert result == (130, "", "error: interrupted; fetch again to resume\n")


def test_an_edition_that_was_fetched(publisher: Any, call: Run, cache: Path, tmp_path: Path) -> None:
    build = ("build", "--language", "es", "--wiktionary", "fetched", "--output", tmp_path / "es.duckdb", "--quiet")
    assert call(*build).err == (
        f"error: {cache}: wiktionary-es is not in the cache; fetch it with 'lexkit fetch wiktionary-es', or name a "
        "file with --wiktionary\n"
    )
    result = call("fetch", "wiktionary-es")
    assert result.out.startswith("wiktionary-es  fetched\n")
    assert result.err == "note: wiktionary-es: a note on it\n"
    assert "\nwiktionary-es\t2" in call("fetch").out
    assert call(*build) == (0, "", "")
    with lexkit.open(tmp_path / "es.duckdb") as lexicon:
        assert lexicon.relation("caro", "barato") == ["antonym"]
        assert lexicon.sql("SELECT uri FROM source WHERE kind = 'wiktionary'").to_pylist() == [
            {"uri": f"{publisher.url}/es.jsonl.gz"}
        ]


@pytest.mark.parametrize(
    ("date", "n_marked"),
    [("Wed, 17 Dec 2025 10:00:00 GMT", 1), ("Fri, 19 Dec 2025 10:00:00 GMT", 0), (None, 1)],
)
def test_antonyms_of_an_old_extract(
    publisher: Any, call: Run, cache: Path, tmp_path: Path, date: str | None, n_marked: int
) -> None:
    antonym = {"word": "verbose", "source": "Thesaurus:concise"}
    line = {
        "word": "bombastic",
        "lang_code": "en",
        "pos": "adj",
        "senses": [{"glosses": ["wordy"], "antonyms": [antonym]}],
    }
    publisher.on("/w.jsonl.gz", publisher.send(gzip.compress(json.dumps(line).encode() + b"\n"), modified=date))
    fetched = call("fetch", "wiktionary")
    is_known_to_be_old = date is not None and n_marked
    assert ("note: wiktionary: made before 2025-12-18, when" in fetched.err) == bool(is_known_to_be_old)
    store = tmp_path / "w.duckdb"
    built = call("build", "--wiktionary", "fetched", "--output", store)
    assert built.code == 0, built.err
    assert ("note: 1 antonyms from Thesaurus pages have a low confidence" in built.err) == bool(n_marked)
    with lexkit.open(store) as lexicon:
        (row,) = lexicon.sql("SELECT scope, sense FROM evidence").to_pylist()
        assert row == {"scope": "old_thesaurus" if n_marked else "thesaurus", "sense": "Thesaurus:concise: wordy"}
        sure = [neighbor.word for neighbor in lexicon.antonyms("bombastic", min_confidence=0.5)]
        assert sure == ([] if n_marked else ["verbose"])


def test_a_wordnet_that_was_fetched(publisher: Any, call: Run, tmp_path: Path) -> None:
    call("fetch", "oewn")
    store = tmp_path / "fetched.duckdb"
    built = call("build", "--source", "wordnet=fetched", "--output", store, "--quiet")
    assert built.code == 0, built.err
    with lexkit.open(store) as lexicon:
        assert lexicon.relation("fast", "speedy") == ["synonym"]
        rows = lexicon.sql("SELECT uri, licence, origin FROM source WHERE kind = 'wordnet'").to_pylist()
    assert rows == [{"uri": f"{publisher.url}/oewn.xml.gz", "licence": "CC-BY-4.0", "origin": "wordnet"}]
    assert call("build", "--source", "mythes=fetched", "--output", store).err.endswith(
        "mythes is not in the cache; name a file with --source mythes\n"
    )


@pytest.mark.slow
def test_a_store_from_what_was_fetched(publisher: Any, call: Run, tmp_path: Path) -> None:
    call("fetch", "wiktionary", "roget-10681", "morpholex")
    arguments = [word for kind in ("wiktionary", "roget", "morpholex") for word in (f"--{kind}", "fetched")]
    store = tmp_path / "fetched.duckdb"
    built = call("build", *arguments, "--output", store)
    assert built.code == 0, built.err
    with lexkit.open(store) as lexicon:
        rows = lexicon.sql("SELECT uri, licence FROM source WHERE kind <> 'affix' ORDER BY source").to_pylist()
    assert rows == [
        {"uri": f"{publisher.url}/m.tsv", "licence": "CC-BY-NC-SA-4.0"},
        {"uri": f"{publisher.url}/pg10681.txt", "licence": "LicenseRef-public-domain"},
        {"uri": f"{publisher.url}/w.jsonl.gz", "licence": "CC-BY-SA-4.0"},
    ]


@pytest.mark.parametrize("kind", ["wiktionary", "roget", "morpholex"])
def test_a_store_from_what_was_not_fetched(publisher: Any, call: Run, cache: Path, tmp_path: Path, kind: str) -> None:
    result = call("build", f"--{kind}", "fetched", "--output", tmp_path / "x.duckdb")
    mend = f"fetch it with 'lexkit fetch {kind}', or name a file with --{kind}"
    assert result == (1, "", f"error: {cache}: {kind} is not in the cache; {mend}\n")
    assert not (tmp_path / "x.duckdb").exists()


ON_A_TERMINAL = """
import sys
from pathlib import Path
from lexkit.cli.main import main
from lexkit.sources import catalog
catalog.data_file = lambda name: Path(sys.argv[1])
main(sys.argv[2:])
"""


@pytest.mark.parametrize("arguments", [["morpholex"], ["morpholex", "--quiet"]])
def test_the_bar_is_for_a_terminal(publisher: Any, tmp_path: Path, cache: Path, arguments: list[str]) -> None:
    terminal, ours = pty.openpty()
    command = [sys.executable, "-c", ON_A_TERMINAL, str(tmp_path / "catalog.toml"), "fetch", *arguments]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with open(terminal, "rb", buffering=0) as shown:  # noqa: PTH123
        try:
            result = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=ours, env=environment, timeout=60, check=True
            )
        finally:
            os.close(ours)
        try:
            text = shown.read(1 << 16) or b""
        except OSError:  # nothing was written before the other end closed
            text = b""
    assert (b"check m.tsv" in text) == ("--quiet" not in arguments)
    assert (b"CC-BY-NC-SA-4.0" in result.stdout) == ("--quiet" not in arguments)


class TestFromPython:
    def test_one_name_or_several(self, publisher: Any, cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
        (fetched,) = lexkit.fetch("morpholex")
        assert (fetched.path, fetched.was_there) == (cache / "morpholex" / "m.tsv", False)
        assert fetched.record.licence == "CC-BY-NC-SA-4.0"
        found = lexkit.fetch(["roget", "morpholex", "roget-22"])
        assert [(one.source, one.was_there) for one in found] == [
            ("roget-22", False),
            ("roget-10681", False),
            ("morpholex", True),
        ]
        assert not lexkit.fetch("morpholex", force=True)[0].was_there
        assert lexkit.fetch([]) == []
        assert capfd.readouterr() == ("", "")

    def test_another_folder_and_what_was_fetched_is_heard_of(self, publisher: Any, cache: Path, tmp_path: Path) -> None:
        heard: list[str] = []
        lexkit.fetch("roget", cache=tmp_path / "other", when_fetched=lambda one: heard.append(one.path.name))
        assert heard == ["pg22.txt", "pg10681.txt"]
        assert not cache.exists()

    def test_one_that_fails_does_not_keep_the_others(self, publisher: Any, cache: Path) -> None:
        publisher.on("/pg22.txt", publisher.status(404))
        with pytest.raises(lexkit.FetchError, match=r"pg22\.txt: the server answers 404 Not Found"):
            lexkit.fetch(["roget", "morpholex"])
        assert [path.name for path in sorted(cache.glob("*/*.t*[tv]"))] == ["m.tsv", "pg10681.txt"]

    @pytest.mark.parametrize(
        ("names", "said"),
        [
            ("morpholx", "there is no 'morpholx'; did you mean morpholex?"),
            (["roget", "wiktionary-sp"], "the catalogue has no file named 'wiktionary-sp'; use wiktionary-es or "),
            (None, "names=None: give a list, such as ['roget']"),
            ([5], "names=[5]: give a list, such as ['roget']"),
            ("", "there is no ''; there are wiktionary, "),
        ],
    )
    def test_names_that_are_none(self, cache: Path, names: Any, said: str) -> None:
        with pytest.raises(lexkit.ArgumentError) as caught:
            lexkit.fetch(names)
        assert str(caught.value).startswith(said)
        assert not cache.exists()
