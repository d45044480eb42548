"""Everything that computes on a GPU runs on a stand-in for one, which is as strict about devices as a GPU is.

Its tensors say that they are on ``cuda:1``, and compute on the CPU. Like CUDA's, they mix neither with tensors on the
CPU nor with those of another GPU, and NumPy cannot read them. (torch's own `FakeTensorMode` is as strict, but its
tensors have no values, and most of this code asks for some: how many positions there are, or whether a cluster is
empty.)
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

GPU = "cuda:1"
KD: dict[str, Any] = {"beta_p": 0.0, "beta_n": 0.0, "senses": None}
EVERYTHING = {"hidden_weight": 1.0, "contrast_weight": 1.0, "sense_scale": "whiten", "multi_token_words": True}
ANSWERS = {**KD, "targets": "teacher"}


def make_stand_in() -> SimpleNamespace:  # noqa: C901  # all that needs torch, which is imported when it is used
    """Make the mode in which tensors are made on GPUs, what moves a module there, and the rest of such a machine."""
    import torch
    from accelerate import PartialState
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import return_and_correct_aliasing

    aten = torch.ops.aten
    copies, fills = {aten.copy_.default, aten.copy.default}, {aten.fill_.Tensor, aten.fill.Tensor}
    indexed = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
    stand_in = SimpleNamespace(current=torch.device("cuda", 0))

    class OnGpu(torch.Tensor):
        """A tensor that says it is on a GPU; *held* has its values."""

        __torch_function__ = torch._C._disabled_torch_function_impl
        device = property(lambda self: self.place)
        is_cuda = property(lambda _: True)
        is_cpu = property(lambda _: False)

        @staticmethod
        def __new__(cls: Any, held: torch.Tensor, place: torch.device) -> Any:
            strided = held if held.layout is torch.strided else torch.empty(held.shape, device="meta")
            with torch.inference_mode(False):  # or views of tensors from outside could not be made inside
                made = torch.Tensor._make_wrapper_subclass(cls, held.shape, strided.stride(), dtype=held.dtype)
            made.held, made.place = held, place
            return made

        def __repr__(self, **_: Any) -> str:
            return f"OnGpu({self.held!r})"

        def numpy(self, **_: Any) -> Any:
            raise TypeError(f"can't convert {self.place} device type tensor to numpy; use Tensor.cpu() first")

        __array__ = numpy

        def record_stream(self, _: Any) -> None: ...

        @classmethod
        def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            tensors: list[torch.Tensor] = []
            values, options = each(held, args, tensors), {name: each(held, kwargs[name], tensors) for name in kwargs}
            place = tensors[0].device if function in copies else common(function, tensors)
            found = function(*values, **options)
            if place.type == "cpu":
                return args[0]
            found = each(lambda value: claimed(value, place), found)
            return return_and_correct_aliasing(function, args, kwargs, found) if function._schema.is_mutable else found

    def each(change: Callable[[Any], Any], value: Any, tensors: list[torch.Tensor] | None = None) -> Any:
        """Change what is in lists and tuples, and note which tensors there are."""
        if isinstance(value, (list, tuple)):
            return type(value)([each(change, one, tensors) for one in value])
        if tensors is not None and isinstance(value, torch.Tensor):
            tensors.append(value)
        return change(value)

    def held(value: Any) -> Any:
        return value.held if isinstance(value, OnGpu) else value

    def claimed(value: Any, place: torch.device) -> Any:
        return OnGpu(value, place) if isinstance(value, torch.Tensor) and not isinstance(value, OnGpu) else value

    def common(function: Any, tensors: list[torch.Tensor]) -> torch.device:
        """The device of all; only numbers in elementwise functions, and indices, may be on the CPU."""
        place = next(one.device for one in tensors if isinstance(one, OnGpu))
        for one in tensors:
            is_number = one.dim() == 0 and (torch.Tag.pointwise in function.tags or function in fills)
            is_index = function in indexed and tensors[0].device == place
            if not (one.device == place or (one.device.type == "cpu" and (is_number or is_index))):
                raise RuntimeError(
                    f"Expected all tensors to be on the same device, but found {place} and {one.device} ({function})"
                )
        return place

    def named(device: Any) -> torch.device:
        device = torch.device(device)
        return stand_in.current if device.type == "cuda" and device.index is None else device

    def to(tensor: torch.Tensor, *args: Any, copy: bool = False, **kwargs: Any) -> torch.Tensor:
        if args and isinstance(args[0], torch.Tensor):
            there, dtype = args[0].device, args[0].dtype
        else:
            device, dtype = torch._C._nn._parse_to(*args, **kwargs)[:2]
            there = named(device) if device is not None else tensor.device
        if there == tensor.device or "cuda" not in (there.type, tensor.device.type):
            return torch.Tensor.to(
                tensor, **({} if there.type == "cuda" else {"device": there}), dtype=dtype, copy=copy
            )
        assert not (tensor.requires_grad and torch.is_grad_enabled()), "no gradient goes through the stand-in's copies"
        moved = held(tensor.detach()).to(dtype or tensor.dtype, copy=True)
        return OnGpu(moved, there) if there.type == "cuda" else moved

    class StandIn(TorchFunctionMode):
        """While it is on, tensors that are made on a GPU, or moved there, are `OnGpu`."""

        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = dict(kwargs or {})
            if function is torch.Tensor.to:
                return to(*args, **kwargs)
            if function is torch.Tensor.cpu:
                return to(args[0], "cpu")
            if function is torch.Tensor.tolist:
                return held(args[0]).tolist()
            if function is torch.Tensor.pin_memory:
                return args[0]
            kwargs.pop("pin_memory", None)
            device = named(kwargs["device"]) if kwargs.get("device") is not None else None
            if device is not None and device.type == "cuda":
                return OnGpu(function(*each(held, args), **{**kwargs, "device": "cpu"}), device)
            return function(*(args if device is None else each(held, args)), **kwargs)

    def moved(module: Any, place: torch.device) -> None:
        """Move *module* onto a GPU; modules that share parameters still do so."""
        known: dict[Any, Any] = {}
        for part in module.modules():
            for name, value in part._parameters.items():
                if value is not None:
                    known.setdefault(value, torch.nn.Parameter(OnGpu(value.data, place), value.requires_grad))
                    part._parameters[name] = known[value]
            for name, value in part._buffers.items():
                part._buffers[name] = claimed(value, place)

    class Stream:
        """A stream of work, all of which is done when it is given; also an event in one."""

        def __init__(self, *_: Any) -> None: ...

        def wait_stream(self, _: Any) -> None: ...

        def record_event(self) -> Stream:
            return self

        def synchronize(self) -> None: ...

    submit = ThreadPoolExecutor.submit

    def submitted(pool: ThreadPoolExecutor, work: Any, *args: Any, **kwargs: Any) -> Any:
        def worked() -> Any:
            with StandIn():
                return work(*args, **kwargs)

        return submit(pool, worked)

    stand_in.on, stand_in.moved = StandIn, moved
    stand_in.patches = {
        (torch.cuda, "set_device"): lambda device: setattr(stand_in, "current", torch.device(device)),
        (torch.cuda, "mem_get_info"): lambda _: (1 << 40, 1 << 40),
        (torch.cuda, "get_device_properties"): lambda _: SimpleNamespace(total_memory=1 << 40),
        (torch.cuda, "Stream"): Stream,
        (torch.cuda, "stream"): nullcontext,
        (torch.cuda, "current_stream"): Stream,
        (torch.cuda, "default_stream"): Stream,
        (torch.__future__, "_overwrite_module_params_on_conversion"): True,  # or modules would move in name only
        (PartialState, "default_device"): property(lambda _: torch.device("cuda")),
        (ThreadPoolExecutor, "submit"): submitted,
    }
    return stand_in


@pytest.fixture(scope="module")
def gpu() -> Iterator[SimpleNamespace]:
    """A stand-in for a machine with two GPUs, onto which teachers are loaded."""
    import torch

    stand_in = make_stand_in()
    with pytest.MonkeyPatch.context() as patched, stand_in.on():
        for (owner, name), value in stand_in.patches.items():
            patched.setattr(owner, name, value)
        for name in ("senses.build", "training.inputs", "evaluation.models"):
            module = importlib.import_module(f"lexkit_distill.{name}")

            def loaded(*args: Any, load: Any = module.load_teacher, device: str = "cpu", **kwargs: Any) -> Any:
                teacher = load(*args, device="cpu", **kwargs)
                if device != "cpu":
                    stand_in.moved(teacher.model, torch.device(device))
                return teacher

            patched.setattr(module, "load_teacher", loaded)
        yield stand_in


@pytest.fixture(autouse=True)
def first_gpu(gpu: SimpleNamespace) -> None:
    """Each test finds the first GPU to be the current one, as a process does."""
    import torch

    gpu.current = torch.device("cuda", 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("devices")


@pytest.fixture(scope="module")
def teacher(folder: Path, make_teacher: Callable[..., Path]) -> Path:
    return make_teacher(folder / "teacher", layers=3, length=512)


@pytest.fixture(scope="module")
def texts(folder: Path, make_sentences: Callable[..., list[str]]) -> dict[str, Path]:
    """A corpus, texts for training, and fewer to be held out."""
    made = {}
    for seed, (name, number) in enumerate({"corpus": 30, "training": 8, "held-out": 2}.items()):
        made[name] = folder / f"{name}.txt"
        made[name].write_text("\n\n".join(make_sentences(number, seed)), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def store(folder: Path, teacher: Path) -> Path:
    import lexkit

    (folder / "synonym").write_text(
        "kind friendly\nhappy glad\nred crimson\nquick rapid\nbig large\n", encoding="utf-8"
    )
    (folder / "antonym").write_text("kind unkind\nhappy unhappy\ngood bad\nlight dark\nquick slow\n", encoding="utf-8")
    pairs: Any = [("synonym", folder / "synonym"), ("antonym", folder / "antonym")]
    lexkit.build(folder / "lexkit.duckdb", pairs=pairs, tokenizers=[str(teacher / "tokenizer.json")])
    return folder / "lexkit.duckdb"


@pytest.fixture(scope="module")
def build(gpu: SimpleNamespace, folder: Path, teacher: Path, texts: dict[str, Path]) -> Callable[..., Path]:
    """Make a dictionary of sense embeddings on a device."""

    def made(device: str, **changes: Any) -> Path:
        from lexkit_distill.senses.build import build_senses
        from lexkit_distill.senses.config import SensesConfig

        options: dict[str, Any] = {"anchor": "next", "k": 3, "max_per_token": 20, "batch_tokens": 512, **changes}
        output = folder / "-".join(("senses", device[:3], *map(str, changes.values())))
        build_senses(
            SensesConfig(
                str(teacher),
                corpus=(str(texts["corpus"]),),
                output=str(output),
                dtype="float32",
                device=device,
                **options,
            )
        )
        return output

    return made


@pytest.fixture(scope="module")
def senses(build: Callable[..., Path], store: Path) -> Path:
    from lexkit_distill.senses.compose import compose_senses

    made: Path = build(GPU)
    compose_senses(made, store)
    return made


@pytest.fixture
def training(tmp_path: Path, teacher: Path, senses: Path, store: Path, texts: dict[str, Path]) -> Callable[..., Any]:
    """Train on a device, and return the last loss and the held-out figures."""

    def trained(device: str, dry_run: bool = True, **changes: Any) -> dict[str, float]:
        from lexkit_distill.config import make
        from lexkit_distill.training.config import TrainConfig
        from lexkit_distill.training.run import train

        values: dict[str, Any] = {
            "teacher": str(teacher),
            "data": (str(texts["training"]),),
            "eval_data": (str(texts["held-out"]),),
            "senses": str(senses),
            "store": str(store),
            "output": str(tmp_path / device[:3]),
            "layers": 2,
            "trained": 1,
            "batch_size": 4,
            "micro_batch_size": 2,
            "max_length": 64,
            "gamma": "auto",
            "dtype": "float32",
            "device": device,
        }
        summary = train(make(TrainConfig, {**values, **changes}), dry_run=dry_run)
        assert summary is not None
        return {"loss": summary.outcome.loss, **summary.outcome.held_out}

    return trained


def test_the_stand_in_is_as_strict_as_a_gpu(gpu: SimpleNamespace) -> None:
    import torch

    here, there = torch.arange(6.0).view(2, 3), torch.arange(6.0).view(2, 3).to(GPU)
    places = torch.tensor([0, 1])
    for mixed in (
        lambda: here + there,
        lambda: there + there.to("cuda:0"),
        lambda: there @ here.T,
        lambda: torch.cat([there, here]),
        lambda: there.index_select(0, places),
        lambda: here[places.to(GPU)],
        lambda: torch.where(here > 1, there, there),
        lambda: there.add_(here),
        lambda: torch.stack([there.sum(), here.sum()]),
    ):
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
            mixed()
    with pytest.raises(TypeError, match="can't convert cuda:1 device type tensor to numpy"):
        there.numpy()
    for allowed in (there + here.sum(), there[places], there.new_zeros(2, 3).copy_(here), torch.zeros(1, device=GPU)):
        assert allowed.device == torch.device(GPU)
    assert (there.cpu() == here).all()
    assert there.tolist() == here.tolist()
    with ThreadPoolExecutor(1) as threads, torch.cuda.stream(torch.cuda.Stream(torch.device(GPU))):
        copied = threads.submit(lambda: here.pin_memory().to(GPU, non_blocking=True)).result()
    copied.record_stream(torch.cuda.current_stream(GPU))
    assert copied.tolist() == here.tolist()


def rows_of(folder: Path) -> tuple[Any, Any]:
    """The sense embeddings of a dictionary, and which tokens they are of."""
    from lexkit_distill.senses.dictionary import SenseDictionary

    dictionary = SenseDictionary(folder)
    return dictionary.rows.float(), dictionary.index.drop_columns("inertia").to_pydict()


@pytest.mark.parametrize("changes", [{"anchor": "predicted"}, {"anchor": "input", "k": "adaptive"}])
def test_senses_are_those_of_the_cpu(build: Callable[..., Path], changes: dict[str, Any]) -> None:
    import torch

    found, wanted = (rows_of(build(device, **changes)) for device in (GPU, "cpu"))
    torch.testing.assert_close(found[0], wanted[0], rtol=0.01, atol=0.01)
    assert found[1] == wanted[1]


def test_many_points_are_clustered_as_on_the_cpu(gpu: SimpleNamespace) -> None:
    """Not all of these points are measured in each iteration; of the second token, only two are different."""
    import numpy as np
    import torch

    from lexkit_distill.senses.adaptive import kmeans_adaptive
    from lexkit_distill.senses.cluster import kmeans

    points = torch.randn(4, 180, 6, generator=torch.Generator().manual_seed(0))
    points += torch.arange(180)[:, None] % 3
    points[1] = points[1, :2].repeat(90, 1)
    counts, tokens = torch.tensor([180, 180, 170, 5]), np.arange(4)
    for work in (kmeans, kmeans_adaptive):
        wanted = work(points, counts, 3, tokens=tokens, seed=0)
        found = work(points.to(GPU), counts.to(GPU), 3, tokens=tokens, seed=0)
        for name in ("centroids", "sizes", "labels", "distances", "inertia"):
            part = getattr(found, name)
            assert part.device == torch.device(GPU), name
            torch.testing.assert_close(part.cpu(), getattr(wanted, name), rtol=1e-4, atol=1e-4)


def test_a_dictionary_is_asked_about_states_on_a_gpu(gpu: SimpleNamespace, senses: Path) -> None:
    from lexkit_distill.senses.dictionary import SenseDictionary

    dictionary = SenseDictionary(senses)
    _, found = dictionary.nearest(dictionary.rows[:5].to(GPU), 1)
    assert found.flatten().tolist() == [0, 1, 2, 3, 4]
    assert (dictionary.key_of_rows(found.flatten().to(GPU)) == dictionary.key_of_rows(found.flatten())).all()


@pytest.mark.parametrize("changes", [KD, {}, EVERYTHING, ANSWERS], ids=["KD", "DSKD", "everything", "answers"])
def test_a_training_has_the_losses_of_the_cpu(
    training: Callable[..., Any], tmp_path: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexkit_distill.training.official_code._NEW_TOKENS", 3)
    if "targets" in changes:
        file = tmp_path / "pairs.jsonl"
        file.write_text('{"prompt": "the red car", "completion": " is quick"}\n', encoding="utf-8")
        changes = {**changes, "data": (str(file),)}
    assert training(GPU, **changes) == pytest.approx(training("cpu", **changes), rel=1e-5)


def test_a_training_with_a_cache_has_the_losses_of_the_cpu(
    training: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the first epoch the cache is written, in the second read. A second run continues from the last checkpoint."""
    # transformers asks what it saves for the memory that it shares, and the stand-in's tensors have none
    monkeypatch.setattr("lexkit_distill.training.run.export", lambda *_: None)
    found = []
    for device in (GPU, GPU, "cpu"):
        cache, done = tmp_path / f"cache-{device[:3]}", tmp_path / device[:3] / "training.json"
        done.unlink(missing_ok=True)
        found.append(training(device, dry_run=False, cache=str(cache), epochs=2, save_every=2))
        assert done.exists()
    assert found[0] == found[1] == pytest.approx(found[2], rel=1e-4)


