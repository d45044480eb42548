"""What it takes to encode and train on much text: time, memory and disk, with a tiny random model.

Usage: python benchmarks/data.py FOLDER TEXT [--tokens 50000000] [--steps 20]

Words of TEXT, drawn by their frequency, make documents as long as TEXT's, until there are as many tokens as wanted. A
tokenizer of 16,000 tokens is made from TEXT. Each run is a process of its own: it encodes the rows and takes some steps
of plain distillation, and a second run finds the rows encoded. The same is done with a fiftieth of the text: the
difference in memory is what grows with the data. Memory of the process is its anonymous pages; pages of the mapped rows
count as the system's file cache, which it takes back where memory is wanted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from lexkit.progress import Progress

_SAMPLE_EVERY = 0.05
_FIFTIETH = 50


class Stages(Progress):
    """Times and peaks of memory by stage, of this process."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu_seconds: dict[str, float] = {}
        self.anonymous: dict[str, int] = {}
        self.mapped = 0
        self._stage, self._began, self._cpu = "start", time.perf_counter(), time.process_time()
        threading.Thread(target=self._watch, daemon=True).start()

    def stage(self, name: str) -> None:
        """Begin the next stage."""
        now, cpu = time.perf_counter(), time.process_time()
        self.seconds[self._stage], self.cpu_seconds[self._stage] = now - self._began, cpu - self._cpu
        self._stage, self._began, self._cpu = name, now, cpu

    def _watch(self) -> None:
        while True:
            status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            anonymous, mapped = (int(status[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))
            self.anonymous[self._stage] = max(self.anonymous.get(self._stage, 0), anonymous)
            self.mapped = max(self.mapped, mapped)
            time.sleep(_SAMPLE_EVERY)


def make_model(folder: Path, text: Path) -> None:
    """A random model of two narrow layers, with a tokenizer of the text's words."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=16_000, special_tokens=["<|end|>"], initial_alphabet=alphabet)
    tokenizer.train([str(text)], trainer)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>").save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)


def make_text(path: Path, text: Path, tokenizer: Path, tokens: int) -> None:
    """Documents of words of *text*, by their frequency, until there are about so many tokens."""
    from tokenizers import Tokenizer

    documents = [line for line in text.read_text(encoding="utf-8").splitlines() if line.strip()]
    words = np.array(" ".join(documents).split())
    lengths = np.array([len(document.split()) for document in documents])
    sample = " ".join(words[:20_000])
    a_word = len(Tokenizer.from_file(str(tokenizer / "tokenizer.json")).encode(sample).ids) / 20_000
    chooser = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        while tokens > 0:
            drawn = words[chooser.integers(len(words), size=chooser.choice(lengths))]
            file.write(" ".join(drawn) + "\n\n")
            tokens -= round(a_word * len(drawn)) + 1


def train_here(folder: Path, text: Path, steps: int) -> dict[str, Any]:
    """Encode, take some steps, and return what it took."""
    from lexkit_distill.config import make
    from lexkit_distill.training.config import TrainConfig, preset
    from lexkit_distill.training.run import train

    values = {**preset("kd"), "teacher": str(folder / "model"), "data": (str(text),), "output": str(folder / "student")}
    values |= {"max_steps": steps, "max_length": 512, "batch_size": 16, "layers": 1, "trained": 1}
    values |= {"micro_batch_size": 16, "device": "cpu", "dtype": "float32"}
    shutil.rmtree(folder / "student", ignore_errors=True)
    stages = Stages()
    summary = train(make(TrainConfig, values), stages)
    stages.stage("end")
    assert summary is not None
    return {
        "tokens": summary.plan.counts.tokens,
        "rows": summary.plan.counts.rows,
        "seconds": {name: round(seconds, 2) for name, seconds in stages.seconds.items()},
        "cpu_seconds": {name: round(seconds, 2) for name, seconds in stages.cpu_seconds.items()},
        "anonymous_mb": {name: round(size / 1e6, 1) for name, size in stages.anonymous.items()},
        "mapped_mb": round(stages.mapped / 1e6, 1),
        "training_seconds": round(summary.outcome.seconds, 2),
    }


def main() -> None:
    """Run every part and print the results as JSON, a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--tokens", type=int, default=50_000_000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder: Path = options.folder
    if options.run:
        print(json.dumps(train_here(folder, options.text, options.steps)))
        return
    folder.mkdir(parents=True, exist_ok=True)
    make_model(folder / "model", options.text)
    # Threads of torch would wait for each other longer than a step of so small a model takes
    environment = {**os.environ, "LEXKIT_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    shutil.rmtree(folder / "cache", ignore_errors=True)
    for tokens in (options.tokens // _FIFTIETH, options.tokens):
        text = folder / f"{tokens}.txt"
        make_text(text, options.text, folder / "model", tokens)
        for what in ("encode and train", "train again"):
            command = [sys.executable, __file__, str(folder), str(text), "--steps", str(options.steps), "--run"]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
            print(json.dumps({"run": what, "text_mb": round(text.stat().st_size / 1e6, 1), **json.loads(done.stdout)}))
        newest = max((folder / "cache" / "rows").iterdir(), key=lambda path: path.stat().st_mtime)
        size = sum(file.stat().st_size for file in newest.iterdir())
        print(json.dumps({"rows on disk, MB": round(size / 1e6, 1)}), flush=True)


if __name__ == "__main__":
    main()
