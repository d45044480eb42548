"""What students are measured by, on data whose teacher's states are computed once and kept on the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata, spearmanr
from torch import Tensor

from lexkit.atomic_write import new_file
from lexkit_distill.evaluation.lexical import CONTEXT
from lexkit_distill.evaluation.prepare import prepare
from lexkit_distill.evaluation.word_pairs import LexicalData, Pair, read_lexical
from lexkit_distill.supervision.nearest import Supervision
from lexkit_distill.tasks import TASKS
from lexkit_distill.teacher import Teacher
from lexkit_distill.training.kd import summarize
from lexkit_distill.training.student import Student

LENGTH, BATCH = 128, 8
WINDOWS = {"validation": 80, "test": 160}
QUESTIONS = 200
RARE = 5
"""A token is rare if the training text has it less than so many times."""
_HEAD_TOKENS = 128


class HeldOut:
    """What the teacher says of held-out rows, computed once and kept in a folder.

    Args:
        folder: where it is kept; it is made if it is not there.
        teacher: the teacher.
        student: a student of as many layers, trained and frozen, as those that are measured.
    """

    def __init__(self, folder: Path, teacher: Teacher, student: Student) -> None:
        self.teacher, self.student, self._folder = teacher, student, folder
        folder.mkdir(exist_ok=True)

    def kept(self, name: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Return tensors by name, which are made where the folder does not have them."""
        path = self._folder / f"{name}.pt"
        if not path.exists():
            with new_file(path) as beside:
                torch.save(make(), beside)
        found: dict[str, Tensor] = torch.load(path)
        return found

    @torch.no_grad()
    def states(self, rows: list[list[int]]) -> dict[str, Tensor]:
        """Return prefix and last states (N, T, d) of right-padded rows."""
        ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        found = [self.student.run_teacher(part) for part in torch.split(ids.to(self.teacher.device), BATCH)]
        return {
            "ids": ids,
            "prefix": torch.cat([states.prefix.cpu() for states in found]),
            "final": torch.cat([states.final.cpu() for states in found]),
        }

    def text(
        self, name: str, text: str, windows: int, related: Tensor, counts: Tensor, *, composed: Tensor | None = None
    ) -> Text:
        """Return windows of a text, spread evenly over it.

        Args:
            name: of what is kept.
            text: to cut.
            windows: of LENGTH tokens.
            related: (V,) which tokens have synonyms or antonyms.
            counts: (V,) how often the training text has each token.
            composed: (V,) which tokens have composed senses in an arm.
        """

        def make() -> dict[str, Tensor]:
            encoder = self.teacher.encoder
            ids = encoder.plain_tokenizer.encode(text, add_special_tokens=False).ids
            room = LENGTH - len(encoder.beginning)  # a model whose rows begin with BOS says nothing sensible without it
            rows = [encoder.begun(ids[start : start + room]) for start in range(0, len(ids) - room, room)]
            step = max(len(rows) // windows, 1)
            states = self.states(rows[::step][:windows])
            final = states["final"][:, :-1].flatten(0, 1).to(self.teacher.device)
            head = self.student.head
            summary = summarize(final, head)
            first = torch.cat([head.logits(part).argmax(1) for part in torch.split(final, _HEAD_TOKENS)])
            return {
                "ids": states["ids"],
                "prefix": states["prefix"],
                "final": final.cpu(),
                "embedding": summary.embedding.cpu(),
                "log_partition": summary.log_partition.cpu(),
                "first": first.cpu(),
            }

        kept = self.kept(name, make)
        targets = kept["ids"][:, 1:].flatten()
        kinds = {"": torch.ones_like(targets) > 0, "_related": related[targets], "_rare": counts[targets] < RARE}
        if composed is not None:
            kinds["_composed"] = composed[targets]
        return Text(kept, kinds)


def related_tokens(supervision: Supervision, vocabulary: int) -> Tensor:
    """Return (V,) which tokens have synonyms or antonyms with senses."""
    available = supervision.available()
    return torch.from_numpy(available.synonyms | available.antonyms)[:vocabulary]


class Bench:
    """Held-out texts, questions and words, with what the teacher says of them.

    Args:
        folder: of the study; what the teacher says is kept there.
        data: the public files.
        teacher: the teacher.
        supervision: tells which tokens have synonyms or antonyms.
        counts: (V,) how often the training text has each token.
    """

    def __init__(self, folder: Path, data: Path, teacher: Teacher, supervision: Supervision, counts: Tensor) -> None:
        self.teacher = teacher
        self._held_out = HeldOut(folder / "held-out", teacher, Student(teacher))
        related = related_tokens(supervision, teacher.vocabulary_size)
        self._texts = {
            name: self._held_out.text(
                name, (folder / f"{name}.txt").read_text(encoding="utf-8"), windows, related, counts
            )
            for name, windows in WINDOWS.items()
        }
        self._asked = {task: self._questions(task, data) for task in ("arc", "csqa", "piqa")}
        self._lexical = read_lexical(str(data))
        self._words = self._word_rows(self._lexical)

    def validation(self, student: Student) -> dict[str, float]:
        """Return CE and KL on the validation text, which choices are made by."""
        return self._texts["validation"].measure(student, "validation")

    def test(self, student: Student, *, questions: bool) -> dict[str, float]:
        """Return everything else."""
        found = self._texts["test"].measure(student, "test") | self._lexical_scores(student)
        if questions:
            found |= {task: asked.accuracy(student) for task, asked in self._asked.items()}
        return found

    def _questions(self, task: str, data: Path) -> Questions:
        prepared = prepare(TASKS[task], str(data), shots=0, limit=QUESTIONS, seed=0)
        rows, spans, owner, lengths = [], [], [], []
        encoder = self.teacher.encoder
        encode, room = encoder.plain_tokenizer.encode, LENGTH - len(encoder.beginning)
        for number, question in enumerate(prepared.questions):
            for choice in question.options:
                prompt = encode(f"Question: {question.text}\nAnswer:", add_special_tokens=False).ids
                answer = encode(f" {choice}", add_special_tokens=False).ids
                row = encoder.begun((prompt + answer)[-room:])
                rows.append(row)
                spans.append(len(answer))
                owner.append(number)
                lengths.append(len(choice.encode()))
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
        right = torch.tensor([question.right for question in prepared.questions])
        parts = []
        for start in range(0, len(order), 4 * BATCH):
            places = order[start : start + 4 * BATCH]
            kept = self._held_out.kept(
                f"{task}-{start}",
                lambda places=places: {
                    name: value
                    for name, value in self._held_out.states([rows[p] for p in places]).items()
                    if name != "final"
                },
            )
            parts.append((kept, torch.tensor(places)))
        return Questions(parts, [len(row) for row in rows], spans, torch.tensor(owner), torch.tensor(lengths), right)

    def _word_rows(self, data: LexicalData) -> tuple[list[str], dict[str, Tensor]]:
        pairs = [*(pair for some in data.similarity.values() for pair in some), *data.val]
        words = sorted({word for pair in pairs for word in (pair.first, pair.second)})

        def make() -> dict[str, Tensor]:
            encoded = [self.teacher.tokenizer(f"{CONTEXT} {word}", return_offsets_mapping=True) for word in words]
            states = self._held_out.states([one["input_ids"] for one in encoded])
            mask = torch.zeros(states["ids"].shape)
            for row, one in enumerate(encoded):
                mask[row, : len(one["input_ids"])] = torch.tensor(
                    [end > len(CONTEXT) for _, end in one["offset_mapping"]]
                )
            return {"ids": states["ids"], "prefix": states["prefix"], "mask": mask}

        return words, self._held_out.kept("words", make)

    def _lexical_scores(self, student: Student) -> dict[str, float]:
        words, kept = self._words
        hidden = run_rows(student, kept, 64)
        vectors = (hidden.float() * kept["mask"][..., None]).sum(1) / kept["mask"].sum(1)[:, None]
        vectors = torch.nn.functional.normalize(vectors - vectors.mean(0), dim=1)
        place = {word: number for number, word in enumerate(words)}

        def cosines(pairs: list[Pair]) -> np.ndarray:
            first, second = (torch.tensor([place[getattr(pair, end)] for pair in pairs]) for end in ("first", "second"))
            return (vectors[first] * vectors[second]).sum(1).numpy()

        found = {
            name: float(spearmanr(cosines(pairs), [pair.value for pair in pairs]).statistic)
            for name, pairs in self._lexical.similarity.items()
        }
        # The chance that a pair of synonyms is nearer than one of antonyms: the area under the ROC curve
        is_antonym = np.array([pair.value for pair in self._lexical.val]) > 0
        ranks = rankdata(cosines(self._lexical.val))
        n, m = (~is_antonym).sum(), is_antonym.sum()
        return found | {"antsyn": float((ranks[~is_antonym].sum() - n * (n + 1) / 2) / (n * m))}


@torch.no_grad()
def run_rows(student: Student, kept: dict[str, Tensor], batch: int = BATCH) -> Tensor:
    """Return the student's last states (N, T, d) of rows whose prefix is kept."""
    device = student.teacher.device
    parts = zip(torch.split(kept["ids"], batch), torch.split(kept["prefix"], batch), strict=True)
    return torch.cat([student.run(student.tail, ids.to(device), prefix.to(device)).cpu() for ids, prefix in parts])


@dataclass(frozen=True)
class Text:
    """A text, and which of its positions are of which kind."""

    kept: dict[str, Tensor]
    kinds: dict[str, Tensor]

    @torch.no_grad()
    def measure(self, student: Student, name: str) -> dict[str, float]:
        """Return mean CE and KL by kind of position, and how often the most likely token is the teacher's."""
        targets = self.kept["ids"][:, 1:].flatten()
        hidden = run_rows(student, self.kept)[:, :-1].flatten(0, 1)
        ce, log_partition, first = [], [], []
        for part, wanted in zip(torch.split(hidden, _HEAD_TOKENS), torch.split(targets, _HEAD_TOKENS), strict=True):
            logits = student.head.logits(part.to(student.teacher.device)).float().cpu()
            log_partition.append(logits.logsumexp(1))
            ce.append(log_partition[-1] - logits.gather(1, wanted[:, None]).squeeze(1))
            first.append(logits.argmax(1))
        difference = hidden.float() - self.kept["final"].float()
        kl = torch.cat(log_partition) - self.kept["log_partition"]
        kl -= torch.linalg.vecdot(self.kept["embedding"].float(), difference)
        found: dict[str, float] = {f"{name}_agreement": float((torch.cat(first) == self.kept["first"]).float().mean())}
        for kind, where in self.kinds.items():
            found |= {
                f"{name}_ce{kind}": float(torch.cat(ce)[where].mean()),
                f"{name}_kl{kind}": float(kl[where].mean()),
            }
        return found


@dataclass(frozen=True)
class Questions:
    """Questions with options, a row of tokens for each option."""

    parts: list[tuple[dict[str, Tensor], Tensor]]
    row_lengths: list[int]
    spans: list[int]
    owner: Tensor
    lengths: Tensor
    right: Tensor

    @torch.no_grad()
    def accuracy(self, student: Student) -> float:
        """Return how often the right option has the most likelihood for each of its bytes."""
        score = torch.zeros(len(self.owner))
        for kept, places in self.parts:
            hidden = run_rows(student, kept)
            for number, place in enumerate(places.tolist()):
                end, n = self.row_lengths[place], self.spans[place]
                n = min(n, end - 1)
                logits = student.head.logits(hidden[number, end - n - 1 : end - 1]).float()
                score[place] = torch.log_softmax(logits, 1).gather(1, kept["ids"][number, end - n : end, None]).sum()
        score /= self.lengths
        hits = 0
        for question, answer in enumerate(self.right.tolist()):
            hits += int(score[self.owner == question].argmax()) == answer
        return hits / len(self.right)
