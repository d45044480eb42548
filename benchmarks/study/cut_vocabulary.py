"""Cut a model's vocabulary to the tokens of some texts, of a store's words and of the items that are made from it.

Usage: python benchmarks/study/cut_vocabulary.py MODEL FOLDER --store STORE --text FILE [--text FILE ...]

Gemma's 262,144 tokens make its head larger than all of its layers; a quarter of them is in the study's texts and words,
and two cores can train with these. The texts are split as before, since the tokens from which theirs are merged are
kept, too. Other texts may be split into more tokens. Probabilities are those of the whole model, given that one of the
kept tokens is next.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from lexkit.atomic_write import new_folder
from lexkit.probe.items import make_items
from lexkit.store.lexicon import Lexicon

_BATCH = 1000


def merged_from(token: str, ranks: dict[tuple[str, str], int]) -> set[str]:
    """Return a token and all tokens that byte pair encoding makes on the way to it."""
    parts, found = list(token), {token, *token}
    while len(parts) > 1:
        rank, place = min((ranks.get(pair, len(ranks)), place) for place, pair in enumerate(pairwise(parts)))
        if rank == len(ranks):
            break  # not made by merging: a byte, or an added token
        parts[place : place + 2] = ["".join(parts[place : place + 2])]
        found.add(parts[place])
    return found


def used(tokenizer: Tokenizer, texts: Iterable[str]) -> set[str]:
    """Return the tokens of texts, and those from which they are merged."""
    model = json.loads(tokenizer.to_str())["model"]
    ranks = {(left, right): rank for rank, (left, right) in enumerate(model["merges"])}
    lines, ids = list(texts), set[int]()
    for start in range(0, len(lines), _BATCH):
        ids.update(*(one.ids for one in tokenizer.encode_batch(lines[start : start + _BATCH])))
    names = [tokenizer.id_to_token(number) for number in ids]
    return {part for name in names for part in merged_from(name, ranks)} & model["vocab"].keys()


def cut(source: str, target: Path, texts: Iterable[str]) -> int:
    """Write a model with the tokens of texts only, and return how many there are."""
    whole = AutoTokenizer.from_pretrained(source)
    described = json.loads(whole.backend_tokenizer.to_str())
    vocabulary = described["model"]["vocab"]
    added = [one for one in described["added_tokens"] if not one["content"].startswith("<unused")]
    kept = used(whole.backend_tokenizer, texts) | {one["content"] for one in added}
    kept |= {name for name in vocabulary if len(name) == 6 and name.startswith("<0x")}  # bytes, for what is left
    names = sorted(kept, key=vocabulary.__getitem__)
    ids = {name: number for number, name in enumerate(names)}
    old = torch.tensor([vocabulary[name] for name in names])
    described["added_tokens"] = [{**one, "id": ids[one["content"]]} for one in added]
    described["model"]["vocab"] = ids
    described["model"]["merges"] = [
        [left, right] for left, right in described["model"]["merges"] if {left, right, left + right} <= ids.keys()
    ]
    for special in (described["post_processor"] or {}).get("special_tokens", {}).values():
        special["ids"] = [ids[name] for name in special["tokens"]]
    model = AutoModelForCausalLM.from_pretrained(source)
    head, own = model.get_output_embeddings(), model.get_input_embeddings()
    for module in {own, head}:
        module.weight = torch.nn.Parameter(module.weight.detach()[old].clone())
    model.tie_weights()
    for config in (model.config, model.generation_config):
        for name in ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id"):
            value = getattr(config, name, None)
            if isinstance(value, int):
                setattr(config, name, ids[whole.convert_ids_to_tokens(value)])
    model.config.vocab_size = len(names)
    with new_folder(target) as beside:
        model.save_pretrained(beside)
        whole.save_pretrained(beside)
        (beside / "tokenizer.json").write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
    return len(names)


def main() -> None:
    """Cut, and check that texts are split as before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--store", required=True)
    parser.add_argument("--text", type=Path, action="append", required=True)
    options = parser.parse_args()
    texts = [line for path in options.text for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    with Lexicon(options.store) as lexicon:
        words = lexicon.sql("SELECT DISTINCT word FROM synonyms UNION SELECT DISTINCT word FROM antonyms")
        for item in make_items(lexicon):
            texts += [sentence for with_head, neutral in item.sentences() for sentence in (*with_head, *neutral)]
    texts += [f" {word}" for word in sorted(words["word"].to_pylist())]
    kept = cut(options.model, options.folder, texts)
    print(f"{kept:,} tokens")
    before, after = (AutoTokenizer.from_pretrained(model) for model in (options.model, options.folder))
    for text in texts:
        assert before.tokenize(text) == after.tokenize(text), text


if __name__ == "__main__":
    main()
