from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHAT_TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n{% endfor %}"
)
WORDS = """the of and to in a is was he for it with as his on be at by I had not are but from or have an they which one
kind unkind kindness happy unhappy glad sad good bad river bank money water light dark red crimson scarlet car bus road
friend enemy friendly hostile quick slow swift rapid strong weak old new young big small large little great house tree
stone bird fish horse dog cat king queen war peace love hate day night sun moon star sea land wind rain snow fire ice
""".split()
ROOMY = """
import shutil, sys
usage = shutil.disk_usage(".")
shutil.disk_usage = lambda _: usage._replace(free=1 << 40)
from lexkit.cli.main import main
main(sys.argv[1:])
"""
"""Runs a command that finds room on the disk when it looks, as if others wrote to it afterwards."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of this folder need the extra; without it they are skipped and say so."""
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        skip = pytest.mark.skip(reason=f"needs the extra 'distill': {error}")
        for item in items:
            if Path(__file__).parent in item.path.parents and "without_torch" not in item.name:
                item.add_marker(skip)
    else:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or 1))  # .ci/run tries several


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Digests of teachers' files are not kept in the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LEXKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def sentences(number: int, seed: int = 0) -> list[str]:
    """Sentences of ordinary words, by seed."""
    chooser = random.Random(seed)
    return [" ".join(chooser.choice(WORDS) for _ in range(chooser.randint(3, 30))) for _ in range(number)]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 documents of 3 to 30 words, one a line, blank lines between."""
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text("\n\n".join(sentences(400)) + "\n", encoding="utf-8")
    return path


def save_teacher(
    folder: Path,
    family: str = "llama",
    *,
    chat: bool = True,
    seed: int = 0,
    vocabulary: int = 400,
    layers: int = 2,
    length: int = 128,
    **changes: Any,
) -> Path:
    """A tiny randomly initialised teacher with a byte-level BPE tokenizer of its own, saved as transformers does."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|end|>", "<|start|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([" " + line for line in sentences(200, seed=1)], trainer)
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", bos_token="<|start|>", pad_token="<|end|>"
    )
    if chat:
        wrapped.chat_template = CHAT_TEMPLATE
    wrapped.save_pretrained(folder)
    sizes: dict[str, Any] = {
        "vocab_size": len(wrapped) + 8,  # some families have their own special tokens added
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": length,
        "bos_token_id": 1,
        "eos_token_id": 0,
        "pad_token_id": 0,
    }
    configs = {
        "llama": transformers.LlamaConfig,
        "mistral": transformers.MistralConfig,
        "qwen2": transformers.Qwen2Config,
        "qwen3": transformers.Qwen3Config,
        "gemma": transformers.GemmaConfig,
        "gemma2": transformers.Gemma2Config,
    }
    torch.manual_seed(seed)
    config = configs[family](**{**sizes, **changes})
    # Spread out, so that the tokens it predicts differ
    config.initializer_range = 0.5
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def make_teacher() -> Callable[..., Path]:
    return save_teacher


@pytest.fixture(scope="session")
def make_sentences() -> Callable[..., list[str]]:
    return sentences


@pytest.fixture(scope="session")
def teacher_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_teacher(tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="session")
def real_teacher() -> Path:
    """The folder of SmolLM2-135M-Instruct; the test is skipped where it is not."""
    folder = Path(os.environ.get("LEXKIT_TEST_TEACHER", ""))
    if not (folder / "model.safetensors").exists():
        pytest.skip("the real teacher is not there (benchmarks/teacher.py, LEXKIT_TEST_TEACHER)")
    return folder


@pytest.fixture
def full_disk(
    disk: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> Callable[..., tuple[str, list[Path]]]:
    """Run `lexkit distill` on a disk of some bytes, which fills after it was found to have room.

    Returns:
        The one line that the command ends with, nothing if it succeeds, and the files that it leaves.
    """

    def run(size: int, *arguments: str | Path) -> tuple[str, list[Path]]:
        shutil.rmtree(tmp_path / "after", ignore_errors=True)
        done = disk(size, "distill", *arguments, script=ROOMY)
        lines = done.stderr.splitlines()
        assert (done.returncode, len(lines)) in ((0, 0), (1, 1)), done.stderr
        return "".join(lines), [path for path in (tmp_path / "after").rglob("*") if path.is_file()]

    return run


@pytest.fixture
def build(tmp_path: Path, teacher_folder: Path, corpus: Path) -> Callable[..., Path]:
    """Make a dictionary of the tiny teacher over the corpus, in fp32."""

    def make(name: str = "senses", **changes: Any) -> Path:
        from lexkit_distill.senses.build import build_senses
        from lexkit_distill.senses.config import SensesConfig

        options: dict[str, Any] = {
            "teacher": str(teacher_folder),
            "corpus": (str(corpus),),
            "output": str(tmp_path / name),
            "k": 4,
            "max_per_token": 50,
            "dtype": "float32",
            "device": "cpu",
            "batch_tokens": 512,
        }
        build_senses(SensesConfig(**{**options, **changes}))
        return Path(options["output"] if "output" not in changes else changes["output"])

    return make
