"""Texts to vectors: every distinct text once, the model's own prompts, L2-normalised float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from isoglot.errors import InputError
from isoglot.records import Benchmark, Float32Array
from isoglot.retrieval.products import Rows

Kind = Literal["query", "passage"]
DEFAULT_BATCH_SIZE = 64
# texts handed to the model at once, in batches: enough for its own batching, few enough for the progress bar to move
_BATCHES_PER_CALL = 8
_LABELS: dict[Kind, str] = {"query": "encode queries", "passage": "encode passages"}


@dataclass(frozen=True)
class Embeddings:
    """Vectors of a whole benchmark, in pooled order, instead of a model.

    Attributes:
        queries: shape (n_queries, d).
        documents: shape (n_documents, d); may be memory-mapped or a store's, and float16.
    """

    queries: Float32Array
    documents: Rows


def encode_texts(
    model: Any,
    texts: Sequence[str],
    kind: Kind,
    batch_size: int | None = None,
    progress: bool = True,
) -> Float32Array:
    """Embed texts.

    Each distinct text is encoded once, longest first, so that equal texts have the very same vector (and tie exactly)
    and a batch holds texts of about one length.

    Args:
        model: a `SentenceTransformer`, or anything with its `encode_query` and `encode_document`. Prompts are the
            model's own: the one saved as "query" for queries; "document", "passage" or "corpus" for passages.
        texts: n texts.
        kind: which of the two methods (and prompts) to use.
        batch_size: texts per forward pass; 64 when None.
        progress: show a progress bar on stderr.

    Returns:
        float32, shape (n, d), every row of length 1 (rows of zeros stay).

    Raises:
        InputError: the model gave a number that is not finite.
    """
    size = batch_size or DEFAULT_BATCH_SIZE
    numbers: dict[str, int] = {}
    inverse = np.fromiter((numbers.setdefault(text, len(numbers)) for text in texts), dtype=np.int64, count=len(texts))
    distinct = list(numbers)
    if not distinct:
        raise InputError("no text to encode")
    order = sorted(range(len(distinct)), key=lambda i: (-len(distinct[i]), i))
    encode = model.encode_query if kind == "query" else model.encode_document
    vectors: Float32Array | None = None
    step = size * _BATCHES_PER_CALL
    with tqdm(total=len(distinct), desc=_LABELS[kind], disable=not progress, unit="text") as bar:
        for start in range(0, len(order), step):
            rows = order[start : start + step]
            part = encode([distinct[i] for i in rows], batch_size=size, show_progress_bar=False)
            part = _unit(np.asarray(part, dtype=np.float32), distinct, rows)
            if vectors is None:
                vectors = np.empty((len(distinct), part.shape[1]), dtype=np.float32)
            vectors[rows] = part
            bar.update(len(rows))
    assert vectors is not None
    return vectors[inverse]


def encode_benchmark(
    model: Any, benchmark: Benchmark, kind: Kind, batch_size: int | None = None, progress: bool = True
) -> Float32Array:
    """All queries or all passages of a benchmark in pooled order, shape (n, d); see `encode_texts`."""
    pooled = benchmark.pooled_queries() if kind == "query" else benchmark.pooled_documents()
    return encode_texts(model, [text for _, _, text in pooled], kind, batch_size, progress)


def _unit(part: Float32Array, distinct: list[str], rows: list[int]) -> Float32Array:
    """Rows divided by their length, which is taken in float64."""
    finite = np.isfinite(part).all(axis=1)
    if not finite.all():
        text = distinct[rows[int(np.argmin(finite))]]
        raise InputError(f"the model gave a vector with NaN or infinity for the text {text[:80]!r}")
    length = np.linalg.norm(part.astype(np.float64), axis=1, keepdims=True)
    unit: Float32Array = (part / np.maximum(length, 1e-12)).astype(np.float32)
    return unit
