"""Equal keys among hundreds of millions of rows, by their hashes, in bounded memory; and what is connected through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from isoglot.records import IntArray

Hashes = npt.NDArray[np.uint64]

BUCKET = 1 << 24  # rows that are sorted together: about 0.5 GB
_CHUNK = 1 << 22


def components(left: IntArray, right: IntArray, n: int) -> IntArray:
    """Connected components of n nodes under the edges left[i] - right[i]; int64, shape (n,), numbered by first node."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # older releases of scipy take no wider numbers, and fail without an error
    width = np.int32 if n < 2**31 else np.int64
    ends = (left.astype(width), right.astype(width))
    graph = coo_array((np.ones(len(left), dtype=np.int8), ends), shape=(n, n))
    count, labels = connected_components(graph, directed=False)
    # plans depend on the numbers, so they are made canonical: components in the order of their smallest nodes
    first = np.empty(count, dtype=np.int64)
    first[labels[::-1]] = np.arange(n - 1, -1, -1)  # the last assignment stays
    number = np.empty(count, dtype=np.int64)
    number[np.argsort(first)] = np.arange(count)
    groups: IntArray = number[labels]
    return groups


def first_rows(high: Hashes, low: Hashes | None = None, bucket: int = BUCKET) -> Iterator[tuple[IntArray, IntArray]]:
    """For every row, the first row with the same hash.

    Args:
        high: shape (n,), may be memory-mapped; 0 means that the row has no key. A row of its own is left out then.
        low: 64 further bits of the hashes.
        bucket: rows that are sorted at a time.

    Yields:
        (rows, first rows with the same hash), both int64, shape (k,). All yields together have every row with a key once.
    """
    for rows in _buckets(high, bucket):
        keys = [hashes[rows] for hashes in (low, high) if hashes is not None]
        order = np.lexsort(keys)
        changes = np.any([ordered[1:] != ordered[:-1] for ordered in (key[order] for key in keys)], axis=0)
        starts = np.flatnonzero(np.concatenate([[True], changes]))
        ordered = rows[order]
        yield ordered, np.repeat(ordered[starts], np.diff(starts, append=len(ordered)))


def _buckets(hashes: Hashes, bucket: int) -> Iterator[IntArray]:
    """Row numbers with a key, ascending, in parts by the hashes' top bits; int64, shape (k,), k > 0."""
    bits = max(0, -(-len(hashes) // bucket) - 1).bit_length()
    for number in range(1 << bits):
        rows = []
        for start in range(0, len(hashes), _CHUNK):
            chunk = hashes[start : start + _CHUNK]
            fits = chunk != 0
            if bits:
                fits &= (chunk >> np.uint64(64 - bits)) == number
            rows.append(np.flatnonzero(fits) + start)
        if sum(map(len, rows)):
            yield np.concatenate(rows)


def group_pairs(pair_of_row: IntArray, n_pairs: int, keys: Sequence[Hashes], bucket: int = BUCKET) -> IntArray:
    """Connected components of "some rows of the two pairs have the same hash", int64, shape (n_pairs,).

    Two keys that differ but have one hash (of 64 bits) only join groups that could stay apart.

    Args:
        pair_of_row: int64, shape (n_rows,), may be memory-mapped.
        keys: hashes of shape (n_rows,) each; hashes of one array are compared with each other only.
        bucket: see `first_rows`.
    """
    edges = np.zeros(0, dtype=np.int64)
    for hashes in keys:
        edge_sets = [edges]
        for rows, first in first_rows(hashes, bucket=bucket):
            repeated = rows != first
            left, right = pair_of_row[first[repeated]], pair_of_row[rows[repeated]]
            # translations of one passage share it in every language: one edge is enough
            edge_sets.append(np.unique((left * n_pairs + right)[left != right]))
        edges = np.unique(np.concatenate(edge_sets))
    left, right = np.divmod(edges, n_pairs)
    return components(left, right, n_pairs)
