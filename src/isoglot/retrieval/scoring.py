"""What the score of a query and a document is, and a bound for how far a fast matrix product may be from it.

The score of a pair is the inner product of its two float32 vectors, summed in float64 in one fixed order and rounded
once to float32 (`pair_scores`). It depends on the two vectors and on nothing else: equal vectors tie exactly wherever
they stand. A matrix product is ten to a hundred times faster, but its last bits depend on the shape of the chunk, the number of
threads and the device. So products are used to decide everything that lies further than `margins` from a threshold, and
the few pairs within it are scored one by one. Ranks are thereby those of the definition, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from isoglot.errors import IsoglotError
from isoglot.records import Float32Array, FloatArray, IntArray

# the largest matrix of scores that is held: 512 x 65,536 float32 are 128 MiB
QUERY_CHUNK = 512
DOCUMENT_CHUNK = 65_536
# documents at a time when the k best are looked for on a CPU: their products are compared while they are in its cache
TOP_CHUNK = 2048
# the largest chunk of documents in float32 when no size is given: 128 MiB (wider vectors, fewer of them)
_CHUNK_FLOATS = 1 << 25
# pairs scored one by one at a time: their float64 copies stay in the processor's cache
_PAIRS = 128
UNIT = 2.0**-24  # half the distance from 1 to the next float32


class Vectors(Protocol):
    """Vectors of shape (n, d) in memory, in a memory map or in a store: slices and arrays of row numbers can be read."""

    @property
    def shape(self) -> tuple[Any, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


@dataclass(frozen=True)
class Around:
    """What a product says about thresholds `span` (a slice of those asked for, m of them).

    Attributes:
        above, above_own: documents surely above, int64, shape (m,), in the whole chunk and within the columns given.
        which, columns, products: pairs too near to tell: number of the threshold (among all asked for), column in the
            chunk and float32 product, all of shape (n_pairs,).
        scores: of these pairs as far as the engine knows them, float32, shape (n_pairs,), NaN where it does not; None where it
            knows none.
    """

    span: slice
    above: IntArray
    above_own: IntArray
    which: IntArray
    columns: IntArray
    products: Float32Array
    scores: Float32Array | None = None


class ImpreciseProductError(IsoglotError, RuntimeError):
    """A device's products are less precise than its arithmetic allows (TF32 products instead of float32, say)."""


def pair_scores(queries: Float32Array, rows: IntArray, documents: Vectors, numbers: IntArray) -> Float32Array:
    """The scores of the pairs (queries[rows[i]], documents[numbers[i]]), float32, shape (n_pairs,).

    Every product of two float32 is exact in float64. Vectors are summed separately, by numpy's pairwise summation over
    contiguous memory, so a score does not depend on the pairs beside it.
    """
    scores = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _PAIRS):
        span = slice(start, start + _PAIRS)
        wide = np.asarray(documents[numbers[span]], dtype=np.float32).astype(np.float64, order="C")
        wide *= queries[rows[span]]
        scores[span] = wide.sum(axis=1)
    return scores


def float32_error(width: int) -> float:
    """How far a float32 product may be from the score, relative to the lengths of the vectors; for `margins`.

    An inner product of d terms that is summed in any order, with or without fused operations, is within
    d u / (1 - d u) |x|.|y| of the true one (Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1),
    with u = 2^-24 and |x|.|y| at most the product of the lengths; rounding the score adds u.
    """
    return (width + 2) * UNIT / (1 - (width + 2) * UNIT)


def margins(query_lengths: FloatArray, longest: float, width: int, error: float) -> FloatArray:
    """How far a product of a query and a document of a chunk may be from the pair's score, shape (n_queries,).

    The last term is for numbers, parts of numbers, products and sums that underflow, or that a device takes for 0 where they are
    below the least normal float32: at most 8 per dimension, alone or multiplied by a number of one of the vectors.

    Args:
        query_lengths: float64, shape (n_queries,).
        longest: the greatest length of a document of the chunk.
        width: d, the number of dimensions.
        error: that of the engine's products, relative to the lengths.

    Raises:
        ValueError: vectors so long that float32 cannot hold their products.
    """
    if len(query_lengths) and longest * float(query_lengths.max()) > float(np.finfo(np.float32).max) / 2:
        raise ValueError("the vectors are too long for float32 products; normalise them")
    underflow = 8 * width * float(np.finfo(np.float32).tiny)
    return 1.01 * error * longest * query_lengths + underflow * (1 + longest + query_lengths)


