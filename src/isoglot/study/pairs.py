"""The training pairs of a study: shares of them, and files that its processes read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isoglot.data.pairs.index import build_index
from isoglot.data.pairs.table import PairTable
from isoglot.files import atomic_path
from isoglot.records import PairRow

_ORDER = 43


def take_share(table: PairTable, amount: float, seed: int) -> PairTable:
    """A share of the groups of pairs, in an order of the seed: a smaller share is a subset of a larger one.

    A group (pairs that share a passage or a query) is taken whole. At least one group is taken.
    """
    if amount >= 1.0:
        return table
    groups = np.unique(table.index.group)
    order = np.random.default_rng(np.random.SeedSequence((seed, _ORDER))).permutation(groups)
    kept = np.isin(table.index.group, order[: max(1, round(amount * len(groups)))])
    rows = table.index.rows[kept]
    return table.select(np.sort(rows[rows >= 0]))


def write_table(path: Path, table: PairTable) -> None:
    """Keep pairs as a Parquet file, so that processes need not read and filter the sources again."""
    import pyarrow.parquet as pq

    if not path.is_file():
        with atomic_path(path) as temporary:
            pq.write_table(table.table, temporary, compression="zstd")


def read_table(path: Path) -> PairTable:
    """A table that `write_table` wrote: the same rows in the same order."""
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()
    rows = [PairRow(**{**fields, "negatives": tuple(fields["negatives"] or ())}) for fields in table.to_pylist()]
    return PairTable(table, build_index(rows))
