"""The plan: the tokenized corpus on disk, in an order that depends on its content alone.

Documents are split into pieces of at most ``max_length`` tokens, including the tokens that the tokenizer puts at the
beginning of a text (BOS). Pieces are sorted by length, then by a hash of the document. The pieces of a batch therefore
have nearly equal lengths and need almost no padding, and the batches, hence every bit of the teacher's states, depend
neither on the order of files nor on the number of processes. DuckDB sorts in bounded memory, spilling to disk if
necessary. Duplicate documents are used once.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from lexkit.atomic_write import sync, write_json
from lexkit.progress import Progress
from lexkit_distill.chat import ChatTemplate
from lexkit_distill.corpus import Document, documents
from lexkit_distill.disk import read_json
from lexkit_distill.errors import CorpusError, SampleError
from lexkit_distill.random_keys import UInt64, document_hash
from lexkit_distill.tokenization import TextEncoder

_READ = 512
"""Documents to tokenize at a time."""
_PIECES = pa.schema([("document", pa.uint64()), ("start", pa.int64()), ("token_ids", pa.list_(pa.int32()))])
_SORT_MEMORY = "512MB"


@dataclass(frozen=True)
class Plan:
    """The tokenized corpus: its counts, and the folder with its pieces."""

    folder: Path
    documents: int
    duplicates: int
    empty: int
    tokens: int
    pieces: int
    batches: int
    padding: float
    """Share of padding among the batches' positions."""
    fingerprint: str
    """Sum of the SHA-256 digests of the documents' hashes, modulo 2**256 (hex), independent of their order."""

    @property
    def path(self) -> Path:
        """Parquet file with the pieces; columns document, start and token_ids."""
        return self.folder / "plan.parquet"

    def counts(self) -> npt.NDArray[np.int64]:
        """Return the number of occurrences (V,) of each token id."""
        counts: npt.NDArray[np.int64] = np.load(self.folder / "counts.npy")
        return counts


@dataclass(frozen=True)
class PieceBatch:
    """Pieces that run through the teacher together."""

    number: int
    first_row: int
    """Row of the first piece in the plan."""
    documents: UInt64
    """(B,) hash of each piece's document."""
    starts: npt.NDArray[np.int64]
    """(B,) start of each piece in its document, in tokens."""
    lengths: npt.NDArray[np.int64]
    """(B,) number of tokens in each piece."""
    token_ids: npt.NDArray[np.int64]
    """(B, T) token ids, padded on the right with 0."""


def make_plan(
    folder: Path,
    corpus: Sequence[str],
    encoder: TextEncoder,
    *,
    max_length: int,
    batch_tokens: int,
    progress: Progress,
) -> Plan:
    """Tokenize the corpus, and write ``plan.parquet``, ``counts.npy`` and (last) ``plan.json`` to *folder*.

    Raises:
        CorpusError: a file cannot be read, the corpus contains no text, or the chat template rejects messages.
        DataError: the teacher has no weights for a token.
    """
    report = _ReadReport(encoder.vocabulary_size)
    unsorted = folder / "unsorted.parquet"
    texts = _texts(documents(corpus, report.skip), encoder)
    progress.stage("tokenizing the corpus")
    with pq.ParquetWriter(unsorted, _PIECES, compression="zstd") as writer:
        for batch in _pieces(texts, encoder, max_length):
            writer.write_batch(batch)
            report.read += int(np.count_nonzero(batch["start"].to_numpy() == 0))
            progress.count(report.read, None, "documents")
    progress.stage("sorting pieces by length")
    _sort(unsorted, folder)
    unsorted.unlink()
    plan = _described(folder, report, batch_tokens)
    if plan.tokens == 0:
        raise CorpusError(f"{', '.join(corpus)}: contains no text; give files with text or messages")
    for file in (plan.path, folder / "counts.npy"):
        sync(file)
    values = {key: value for key, value in asdict(plan).items() if key != "folder"}
    write_json(folder / "plan.json", values)
    return plan


def open_plan(folder: Path) -> Plan | None:
    """Return the plan in *folder*, or None if there is no finished one."""
    path = folder / "plan.json"
    if not path.exists():
        return None
    return Plan(folder, **read_json(path, SampleError, "remove it to plan again"))


def batches(plan: Plan, batch_tokens: int) -> Iterator[PieceBatch]:
    """Yield batches of consecutive pieces, in order, with at most *batch_tokens* tokens each, including padding.

    A piece that is longer is a batch of its own.
    """
    first_row = 0
    for number, rows in enumerate(_grouped(_rows(plan.path), batch_tokens)):
        lengths = np.array([len(tokens) for _, _, tokens in rows], dtype=np.int64)
        token_ids = np.zeros((len(rows), lengths.max()), dtype=np.int64)
        for place, (_, _, tokens) in enumerate(rows):
            token_ids[place, : len(tokens)] = tokens
        yield PieceBatch(
            number,
            first_row,
            np.array([document for document, _, _ in rows], dtype=np.uint64),
            np.array([start for _, start, _ in rows], dtype=np.int64),
            lengths,
            token_ids,
        )
        first_row += len(rows)


