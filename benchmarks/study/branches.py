"""Run the second question of docs/study.md: arms that branch off a shared checkpoint.

Usage: python benchmarks/study/branches.py FOLDER --teacher DIR [--processes 2] [--table FILE] [...]

FOLDER is one that prepare.py has filled with --store. For each seed and base a control is trained to a shared
checkpoint, which stays in FOLDER/branches/shared; every arm continues from there, with its own term and a learning rate
that falls to 0. The row of a run is written to --table at once, and a run whose row is there is not repeated, even if
FOLDER is a new one: then only the checkpoints that missing runs need are trained.
"""

from __future__ import annotations

import argparse
import csv
import gc
import multiprocessing
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import branch_plan as plan
import numpy as np
import pyarrow.compute as pc
import torch
from accelerate import Accelerator
from branch_plan import Arm, Job, Key
from measures import HeldOut, Text, related_tokens
from torch import Tensor, nn

from lexkit.atomic_write import lock, new_file
from lexkit.probe.item import Item
from lexkit.probe.items import make_items
from lexkit.progress import Progress
from lexkit.store.lexicon import Lexicon
from lexkit_distill.config import changed
from lexkit_distill.evaluation.words import LEAST_HEADS, WordScore, score_words
from lexkit_distill.memo import Memo
from lexkit_distill.processes import Processes
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.senses.meta import META, read_meta
from lexkit_distill.supervision.nearest import Supervision
from lexkit_distill.teacher import Teacher
from lexkit_distill.training.batches import Batches, Int64, Positions
from lexkit_distill.training.config import TrainConfig
from lexkit_distill.training.inputs import (
    load_inputs,
    load_training_teacher,
    open_dictionary,
    open_supervision,
)
from lexkit_distill.training.prefetch import DeviceBatch
from lexkit_distill.training.run import prepare
from lexkit_distill.training.semantic import semantic_loss
from lexkit_distill.training.step import Objective, TeacherSignal
from lexkit_distill.training.student import Student
from lexkit_distill.training.trainer import Trainer

SETTINGS: dict[str, Any] = {
    "layers": 15,
    "trained": 2,
    "loss_on": "all",
    "max_length": 128,
    "batch_size": 8,
    "micro_batch_size": 8,
    "epochs": 100,
    "lr": plan.RATE,
    "dtype": "bfloat16",
}
PROBE_HEADS, NEGATIONS = 200, 60
"""Heads of antonym and synonym items, and pairs of negation items, at most."""
RARE_STEP = 2
"""Every other antonym and synonym item whose head is rare is asked in addition, since there are few among those."""
COMPOSED = "synonyms"
"""The dictionary in which rare words have senses composed of their synonyms'."""
WINDOWS = 80
"""Of 128 tokens, of the held-out text."""
_BATCH_ROWS = 8
"""Prompts of the probe at a time, as `score_words` counts them."""


class SamePositions(Batches):
    """The batches of an arm, with the loss taken at the positions of another, whatever its own store lacks."""

    def __init__(self, own: Batches, other: Batches) -> None:
        self.__dict__.update(own.__dict__)
        self._other = other

    def positions(self, rows: Int64, epoch: int) -> Positions:
        """Return the positions of rows (B,) that supervise."""
        return replace(super().positions(rows, epoch), sampled=self._other.positions(rows, epoch).sampled)


