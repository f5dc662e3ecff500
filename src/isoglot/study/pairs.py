"""The training pairs of a study as files, so that its processes need not read and filter the sources again."""

from __future__ import annotations

from pathlib import Path

from isoglot.data.pairs.table import PairTable
from isoglot.files import atomic_path


def write_table(path: Path, table: PairTable) -> None:
    """Write pairs as a Parquet file, unless it is there."""
    import pyarrow.parquet as pq

    if not path.is_file():
        with atomic_path(path) as temporary:
            pq.write_table(table.table, temporary, compression="zstd")


def read_table(path: Path) -> PairTable:
    """A table that `write_table` wrote: the same rows in the same order."""
    import pyarrow.parquet as pq

    return PairTable.from_arrow(pq.ParquetFile(path).read())
