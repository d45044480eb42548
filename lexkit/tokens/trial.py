"""A program that loads a ``tokenizer.json`` and has it cut some words; see `lexkit.bounds.run_trial`."""

from __future__ import annotations

import os
import string
import sys

_MEMORY = 2 << 30
_TEXTS = (*"word unkind ice cream naïve Paris 東京 🙂".split(), string.printable, "a" * 1000, "un" * 500, " " * 1000)


def main() -> None:
    """Try the file that the command line names; exit with the reason if it cannot be used."""
    from tokenizers import Tokenizer

    from lexkit.bounds import bound_memory

    bound_memory(_MEMORY)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        tokenizer = Tokenizer.from_file(sys.argv[1])
        tokenizer.no_truncation()
        tokenizer.no_padding()
        for text in _TEXTS:
            try:
                tokenizer.encode(text, add_special_tokens=False)
            except Exception:  # which `lexkit.tokens.spans` expects of some; a panic is not one
                continue
        tokenizer.to_str()
    except Exception as error:  # the library raises plain Exception
        sys.exit(str(error))
