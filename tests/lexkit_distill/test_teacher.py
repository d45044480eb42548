"""Loading teachers: where their weights come from and where they go."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load(folder: Path, dtype: str = "float32", **options: Any) -> Any:
    from lexkit_distill.teacher import load_teacher

    return load_teacher(str(folder), dtype=dtype, device="cpu", **options)


def mapping(address: int) -> tuple[str, int]:
    """The name of the file that is mapped at an address, empty if there is none, and the bytes that are no file's."""
    name, found = "", False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        key, *rest = line.split()
        first, _, last = key.partition("-")
        if last:
            found, name = int(first, 16) <= address < int(last, 16), Path(rest[4]).name if len(rest) > 4 else ""
        elif found and key == "Anonymous:":
            return name, int(rest[0]) * 1024
    raise AssertionError("nothing is mapped there")


def test_weights_of_the_right_dtype_stay_in_their_file_on_a_cpu(teacher_folder: Path) -> None:
    weight = load(teacher_folder, "float32").model.model.layers[0].mlp.up_proj.weight
    assert mapping(weight.data_ptr()) == ("model.safetensors", 0)
    weight = load(teacher_folder, "bfloat16").model.model.layers[0].mlp.up_proj.weight
    assert mapping(weight.data_ptr())[0] != "model.safetensors"
