"""Loading teachers: where their weights come from and where they go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import TeacherError


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


@pytest.mark.parametrize(
    ("layers", "change", "reason"),
    [
        (1, lambda data: data[:40], ""),
        (1, lambda data: data[:8] + b"\xff" * 8 + data[16:], ""),  # the number of tensors
        (10**9, lambda data: data, "declares 1,000,000,000 layers but has 1 tensors"),
    ],
)
def test_a_gguf_file_that_promises_too_much(tmp_path: Path, layers: int, change: Any, reason: str) -> None:
    gguf = pytest.importorskip("gguf")
    import numpy as np

    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_block_count(layers)
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (tmp_path / "m.gguf").write_bytes(change((tmp_path / "m.gguf").read_bytes()))
    with pytest.raises(TeacherError, match=rf"m.gguf\): cannot be loaded as a causal language model \(.*({reason})"):
        load(tmp_path, gguf="m.gguf")


def test_a_tokenizer_on_which_its_library_panics(teacher_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lexkit_distill.loading import loading_errors

    panic = type("PanicException", (BaseException,), {})
    with pytest.raises(TeacherError, match=r"^t: cannot be loaded as .* \(at the disco\)"), loading_errors("t"):
        raise panic("at the disco")
    with pytest.raises(KeyboardInterrupt), loading_errors("t"):
        raise KeyboardInterrupt
