"""Rows on disk: the same as in memory, encoded once, whole or not there; and files with weights."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lexkit.errors import ArgumentError
from lexkit.progress import Progress
from lexkit_distill.errors import CorpusError, DataError

Configured = Callable[..., Any]


@pytest.fixture(autouse=True)
def rows_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("LEXKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rows"


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are encoded, in order; not those of which a preview shows rows."""
    from lexkit_distill.training import inputs, preview  # noqa: F401  # it has a name of its own for `read_rows`

    read, names = inputs.read_rows, []

    def noted(config: Any, files: Any, *arguments: Any) -> Any:
        names.extend(Path(file).name for file in files)
        return read(config, files, *arguments)

    monkeypatch.setattr(inputs, "read_rows", noted)
    return names


def load(config: Any, relations: Any = None) -> Any:
    from lexkit_distill.tokenization import load_encoder
    from lexkit_distill.training.inputs import load_rows

    return load_rows(config, config.data.data, load_encoder(config.teacher), relations, Progress())


def gathered(config: Any, relations: Any = None) -> Any:
    """All rows in memory."""
    from lexkit_distill.tokenization import load_encoder
    from lexkit_distill.training.inputs import read_rows
    from lexkit_distill.training.row_cache import Source, TokenData

    rows = read_rows(config, config.data.data, load_encoder(config.teacher), relations, Counter())
    parts = [row[:3] for row in rows]
    token_ids, is_target, words = (np.concatenate(column) for column in zip(*parts, strict=True))
    offsets = np.r_[0, np.cumsum([len(ids) for ids, _, _ in parts])].astype(np.int64)
    everything, of_states = (
        sha256(b"".join(column.tobytes() for column in columns)).hexdigest()
        for columns in ((token_ids, is_target, words, offsets), (token_ids, is_target, offsets))
    )
    return TokenData(token_ids, is_target, words, offsets, (Source(len(parts)),), everything, of_states)


