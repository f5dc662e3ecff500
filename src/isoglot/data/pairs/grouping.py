"""Groups of pairs among hundreds of millions of rows, by hashes of their texts, in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from isoglot.data.groups import BUCKET, Hashes, components, first_rows
from isoglot.records import IntArray


def text_hash(first: str, second: str, size: int = 8) -> bytes:
    """`size` bytes that stand for a pair of strings (BLAKE2b); ("a", "bc") and ("ab", "c") differ."""
    data = f"{len(first)}:{first}{second}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=size).digest()


def group_pairs(
    pair_of_row: IntArray, n_pairs: int, keys: Sequence[Hashes], done: Callable[[], object], bucket: int = BUCKET
) -> IntArray:
    """Connected components of "some rows of the two pairs have the same hash", int64, shape (n_pairs,).

    Two keys that differ but have one hash (of 64 bits) only join groups that could stay apart.

    Args:
        pair_of_row: shape (n_rows,), may be memory-mapped.
        keys: hashes of shape (n_rows,) each; hashes of one array are compared with each other only.
        done: called after each of the keys.
    """
    edges = np.zeros(0, dtype=np.int64)
    for hashes in keys:
        edge_sets = [edges]
        for rows, first in first_rows(hashes, bucket=bucket):
            apart = rows != first
            left, right = pair_of_row[first[apart]].astype(np.int64), pair_of_row[rows[apart]].astype(np.int64)
            apart = left != right
            # translations of one passage share it in every language: one edge is enough
            edge_sets.append(np.unique(left[apart] * n_pairs + right[apart]))
        edges = np.unique(np.concatenate(edge_sets))
        done()
    left, right = np.divmod(edges, n_pairs)
    return components(left, right, n_pairs)
