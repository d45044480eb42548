from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Build = Callable[..., Path]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_dictionary_takes_two_bytes_a_number_and_one_per_cent(tmp_path: Path) -> None:
    import numpy as np
    import torch

    from lexkit_distill.senses.dictionary import INDEX, SENSES, RowWriter, index_table, write_table

    keys, k, d = 3000, 10, 576
    with RowWriter(tmp_path / SENSES, keys * k, d) as writer:
        for _ in range(keys):
            writer.write(torch.randn(k, d))
    random = np.random.default_rng(0)
    columns = {
        "key_kind": ["token"] * keys,
        "token_ids": [[int(token)] for token in np.sort(random.choice(49152, keys, replace=False))],
        "word": [None] * keys,
        "first_row": np.arange(keys) * k,
        "n_rows": [k] * keys,
        "n_seen": random.integers(10, 10**7, keys),
        "inertia": random.random(keys) * 1e5,
    }
    write_table(tmp_path / INDEX, index_table(columns))
    size = sum((tmp_path / name).stat().st_size for name in (SENSES, INDEX))
    assert size <= 1.01 * 2 * keys * k * d
    assert (tmp_path / SENSES).stat().st_size - 2 * keys * k * d < 200
    # the paper's Llama: 85,527 keys x 10 x 4096
    assert round(2 * 85_527 * 10 * 4096 / 1e9, 1) == 7.0


def test_opening_maps_the_rows(tmp_path: Path) -> None:
    script = f"""
import json, resource, sys
from pathlib import Path
import torch
from safetensors import safe_open
from lexkit_distill.senses.dictionary import RowWriter
path = Path({str(tmp_path)!r}) / "senses.safetensors"
with RowWriter(path, 200_000, 576) as writer:
    for _ in range(20):
        writer.write(torch.zeros(10_000, 576))
def anonymous():
    return int(next(l for l in open("/proc/self/status") if l.startswith("RssAnon")).split()[1])
before = anonymous()
with safe_open(path, framework="pt") as file:
    rows = file.get_tensor("senses")
rows[::1000].float().sum()
print(anonymous() - before)
"""
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc to tell mapped memory from copied")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60_000  # kB, of 230 MB


@pytest.mark.slow
def test_commands_print_what_they_made(run: Run, teacher_folder: Path, corpus: Path, tmp_path: Path) -> None:
    arguments = ["--teacher", teacher_folder, "--corpus", corpus, "--output", "senses", "--k", "3", "--device", "cpu"]
    made = run("distill", "senses", *arguments, "--anchor", "input", "--dtype", "float32")
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""
    assert "400   " in made.stdout
    report = run("distill", "inspect", "kind", "--senses", "senses", "--json")
    (kind,) = json.loads(report.stdout)
    assert kind["tokens"] == [" kind"]
    assert [len(sense["contexts"]) for sense in kind["senses"]] == [3, 3, 3]
    for sense in kind["senses"]:
        for context in sense["contexts"]:
            assert context["before"].endswith(" kind")  # the state was taken where kind was read
        assert all(name.strip() != "kind" for name, _ in sense["neighbors"])
    assert sum(sense["size"] for sense in kind["senses"]) == kind["n_seen"]
    text = run("distill", "inspect", "kind", "--senses", "senses")
    first, anchor, *rest = text.stdout.splitlines()
    assert first.startswith("kind: 3 senses; tokens ' kind', seen ")
    assert anchor == "  At the bar, the last token that has been read is ' kind'."
    near = next(line for line in rest if line.startswith("    near: "))
    assert re.fullmatch(r"    near: ('[^']+' \d\.\d\d(, |$))+", near)  # ' kind' and 'kind' are two tokens
    missing = run("distill", "inspect", "zzzz", "--senses", "senses")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    assert "'zzzz' has no senses" in missing.stderr