def simple_order(rows: int, lengths: Any, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The steps of an epoch without weights, one after the other."""
    generator = np.random.default_rng([seed, epoch])
    order, steps = generator.permutation(rows).tolist(), []
    for start in range(0, rows, 50 * batch_size):
        window = sorted(order[start : start + 50 * batch_size], key=lambda row: -lengths[row])
        steps += [window[first : first + batch_size] for first in range(0, len(window), batch_size)]
    return [steps[place] for place in generator.permutation(len(steps))]


def test_rows_on_disk_make_the_batches_that_rows_in_memory_make(
    configured: Configured, dictionary: Any, tmp_path: Path, make_sentences: Callable[..., list[str]]
) -> None:
    from lexkit_distill.supervision.nearest import Supervision
    from lexkit_distill.training.batches import Batches, count

    (tmp_path / "train.txt").write_text("\n\n".join(make_sentences(700, 2)), encoding="utf-8")
    config = configured(max_length=16)
    ours, reference = load(config, dictionary.relations).data, gathered(config, dictionary.relations)
    assert len(ours) > 1024  # more than is written, or counted, at a time
    for name in ("token_ids", "is_target", "words", "offsets", "target_offsets"):
        mapped, array = getattr(ours, name), getattr(reference, name)
        assert mapped.dtype == array.dtype
        assert np.array_equal(mapped, array)
    assert (ours.fingerprint, ours.states_fingerprint) == (reference.fingerprint, reference.states_fingerprint)
    assert ours.target_offsets.tolist() == np.r_[0, np.cumsum(ours.is_target)][ours.offsets].tolist()
    available = Supervision(dictionary, 508).available()
    mapped, array = (Batches(data, 4, seed=3, available=available) for data in (ours, reference))
    assert mapped.steps_per_epoch == array.steps_per_epoch
    wanted = [simple_order(len(ours), ours.lengths.tolist(), 4, 3, epoch) for epoch in range(2)]
    for number in range(2 * mapped.steps_per_epoch):
        (epoch, rows), (_, same) = mapped.step(number), array.step(number)
        assert rows.tolist() == same.tolist() == wanted[epoch][number % mapped.steps_per_epoch]
        one, other = mapped.batch(rows, epoch), array.batch(same, epoch)
        assert np.array_equal(one.token_ids, other.token_ids)
        for part, of_other in zip(vars(one.positions).values(), vars(other.positions).values(), strict=True):
            assert np.array_equal(part, of_other)
    positions = array.positions(np.arange(len(reference)), 0)
    counts = count(mapped, available)
    assert (counts.rows, counts.tokens) == (len(reference), len(reference.token_ids))
    assert counts.predicted == len(positions.targets)
    assert counts.own_senses == available.own[positions.targets].sum()
    assert counts.sampled == positions.sampled.sum() > 0
    is_word = positions.words >= 0
    assert counts.with_antonyms == (is_word & available.antonyms[np.maximum(positions.words, 0)]).sum() > 0


def test_rows_are_encoded_once_for_all_trainings_and_previews(
    configured: Configured, encodings: list[str], rows_folder: Path, tmp_path: Path
) -> None:
    from lexkit_distill.training.preview import preview
    from lexkit_distill.training.run import train

    train(configured(eval_data=(str(tmp_path / "held.txt"),), max_steps=1))
    assert encodings == ["train.txt", "held.txt"]
    train(configured(output=str(tmp_path / "other"), max_steps=1, lr=1e-4, seed=4, kappa=2))
    (tmp_path / "moved").mkdir()
    moved = (tmp_path / "train.txt").rename(tmp_path / "moved" / "texts.txt")
    assert encodings == ["train.txt", "held.txt"]
    preview(configured(data=(str(moved),)), limit=1)
    assert len([path for path in rows_folder.iterdir() if path.is_dir()]) == 2
    assert not list(rows_folder.glob("*.new")) + list(rows_folder.glob("*.lock"))


def test_whatever_changes_the_rows_has_them_encoded_again(
    configured: Configured, encodings: list[str], tmp_path: Path, dictionary: Any
) -> None:
    file, chat = tmp_path / "train.txt", tmp_path / "chat.jsonl"
    messages = [{"role": "user", "content": "red"}, {"role": "assistant", "content": "the bus"}]
    chat.write_text(json.dumps({"messages": messages}) + "\n", encoding="utf-8")
    seen: set[str] = set()

    def is_new(config: Any, relations: Any = None) -> bool:
        encodings.clear()
        found = load(config, relations).data.fingerprint
        again = not encodings
        assert again == (found in seen)
        seen.add(found)
        return not again

    assert is_new(configured())
    assert not is_new(configured())
    assert is_new(configured(), dictionary.relations)
    assert is_new(configured(max_length=20))
    assert is_new(configured(no_end_token=True))
    assert is_new(configured(data=(str(chat),)))
    assert is_new(configured(data=(str(chat),), loss_on="all"))
    assert is_new(configured(data=(str(file), str(chat))))
    assert is_new(configured(data=(str(chat), str(file))))
    status = file.stat()
    file.write_text(file.read_text(encoding="utf-8").replace("the", "new"), encoding="utf-8")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # the same size and time
    assert file.stat().st_size == status.st_size
    assert is_new(configured())


def test_another_chat_template_has_chats_encoded_again(configured: Configured, tmp_path: Path) -> None:
    import transformers

    chat, folder = tmp_path / "chat.jsonl", tmp_path / "teacher"
    messages = [{"role": "user", "content": "red"}, {"role": "assistant", "content": "the bus"}]
    chat.write_text(json.dumps({"messages": messages}) + "\n", encoding="utf-8")
    config = configured(data=(str(chat),))
    before = load(config).data.token_ids.tolist()
    shutil.copytree(config.teacher, folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = tokenizer.chat_template.replace("\n", " says ")
    tokenizer.save_pretrained(folder)
    assert load(configured(data=(str(chat),), teacher=str(folder))).data.token_ids.tolist() != before


def test_questions_of_a_task_are_encoded_again_when_any_of_its_files_changes(
    configured: Configured, tmp_path: Path, encodings: list[str]
) -> None:
    questions = [{"goal": f"use {word}", "sol1": "red", "sol2": "blue"} for word in ("a car", "a bus", "a tree")]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions), encoding="utf-8")
    labels = tmp_path / "train-labels.lst"
    labels.write_text("0\n1\n0\n", encoding="utf-8")
    config = configured(data=(f"piqa:{tmp_path / 'train.jsonl'}",), shots=0, max_length=128)
    first = load(config).data.token_ids.tolist()
    assert load(config).data.token_ids.tolist() == first
    assert encodings == [f"piqa:{tmp_path / 'train.jsonl'}".rpartition("/")[2]]
    labels.write_text("1\n1\n0\n", encoding="utf-8")
    assert load(config).data.token_ids.tolist() != first


def test_damaged_rows_are_encoded_again(configured: Configured, rows_folder: Path, encodings: list[str]) -> None:
    found = load(configured()).data.fingerprint
    (folder,) = rows_folder.iterdir()
    for name, content in (("token_ids.bin", b"1234"), ("meta.json", b"{"), ("meta.json", b"{}")):
        encodings.clear()
        (folder / name).write_bytes(content)
        assert load(configured()).data.fingerprint == found
        assert encodings == ["train.txt"]
    encodings.clear()
    assert load(configured()).data.fingerprint == found
    assert not encodings


KILLED = """
import os, signal, sys
from lexkit.progress import Progress
from lexkit_distill.training.row_cache import encoded_rows
from lexkit_distill.training.encode import Row
import numpy as np

def rows():
    for number in range(2000):
        if number == 1500:
            os.kill(os.getpid(), signal.SIGKILL)
        yield Row(np.arange(5, dtype=np.int32), np.arange(5) > 0, np.full(5, -1, np.int32), list)

encoded_rows(lambda: sys.argv[1], lambda dropped: [rows()], Progress())
"""


def few(number: int) -> Callable[[Counter[str]], list[Iterator[Any]]]:
    from lexkit_distill.training.encode import Row

    row = Row(np.arange(5, dtype=np.int32), np.arange(5) > 0, np.full(5, -1, np.int32), list)
    return lambda _: [iter([row] * number)]


def test_a_killed_process_leaves_nothing_that_passes_for_rows(rows_folder: Path) -> None:
    from lexkit_distill.training.row_cache import encoded_rows

    for key in ("one", "other"):  # the second removes what the first has left
        done = subprocess.run([sys.executable, "-c", KILLED, key], check=False, timeout=120)
        assert done.returncode == -signal.SIGKILL
        assert sorted(path.name for path in rows_folder.iterdir()) == [f"{key}.lock", f"{key}.new"]
        assert (rows_folder / f"{key}.new" / "token_ids.bin").stat().st_size > 0
    assert len(encoded_rows(lambda: "other", few(2000), Progress()).data) == 2000
    assert [path.name for path in rows_folder.iterdir()] == ["other"]


def test_rows_that_nobody_has_used_for_a_month_make_room_for_others(rows_folder: Path) -> None:
    from lexkit_distill.training.row_cache import encoded_rows

    for key in ("old", "used", "new"):
        encoded_rows(lambda key=key: key, few(3), Progress())  # type: ignore[misc]
    long_ago = time.time() - 31 * 24 * 3600
    for key in ("old", "used"):
        os.utime(rows_folder / key / "meta.json", (long_ago, long_ago))
    encoded_rows(lambda: "used", few(0), Progress())
    assert sorted(path.name for path in rows_folder.iterdir()) == ["new", "old", "used"]
    encoded_rows(lambda: "next", few(3), Progress())
    assert sorted(path.name for path in rows_folder.iterdir()) == ["new", "next", "used"]


def _encode(begun: Any, results: Any) -> None:
    from lexkit_distill.training.encode import Row
    from lexkit_distill.training.row_cache import encoded_rows

    def rows(_: Counter[str]) -> Iterator[Iterator[Any]]:
        begun.put(os.getpid())
        time.sleep(1)
        yield iter([Row(np.arange(5, dtype=np.int32), np.arange(5) > 0, np.full(5, -1, np.int32), list)] * 7)

    data = encoded_rows(lambda: "same", rows, Progress()).data
    results.put((len(data), data.fingerprint))


def test_of_several_processes_one_encodes_and_the_others_wait() -> None:
    context = multiprocessing.get_context("fork")
    begun, results = context.SimpleQueue(), context.SimpleQueue()
    processes = [context.Process(target=_encode, args=(begun, results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = {results.get() for _ in processes}
    for process in processes:
        process.join()
    assert [size for size, _ in found] == [7]
    begun.get()
    assert begun.empty()


def test_a_full_disk_is_one_line_and_leaves_nothing(
    configured: Configured, rows_folder: Path, small_files: Any, tmp_path: Path, make_sentences: Any
) -> None:
    (tmp_path / "train.txt").write_text("\n\n".join(make_sentences(400)), encoding="utf-8")
    with small_files(8192), pytest.raises(DataError, match="LEXKIT_CACHE to a folder with room") as raised:
        load(configured())
    assert "\n" not in str(raised.value)
    assert "cannot be written (File too large)" in str(raised.value)
    assert not list(rows_folder.iterdir())
    assert len(load(configured()).data) == 400


def test_data_that_change_while_they_are_read_are_refused(rows_folder: Path) -> None:
    from lexkit_distill.training.row_cache import encoded_rows

    keys = iter(["before", "after"])
    with pytest.raises(DataError, match="changed while they were read"):
        encoded_rows(lambda: next(keys), few(3), Progress())
    assert not list(rows_folder.iterdir())


def test_a_training_resumes_from_rows_that_were_encoded_again(configured: Configured, rows_folder: Path) -> None:
    """The rows are the same, wherever they come from, and so are the losses."""
    from lexkit_distill.training.run import train

    whole = train(configured(max_steps=8))
    assert whole is not None
    folder = Path(configured().run.output)
    folder.rename(folder.with_name("whole"))
    with pytest.MonkeyPatch.context() as patch:
        from lexkit_distill.training.trainer import Trainer

        step = Trainer._step

        def interrupted(self: Any, number: int) -> dict[str, float]:
            if number == 5:
                signal.raise_signal(signal.SIGINT)
            return step(self, number)

        patch.setattr(Trainer, "_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(configured(max_steps=8))
    shutil.rmtree(rows_folder)
    resumed = train(configured(max_steps=8))
    assert resumed is not None
    assert resumed.outcome.loss == whole.outcome.loss


class TestWeights:
    @pytest.fixture
    def three(self, tmp_path: Path, make_sentences: Callable[..., list[str]]) -> list[str]:
        """Files of 30, 20 and 11 rows."""
        for number, rows in enumerate((30, 20, 11)):
            (tmp_path / f"{number}.txt").write_text("\n\n".join(make_sentences(rows, number)), encoding="utf-8")
        return [str(tmp_path / f"{number}.txt") for number in range(3)]

    def batches(self, config: Any, **options: Any) -> Any:
        from lexkit_distill.training.batches import Batches

        return Batches(load(config).data, 4, **options)

    def rows_of(self, batches: Any, epoch: int) -> Counter[int]:
        steps = range(epoch * batches.steps_per_epoch, (epoch + 1) * batches.steps_per_epoch)
        return Counter(row for step in steps for row in batches.step(step)[1].tolist())

    def test_a_weight_is_the_passes_over_a_file_in_an_epoch(self, three: list[str], configured: Configured) -> None:
        one, two, three_ = three
        batches = self.batches(configured(data=(f"{one}@0.5", f"{two}@2", f"{three_}@1.25")))
        assert batches.rows_per_epoch == 15 + 40 + 14
        assert batches.steps_per_epoch == 18
        epochs = [self.rows_of(batches, epoch) for epoch in range(3)]
        for rows in epochs:
            assert [rows[row] for row in range(30, 50)] == [2] * 20
            assert {rows[row] for row in range(30)} == {0, 1}
            assert sum(rows[row] for row in range(30)) == 15
            assert Counter(rows[row] for row in range(50, 61)) == {1: 8, 2: 3}
        assert epochs[0] != epochs[1] != epochs[2]  # each epoch draws its own
        again = self.batches(configured(data=(f"{one}@0.5", f"{two}@2", f"{three_}@1.25")))
        assert self.rows_of(again, 1) == epochs[1]
        other = self.batches(configured(data=(f"{one}@0.5", f"{two}@2", f"{three_}@1.25")), seed=1)
        assert self.rows_of(other, 1) != epochs[1]

    def test_a_weight_of_one_changes_nothing(self, three: list[str], configured: Configured) -> None:
        plain = self.batches(configured(data=tuple(three)))
        weighted = self.batches(configured(data=tuple(f"{name}@1" for name in three)))
        for number in range(2 * plain.steps_per_epoch):
            assert weighted.step(number)[1].tolist() == plain.step(number)[1].tolist()

    def test_other_weights_do_not_encode_again(
        self, three: list[str], configured: Configured, encodings: list[str]
    ) -> None:
        self.batches(configured(data=tuple(three)))
        self.batches(configured(data=tuple(f"{name}@0.3" for name in three)))
        assert encodings == ["0.txt", "1.txt", "2.txt"]

    def test_a_file_with_a_weight_has_at_least_a_row(self, three: list[str], configured: Configured) -> None:
        assert self.batches(configured(data=(three[0], f"{three[1]}@0.001"))).rows_per_epoch == 31

    def test_counts_are_of_an_epoch_and_training_takes_its_steps(
        self, three: list[str], configured: Configured
    ) -> None:
        from lexkit_distill.training.run import train

        summary = train(configured(data=(f"{three[0]}@0.5", f"{three[1]}@2"), epochs=1))
        assert summary is not None
        assert summary.plan.counts.rows == 55
        assert summary.plan.steps == summary.outcome.steps == 14

    def test_wrong_weights_are_one_line(self, three: list[str], configured: Configured) -> None:
        for weight in ("0", "-1", "nan", "inf", "1e999"):
            with pytest.raises(ArgumentError, match=r"give a number above 0, such as 0\.5 or 2"):
                configured(data=(f"{three[0]}@{weight}",))
        with pytest.raises(ArgumentError, match=r"held-out data have no weight; leave out @0\.5"):
            configured(eval_data=(f"{three[0]}@0.5",))

    def test_a_file_whose_name_ends_like_a_weight_is_a_file(
        self, three: list[str], configured: Configured, tmp_path: Path
    ) -> None:
        from lexkit_distill.training.config import split_weight

        named = Path(three[0]).rename(tmp_path / "backup@2")
        assert split_weight(str(named)) == (str(named), 1.0)
        assert split_weight(f"{named}@0.5") == (str(named), 0.5)
        assert self.batches(configured(data=(f"{named}@2",))).rows_per_epoch == 60
        assert split_weight("arc:hub:allenai/ai2_arc/ARC-Challenge:train@2")[0].endswith(":train")
        assert split_weight("hub:me/chats") == ("hub:me/chats", 1.0)


class TestHub:
    class Stream:
        """What `datasets.load_dataset` gives under streaming: its rows are read one after the other."""

        def __init__(self, number: int) -> None:
            self.number, self.read, self.alive, self.most = number, 0, 0, 0

        def __iter__(self) -> Iterator[dict[str, str]]:
            for number in range(self.number):
                self.read += 1
                yield {"text": f"the river and the bank {number % 7}"}

    @pytest.fixture
    def hub(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """The calls of `datasets.load_dataset`, each with its stream; the hub's revision is ``abc``."""
        import datasets
        import huggingface_hub

        calls: list[Any] = []

        def load_dataset(name: str, config: str | None, *, split: str, streaming: bool) -> Any:
            assert streaming
            calls.append((name, config, split, self.Stream(1300)))
            return calls[-1][3]

        class Api:
            def dataset_info(self, name: str, **_: Any) -> Any:
                assert name == "me/river"
                return type("Info", (), {"sha": "abc"})

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        monkeypatch.setattr(huggingface_hub, "HfApi", Api)
        return calls

    def test_a_data_set_is_streamed_once(self, hub: list[Any], configured: Configured) -> None:
        config = configured(data=("hub:me/river/small:train@2",))
        assert len(load(config).data) == 1300
        assert len(load(config).data) == 1300
        ((name, part, split, stream),) = hub
        assert (name, part, split, stream.read) == ("me/river", "small", "train", 1300)

    def test_rows_go_to_the_disk_while_others_are_still_to_come(
        self, hub: list[Any], configured: Configured, rows_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from lexkit_distill.training.encode import RowEncoder

        written: list[tuple[int, int]] = []
        cut = RowEncoder._rows

        def noted(self: Any, where: str, *arguments: Any) -> Any:
            files = list(rows_folder.glob("*.new/offsets.bin"))
            written.append((hub[0][3].read, files[0].stat().st_size // 8))
            return cut(self, where, *arguments)

        monkeypatch.setattr(RowEncoder, "_rows", noted)
        load(configured(data=("hub:me/river/small",)))
        assert all(read - rows <= 3 * 512 for read, rows in written)
        assert written[600][0] < 1300  # the stream is not read to its end before

    def test_another_revision_is_streamed_again(
        self, hub: list[Any], configured: Configured, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import huggingface_hub

        load(configured(data=("hub:me/river",)))
        info = type("Info", (), {"sha": "def"})
        monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: info)
        load(configured(data=("hub:me/river",)))
        assert len(hub) == 2

    def test_an_unreachable_data_set_is_one_line(self, configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
        import datasets

        def unreachable(*_: Any, **__: Any) -> None:
            raise ConnectionError("no route\nto the hub")

        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.setattr(datasets, "load_dataset", unreachable)
        with pytest.raises(CorpusError, match=r"hub:me/river: cannot be read \(no route\)"):
            load(configured(data=("hub:me/river",)))
