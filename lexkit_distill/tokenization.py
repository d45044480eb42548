"""Convert text to token ids, in the same way for training, senses, evaluation and prompts.

Only this module adds beginning-of-text (BOS) and end-of-text (EOS) tokens. If the tokenizer writes BOS before a text,
every row, piece and window that the teacher reads begins with exactly one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lexkit.arguments import user_path
from lexkit.errors import TokenizerError
from lexkit.tokens.loading import load_tokenizer
from lexkit.tokens.spans import fingerprint
from lexkit_distill.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_PROBE = " The unkindness of ravens,\n\n\tin 1984: naïve café-goers' 3.14159 (e.g. “kings”) don't co-operate — 東京 🙂 "


@dataclass(frozen=True)
class TextEncoder:
    """Converts text into the token ids that a model reads.

    Args:
        name: name of the model, for error messages.
        tokenizer: a transformers tokenizer with a fast backend.
        vocabulary_size: rows of the model's head; the tokenizer may have more tokens than that.
        context: most tokens that the model can read at once, if known.
    """

    name: str
    tokenizer: Any
    vocabulary_size: int
    context: int | None = None

    @cached_property
    def beginning(self) -> list[int]:
        """Tokens that the tokenizer writes before every text: BOS, or none."""
        backend = self.tokenizer.backend_tokenizer
        plain, whole = (backend.encode("a", add_special_tokens=special).ids for special in (False, True))
        places = (place for place in range(len(whole)) if whole[place : place + len(plain)] == plain)
        return list(whole[: next(places, 0)])

    @property
    def end(self) -> int | None:
        """End-of-text token (EOS), if the tokenizer has one."""
        token = self.tokenizer.eos_token_id
        return None if token is None else int(token)

    def encode(self, texts: Sequence[str], *, offsets: bool = True) -> list[Encoding]:
        """Tokenize texts without adding special tokens; faster without *offsets*."""
        backend = self.tokenizer.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        encode = backend.encode_batch if offsets else backend.encode_batch_fast
        found: list[Encoding] = encode(list(texts), add_special_tokens=False)
        return found

    def prompt(self, text: str) -> list[int]:
        """Return the token ids of a text that the model is to continue, including `beginning`."""
        return self.begun(self.encode([text])[0].ids)

    def begun(self, token_ids: list[int]) -> list[int]:
        """Prepend `beginning` to token ids that do not start with it."""
        first = self.beginning
        return token_ids if token_ids[: len(first)] == first else [*first, *token_ids]

    def pieces(self, length: int, max_length: int, *, overlap: int = 0) -> Iterator[slice]:
        """Cut a text of *length* tokens into pieces that fit, with `beginning` before each, into *max_length* tokens.

        Args:
            length: tokens of the text, without `beginning`.
            max_length: most tokens of a row, including `beginning`.
            overlap: tokens that a piece shares with the piece before it.

        Yields:
            The range of each piece in the text.

        Raises:
            DataError: *max_length* leaves no room after `beginning`.
        """
        room = max_length - len(self.beginning)
        if room <= overlap:
            raise DataError(
                f"--max-length {max_length} leaves no room after the {len(self.beginning)} tokens that begin every "
                "row; raise it"
            )
        start = 0
        while start == 0 or start + overlap < length:
            yield slice(start, min(start + room, length))
            start += room - overlap

    @cached_property
    def plain_tokenizer(self) -> Tokenizer:
        """The tokenizer as in its ``tokenizer.json``, by which stores identify it.

        transformers may modify a tokenizer when it loads it. The file is used if it tokenizes a probe text identically;
        otherwise the loaded tokenizer is used.
        """
        loaded = self.tokenizer.backend_tokenizer
        with contextlib.suppress(TokenizerError):
            own = load_tokenizer(self.name)
            if own.get_vocab(True) == loaded.get_vocab(True) and _cuts_alike(own, loaded):
                return own
        from tokenizers import Tokenizer

        copy = Tokenizer.from_str(loaded.to_str())
        copy.no_padding()
        copy.no_truncation()
        return copy

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the tokenizer, as `lexkit.tokens.spans.fingerprint` computes it for stores."""
        return fingerprint(self.plain_tokenizer)

    def check(self, token_ids: npt.ArrayLike, where: str) -> None:
        """Check that the model has weights for every token.

        Raises:
            DataError: a token id is beyond the head's rows, since the tokenizer has more tokens than the model.
        """
        ids = np.asarray(token_ids)
        if ids.size and ids.max() >= self.vocabulary_size:
            token = int(ids.max())
            raise DataError(
                f"{where}: the token {self.tokenizer.convert_ids_to_tokens(token)!r} ({token}) is beyond the "
                f"{self.vocabulary_size:,} tokens that {self.name} has weights for; leave it out of the text"
            )


def _cuts_alike(one: Tokenizer, other: Tokenizer) -> bool:
    return one.encode(_PROBE, add_special_tokens=False).ids == other.encode(_PROBE, add_special_tokens=False).ids


def load_encoder(name: str) -> TextEncoder:
    """Return the encoder of a model without loading its weights.

    Args:
        name: a folder, or a name on the Hugging Face hub. If a folder contains only a tokenizer, the model is assumed
            to have weights for all its tokens.

    Raises:
        TeacherError: the tokenizer cannot be loaded, or is not a fast one.
    """
    from transformers import AutoConfig, AutoTokenizer

    from lexkit_distill.loading import check_tokenizer, loading_errors, quiet_transformers

    folder = str(user_path(name)) if user_path(name).is_dir() else name
    with quiet_transformers(), loading_errors(name):
        tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True)
        check_tokenizer(folder, tokenizer)
        if Path(folder).is_dir() and not (Path(folder) / "config.json").exists():
            return TextEncoder(folder, tokenizer, len(tokenizer))
        config = AutoConfig.from_pretrained(folder)
    text_config = config.get_text_config()
    return TextEncoder(folder, tokenizer, int(text_config.vocab_size), context_of(config))


def context_of(config: Any) -> int | None:  # noqa: ANN401  # of transformers
    """Return the most tokens that a model can read at once, or None if its configuration does not say."""
    found = getattr(config.get_text_config(), "max_position_embeddings", None)
    return None if found is None else int(found)