def test_a_map_is_drawn_of_words_and_their_relations(build: Build, tmp_path: Path, teacher_folder: Path) -> None:
    import lexkit
    from lexkit_distill.senses.compose import compose_senses
    from lexkit_distill.senses.dictionary import SenseDictionary
    from lexkit_distill.senses.plot import plot_senses
    from lexkit_distill.supervision.relations import read_relations

    (tmp_path / "pairs.txt").write_text("kind friendly\nkind glad\nquick swift\n", encoding="utf-8")
    store = tmp_path / "store.duckdb"
    lexkit.build(store, pairs=[("synonym", tmp_path / "pairs.txt")], tokenizers=[str(teacher_folder)])
    folder = build(anchor="input")
    compose_senses(folder, store)
    dictionary = SenseDictionary(folder)
    relations = read_relations(store, dictionary.meta.tokenizer_fingerprint, folder / "tokenizer.json")
    drawn = plot_senses(dictionary, ["kind", "quick"], tmp_path / "map.svg", relations=relations)
    assert drawn == sum(len(dictionary.senses(word)) for word in ("kind", "quick", "friendly", "glad", "swift"))
    picture = (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert ">synonyms of kind<" in picture
    plot_senses(dictionary, ["kind", "quick"], tmp_path / "few.svg", relations=relations, max_neighbors=1)
    few = (tmp_path / "few.svg").read_text(encoding="utf-8")
    assert ">1 of 2 synonyms of kind<" in few
    assert ">synonyms of quick<" in few
    plot_senses(dictionary, ["kind", "quick"], tmp_path / "again.svg", relations=relations)
    assert (tmp_path / "again.svg").read_text(encoding="utf-8") == picture


def test_a_map_says_what_it_cannot_show(build: Build, tmp_path: Path) -> None:
    from lexkit_distill.senses.dictionary import SenseDictionary
    from lexkit_distill.senses.plot import FEW_SENSES, map_note, plot_senses

    drawn = plot_senses(SenseDictionary(build(anchor="input")), ["kind", "quick"], tmp_path / "map.svg", relations=None)
    assert drawn < FEW_SENSES
    picture = (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert "directions and the distances between groups mean nothing." in picture
    assert f"A map of only {drawn} senses shows no groups" in picture
    assert "A map of only" not in map_note(FEW_SENSES)


def test_labels_of_a_map_stay_in_its_frame(build: Build, tmp_path: Path) -> None:
    from lexkit_distill.senses.dictionary import SenseDictionary
    from lexkit_distill.senses.plot import plot_senses

    dictionary = SenseDictionary(build(anchor="input"))
    words = [name for name in map(dictionary.name, range(len(dictionary.first))) if name.strip().isalpha()]
    words = sorted({word.strip() for word in words}, key=len)[-20:]
    plot_senses(dictionary, words, tmp_path / "map.svg", relations=None)
    picture = (tmp_path / "map.svg").read_text(encoding="utf-8")
    (frame,) = re.findall(r'<g id="patch_2">\s*<path d="M ([\d.]+) [\d.]+ \s*L ([\d.]+)', picture)
    left, right = map(float, frame)
    # Each matplotlib writes a style in an order of its own; 700 is bold
    labels = re.findall(r'<text style="([^"]*\b700\b[^"]*)" x="([\d.]+)"[^>]*>([^<]+)<', picture)
    assert len(labels) > 10
    for style, x, text in labels:
        width = 10 * 0.8 * len(text)  # few letters are wider
        start = float(x) - width if "text-anchor: end" in style else float(x)
        assert left <= start, text
        assert start + width <= right, text


def test_the_help_of_an_option_is_the_docstring_of_its_field() -> None:
    import dataclasses

    from lexkit_distill.config import options
    from lexkit_distill.senses.config import SensesConfig

    docs = {option.name: option.help for option in options(SensesConfig)}
    assert set(docs) == {field.name for field in dataclasses.fields(SensesConfig)}
    assert docs["max_per_token"] == "Most occurrences per token to sample from the corpus."


@pytest.mark.parametrize(
    ("text", "size"), [("50GB", 50 * 10**9), ("1.5 MiB", 3 * 2**19), ("700", 700), ("2tb", 2 * 10**12)]
)
def test_sizes(text: str, size: int) -> None:
    from lexkit_distill.sizes import parse_size

    assert parse_size(text) == size


def test_damaged_contexts(tmp_path: Path) -> None:
    from lexkit_distill.errors import DictionaryError
    from lexkit_distill.senses.contexts import read_contexts

    (tmp_path / "contexts.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DictionaryError, match=r"contexts.parquet: damaged \(.*\); delete it, or build it again"):
        read_contexts(tmp_path / "contexts.parquet")
