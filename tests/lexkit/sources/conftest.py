from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


class Packages:
    """A folder of installed packages, as pip leaves them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: set[str] = set()

    @property
    def environment(self) -> dict[str, str]:
        """For a process of its own."""
        return {"PYTHONPATH": os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")])}

    def add(self, package: str, module: str, code: str, points: dict[str, str], version: str = "1.0") -> None:
        self.modules.add(module)
        (self.folder / f"{module}.py").write_text(code, encoding="utf-8")
        info = self.folder / f"{package.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n", "utf-8")
        lines = "".join(f"{name} = {value}\n" for name, value in points.items())
        (info / "entry_points.txt").write_text(f"[lexkit.sources]\n{lines}", "utf-8")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    installed = Packages(folder)
    yield installed
    for module in installed.modules:
        sys.modules.pop(module, None)
