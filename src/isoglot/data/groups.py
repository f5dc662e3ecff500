"""Things that are connected, directly or through others."""

from __future__ import annotations

import numpy as np

from isoglot.records import IntArray


def components(left: IntArray, right: IntArray, n: int) -> IntArray:
    """Connected components of n nodes under the edges left[i] - right[i]; int64, shape (n,), numbered by first node."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(n, n))
    count, labels = connected_components(graph, directed=False)
    # plans depend on the numbers, so they are made canonical: components in the order of their smallest nodes
    first = np.empty(count, dtype=np.int64)
    first[labels[::-1]] = np.arange(n - 1, -1, -1)  # the last assignment stays
    number = np.empty(count, dtype=np.int64)
    number[np.argsort(first)] = np.arange(count)
    groups: IntArray = number[labels]
    return groups