@dataclass(frozen=True)
class EarlyTerm(Objective):
    """An objective whose senses are on in the first steps only."""

    steps: int
    """Steps with senses."""
    step: Callable[[], int]
    """Returns the step of the training, from 0."""

    def __call__(
        self, module: nn.Module, batch: DeviceBatch, signal: TeacherSignal, *, targets: int, sampled: int
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch and its sums, as `Objective` does."""
        now = self if self.step() < self.steps else replace(self, config=replace(self.config, **plan.NONE))
        return Objective.__call__(now, module, batch, signal, targets=targets, sampled=sampled)


@dataclass(frozen=True)
class MiddleTerm(Objective):
    """An objective with one more term, at the state after a middle layer.

    The model's final norm is applied to that state, as if the model ended there. The state belongs to the token
    that was read and not to the next one, so the term is taken at the positions that follow the sampled ones.
    """

    cut: Student
    """The teacher's layers up to the middle one, of which the student's frozen layers are the first."""
    senses: Supervision | None
    """Candidates from a dictionary of that layer, for L_sem; None matches the teacher's states."""

    def __call__(
        self, module: nn.Module, batch: DeviceBatch, signal: TeacherSignal, *, targets: int, sampled: int
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch with the term, and its sums, as `Objective` does."""
        states: list[Tensor] = []
        layer = self.student.trained[self.cut.n_trained - 1]
        hook = layer.register_forward_hook(lambda _, __, output: states.append(_first(output)))
        try:
            loss, sums = super().__call__(module, batch, signal, targets=targets, sampled=sampled)
        finally:
            hook.remove()
        return loss + self._term(self.student.tail.norm(states[0]), batch, signal.prefix), sums

    def _term(self, hidden: Tensor, batch: DeviceBatch, prefix: Tensor | None) -> Tensor:
        """Return the term for the student's states (B, T, d) of the middle layer."""
        of = batch.batch.positions
        follows = (np.diff(of.rows) == 0) & (np.diff(of.places) == 1)
        before = np.flatnonzero(of.sampled[:-1] & follows)
        if not len(before):
            return hidden.new_zeros(())
        index = torch.from_numpy(before + 1).to(hidden.device)
        with torch.no_grad():
            teacher = batch.select(self.cut.run(self.cut.tail, batch.token_ids, prefix)).index_select(0, index)
        own = batch.select(hidden).index_select(0, index).float()
        if self.senses is None:
            return self.config.hidden_weight * (own - teacher.float()).square().mean()
        pool = self.senses.pool(of.targets[before], of.words[before]).moved(lambda part: part.to(hidden.device))
        rows = self.senses.senses(pool.rows, hidden.device)
        found = semantic_loss(
            self.senses.scale(own), self.senses.nearest(teacher, pool, rows), rows, filled=pool.filled
        )
        return found.total.float() / len(before)


def _first(output: Any) -> Tensor:  # noqa: ANN401  # older layers of transformers return a tuple
    hidden: Tensor = output[0] if isinstance(output, tuple) else output
    return hidden


@dataclass(frozen=True)
class Reader(Teacher):
    """A student as a model that the probe can ask. States after the frozen layers are kept from model to model."""

    student: Student | None = None
    prefixes: dict[bytes, Tensor] | None = None

    def last_hidden(self, token_ids: Tensor) -> Tensor:
        """Return the student's hidden states (B, T, d) of token ids (B, T)."""
        assert self.student is not None
        assert self.prefixes is not None
        key = token_ids.cpu().numpy().tobytes()
        if key not in self.prefixes:
            self.prefixes[key] = self.student.run_teacher(token_ids).prefix
        return self.student.run(self.student.tail, token_ids, self.prefixes[key])


def probe_figures(scores: Iterable[WordScore], held_out: set[str]) -> dict[str, float]:
    """Return accuracies and margins of a probe by type, by whether the relation was trained, and by band.

    A margin is the score of the right option less the mean of the others', in nats. An item is *unseen* if its head is
    held out, and *seen* if none of its words is: only then is the relation of head and answer in the training store.
    """
    values: dict[str, dict[str, list[float]]] = {}
    for score in scores:
        own = np.array(score.log_likelihood) - np.array(score.neutral)
        right = score.options.index(score.target)
        margin = float((own[:, right] - np.delete(own, right, 1).mean(1)).mean())
        kinds = ["", *(f"_{band}" for band in score.bands)]
        if score.group in held_out:
            kinds.append("_unseen")
        elif not {score.head, score.target} & held_out:
            kinds.append("_seen")
        for kind in kinds:
            values.setdefault(f"{score.task}{kind}", {}).setdefault(score.group, []).append(score.correct[""])
            if kind in ("", "_seen", "_unseen", "_rare"):
                values.setdefault(f"{score.task}_margin{kind}", {}).setdefault(score.group, []).append(margin)
    return {
        name: float(np.mean([np.mean(found) for found in groups.values()]))
        for name, groups in sorted(values.items())
        if len(groups) >= LEAST_HEADS
    }


@dataclass(frozen=True)
class Options:
    """Where everything is, and how long runs are."""

    folder: Path
    teacher: Path
    table: Path
    shared: int = plan.SHARED
    """Predicted tokens up to the shared checkpoint."""
    branch: int = plan.BRANCH
    """Predicted tokens from there."""
    device: str = "cpu"
    text: Path | None = None
    """The training text, if it is another than prepare.py's."""
    layers: int = SETTINGS["layers"]
    """Layers of the student."""
    scale: float = 1.0
    """Variance of the teacher's states over that of SmolLM2-135M's, for which the weights were chosen."""


class Worker:
    """A process that trains and measures, one run after the other."""

    def __init__(self, options: Options) -> None:
        torch.set_num_threads(1)
        self.options, self.folder = options, options.folder
        self.memo = Memo()
        self.processes = Processes(options.device)
        self.accelerator = Accelerator(cpu=options.device == "cpu", mixed_precision="no")
        self.prefixes: dict[int, dict[bytes, Tensor]] = {}
        """States after the frozen layers, by their number and token ids."""
        self.texts: dict[int, Text] = {}

    def config(self, arm: Arm, base: str, seed: int) -> TrainConfig:
        """Return the configuration of a run, all but its number of steps."""
        fields = {**SETTINGS, "layers": self.options.layers, **plan.BASES.get(base, {}), **arm.options}
        for name, default in (("beta_p", 1.0), ("beta_n", 1.0), ("hidden_weight", 0.0)):  # of squared distances
            fields[name] = fields.get(name, default) / self.options.scale
        if "gamma" not in fields:
            fields["gamma"] = self.options.scale
        cache = f"cache-{fields['layers'] - fields['trained']}"  # with states after the frozen layers
        return changed(
            TrainConfig(str(self.options.teacher)),
            data=(str(self.options.text or self.folder / "train.txt"),),
            output=str(self.folder / "none"),
            senses=str(self.folder / "branches" / "senses" / arm.senses_of(base)),
            store=str(self.folder / "branches" / f"{arm.store}.duckdb"),
            # A GPU runs the teacher sooner than a disk gives its states of ten million tokens
            cache=str(self.folder / "branches" / cache) if self.options.device == "cpu" else None,
            seed=seed,
            device=self.options.device,
            **fields,
        )

    @cached_property
    def teacher(self) -> Teacher:
        """The teacher."""
        return load_training_teacher(self.config(Arm("any"), plan.REFERENCE, 0), 0, self.memo)

    def text(self, frozen: int) -> Text:
        """Return the held-out text, with the states after so many layers."""
        if frozen not in self.texts:
            config = self.config(Arm("any"), plan.REFERENCE, 0)
            inputs = load_inputs(config, self.teacher, self.sampled_by, Progress())
            assert inputs.supervision is not None
            size = self.teacher.vocabulary_size
            counts = torch.from_numpy(np.bincount(inputs.data.token_ids, minlength=size))
            student = Student(self.teacher, self.options.layers, self.options.layers - frozen)
            held_out = HeldOut(self.folder / "branches" / f"held-out-{frozen}", self.teacher, student)
            text = (self.folder / "test.txt").read_text(encoding="utf-8")
            related = related_tokens(inputs.supervision, size)
            self.texts[frozen] = held_out.text("test", text, WINDOWS, related, counts, composed=self.composed(size))
        return self.texts[frozen]

    def composed(self, vocabulary: int) -> Tensor | None:
        """Return (V,) which tokens have other senses in the dictionary with composed ones, if there is one."""
        folder = self.folder / "branches" / "senses"
        if not (folder / COMPOSED).exists():
            return None
        plain, other = (SenseDictionary(folder / name) for name in ("predicted", COMPOSED))
        tokens = plain.index.filter(pc.equal(plain.index["key_kind"], "token"))
        first = torch.tensor(tokens["first_row"].to_numpy())
        ids = torch.tensor(pc.list_flatten(tokens["token_ids"]).to_numpy())
        found = torch.zeros(vocabulary, dtype=torch.bool)
        found[ids[(plain.rows[first] != other.rows[first]).any(1)]] = True
        return found

    @cached_property
    def items(self) -> list[Item]:
        """The items of the probe, from the store with all relations."""
        with Lexicon(self.folder / "branches" / "all.duckdb") as lexicon:
            items = make_items(lexicon, PROBE_HEADS)
        negations = [item for item in items if item.type == "negation"][: 2 * NEGATIONS]
        return [item for item in items if item.type != "negation"] + negations

    @cached_property
    def rare_items(self) -> list[Item]:
        """Items of rare heads, in addition."""
        with Lexicon(self.folder / "branches" / "all.duckdb") as lexicon:
            items = [item for item in make_items(lexicon) if item.frequency == "rare"]
        return [item for kind in ("antonym", "synonym") for item in items if item.type == kind][::RARE_STEP]

    @cached_property
    def held_out(self) -> set[str]:
        """The words whose relations no training sees."""
        return set((self.folder / "branches" / "held-out-words.txt").read_text(encoding="utf-8").split())

    def __call__(self, job: Job) -> str:
        """Do the runs of a job, and write the row of each."""
        if job.base == plan.REFERENCE:
            for name in job.arms:
                self.finish(Key(job.seed, job.base, name), reference(self.teacher, self.options.layers, name), {})
            return f"{len(job.arms)} references"
        arms = {arm.name: arm for arm in plan.ARMS}
        trunk = None
        for name in job.arms:
            key, arm = Key(job.seed, job.base, name), arms[name]
            kept = student_file(self.folder, key)
            if kept.exists():
                self.finish(key, *read_student(self.teacher, self.options.layers, kept))
                continue
            if arm.early:  # the shared part is its own, and the branch is the control's
                self.branch(key, plan.ARMS[0], self.trunk(arm, job), kept)
                continue
            trunk = trunk if trunk is not None else self.trunk(plan.ARMS[0], job)
            self.branch(key, arm, trunk, kept)
            gc.collect()  # a trainer refers to itself, and holds a map of the cache
        return f"{job.base}, seed {job.seed}"

    def trunk(self, arm: Arm, job: Job) -> Trainer:
        """Train an arm to the shared checkpoint, if it is not there yet."""
        trunk = self.trainer(arm, job.base, job.seed)
        trunk.folder.mkdir(parents=True, exist_ok=True)
        held = lock(trunk.folder / ".lock", wait=True)  # two jobs may begin at the same checkpoint
        assert held is not None
        with held:
            trunk.resume()
            began = time.perf_counter()
            self.run(trunk, until=self.shared_steps(trunk))
        print(f"{trunk.folder.name}: shared part in {time.perf_counter() - began:,.0f} s", flush=True)
        return trunk

    def branch(self, key: Key, arm: Arm, trunk: Trainer, kept: Path) -> None:
        """Train an arm from the shared checkpoint to the end, keep its layers in a file, and write its row."""
        trainer = self.trainer(arm, key.base, key.seed, trunk)
        done = trainer.resume()
        assert done == self.shared_steps(trunk), (
            f"the shared checkpoint of {key.base}, seed {key.seed}, is of step {done}"
        )
        began, cpu = time.perf_counter(), time.process_time()
        self.run(trainer)
        told = {
            "shared": self.options.shared,
            "branch": self.options.branch,
            "gamma": round(trainer.objective.gamma, 4),
            "steps": trainer.state.step,
            "seconds": round(time.perf_counter() - began, 2),
            "cpu_seconds": round(time.process_time() - cpu, 2),
        }
        student = trainer.student
        kept.parent.mkdir(exist_ok=True)
        with new_file(kept) as beside:
            layers = student.tail.layers.state_dict()
            torch.save({"trained": student.n_trained, "layers": layers, "told": told}, beside)
        self.finish(key, student, told)

    def trainer(self, arm: Arm, base: str, seed: int, trunk: Trainer | None = None) -> Trainer:
        """Return a training whose checkpoints are those of the shared part of its seed and base."""
        name = f"{base.replace(' ', '')}-{seed}{'-early' if arm.early else ''}"
        folder = self.folder / "branches" / "shared" / name if trunk is None else trunk.folder
        config = self.config(replace(arm, senses="predicted", store="trained") if arm.middle else arm, base, seed)
        ready = prepare(config, folder, self.accelerator, Progress(), self.memo)
        plain = ready.trainer
        per_step = ready.plan.counts.predicted / plain.batches.steps_per_epoch
        shared, total = (
            round(tokens / per_step) for tokens in (self.options.shared, self.options.shared + self.options.branch)
        )
        objective = plain.objective
        if arm.early:
            objective = EarlyTerm(**vars(objective), steps=round(arm.early / per_step), step=lambda: trainer.state.step)
        if arm.middle:
            objective = self.middle(arm, base, objective)
        trainer = Trainer(
            replace(config.optimiser, max_steps=total),
            replace(config.run, save_every=100),
            folder,
            plain.student,
            objective,
            SamePositions(plain.batches, self.sampling(seed)),
            None,
            plain.source,
            self.accelerator,
            # What a checkpoint has to agree with is the same for all arms: that of the control
            {**plain.identity, "shared_steps": shared} if trunk is None else trunk.identity,
            Progress(),
        )

        def set_rate(optimizer: torch.optim.Optimizer, *_: object) -> None:
            for group in optimizer.param_groups:
                group["lr"] = plan.learning_rate(trainer.state.step, shared, total)

        trainer.optimizer.register_step_pre_hook(set_rate)
        return trainer

    def middle(self, arm: Arm, base: str, objective: Objective) -> MiddleTerm:
        """Return an objective with the term of an arm at the middle layer of its base."""
        frozen, layer = self.options.layers - objective.student.n_trained, plan.MIDDLE[base]
        cut = self.memo.get("cut", str((layer, frozen)), lambda: Student(self.teacher, layer, layer - frozen))
        if arm.middle == "states":
            return MiddleTerm(**vars(objective), cut=cut, senses=None)
        config, encoder = self.config(arm, base, 0), self.teacher.encoder
        senses = self.memo.get(
            "senses of a middle layer",
            f"{config.senses} {config.store}",
            # The dictionary's teacher is the cut one
            lambda: open_supervision(config, open_dictionary(config, encoder, None), encoder),
        )
        return MiddleTerm(**vars(objective), cut=cut, senses=senses)

    def sampling(self, seed: int) -> Batches:
        """Return batches whose sampled positions all arms of a seed share: those of plain DSKD."""
        config = self.config(Arm("any"), plan.REFERENCE, seed)
        memo = self.sampled_by  # what an arm reads is in the other memo
        inputs = load_inputs(config, self.teacher, memo, Progress())
        assert inputs.supervision is not None
        return Batches(
            inputs.data,
            config.optimiser.batch_size,
            sample_rate=config.loss.sample_rate,
            seed=seed,
            available=inputs.supervision.available(),
        )

    @cached_property
    def sampled_by(self) -> Memo:
        """Keeps what `sampling` reads."""
        return Memo()

    def shared_steps(self, trunk: Trainer) -> int:
        """Return the step of the shared checkpoint."""
        return int(trunk.identity["shared_steps"])

    def run(self, trainer: Trainer, until: int | None = None) -> None:
        """Train; only the shared part leaves checkpoints."""
        outcome = trainer.run(until=until, saves=until is not None)
        if trainer.stopped is not None and outcome.steps < (until or trainer.steps):
            raise RuntimeError("stopped by a signal")  # what is half trained is no result

    def finish(self, key: Key, student: Student, told: dict[str, Any]) -> None:
        """Measure a student, and write its row."""
        student.tail.eval()
        began = time.perf_counter()
        frozen = student.layers - student.n_trained
        found = self.text(frozen).measure(student, "test")
        of = self.teacher
        reader = Reader(key.arm, of.model, of.tokenizer, student=student, prefixes=self.prefixes.setdefault(frozen, {}))
        found |= self.probe(reader, self.items)
        found |= {name: value for name, value in self.probe(reader, self.rare_items).items() if name.endswith("_rare")}
        told = {**told, "measuring_seconds": round(time.perf_counter() - began, 2)}
        told |= identity(self.options)
        add_row(self.options.table, key._asdict() | told | {name: round(value, 6) for name, value in found.items()})
        print(f"{key.base}, seed {key.seed}, {key.arm}: CE {found['test_ce']:.4f}, {told}", flush=True)

    def probe(self, reader: Reader, items: list[Item]) -> dict[str, float]:
        """Return what the items show of a student."""
        scores = score_words(items, reader, batch_size=_BATCH_ROWS, processes=self.processes, progress=Progress())
        assert scores is not None
        return probe_figures(scores.lines, self.held_out)


def identity(options: Options) -> dict[str, str]:
    """Return the columns that all rows of a table have in common."""
    teacher = read_meta(options.folder / "branches" / "senses" / "predicted").teacher_fingerprint[:12]
    text = options.text.name if options.text else "train.txt"
    return {"teacher": teacher, "layers": str(options.layers), "scale": f"{options.scale:g}", "text": text}


def reference(teacher: Teacher, layers: int, name: str) -> Student:
    """Return the student of so many layers that all runs begin with, or the teacher in a student's place."""
    if name == plan.TEACHER:
        every = len(teacher.model.base_model.layers)
        return Student(teacher, every, every - layers + SETTINGS["trained"])
    return Student(teacher, layers, SETTINGS["trained"])


def student_file(folder: Path, key: Key) -> Path:
    """Return the file that keeps the trained layers of a run's student."""
    return folder / "branches" / "students" / f"{re.sub(r'[^A-Za-z0-9]+', '-', ' '.join(map(str, key)))}.pt"


def read_student(teacher: Teacher, layers: int, file: Path) -> tuple[Student, dict[str, Any]]:
    """Return a student of so many layers that has been trained before, and what was noted of its training."""
    found = torch.load(file)
    student = Student(teacher, layers, found["trained"])
    student.tail.layers.load_state_dict(found["layers"])
    return student, found["told"]


def add_row(table: Path, row: dict[str, Any]) -> None:
    """Add a row to the table; several processes may do so at once."""
    held = lock(table.with_suffix(".lock"), wait=True)
    assert held is not None
    with held:
        others = [other for other in plan.written(table) if plan.key_of(other) != plan.key_of(row)]
        rows = plan.in_order([*others, row])
        names = list(dict.fromkeys(name for one in rows for name in one))
        with new_file(table) as beside, beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        table.with_suffix(".lock").unlink()


_worker: Worker | None = None


def begin(options: Options) -> None:
    """Make a process a worker."""
    global _worker
    _worker = Worker(options)


def work(job: Job) -> str:
    """Do a job in this process."""
    assert _worker is not None
    return _worker(job)


def main() -> None:
    """Do what is not done yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--table", type=Path, default=Path(__file__).with_name("branches.csv"))
    parser.add_argument("--shared", type=int, default=plan.SHARED, help="predicted tokens up to the checkpoint")
    parser.add_argument("--branch", type=int, default=plan.BRANCH, help="predicted tokens from there")
    names = [arm.name for arm in plan.ARMS]
    parser.add_argument("--arms", nargs="*", choices=names, metavar="ARM", help="only these, beside the control")
    parser.add_argument(
        "--bases", nargs="*", choices=plan.BASES, metavar="BASE", default=tuple(plan.BASES), help="only on these"
    )
    parser.add_argument("--layers", type=int, default=SETTINGS["layers"], help="of the student")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="variance of the teacher's states over that of SmolLM2-135M's"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--text", type=Path, help="another training text")
    given = parser.parse_args()
    options = Options(
        given.folder.resolve(),
        given.teacher.resolve(),
        given.table.resolve(),
        given.shared,
        given.branch,
        given.device,
        given.text and given.text.resolve(),
        given.layers,
        given.scale,
    )
    rows = plan.written(options.table)
    if not (options.folder / "branches" / "senses" / "predicted" / META).exists():
        parser.error(f"{options.folder} is not prepared; run prepare.py with --store first")
    expected = identity(options)
    lengths = {"shared": str(options.shared), "branch": str(options.branch)}
    for row in rows:
        for name, value in (expected if row["base"] == plan.REFERENCE else expected | lengths).items():
            if row[name] != value:
                parser.error(f"{options.table} has runs with {name} {row[name]}, not {value}; give another --table")
    arms = [arm for arm in plan.ARMS if given.arms is None or arm.name in (plan.CONTROL, *given.arms)]
    jobs = plan.plan(map(plan.key_of, rows), arms=arms, bases=given.bases)
    began = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with context.Pool(given.processes, begin, (options,)) as pool:
        for number, done in enumerate(pool.imap_unordered(work, jobs), 1):
            print(f"{number} of {len(jobs)}, {time.perf_counter() - began:.0f} s: {done}", flush=True)


if __name__ == "__main__":
    main()