class _ReadReport:
    def __init__(self, vocabulary: int) -> None:
        self.vocabulary = vocabulary
        self.read = 0
        self.skipped: Counter[str] = Counter()

    def skip(self, reason: str) -> None:
        self.skipped[reason] += 1


_Row = tuple[int, int, npt.NDArray[np.int32]]


def _rows(path: Path) -> Iterator[_Row]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=4096):
            tokens = batch["token_ids"]
            values, offsets = tokens.values.to_numpy(), tokens.offsets.to_numpy()
            for place, (document, start) in enumerate(
                zip(batch["document"].to_numpy().tolist(), batch["start"].to_numpy().tolist(), strict=True)
            ):
                yield document, start, values[offsets[place] : offsets[place + 1]]


def _grouped(rows: Iterable[_Row], batch_tokens: int) -> Iterator[list[_Row]]:
    group: list[_Row] = []
    for row in rows:
        if group and (len(group) + 1) * len(row[2]) > batch_tokens:  # the last row is the longest
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _texts(found: Iterable[Document], encoder: TextEncoder) -> Iterator[tuple[str, str]]:
    """Yield each document as text, with its location for error messages."""
    template = ChatTemplate(encoder.tokenizer)
    for document in found:
        if document.text is not None:
            yield (document.prompt or "") + document.text, document.where
        else:
            yield template.text(document.messages, document.where, tools=document.tools), document.where


def _pieces(texts: Iterator[tuple[str, str]], encoder: TextEncoder, max_length: int) -> Iterator[pa.RecordBatch]:
    while some := list(islice(texts, _READ)):
        hashes, starts, pieces = [], [], []
        encodings = encoder.encode([text for text, _ in some], offsets=False)
        for (text, where), encoding in zip(some, encodings, strict=True):
            encoder.check(encoding.ids, where)
            first = encoder.beginning
            # Drop a BOS that the text already has, since every piece gets its own
            ids = encoding.ids[len(first) :] if encoding.ids[: len(first)] == first else encoding.ids
            for piece in encoder.pieces(len(ids), max_length):
                hashes.append(document_hash(text))
                starts.append(piece.start)
                pieces.append(np.array([*first, *ids[piece]], dtype=np.int32))
        columns = [pa.array(hashes, pa.uint64()), pa.array(starts, pa.int64()), pa.array(pieces, pa.list_(pa.int32()))]
        yield pa.record_batch(columns, schema=_PIECES)


def _sort(unsorted: Path, folder: Path) -> None:
    spill = folder / "spill"
    with duckdb.connect(config={"memory_limit": _SORT_MEMORY, "temp_directory": str(spill), "threads": 2}) as database:
        source, target = str(unsorted).replace("'", "''"), str(folder / "plan.parquet").replace("'", "''")
        database.execute(
            f"""
            COPY (
                FROM (
                    SELECT document, start, any_value(token_ids) AS token_ids
                    FROM '{source}'
                    GROUP BY document, start
                )
                ORDER BY len(token_ids), document, start
            ) TO '{target}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20000)
            """
        )
    shutil.rmtree(spill, ignore_errors=True)


def _described(folder: Path, report: _ReadReport, batch_tokens: int) -> Plan:
    counts = np.zeros(report.vocabulary, dtype=np.int64)
    fingerprint = 0
    tokens = pieces = n_documents = n_batches = padded = 0
    for group in _grouped(_rows(folder / "plan.parquet"), batch_tokens):
        n_batches += 1
        padded += len(group) * len(group[-1][2])
        pieces += len(group)
        tokens += sum(len(row[2]) for row in group)
        counts += np.bincount(np.concatenate([row[2] for row in group]), minlength=report.vocabulary)
        for document, start, _ in group:
            if start == 0:
                n_documents += 1
                fingerprint += int.from_bytes(sha256(document.to_bytes(8, "little")).digest(), "little")
    np.save(folder / "counts.npy", counts)
    return Plan(
        folder,
        documents=n_documents,
        duplicates=report.read - n_documents,
        empty=report.skipped.total(),
        tokens=tokens,
        pieces=pieces,
        batches=n_batches,
        padding=1 - tokens / padded if padded else 0.0,
        fingerprint=f"{fingerprint % 2**256:064x}",
    )
