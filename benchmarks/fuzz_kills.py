"""Killing commands with SIGKILL at random moments, and what must hold afterwards."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import fuzz_seeds
from fuzz_run import Died, Report, forked

import lexkit
from lexkit.store.verify import verify_store

DISTILL = ("compose", "train")
"""The commands that need torch."""
_ENTRIES = 4000
_BODY = b"".join(b"word%d same%d\n" % (number, number) for number in range(60_000))
_CATALOG = """
[[source]]
name = "fuzz"
title = "x"
kind = "pairs"
homepage = "http://127.0.0.1/"
licence = "CC0-1.0"
licence_note = "x"
citation = "x"
[[source.download]]
file = "fuzz.txt"
url = "http://127.0.0.1:{port}/fuzz.txt"
bytes = {size}
sha256 = "{digest}"
[[starter]]
file = "x"
licence = "x"
about = "x"
"""
_LONGEST = 240.0
"""Seconds that a command may take on a busy machine."""


@dataclass(frozen=True)
class Command:
    """What is run, and what is checked."""

    arguments: Callable[[Path, Path], list[str]]
    """Given the folder of what `prepare` made and that of the kill."""
    before: Callable[[Path, Path], None]
    """Puts what was there before into the folder of the kill."""
    check: Callable[[Path, Path, bool], None]
    """Makes sure that what is there is whole; that it is the new if it is done."""


def prepare(work: Path, *, with_torch: bool) -> None:
    """Make what the commands read and replace, and what they make when nobody kills them."""
    lines = work / "large.jsonl"
    with lines.open("w", encoding="utf-8") as stream:
        for number in range(_ENTRIES):
            entry = {
                "word": f"word{number}",
                "lang_code": "en",
                "synonyms": [{"word": f"same{number}"}],
                "x": "x" * 500,
            }
            stream.write(json.dumps(entry) + "\n")
    lexkit.build(work / "large.duckdb", wiktionary=[lines], jobs=1)
    lexkit.export(work / "small.duckdb", work / "export-old", form="jsonl")
    lexkit.export(work / "large.duckdb", work / "export-new", form="jsonl")
    if with_torch:
        _prepare_distill(work)


def _prepare_distill(work: Path) -> None:
    from lexkit_distill.senses.build import build_senses
    from lexkit_distill.senses.compose import compose_senses
    from lexkit_distill.senses.config import SensesConfig

    fuzz_seeds.teacher(work / "teacher")
    rng = random.Random(0)
    text = "\n\n".join(" ".join(rng.choices(fuzz_seeds.WORDS, k=rng.randint(5, 25))) for _ in range(200))
    (work / "text.txt").write_text(text + "\n", encoding="utf-8")
    asked: Any = [("antonym", work / "opposites.txt"), ("synonym", work / "pairs.txt")]
    lexkit.build(work / "taught.duckdb", pairs=asked, tokenizers=[f"teacher={work / 'teacher'}"], jobs=1)
    senses = work / "senses"
    build_senses(
        SensesConfig(
            teacher=str(work / "teacher"),
            corpus=(str(work / "text.txt"),),
            output=str(senses),
            k=4,
            max_per_token=50,
            dtype="float32",
            device="cpu",
            batch_tokens=512,
        )
    )
    shutil.copytree(senses, work / "senses-old")
    compose_senses(senses, work / "taught.duckdb", max_tokens=6)
    code = _wait(_start(_arguments_of_train(work, work), work / "train.log"), _LONGEST)
    assert code == 0, (work / "train.log").read_text("utf-8")


def kill(name: str, work: Path, folder: Path, rng: random.Random) -> str:
    """Kill a command once, check, run it to its end, check again, and return when it was killed.

    Raises:
        AssertionError: something is not as it must be.
        Died: a check, or the command when nobody kills it, aborts or hangs.
    """
    command = COMMANDS[name]
    command.before(work, folder)
    server = _serve() if name == "fetch" else None
    try:
        catalog = _catalog(folder, server[1]) if server else None
        if name not in _seconds:
            started = time.monotonic()
            _run_to_end(command.arguments(work, folder), folder, catalog)
            _seconds[name] = time.monotonic() - started
            for path in folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            command.before(work, folder)
            catalog = _catalog(folder, server[1]) if server else None
        killed, longest = "", _seconds[name]
        for _ in range(rng.choice((1, 1, 2))):  # what goes on may be killed again
            moment = rng.uniform(0, longest)
            process = _start(command.arguments(work, folder), folder.parent / "killed.log", catalog)
            time.sleep(moment)
            with suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
            code = _wait(process, _LONGEST)
            killed += f"{'killed' if code == -signal.SIGKILL else f'ended with {code}'} after {moment:.2f} s; "
            assert code in (0, -signal.SIGKILL), (folder.parent / "killed.log").read_text("utf-8")
            if code == 0:
                break
            _checked(lambda: command.check(work, folder, False), folder, f"after a kill ({killed})")
        if not (folder / "student" / "training.json").exists():  # a finished student is not trained again
            _run_to_end(command.arguments(work, folder), folder, catalog)
        _checked(lambda: command.check(work, folder, True), folder, f"after the next run ({killed})")
        return killed
    finally:
        if server is not None:
            os.kill(server[0], signal.SIGKILL)
            os.waitpid(server[0], 0)


_seconds: dict[str, float] = {}
"""How long each command takes, once it was measured."""


def _checked(check: Callable[[], None], folder: Path, when: str) -> None:
    def work(report: Report) -> None:
        try:
            check()
        except BaseException as error:
            report(f"{when}: {type(error).__name__}: {str(error)[:400]}")

    for reason in forked(work, folder.parent / "check.log", _LONGEST, 1 << 40):
        raise AssertionError(reason)


def _run_to_end(arguments: list[str], folder: Path, catalog: Path | None) -> None:
    log = folder.parent / "run.log"
    code = _wait(_start(arguments, log, catalog), _LONGEST)
    said = log.read_text("utf-8", "replace")
    assert code == 0, f"the next run ends with {code}: {said[-400:]}"
    assert not any(word in said for word in ("Traceback", "unexpected", "panicked")), said[-400:]


def _start(arguments: list[str], log: Path, catalog: Path | None = None) -> int:
    process = os.fork()
    if process == 0:
        _become(arguments, log, catalog)
    with suppress(PermissionError, ProcessLookupError):
        os.setpgid(process, process)
    return process


def _become(arguments: list[str], log: Path, catalog: Path | None) -> NoReturn:
    """Run `lexkit` in this process, which was just forked."""
    code: int | str | None = 1
    try:
        os.setpgid(0, 0)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        tempfile.tempdir = None
        if catalog is not None:
            from lexkit.sources import catalog as catalogue

            catalogue.data_file = lambda name: catalog
        from lexkit.cli.main import main

        main(arguments)
    except SystemExit as error:
        code = error.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else code is not None)


def _wait(process: int, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    raise Died(f"the command hangs for more than {seconds:g} s")


def _sound(store: Path) -> int:
    """Make sure that a store is sound, and return how many words it has."""
    findings = [finding for finding in verify_store(store) if finding.code.startswith("E")]
    assert not findings, findings
    with lexkit.open(store) as lexicon:
        return lexicon.statistics().words


def _require_only(folder: Path, *names: str) -> None:
    found = sorted(path.name for path in folder.iterdir())
    assert found == sorted(names), (
        f"left behind: {sorted(set(found) - set(names))}, gone: {sorted(set(names) - set(found))}"
    )


def _check_build(work: Path, folder: Path, done: bool) -> None:
    store = folder / "s.duckdb"
    if done or store.read_bytes() != (work / "small.duckdb").read_bytes():
        assert _sound(store) == 2 * _ENTRIES
    if done:
        _require_only(folder, "s.duckdb")


def _check_tokenize(work: Path, folder: Path, done: bool) -> None:
    store = folder / "s.duckdb"
    if done or store.read_bytes() != (work / "large.duckdb").read_bytes():
        assert _sound(store) == 2 * _ENTRIES
        with lexkit.open(store) as lexicon:
            assert lexicon.tokenizers() == ["bytes"]
    if done:
        _require_only(folder, "s.duckdb")


def _tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _check_export(work: Path, folder: Path, done: bool) -> None:
    found, new = _tree(folder / "out"), _tree(work / "export-new")
    assert found == new or (not done and found == _tree(work / "export-old")), f"neither old nor new: {sorted(found)}"
    if done:
        _require_only(folder, "out")


def _check_fetch(work: Path, folder: Path, done: bool) -> None:
    from lexkit.sources.cache import read_record

    file = folder / "cache" / "fuzz" / "fuzz.txt"
    assert not file.exists() or file.read_bytes() == _BODY, "half a file has the name of the whole"
    assert file.exists() or read_record(file) is None
    if done:
        assert file.exists()
        assert read_record(file) is not None
        _require_only(file.parent, "fuzz.txt", "fuzz.txt.json", *_present(file.parent, "fuzz.txt.lock"))


def _present(folder: Path, *names: str) -> list[str]:
    return [name for name in names if (folder / name).exists()]


def _check_compose(work: Path, folder: Path, done: bool) -> None:
    from lexkit_distill.senses.dictionary import SenseDictionary

    found, new = SenseDictionary(folder / "senses"), SenseDictionary(work / "senses")
    tokens = found.index.filter(~found.is_word)
    assert tokens.equals(new.index.filter(~new.is_word)), "senses of tokens are gone"
    if done or len(found.index) != len(tokens):
        assert found.fingerprint == new.fingerprint, "neither without words nor with all of them"
    if done:
        names = [path.name for path in (work / "senses").iterdir()]
        _require_only(folder / "senses", *names)


def _check_train(work: Path, folder: Path, done: bool) -> None:
    student, whole = folder / "student", work / "student"
    if done or (student / "training.json").exists():
        weights = (student / "model.safetensors").read_bytes()
        assert weights == (whole / "model.safetensors").read_bytes(), "the student differs from that of an unbroken run"
    if done:
        names = [path.name for path in whole.iterdir()]
        _require_only(student, *names)


def _arguments_of_train(work: Path, folder: Path) -> list[str]:
    options = {
        "--teacher": work / "teacher", "--data": work / "text.txt", "--output": folder / "student",
        "--senses": work / "senses", "--store": work / "taught.duckdb", "--layers": 1, "--trained": 1,
        "--batch-size": 4, "--max-length": 32, "--max-steps": 12, "--save-every": 3, "--dtype": "float32",
        "--device": "cpu", "--lr": "1e-3", "--gamma": "auto",
    }  # fmt: skip
    return ["distill", "train", "--quiet", *(str(part) for pair in options.items() for part in pair)]


def _copied(source: str, target: str) -> Callable[[Path, Path], None]:
    def copy(work: Path, folder: Path) -> None:
        if (work / source).is_dir():
            shutil.copytree(work / source, folder / target)
        else:
            shutil.copy(work / source, folder / target)

    return copy


COMMANDS = {
    "build": Command(
        lambda work, folder: [
            "build", "--quiet", "--jobs", "2", "--wiktionary", str(work / "large.jsonl"),
            "--output", str(folder / "s.duckdb"),
        ],
        _copied("small.duckdb", "s.duckdb"),
        _check_build,
    ),
    "tokenize": Command(
        lambda work, folder: [
            "tokenize", "--quiet", "--store", str(folder / "s.duckdb"), "--tokenizer", f"bytes={work / 't'}",
        ],
        _copied("large.duckdb", "s.duckdb"),
        _check_tokenize,
    ),
    "export": Command(
        lambda work, folder: [
            "export", "--quiet", "--format", "jsonl", "--store", str(work / "large.duckdb"), str(folder / "out"),
        ],
        _copied("export-old", "out"),
        _check_export,
    ),
    "fetch": Command(
        lambda work, folder: ["fetch", "--quiet", "--cache", str(folder / "cache"), "fuzz"],
        lambda work, folder: None,
        _check_fetch,
    ),
    "compose": Command(
        lambda work, folder: [
            "distill", "compose", "--quiet", "--max-tokens", "6", "--store", str(work / "taught.duckdb"),
            "--senses", str(folder / "senses"),
        ],
        _copied("senses-old", "senses"),
        _check_compose,
    ),
    "train": Command(_arguments_of_train, lambda work, folder: None, _check_train),
}  # fmt: skip


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send the file, or the rest of it, slowly."""
        wanted = self.headers["Range"]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.send_response(206 if start else 200)
        self.send_header("ETag", '"1"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(_BODY) - 1}/{len(_BODY)}")
        self.send_header("Content-Length", str(len(_BODY) - start))
        self.end_headers()
        for place in range(start, len(_BODY), 1 << 16):
            self.wfile.write(_BODY[place : place + (1 << 16)])
            time.sleep(0.02)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _serve() -> tuple[int, int]:
    """Start a server in a process of its own; return its process and its port."""
    os.environ["no_proxy"] = "127.0.0.1"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    process = os.fork()
    if process == 0:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  # a killed client is no news
        server.serve_forever()
        os._exit(0)
    server.server_close()
    return process, server.server_address[1]


def _catalog(folder: Path, port: int) -> Path:
    path = folder.parent / "catalog.toml"
    text = _CATALOG.format(port=port, size=len(_BODY), digest=hashlib.sha256(_BODY).hexdigest())
    path.write_text(text, encoding="utf-8")
    return path
