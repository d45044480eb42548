from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import lexkit

# How long an example takes depends on the machine and on what else runs there
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("LEXKIT_TEST_DATA") or ROOT.parent / "shared" / "data")
WIKTIONARY = "wiktionary/wiktextract-1.99.7-mini.jsonl.gz"
ROGET = "roget/roget10681.txt"
MORPHOLEX = "morpholex/MorphoLEX_en-reconstructed.xlsx"
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
TABLE_1 = """\
quit\tdiscontinue\tsynonym
accurate\tfaultless\tsynonym
opposite\tdissimilar\tsynonym
variable\tunchangeable\tantonym
unkind\tfriendly\tantonym
disinterest\tzeal\tantonym
"""


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is kept in, or taken from, the cache of whoever runs the tests."""
    os.environ["LEXKIT_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """The path of a file of real data; the test is skipped where the data are not."""

    def path(name: str) -> Path:
        file = SHARED / name
        if not file.exists():
            pytest.skip(f"real data are not there: {file.name} (set LEXKIT_TEST_DATA to their folder)")
        return file

    return path


@pytest.fixture(scope="session")
def vocabulary() -> Callable[[str], Path]:
    """The folder of a real tokenizer, ``llama3``, ``qwen3`` or ``mistral``; the test is skipped where they are not."""

    def folder(name: str) -> Path:
        place = Path(os.environ.get("LEXKIT_TEST_VOCABULARIES", "")) / name
        if not (place / "tokenizer.json").exists():
            pytest.skip(f"{name}'s vocabulary is not there (benchmarks/vocabularies.py, LEXKIT_TEST_VOCABULARIES)")
        return place

    return folder


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Build a store for all processes that run tests, by the first that asks for it; nobody may change it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "stores"
    folder.mkdir(exist_ok=True)

    def build(name: str, **options: Any) -> Path:
        path = folder / name / "lexkit.duckdb"
        path.parent.mkdir(exist_ok=True)
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                lexkit.build(path, **options)
        return path

    return build


@pytest.fixture(scope="session")
def starter_store(built_once: Callable[..., Path]) -> Path:
    return built_once("starter")


@pytest.fixture(scope="module")
def made_starter_store(starter_store: Path) -> Iterator[None]:
    """Builds without sources copy the store that they would make, of which other tests show that they make it."""
    from lexkit.store.build import BuildSummary, build

    def made(output: Path | str, **options: Any) -> BuildSummary:
        if not {"progress", "tokenizers"}.issuperset(options):
            return build(output, **options)
        shutil.copy(starter_store, output)
        if options.get("tokenizers"):
            lexkit.tokenize(output, options["tokenizers"])
        with lexkit.open(output) as lexicon:
            return BuildSummary(str(output), 1.0, lexicon.statistics())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexkit, "build", made)
        yield


@pytest.fixture(scope="session")
def real_store(
    tmp_path_factory: pytest.TempPathFactory, shared: Callable[[str], Path], built_once: Callable[..., Path]
) -> Path:
    """Roget, Wiktionary and MorphoLEX as they are, and the stated pairs of the paper's Table 1."""
    folder = tmp_path_factory.mktemp("real")
    pairs = []
    for kind in ("synonym", "antonym"):
        file = folder / f"{kind}.txt"
        rows = [row.split("\t") for row in TABLE_1.splitlines()]
        file.write_text("".join(f"{a} {b}\n" for a, b, row_kind in rows if row_kind == kind), encoding="utf-8")
        pairs.append((kind, file))
    files: dict[str, Any] = {
        "wiktionary": [shared(WIKTIONARY)],
        "roget": [shared(ROGET)],
        "morpholex": shared(MORPHOLEX),
    }
    return built_once("real", **files, pairs=pairs)


FULL = """
mount -t tmpfs -o size="$1" none "$2" && cp -r "$3"/. "$2" && cd "$2" || exit 99
shift 3
"$@"
code=$?
cp -r . ../after
exit $code
"""
"""Runs a command on a small disk that holds what $3 does, in a name space of its own, and keeps what is there after."""


@pytest.fixture
def disk(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `lexkit`, or a script of Python, on a disk of some bytes that holds what is in the folder ``before``.

    What is on the disk in the end comes to the folder ``after``.
    """
    namespace = ["unshare", "--map-root-user", "--mount"]
    for folder in ("disk", "before"):
        (tmp_path / folder).mkdir()
    try:
        probe = [*namespace, "mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path / "disk")]
        subprocess.run(probe, check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no small disk can be mounted here ({error})")

    def run(size: int, *arguments: str | Path, script: str = "") -> subprocess.CompletedProcess[str]:
        folders = [str(tmp_path / "disk"), str(tmp_path / "before")]
        program = [sys.executable, *(["-c", script] if script else ["-m", "lexkit"])]
        return subprocess.run(
            [*namespace, "sh", "-c", FULL, "sh", str(size), *folders, *program, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def small_files() -> Callable[[int], AbstractContextManager[None]]:
    """While this lasts, no file grows beyond some bytes, as if the disk were full."""

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


@pytest.fixture(scope="session")
def forked() -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Run `lexkit` in a process forked from one that has imported it."""
    environment = {**os.environ, **dict.fromkeys(OFFLINE, "1"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).with_name("fork_server.py"))]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        out, err = Path(folder, "out"), Path(folder, "err")

        def run(arguments: Sequence[str], cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
            for file in (out, err):
                file.write_bytes(b"")
            request = {"arguments": arguments, "folder": str(cwd), "environment": env, "out": str(out), "err": str(err)}
            print(json.dumps(request), file=server.stdin, flush=True)
            code = int(server.stdout.readline())
            return subprocess.CompletedProcess(arguments, code, out.read_text("utf-8"), err.read_text("utf-8"))

        yield run
        server.stdin.close()


@pytest.fixture
def run(tmp_path: Path, forked: Callable[..., Any]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `lexkit` as its user does, in a process of its own; a new one if *env* may matter to what it imports."""

    def lexkit_command(
        *arguments: str | Path, cwd: Path = tmp_path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key != "LEXKIT_STORE"} | dict(env or {})
        words = list(map(str, arguments))
        if env is None:
            done: subprocess.CompletedProcess[str] = forked(words, cwd, environment)
            return done
        return subprocess.run(
            [sys.executable, "-m", "lexkit", *words],
            capture_output=True,
            text=True,
            cwd=cwd,
            env=environment,
            timeout=120,
            check=False,
        )

    return lexkit_command