def at_most(values: FloatArray) -> Float32Array:
    """float32 numbers that are not above `values`."""
    below: Float32Array = np.nextafter(values.astype(np.float32), np.float32(-np.inf))
    return below


def exact_scores(
    queries: Float32Array,
    rows: IntArray,
    chunk: Vectors,
    columns: IntArray,
    products: Float32Array,
    margin: Any,
    known: Float32Array | None = None,
) -> Float32Array:
    """`pair_scores`, each distinct pair computed once if there are many, held against their products.

    Args:
        chunk: the documents that `columns` number: a chunk or all of them, any float type.
        products, margin: what the matrix product gave for the pairs, and how far off it may be, shape (n_pairs,).
        known: the scores that need not be computed, NaN for the others, shape (n_pairs,).

    Raises:
        ImpreciseProductError: a product is further off.
    """
    scores: Float32Array
    if known is not None:
        scores, open_ = known.copy(), np.flatnonzero(np.isnan(known))
        scores[open_] = pair_scores(queries, rows[open_], chunk, columns[open_])
    elif len(rows) > len(chunk):  # near-equal scores everywhere: several thresholds of a query ask for the same pairs
        keys, inverse = np.unique(rows * len(chunk) + columns, return_inverse=True)
        scores = pair_scores(queries, keys // len(chunk), chunk, keys % len(chunk))[inverse.reshape(-1)]
    else:
        scores = pair_scores(queries, rows, chunk, columns)
    if not (np.abs(products.astype(np.float64) - scores) <= margin).all():
        raise ImpreciseProductError(
            "matrix products are less precise than float32: turn off TF32 and bfloat16 products, or rank without a device"
        )
    return scores


def longest_of(square: float, width: int) -> float:
    """At least the length of the longest vector, from its square, whose `width` terms float32 has rounded or taken for 0.

    Raises:
        ValueError: it is not finite.
    """
    if not np.isfinite(square):
        raise ValueError("a document vector has NaN or infinity in it, or its square is beyond float32")
    return float(np.sqrt(square + width * float(np.finfo(np.float32).tiny))) * 1.001


def document_chunks(
    documents: Vectors, first: int, end: int, size: int | None
) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """(number of the first document, vectors) for chunks of at most `size` documents (as many as fit 128 MiB if None).

    Vectors come as they are stored, shape (at most size, d): a view wherever the store gives one.
    """
    step = size or max(1, min(DOCUMENT_CHUNK, _CHUNK_FLOATS // max(1, documents.shape[1])))
    for start in range(first, end, step):
        yield start, np.asarray(documents[start : min(start + step, end)])


def check(queries: Vectors, documents: Vectors, ties: IntArray) -> Float32Array:
    """The queries in memory, float32, shape (n_queries, d).

    Raises:
        ValueError: shapes that do not fit together, or a query that is not finite.
    """
    if len(queries.shape) != 2 or len(documents.shape) != 2 or queries.shape[1] != documents.shape[1]:
        raise ValueError(f"queries {queries.shape} and documents {documents.shape} are not vectors of one width")
    if len(ties) != len(documents):
        raise ValueError(f"{len(ties)} tie positions for {len(documents)} documents")
    held: Float32Array = np.ascontiguousarray(queries[:], dtype=np.float32)
    if not np.isfinite(held).all():
        raise ValueError("a query vector has NaN or infinity in it")
    return held


def lengths(queries: Float32Array) -> FloatArray:
    """float64, shape (n_queries,)."""
    norms: FloatArray = np.sqrt(np.einsum("ij,ij->i", queries, queries, dtype=np.float64))
    return norms