@pytest.fixture
def evaluate(gpu: SimpleNamespace, tmp_path: Path, teacher: Path, texts: dict[str, Path]) -> Callable[..., Any]:
    """Evaluate the teacher on a device."""
    pytest.importorskip("lm_eval", reason="needs the extra 'eval'")
    files = {
        "SimLex-999.txt": "old new A 1.58\nkind good A 7.1\nred car N 0.3\n",
        "SimVerb-3500.txt": "take remove V 6.81\nwalk trail V 4.81\nfeed starve V 1.49\n",
        "adjective-pairs.train": "kind unkind 1\nhappy glad 0\nhappy unhappy 1\nquick rapid 0\nquick slow 1\n",
        "adjective-pairs.val": "old new 1\nkind good 0\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "arc").mkdir()
    choices = {"text": ["red", "dark", "old", "big"], "label": ["A", "B", "C", "D"]}
    for name in ("validation", "train"):
        questions = [
            {"id": f"{n}", "question": f"What is {n}?", "choices": choices, "answerKey": "B"} for n in range(3)
        ]
        lines = "".join(json.dumps(question) + "\n" for question in questions)
        (tmp_path / "arc" / f"{name}.jsonl").write_text(lines, encoding="utf-8")

    def tasks(device: str, **changes: Any) -> Any:
        from lexkit.progress import Progress
        from lexkit_distill.evaluation.config import EvalConfig
        from lexkit_distill.evaluation.run import evaluate_models

        config = EvalConfig(
            str(teacher),
            teacher=str(teacher),
            device=device,
            data=str(tmp_path),
            text=str(texts["held-out"]),
            output=str(tmp_path / device[:3] / "results.json"),
            dtype="float32",
            shots=1,
            **changes,
        )
        results = evaluate_models(config, Progress())
        assert results is not None
        return results.tasks

    return tasks


@pytest.mark.filterwarnings("ignore")  # what lm-evaluation-harness warns about when it is imported
@pytest.mark.parametrize(
    "changes",
    [
        {"tasks": "perplexity,lexical"},
        {"tasks": "arc", "protocol": "likelihood"},
        {"tasks": "arc", "protocol": "paper"},
    ],
    ids=["perplexity and lexical", "likelihood", "paper"],
)
def test_an_evaluation_has_the_figures_of_the_cpu(evaluate: Callable[..., Any], changes: dict[str, Any]) -> None:
    assert evaluate(GPU, **changes) == evaluate("cpu", **changes)


@pytest.mark.filterwarnings("ignore")
def test_replaced_states_have_the_figures_of_the_cpu(evaluate: Callable[..., Any], senses: Path) -> None:
    changes = {"tasks": "senses", "senses": str(senses), "max_length": 64}
    found, wanted = (evaluate(device, **changes)["senses"] for device in (GPU, "cpu"))
    for name, metric in wanted.metrics.items():
        assert found.metrics[name].value == pytest.approx(metric.value, rel=1e-5, abs=1e-6), name
    assert found.details == wanted.details


def test_torch_and_accelerate_know_where_each_of_several_runs_is(gpu: SimpleNamespace) -> None:
    from lexkit_distill.processes import Processes

    devices = [Processes(device).accelerator().device.type for device in (GPU, "cpu", GPU)]
    assert devices == ["cuda", "cpu", "cuda"]
    assert str(gpu.current) == GPU


def test_several_processes_do_not_share_a_gpu(gpu: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    from lexkit_distill.errors import TeacherError
    from lexkit_distill.processes import Processes

    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TeacherError, match=r"--device cuda:1: 2 processes need a GPU each; give --device cuda$"):
        Processes(GPU)


def test_layers_of_the_teacher_are_not_cut_into_shares(
    training: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate import Accelerator

    from lexkit_distill.errors import TrainingError
    from lexkit_distill.training.student import Student

    monkeypatch.setattr(Accelerator, "distributed_type", "FSDP")
    monkeypatch.setattr(Student, "shares_prefix", property(lambda _: False, lambda *_: None), raising=False)
    with pytest.raises(TrainingError, match=r"which FSDP would shard; launch with gpus.yaml instead of fsdp.yaml$"):
        training("cpu", **KD)
