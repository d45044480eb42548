"""Build a sense dictionary from a teacher and a corpus, in stages that can be resumed.

Under ``accelerate launch``, processes share the batches of the plan and the blocks of tokens; the first process does
the rest. They exchange files in the sample's folder, so this folder and the output must be on a disk that they all see.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

import lexkit
from lexkit.arguments import user_path
from lexkit.atomic_write import write_atomically, write_json
from lexkit.errors import LexkitError
from lexkit.progress import Progress
from lexkit_distill.disk import LOCK, disk_failures, lock_folder, read_json
from lexkit_distill.errors import SampleError
from lexkit_distill.memory import memory_failures
from lexkit_distill.processes import Processes
from lexkit_distill.senses import dictionary as files
from lexkit_distill.senses.collect import collect, share_of
from lexkit_distill.senses.config import SensesConfig
from lexkit_distill.senses.contexts import ContextWriter
from lexkit_distill.senses.estimate import check_room, smaller_batch
from lexkit_distill.senses.meta import check_new
from lexkit_distill.senses.plan import Plan, make_plan, open_plan
from lexkit_distill.senses.reduce import read_blocks, reduce_tokens
from lexkit_distill.senses.sample import Sample, Sampler, done_batches
from lexkit_distill.stopping import stop
from lexkit_distill.teacher import Teacher, load_teacher

LAYER = "last, after the final norm"
_COPIES = 4
"""Most copies of buffered states in memory: one buffer fills while another is sorted and serialised."""


@dataclass(frozen=True)
class SensesSummary:
    """Counts of a finished dictionary and of its inputs."""

    path: str
    documents: int
    duplicates: int
    tokens: int
    keys: int
    rows: int
    sampled: int
    vocabulary: int
    bytes: int
    senses_per_token: dict[int, int]
    """Number of tokens by their number of senses."""


def build_senses(config: SensesConfig, progress: Progress | None = None) -> SensesSummary | None:
    """Build a sense dictionary. If an earlier call was interrupted, resume it.

    Ctrl-C or SIGTERM during the teacher pass stops the run after the current batch; all states are saved to disk.

    Args:
        config: configuration of the dictionary.
        progress: reports stages and batches.

    Returns:
        A summary of the dictionary; None in processes other than the first.

    Raises:
        LexkitError: something is wrong with the teacher, the corpus, the folders, memory or disk space.
        Stopped: the run was stopped by a signal; processes other than the first raise SystemExit.
    """
    processes = Processes(config.device)
    progress = progress if progress is not None and processes.is_first else Progress()
    output = user_path(config.output)
    folder = user_path(config.sample) if config.sample else output / ".sample"
    writing = disk_failures(SampleError, output, "free some space, and run the same command again to resume")
    half = "--dtype bfloat16, " if config.dtype == "float32" else ""
    advice = f"use {half}a lower --max-per-token, or another --device, and run the command again"
    holding = memory_failures(SampleError, str(output), lambda: advice)
    with processes.together(), _claimed(output, folder) if processes.is_first else nullcontext(), writing, holding:
        processes.wait()
        progress.stage("loading the teacher")
        teacher = load_teacher(
            config.teacher,
            gguf=config.gguf,
            dtype=config.dtype,
            device=config.device,
            process=processes.local_rank,
            device_map=config.device_map,
            quantize=config.quantize,
        )
        plan = _planned(config, teacher, folder, processes, progress)
        _collected(config, teacher, plan, folder, processes, progress)
        sample = Sample(folder, config.max_per_token)
        if not len(sample.occurrences):
            raise SampleError(
                f"{output}: no token of the corpus has a hidden state with --anchor {config.anchor}; give a longer "
                "--corpus"
            )
        work = folder / _work_name(config)
        reduce_tokens(config, sample, work, teacher.device, processes, progress)
        processes.wait()
        if not processes.is_first:
            return None
        progress.stage("writing the dictionary")
        summary = _written(config, teacher, plan, sample, output, work)
        shutil.rmtree(work)
        if not config.sample:
            shutil.rmtree(folder)
        progress.close()
        return summary


@contextmanager
def _claimed(output: Path, folder: Path) -> Iterator[None]:
    """Context manager. Lock the output folder and the sample's folder.

    If the run fails before the corpus has been read, the content of a new sample's folder is removed.
    """
    with lock_folder(output, SampleError):
        check_new(output)
        with lock_folder(folder, SampleError, "--sample") as is_new:
            try:
                yield
            except LexkitError:
                if is_new and open_plan(folder) is None:
                    for path in folder.iterdir():
                        if path.is_dir():
                            shutil.rmtree(path)
                        elif path.name != LOCK:
                            path.unlink()
                raise


def _planned(config: SensesConfig, teacher: Teacher, folder: Path, processes: Processes, progress: Progress) -> Plan:
    if processes.is_first:
        _check_same_sample(config, teacher, folder)
        if open_plan(folder) is None:
            make_plan(
                folder,
                config.corpus,
                teacher.encoder,
                max_length=config.max_length,
                batch_tokens=config.batch_tokens,
                progress=progress,
            )
    processes.wait()
    plan = open_plan(folder)
    assert plan is not None
    if processes.is_first:
        check_room(config, plan, teacher.hidden_size, folder, processes.world_size)
    return plan


def _check_same_sample(config: SensesConfig, teacher: Teacher, folder: Path) -> None:
    """Check that an existing sample was collected with the same teacher, corpus and options."""
    what = {
        "teacher": teacher.fingerprint,
        "tokenizer": teacher.encoder.fingerprint,
        **{
            f"--{name.replace('_', '-')}": getattr(config, name)
            for name in ("anchor", "max_length", "batch_tokens", "max_per_token", "dtype", "seed")
        },
        "--corpus": list(config.corpus),
    }
    path = folder / "sample.json"
    if not path.exists() or not any(folder.glob("state-*")):  # no states were collected yet: start over
        if not path.exists() or read_json(path, SampleError, "remove the folder to sample again") != what:
            (folder / "plan.json").unlink(missing_ok=True)
            write_json(path, what)
        return
    before = read_json(path, SampleError, "remove the folder to sample again")
    if teacher.has_fingerprint(before["teacher"]):
        what["teacher"] = before["teacher"]
    for name, value in what.items():
        if before.get(name) != value:
            raise SampleError(
                f"{folder}: contains a sample with another {name} ({_short(before.get(name))}, now {_short(value)}); "
                "use the same value to resume it, give another --sample or --output, or delete it"
            )


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) < 60 else text[:12]


def _collected(
    config: SensesConfig, teacher: Teacher, plan: Plan, folder: Path, processes: Processes, progress: Progress
) -> None:
    if done_batches(folder, plan.batches).all():
        return
    share = share_of(plan, config.batch_tokens, folder, processes.rank, processes.world_size)
    sampler = Sampler(
        folder,
        processes.rank,
        vocabulary=teacher.vocabulary_size,
        hidden_size=teacher.hidden_size,
        cap=config.max_per_token,
        buffer_rows=max(config.memory_budget // (_COPIES * 2 * teacher.hidden_size), 1),
        batches=plan.batches,
    )
    processes.wait()  # all processes must see the same finished batches before any of them continues
    progress.stage("checking the teacher")
    with memory_failures(SampleError, config.output, lambda: smaller_batch(config, teacher)):
        teacher.check(_probe(plan).to(teacher.device))
        progress.stage("reading hidden states")
        with closing(sampler):
            stopped = collect(teacher, plan, sampler, share, anchor=config.anchor, seed=config.seed, progress=progress)
    if stopped is not None:
        done = int(done_batches(folder, plan.batches).sum())
        where = f"{config.output}: stopped after batch {done:,} of {plan.batches:,}"
        stop(f"{where}; run the same command again to resume", stopped, speaks=processes.is_first)
    processes.wait()
    if not done_batches(folder, plan.batches).all():
        raise SampleError(f"{folder}: another process failed before all batches were done; run the same command again")


def _probe(plan: Plan) -> torch.Tensor:
    """Return two rows of real token ids (2, T), the longest pieces of the plan's first row group."""
    pieces = pq.ParquetFile(plan.path).read_row_group(0, ["token_ids"])["token_ids"].to_pylist()[-2:]
    length = max(map(len, pieces))
    rows = [(piece * length)[:length] for piece in pieces]
    return torch.tensor(rows if len(rows) == 2 else rows * 2)


