"""Try hostile inputs, statements and kills on lexkit, and say what it does not survive.

Usage: python benchmarks/fuzz.py [--inputs 2000] [--statements 100] [--kills 20] [--seed 0] [--jobs N] [--json FILE]
       python benchmarks/fuzz.py --seed 0 --only input:1234 --keep FOLDER

- Inputs are small valid files of every form that lexkit reads, changed at random: bytes, lines, values of JSON, members
  of archives, compressed or not. Each is read in a forked process with bounded memory and time. It has to be read, or
  refused with an error of one line. What can be read is built into a store with others, and that store verified.
- Statements come from a grammar of DuckDB's SQL. None may read another file, change anything, or leave anything
  behind.
- Kills end build, tokenize, export, fetch, compose and train at random moments with SIGKILL. What was there before has
  to be whole, nothing half made may have its final name, and the next run has to succeed.

All of it follows from the seed, but for the moments at which a kill comes. A failure is printed with the command that
repeats it alone; --keep leaves its input in FOLDER. The exit code is 1 if there is one. Teachers, dictionaries, compose
and train are left out where torch is not installed, and GGUF files where gguf is not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ |= {"TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
os.environ["SOURCE_DATE_EPOCH"] = "0"  # so that stores are the same each time

import fuzz_kills
import fuzz_seeds
import fuzz_sql
from fuzz_readers import Reader, all_readers
from fuzz_run import Died, Report, alone, forked, limit_memory, outcome

import lexkit

BLOCK = 40
"""Inputs, or statements, that one process tries one after the other."""
_CORE = (
    "lexkit.cli.main",
    "lexkit.cli.build",
    "lexkit.store.verify",
    "lexkit.reporting.page",
    "pandas",
    "python_calamine",
)
_DISTILL = (
    "torch",
    "transformers",
    "lexkit_distill.training.run",
    "lexkit_distill.senses.build",
    "lexkit_distill.chat",
)


@dataclass(frozen=True)
class Result:
    """How one input, statement or kill ended."""

    kind: str
    name: str
    """The reader or the command."""
    number: int
    outcome: str
    """done, refused or failed."""
    reason: str


@dataclass(frozen=True)
class Round:
    """What is tried, and where."""

    seed: int
    work: Path
    keep: Path | None


def main() -> None:
    """Try everything, and print what failed and a table."""
    options = _options()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        os.environ["LEXKIT_CACHE"] = str(work / "cache")
        with_torch = find_spec("torch") is not None and find_spec("transformers") is not None
        for _ in forked(lambda report: _prepare(work, with_torch), work / "prepare.log", 300, 1 << 40):
            pass
        tried = Round(options.seed, work, options.keep)
        tasks = _tasks(options, work, with_torch)
        results = sorted(_in_lanes(tasks, tried, options.jobs), key=lambda result: (result.kind, result.number))
    _print(results, options, time.monotonic() - started)
    sys.exit(any(result.outcome == "failed" for result in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in (("inputs", 2000), ("statements", 100), ("kills", 20), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=number, metavar="N")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every count and failure")
    parser.add_argument("--only", metavar="KIND:N", help="repeat one input, statement or kill")
    parser.add_argument("--reader", metavar="NAME", help="try the inputs of this reader alone")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave inputs that fail, or the only one, here")
    return parser.parse_args()


def _prepare(work: Path, with_torch: bool) -> None:
    """Make what inputs, statements and kills start from, in a process that ends: it has threads, and so cannot fork."""
    pairs = work / "pairs.txt"
    pairs.write_bytes(fuzz_seeds.pairs())
    opposites = work / "opposites.txt"
    opposites.write_text("kind unkind\ngood bad\n", encoding="utf-8")
    tokenizer = work / "t" / "tokenizer.json"
    tokenizer.parent.mkdir()
    tokenizer.write_bytes(fuzz_seeds.tokenizers()["byte-level"])
    asked: Any = [("antonym", opposites)]
    lexkit.build(work / "small.duckdb", pairs=asked, tokenizers=[str(tokenizer)], jobs=1)
    fuzz_kills.prepare(work, with_torch=with_torch)
    if with_torch and find_spec("gguf") is not None:
        fuzz_seeds.gguf(work / "teacher.gguf", fuzz_seeds.tokenizers()["byte-level"])


class Task:
    """A part of the round that one process tries."""

    needs_torch = False

    def run(self, tried: Round, folder: Path) -> Iterator[Result]:
        """Try it."""
        raise NotImplementedError


@dataclass(frozen=True)
class Inputs(Task):
    """Inputs of one reader."""

    reader: Reader
    numbers: list[int]

    @property
    def needs_torch(self) -> bool:  # type: ignore[override]
        """Whether the reader does."""
        return self.reader.needs_torch

    def run(self, tried: Round, folder: Path) -> Iterator[Result]:
        """Read each input; build a store of those that can be read."""
        readable: dict[int, str] = {}
        found: dict[int, Result] = {}
        for number, how, reason in _survivors(lambda rest: self._read(tried, folder, rest), self.numbers, folder):
            found[number] = self._result(number, how, "" if how == "done" else reason)
            if how == "done" and reason:
                readable[number] = reason
        if self.reader.keep is not None and readable:
            some = readable if self.reader.together else dict(list(readable.items())[:2])
            groups = [list(some)] if self.reader.together else [[number] for number in some]
            for group in groups:
                found |= {result.number: result for result in self._kept(tried, folder, {n: some[n] for n in group})}
        for number, result in found.items():
            if result.outcome == "failed" and tried.keep is not None:
                self._leave(tried, number)
        yield from found.values()

    def _result(self, number: int, how: str, reason: object) -> Result:
        return Result("input", self.reader.name, number, how, str(reason))

    def _make(self, tried: Round, folder: Path, number: int) -> Path:
        return self.reader.make(folder, random.Random(f"{tried.seed}:input:{number}"))

    def _leave(self, tried: Round, number: int) -> None:
        assert tried.keep is not None
        place = tried.keep / f"{self.reader.name}-{number}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        self._make(tried, place, number)

    def _read(self, tried: Round, folder: Path, rest: list[int]) -> Any:  # noqa: ANN401
        def work(report: Report) -> None:
            for number in rest:
                report((number, "begun", ""))
                place = folder / f"input-{number}"
                place.mkdir(exist_ok=True)
                path = self._make(tried, place, number)

                def one(path: Path = path) -> str:
                    before = _names(path.parent)
                    with alone(folder):
                        is_readable = self.reader.read(path)
                    left = _names(path.parent) - before - {"export", "report.html"}
                    assert not left, f"files are left behind: {sorted(left)}"
                    return str(path) if is_readable else ""

                report((number, *outcome(one, folder / "log")))

        return work

    def _kept(self, tried: Round, folder: Path, paths: dict[int, str]) -> Iterator[Result]:
        """Do what a command does with what can be read; if that fails, with each alone, to tell which one it is."""
        groups = [list(paths)]
        while groups:
            group = groups.pop()

            def work(report: Report, group: list[int] = group) -> None:
                def build() -> None:
                    with alone(folder) as place:
                        (place / "new").mkdir()
                        assert self.reader.keep is not None
                        self.reader.keep([Path(paths[number]) for number in group], place / "new")

                report((group[0], "begun", ""))
                report((group[0], *outcome(build, folder / "log")))

            for number, how, reason in _survivors(lambda rest, work=work: work, group[:1], folder):
                if how == "done":
                    continue
                if len(group) == 1:
                    yield self._result(number, how, f"kept: {reason}")
                else:
                    groups += [[one] for one in group]


@dataclass(frozen=True)
class Statements(Task):
    """Some statements on one open store."""

    numbers: list[int]

    def run(self, tried: Round, folder: Path) -> Iterator[Result]:
        """Run each statement."""
        fuzz_sql.prepare(folder, tried.work / "small.duckdb")

        def work(rest: list[int]) -> Any:  # noqa: ANN401
            def run(report: Report) -> None:
                with fuzz_sql.open_store(folder) as lexicon:
                    for number in rest:
                        report((number, "begun", ""))
                        limit_memory()  # anew: some queries leave gigabytes of addresses mapped, which are no memory
                        statement = self.statement(tried, folder, number)
                        as_command = number % 2 == 1
                        # Bind them now, since the loop goes on
                        one = lambda s=statement, c=as_command: fuzz_sql.check(lexicon, s, folder, as_command=c)  # noqa: E731
                        report((number, *outcome(one, log)))

            return run

        log = folder.parent / "log"
        for number, how, reason in _survivors(work, self.numbers, folder.parent):
            statement = self.statement(tried, folder, number)
            if tried.keep is not None and how == "failed":
                tried.keep.mkdir(parents=True, exist_ok=True)
                (tried.keep / f"statement-{number}.sql").write_bytes(statement.encode("utf-8", "surrogatepass"))
            name = "sql" if number % 2 else "Lexicon.sql"
            yield Result("statement", name, number, how, f"{reason} [{statement[:200]!r}]" if how == "failed" else "")

    @staticmethod
    def statement(tried: Round, folder: Path, number: int) -> str:
        """Return the statement of a number."""
        return fuzz_sql.Grammar(random.Random(f"{tried.seed}:statement:{number}"), folder).statement()


@dataclass(frozen=True)
class Kill(Task):
    """One command, killed once."""

    command: str
    number: int

    @property
    def needs_torch(self) -> bool:  # type: ignore[override]
        """Whether the command does."""
        return self.command in fuzz_kills.DISTILL

    def run(self, tried: Round, folder: Path) -> Iterator[Result]:
        """Kill, check, and run again."""
        rng = random.Random(f"{tried.seed}:kill:{self.number}")
        try:
            moment = fuzz_kills.kill(self.command, tried.work, folder, rng)
            yield Result("kill", self.command, self.number, "done", moment)
        except (AssertionError, Died) as error:
            yield Result("kill", self.command, self.number, "failed", f"{type(error).__name__}: {str(error)[:500]}")


def _survivors(work: Any, numbers: list[int], folder: Path) -> Iterator[tuple[int, str, Any]]:  # noqa: ANN401
    """Try numbers in a process; where it dies, its number has failed, and another process tries the rest."""
    rest = list(numbers)
    while rest:
        current = rest[0]
        try:
            for number, how, reason in forked(work(rest), folder / "log"):
                current = number
                if how != "begun":
                    rest = rest[rest.index(number) + 1 :]
                    yield number, how, reason
            if rest:  # killed from outside, say for want of memory
                raise Died("the process is gone")
        except Died as error:
            rest = rest[rest.index(current) + 1 :] if current in rest else rest
            # how `lexkit sql` ends a query that DuckDB does not interrupt
            is_ended = str(error).startswith("exit code 1: error: the query took longer")
            yield current, "refused" if is_ended else "failed", str(error)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _tasks(options: argparse.Namespace, work: Path, with_torch: bool) -> list[Task]:
    readers = [
        reader
        for reader in all_readers(work, with_torch=with_torch)
        if reader.name != "gguf" or (work / "teacher.gguf").exists()
    ]
    # Spread, so that a short round has some inputs for every reader
    places = [((n + 0.4) / reader.share, reader.name, reader) for reader in readers for n in range(reader.share)]
    shares = [reader for _, _, reader in sorted(places, key=lambda place: place[:2])]
    core = [name for name in fuzz_kills.COMMANDS if name not in fuzz_kills.DISTILL]
    commands = [*core, *core, *fuzz_kills.DISTILL] if with_torch else core
    only, number = None, 0
    if options.only is not None:
        only, _, text = options.only.partition(":")
        number = int(text)
    tasks: list[Task] = []
    for start in range(0, options.inputs if only is None else 0, BLOCK):
        numbers = list(range(start, min(start + BLOCK, options.inputs)))
        tasks.append(Inputs(shares[start // BLOCK % len(shares)], numbers))
    if options.reader is not None:
        return [task for task in tasks if isinstance(task, Inputs) and task.reader.name == options.reader]
    for start in range(0, options.statements if only is None else 0, BLOCK):
        tasks.append(Statements(list(range(start, min(start + BLOCK, options.statements)))))
    if only is None:
        tasks += [Kill(commands[n % len(commands)], n) for n in range(options.kills)]
    elif only == "input":
        tasks.append(Inputs(shares[number // BLOCK % len(shares)], [number]))
    elif only == "statement":
        tasks.append(Statements([number]))
    else:
        tasks.append(Kill(commands[number % len(commands)], number))
    return tasks


def _in_lanes(tasks: list[Task], tried: Round, jobs: int) -> list[Result]:
    """Run tasks in some processes, each of which imports torch once, for what needs it, after the rest."""
    for name in _CORE:
        if find_spec(name.partition(".")[0]):
            import_module(name)
    files = []
    children = []
    for lane in range(jobs):
        mine = sorted(tasks[lane::jobs], key=lambda task: task.needs_torch)
        files.append(tried.work / f"lane-{lane}.jsonl")
        process = os.fork()
        if process == 0:
            _lane(mine, tried, files[-1])
        children.append(process)
    for process in children:
        _, status = os.waitpid(process, 0)
        if status:
            sys.exit(f"error: a part of the round ended with {os.waitstatus_to_exitcode(status)}")
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [Result(**json.loads(line)) for line in lines]


def _lane(tasks: list[Task], tried: Round, file: Path) -> None:
    code = 1
    try:
        with file.open("w", encoding="utf-8") as stream:
            for task in tasks:
                if task.needs_torch:
                    for name in _DISTILL:
                        import_module(name)
                with tempfile.TemporaryDirectory(dir=tried.work, ignore_cleanup_errors=True) as place:
                    folder = Path(place) / "folder"
                    folder.mkdir()
                    for result in task.run(tried, folder):
                        stream.write(json.dumps(result.__dict__) + "\n")
                        stream.flush()
                        if result.outcome == "failed":
                            command = (
                                f"python benchmarks/fuzz.py --seed {tried.seed} --only {result.kind}:{result.number}"
                            )
                            print(f"{result.name}: {result.reason}\n    {command}", flush=True)
        code = 0
    finally:
        if code:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        sys.stdout.flush()
        os._exit(code)


def _print(results: list[Result], options: argparse.Namespace, seconds: float) -> None:
    counts = Counter((result.kind, result.name, result.outcome) for result in results)
    names = list(
        dict.fromkeys((result.kind, result.name) for result in sorted(results, key=lambda r: (r.kind, r.name)))
    )
    print(f"\n{'':<24} {'tried':>7} {'done':>7} {'refused':>8} {'failed':>7}")
    for kind, name in names:
        row = [counts[kind, name, how] for how in ("done", "refused", "failed")]
        print(f"{kind + ' ' + name:<24} {sum(row):>7,} {row[0]:>7,} {row[1]:>8,} {row[2]:>7,}")
    print(f"{len(results):,} in {seconds:,.0f} s, seed {options.seed}")
    if options.json is not None:
        failures = [result.__dict__ for result in results if result.outcome == "failed"]
        table = [dict(zip(("kind", "name", "outcome", "n"), (*key, n), strict=True)) for key, n in counts.items()]
        document = {"seed": options.seed, "seconds": round(seconds), "counts": table, "failures": failures}
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
