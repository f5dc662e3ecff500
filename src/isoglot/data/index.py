"""The integer side of a pair table: which row holds which pair in which language, and which pairs must not meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoglot.records import IntArray, PairRow


@dataclass(frozen=True)
class PairIndex:
    """Pairs x languages -> rows. All that a batch plan needs to know of a pair table.

    Attributes:
        languages: the table's languages, sorted.
        sources: the table's sources, sorted.
        rows: int64, shape (n_pairs, n_languages): row number of the pair in that language, -1 where it has none.
        source: int64, shape (n_pairs,): number of the pair's source.
        group: int64, shape (n_pairs,): pairs of one group share a passage or a query in some language, directly or through
            others of the group. As in-batch negatives of each other they would be false negatives.
    """

    languages: tuple[str, ...]
    sources: tuple[str, ...]
    rows: IntArray
    source: IntArray
    group: IntArray

    @property
    def n_pairs(self) -> int:
        return len(self.rows)


def build_index(rows: Sequence[PairRow]) -> PairIndex:
    """Index `rows`; pairs are numbered in the order of their first row.

    Raises:
        ValueError: two rows with the same (source, id, lang). Sources check this with file and line before.
    """
    languages = tuple(sorted({row.lang for row in rows}))
    sources = tuple(sorted({row.source for row in rows}))
    column = {lang: number for number, lang in enumerate(languages)}
    numbers: dict[tuple[str, str], int] = {}
    pair_of_row = np.fromiter(
        (numbers.setdefault((row.source, row.id), len(numbers)) for row in rows), dtype=np.int64, count=len(rows)
    )
    table = np.full((len(numbers), len(languages)), -1, dtype=np.int64)
    for number, (pair, row) in enumerate(zip(pair_of_row, rows)):
        if table[pair, column[row.lang]] >= 0:
            raise ValueError(f"two rows for source {row.source!r}, id {row.id!r}, language {row.lang!r}")
        table[pair, column[row.lang]] = number
    source = np.array([sources.index(name) for name, _ in numbers], dtype=np.int64)
    return PairIndex(languages, sources, table, source, _groups(rows, pair_of_row, len(numbers)))


def _groups(rows: Sequence[PairRow], pair_of_row: IntArray, n_pairs: int) -> IntArray:
    """Connected components of "shares a passage id, a passage text or a query text", shape (n_pairs,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first: dict[tuple[str, ...], int] = {}
    left: list[int] = []
    right: list[int] = []
    for pair, row in zip(pair_of_row.tolist(), rows):
        keys = [("passage", row.lang, row.passage), ("query", row.lang, row.query)]
        if row.passage_id is not None:
            keys.append(("id", row.source, row.passage_id))
        for key in keys:
            other = first.setdefault(key, pair)
            if other != pair:
                left.append(other)
                right.append(pair)
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(n_pairs, n_pairs))
    _, labels = connected_components(graph, directed=False)
    groups: IntArray = labels.astype(np.int64)
    return groups
