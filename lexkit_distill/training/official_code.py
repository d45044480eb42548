"""Deviations of the authors' published code from their paper: the options, and everything that they change.

The preset ``official-code`` sets these options. No other training code depends on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from lexkit_distill.config import Config

if TYPE_CHECKING:
    from lexkit_distill.corpus import Document
    from lexkit_distill.supervision.nearest import CandidateLists, RowLists
    from lexkit_distill.teacher import Teacher

DEVIATIONS = {
    "kl_weight": 2.8,
    "targets": "teacher",
    "drop_single_token_neighbors": True,
    "own_among_antonyms": True,
    "spaced_heads_only": True,
}
"""Values that the preset ``official-code`` sets."""
_NEW_TOKENS = 64
"""Most tokens of an answer that the teacher generates."""


@dataclass(frozen=True)
class OfficialCode(Config):
    """Deviations of the authors' code from the paper, each off by default."""

    kl_weight: float | None = field(default=None, metadata={"min": 0, "group": "Ablations"})
    """Fixed weight of the KL term, instead of alpha times the squared temperature; the authors' code uses 2.8."""
    targets: Literal["gold", "teacher"] = field(default="gold", metadata={"group": "Ablations"})
    """Train on the completions of the data (gold), or on the teacher's own answers, as the authors' code does."""
    drop_single_token_neighbors: bool = field(default=False, metadata={"group": "Ablations"})
    """Leave out synonyms and antonyms that are a single token, as the authors' code does."""
    own_among_antonyms: bool = field(default=False, metadata={"group": "Ablations"})
    """Add a token's own senses to those of its antonyms, as the authors' code does."""
    spaced_heads_only: bool = field(default=False, metadata={"group": "Ablations"})
    """Use relations only for words of more than two letters after a space, as the authors' code does."""

    @property
    def needs_teacher(self) -> bool:
        """Whether the data depend on the teacher's weights."""
        return self.targets == "teacher"

    def weight_of_kl(self, alpha: float, temperature: float) -> float:
        """Return the weight of the KL term: alpha T^2, or the fixed weight if one is set."""
        return alpha * temperature**2 if self.kl_weight is None else self.kl_weight

    def is_head(self, text: str, begin: int, end: int) -> bool:
        """Return whether the relations of the word text[begin:end] may be used."""
        return not self.spaced_heads_only or (end - begin > 2 and text[begin - 1 : begin].isspace())

    def candidates(self, lists: CandidateLists) -> CandidateLists:
        """Return the candidates of all tokens and words, changed as configured.

        In the dictionary, the rows of tokens come before those of words of several tokens, so rows beyond the last
        token's belong to neighbours of several tokens.
        """
        synonyms, antonyms = lists.synonyms, lists.antonyms
        if self.drop_single_token_neighbors:
            least = int(lists.own.rows.max()) + 1
            synonyms, antonyms = _beyond(synonyms, least), _beyond(antonyms, least)
        if self.own_among_antonyms:
            antonyms = _joined(antonyms, lists.own)
        return lists._replace(synonyms=synonyms, antonyms=antonyms)

    def documents(self, documents: Iterable[Document], teacher: Teacher) -> Iterator[Document]:
        """Yield documents; if configured, replace completions and last turns with the teacher's answers.

        The teacher decodes greedily, up to 64 tokens. Plain texts, and documents for which the answer is empty, are not
        changed.
        """
        if self.targets == "gold":
            yield from documents
            return
        from lexkit_distill.chat import ChatTemplate

        template = ChatTemplate(teacher.tokenizer)
        for document in documents:
            turns = document.messages
            if turns and turns[-1]["role"] == "assistant":
                prompt = template.text(turns[:-1], document.where, prompt=True, tools=document.tools)
                answer = _answer(teacher, prompt).strip()
                last: dict[str, Any] = {"role": "assistant", "content": answer}
                yield replace(document, messages=(*turns[:-1], last)) if answer else document
            elif document.prompt:
                answer = _answer(teacher, document.prompt)
                yield replace(document, text=answer) if answer else document
            else:
                yield document


def _beyond(lists: RowLists, least: int) -> RowLists:
    kept = lists.rows >= least
    return type(lists).of_pairs(lists.owners[kept], lists.rows[kept], len(lists.offsets) - 1)


def _joined(antonyms: RowLists, own: RowLists) -> RowLists:
    """Append each token's own senses to its list of antonyms, unless that list is empty."""
    import torch

    has_antonyms = antonyms.offsets.diff() > 0
    kept = has_antonyms[own.owners]
    return type(own).of_pairs(
        torch.cat([antonyms.owners, own.owners[kept]]),
        torch.cat([antonyms.rows, own.rows[kept]]),
        len(antonyms.offsets) - 1,
    )


def _answer(teacher: Teacher, prompt: str) -> str:
    import torch

    ids = torch.tensor([teacher.encoder.prompt(prompt)], device=teacher.device)
    with torch.no_grad():
        found = teacher.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=_NEW_TOKENS,
            do_sample=False,
            pad_token_id=teacher.tokenizer.pad_token_id or 0,
        )
    return str(teacher.tokenizer.decode(found[0, ids.shape[1] :], skip_special_tokens=True))
