"""Runs `lexkit` in processes that are forked from one which has imported its packages: that saves seconds each.

A request is a line of JSON with ``arguments``, ``folder``, ``environment``, ``out`` and ``err``; its answer is the exit
code on a line.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import Any

CORE = ("lexkit.cli.main", "lexkit.store.build")
DISTILL = ("torch", "transformers", "lexkit_distill.training.run")


def _serve() -> None:
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    _import(CORE)
    for line in requests:
        request = json.loads(line)
        if request["arguments"][:1] == ["distill"]:
            _import(DISTILL)
        if os.fork() == 0:
            _become(request)
            _run(request["arguments"])
        _, status = os.wait()
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _import(names: tuple[str, ...]) -> None:
    with suppress(ImportError):
        for name in names:
            import_module(name)


def _run(arguments: list[str]) -> None:
    """Run the command and end as an interpreter does, without the second it takes to free everything imported."""
    from lexkit.cli.main import main

    signal.alarm(120)
    code: int | str | None = 1
    try:
        main(arguments)
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code if isinstance(code, int) else code is not None)  # a message is a failure, as for Python


def _become(request: dict[str, Any]) -> None:
    for number, (name, flags) in enumerate(
        [(os.devnull, os.O_RDONLY), *((request[n], os.O_WRONLY) for n in ("out", "err"))]
    ):
        file = os.open(name, flags)
        os.dup2(file, number)
        os.close(file)
    os.closerange(3, 64)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["lexkit", *request["arguments"]]


if __name__ == "__main__":
    _serve()
