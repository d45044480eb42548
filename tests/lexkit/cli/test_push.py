"""`lexkit export --push-to-hub`, with a stand-in for the hub that has its client's signatures."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest

import lexkit
from lexkit import hub as uploads
from lexkit.cli.main import main

Run = Callable[..., subprocess.CompletedProcess[str]]
ADDRESS = "https://huggingface.co/datasets/someone/words"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    (folder / "synonyms").write_text("unkind cruel\n", encoding="utf-8")
    (folder / "m.tsv").write_text("Word\tMorphoLexSegm\nunkind\t<un<{(kind)}\nkind\t{(kind)}\n", encoding="utf-8")
    lexkit.build(folder / "s.duckdb", pairs=[("synonym", folder / "synonyms")], morpholex=folder / "m.tsv")
    return folder / "s.duckdb"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client; what it is called with can be read off it."""
    huggingface_hub = pytest.importorskip("huggingface_hub")
    client = create_autospec(huggingface_hub.HfApi, instance=True)
    client.create_repo.return_value = ADDRESS
    client.repo_info.return_value = SimpleNamespace(private=True)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: client)
    monkeypatch.setenv("HF_TOKEN", "hf_stand_in")
    return client


def export(folder: Path, store: Path, *arguments: str) -> int:
    """Run the command in this process; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(["export", str(folder), "--store", str(store), "--push-to-hub", "someone/words", *arguments])
    return int(ended.value.code or 0)


def test_the_folder_is_uploaded_in_the_place_of_an_earlier_one(
    hub: Any, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(tmp_path / "out", store, "--json") == 0
    hub.create_repo.assert_called_once_with("someone/words", repo_type="dataset", private=None, exist_ok=True)
    (call,) = hub.upload_folder.call_args_list
    assert (call.kwargs["folder_path"], call.kwargs["repo_type"]) == (tmp_path / "out", "dataset")
    assert {"relations.csv", "lexkit.sqlite", "items.jsonl"} <= set(call.kwargs["delete_patterns"])
    assert {"relations.parquet", "evidence.parquet", "README.md"}.isdisjoint(call.kwargs["delete_patterns"])
    shown = capsys.readouterr()
    assert json.loads(shown.out)["uploaded_to"] == ADDRESS
    unknown, commercial, uploading = shown.err.splitlines()
    assert unknown == "note: lexkit does not know the licence of pairs; publish only what you may publish"
    assert commercial.startswith("note: morpholex may not be used commercially")
    assert commercial.endswith("--licence-free-of nc leaves these sources out")
    assert uploading == f"uploading {tmp_path / 'out'} to someone/words ..."


def test_what_shall_be_private_is_not_uploaded_where_everybody_can_see_it(
    hub: Any, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(tmp_path / "out", store, "--private", "--quiet") == 0
    assert hub.create_repo.call_args.kwargs["private"] is True
    assert capsys.readouterr() == ("", "")
    hub.repo_info.return_value = SimpleNamespace(private=False)
    hub.upload_folder.reset_mock()
    assert export(tmp_path / "out", store, "--private", "--quiet") == 1
    hub.upload_folder.assert_not_called()
    assert "not uploaded (the repository exists and is public; make it private" in capsys.readouterr().err


def test_an_upload_that_fails_is_one_line_and_the_export_stays(
    hub: Any, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.upload_folder.side_effect = OSError("403 Forbidden.\nask the owner")
    assert export(tmp_path / "out", store, "--quiet") == 1
    folder = tmp_path / "out"
    assert capsys.readouterr().err == (
        f"error: --push-to-hub someone/words: not uploaded (403 Forbidden); the export is in {folder}, and "
        f"'hf upload someone/words {folder} --repo-type dataset' uploads it\n"
    )
    assert (folder / "relations.parquet").exists()


def test_what_cannot_be_uploaded_is_refused_before_anything_is_exported(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    assert export(tmp_path / "out", store) == 1
    assert capsys.readouterr().err == (
        "error: --push-to-hub someone/words: no token for the hub is set; run 'hf auth login', or set HF_TOKEN\n"
    )
    for name in ("../words", "someone/words.git", f"someone/{'w' * 96}"):
        assert export(tmp_path / "out", store, "--push-to-hub", name) == 1
        assert f"--push-to-hub {name}: cannot be the name of a repository; write OWNER/NAME" in capsys.readouterr().err
    monkeypatch.setattr(uploads, "find_spec", lambda _: None)
    assert export(tmp_path / "out", store) == 1
    assert capsys.readouterr().err.endswith("which is not installed; pip install 'lexkit[hub]'\n")
    assert list(tmp_path.iterdir()) == []


def test_private_alone_is_refused(run: Run, store: Path) -> None:
    done = run("export", "out", "--store", store, "--private")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "Error: --private needs --push-to-hub.")


def test_the_real_client_says_in_one_line_that_nobody_answers(run: Run, store: Path, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "hf_stand_in", "HF_HUB_OFFLINE": "0"}
    done = run("export", "out", "--store", store, "--push-to-hub", "someone/words", "--quiet", env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("error: --push-to-hub someone/words: not uploaded (")
    assert done.stderr.count("\n") == 1
