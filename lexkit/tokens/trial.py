"""Load a ``tokenizer.json`` and encode some words with it, in a process of its own; see `lexkit.bounded_process`."""

from __future__ import annotations

import os
import string
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_TEXTS = (*"word unkind ice cream naïve Paris 東京 🙂".split(), string.printable, "a" * 1000, "un" * 500, " " * 1000)
_LARGEST_ID = 2**31 - 1
"""Largest token id that a store can hold."""


def main(send: Callable[[Any], None], file: str) -> None:
    """Try a file, and fail with the reason if it cannot be used."""
    from tokenizers import Tokenizer

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = Tokenizer.from_file(file)
    largest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    if largest > _LARGEST_ID:
        raise ValueError(f"a token has the id {largest:,}")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for text in _TEXTS:
        with suppress(Exception):  # `lexkit.tokens.spans` handles exceptions; a panic in Rust is not one
            tokenizer.encode(text, add_special_tokens=False)
    tokenizer.to_str()
