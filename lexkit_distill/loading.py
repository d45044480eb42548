"""Load models and tokenizers with transformers: without its progress bars, and with errors of one line."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

from lexkit.errors import first_line
from lexkit_distill.errors import TeacherError
from lexkit_distill.memory import is_out_of_memory


def check_tokenizer(name: str, tokenizer: Any) -> None:  # noqa: ANN401  # of transformers
    """Check that a tokenizer is a "fast" one, which can tell where each token is in a text.

    Raises:
        TeacherError: it is not.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise TeacherError(f"{name}: has no tokenizer.json (a 'fast' tokenizer); convert its tokenizer first")


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Context manager. Suppress the progress bars and warnings that transformers prints while it loads and saves."""
    from transformers.utils import logging

    their_logging: Any = logging

    level, bars = their_logging.get_verbosity(), their_logging.is_progress_bar_enabled()
    their_logging.set_verbosity(their_logging.CRITICAL)
    their_logging.disable_progress_bar()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        their_logging.set_verbosity(level)
        if bars:
            their_logging.enable_progress_bar()


@contextlib.contextmanager
def loading_errors(name: str, gguf: str | None = None) -> Iterator[None]:
    """Context manager. Convert any error in loading, except running out of memory, to a one-line `TeacherError`."""
    try:
        yield
    except TeacherError:
        raise
    except BaseException as error:  # transformers, safetensors, gguf and the hub's client raise many kinds
        is_panic = type(error).__name__ == "PanicException"  # raised by Rust libraries; not a subclass of Exception
        if not (isinstance(error, Exception) or is_panic) or is_out_of_memory(error):
            raise
        file = f" (GGUF file {gguf})" if gguf else ""
        raise TeacherError(
            f"{name}{file}: cannot be loaded as a causal language model ({first_line(error)}); "
            "give a folder written by save_pretrained, or a name on the hub"
        ) from error
