"""The benchmarks of the paper (section 5.2), one per module, used for both training and evaluation.

Each module describes its benchmark in ``TASK``: where its questions are found, how to parse them, and what counts as an
answer. To add a benchmark, add a module; training, evaluation and the command line find it.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from lexkit_distill.tasks.task import Task


def find_tasks() -> dict[str, Task]:
    """Return the tasks that the modules of this package define, by name."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    tasks: list[Task] = [module.TASK for module in modules if hasattr(module, "TASK")]
    return {task.name: task for task in tasks}


TASKS = find_tasks()


def find_task(name: str) -> Task | None:
    """Return the task with a name or alias, in which hyphens and underscores are interchangeable; None if unknown.

    >>> find_task("mmlu-pro").name
    'mmlu_pro'
    """
    name = name.replace("-", "_")
    return next((task for task in TASKS.values() if name in (task.name, *task.aliases)), None)


def split_task(data: str) -> tuple[Task | None, str]:
    """Split ``TASK:FILE`` into task and file; without a task, the whole text is the file.

    >>> split_task("hub:roneneldan/TinyStories")
    (None, 'hub:roneneldan/TinyStories')
    """
    name, _, file = data.partition(":")
    task = find_task(name) if file else None
    return (task, file) if task else (None, data)