def _work_name(config: SensesConfig) -> str:
    k = config.k if config.k != "adaptive" else f"adaptive-{config.max_k}"
    return f"blocks-{k}-{config.contexts}"


def _written(
    config: SensesConfig, teacher: Teacher, plan: Plan, sample: Sample, output: Path, work: Path
) -> SensesSummary:
    tokens, n_rows, inertia = [], [], []
    for found in read_blocks(work):
        tokens.append(found.token)
        n_rows.append(len(found.rows))
        inertia.append(found.inertia)
    total = sum(n_rows)
    contexts = ContextWriter(output / files.CONTEXTS, plan, sample.occurrences, config.contexts)
    with files.RowWriter(output / files.SENSES, total, teacher.hidden_size) as writer:
        for found in read_blocks(work):
            writer.write(found.rows)
            contexts.add(found.sizes, found.nearest)
    contexts.close()
    index = files.index_table(
        {
            "key_kind": ["token"] * len(tokens),
            "token_ids": [[token] for token in tokens],
            "word": [None] * len(tokens),
            "first_row": np.cumsum([0, *n_rows])[:-1],
            "n_rows": n_rows,
            "n_seen": sample.seen[tokens],
            "inertia": inertia,
        }
    )
    files.write_table(output / files.INDEX, index)
    write_atomically(output / files.TOKENIZER, teacher.encoder.plain_tokenizer.to_str().encode())
    files.write_meta(output, _meta(config, teacher, plan, rows=total, tokens=len(tokens), digest=writer.digest))
    sizes = Counter(n_rows)
    return SensesSummary(
        path=str(output),
        documents=plan.documents,
        duplicates=plan.duplicates,
        tokens=plan.tokens,
        keys=len(tokens),
        rows=total,
        sampled=len(sample.occurrences),
        vocabulary=int((~teacher.special_ids).sum()),
        bytes=sum(path.stat().st_size for path in output.iterdir() if path.is_file()),
        senses_per_token={k: sizes[k] for k in sorted(sizes)},
    )


def _meta(config: SensesConfig, teacher: Teacher, plan: Plan, *, rows: int, tokens: int, digest: str) -> files.Meta:
    return files.Meta(
        format=files.FORMAT,
        lexkit_version=lexkit.__version__,
        teacher=teacher.name,
        teacher_fingerprint=teacher.fingerprint,
        tokenizer_fingerprint=teacher.encoder.fingerprint,
        layer=LAYER,
        anchor=config.anchor,
        k=str(config.k) if config.k != "adaptive" else f"adaptive, at most {config.max_k}",
        max_per_token=config.max_per_token,
        seed=config.seed,
        corpus_fingerprint=plan.fingerprint,
        dtype="bfloat16",
        rows=rows,
        hidden_size=teacher.hidden_size,
        tokens=tokens,
        digest=digest,
        teacher_values=teacher.values_digest,
    )
