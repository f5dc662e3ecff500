"""Packed pairs: a pair table on disk that opens without being read, for tens of millions of pairs.

A folder of

- `pairs.json`: format, languages, sources, sizes, digests, and where the order of each stratum lies;
- `texts.arrow`: the rows, an Arrow IPC file with the columns of `isoglot.data.pairs.table.SCHEMA`;
- `rows.npy` (n_pairs, n_languages), `source.npy` and `group.npy` (n_pairs,): the index;
- `order.npy`: one after the other, the pairs of each source in each language and in two or more, as batches deal them;
- `blocks.json`: digests of all of these, block by block (`isoglot.blocks`).

`isoglot.data.pairs.packing` writes it; everything in it is memory-mapped here.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isoglot.blocks import damage
from isoglot.data.pairs.index import DealOrder, PairIndex
from isoglot.data.pairs.table import PairTable, with_all_columns
from isoglot.errors import InputError, first_line
from isoglot.files import read_json
from isoglot.records import IntArray

FORMAT = 2  # 1: texts were compared as they are written, and there were no blocks.json
RECORD, TEXTS = "pairs.json", "texts.arrow"
_MOST_ROWS_IN_MEMORY = 5_000_000


@dataclass(frozen=True)
class PackedIndex(PairIndex):
    """A memory-mapped index; what a plan needs beside the arrays was counted and sorted when the pairs were packed.

    Attributes:
        order: int32 or int64: `DealOrder.pairs` of every stratum, one after the other.
        facts: what `pairs.json` says.
    """

    order: IntArray
    facts: Mapping[str, Any]

    def __post_init__(self) -> None:
        # what the cached properties would compute
        facts = self.facts
        counts = np.array(facts["counts"], dtype=np.int64)
        vars(self).update(counts=counts, n_groups=facts["groups"], group_digest=facts["group_digest"])

    def deal_order(self, source: int, lang: str | None) -> DealOrder:
        """See `PairIndex.deal_order`; a slice of the map."""
        stratum, size = (facts[source][self.column(lang)] for facts in (self.facts["strata"], self.counts))
        sizes, counts = (np.array(stratum[name], dtype=np.int64) for name in ("class_sizes", "class_counts"))
        return DealOrder(self.order[stratum["start"] : stratum["start"] + size], sizes, counts)


@dataclass(frozen=True)
class PackedTable(PairTable):
    """Pairs in a packed folder. Texts are read from the disk (or the system's page cache) as they are asked for.

    Attributes:
        path: the folder.
        facts: what `pairs.json` says.
    """

    path: Path
    facts: Mapping[str, Any]

    def __post_init__(self) -> None:
        facts = self.facts
        # packed before there were documents: there are none
        documents = facts.get("documents")
        vars(self).update(has_negatives=facts["negatives"], digest=facts["digest"], document_digest=documents)

    def select(self, rows: IntArray) -> PairTable:
        """The table of some rows, by number, indexed anew, in memory.

        Raises:
            InputError: more rows than belong into memory.
        """
        if len(rows) > _MOST_ROWS_IN_MEMORY:
            raise InputError(
                f"{self.path}: {len(rows):,} rows of a packed table are too many to be split off in memory "
                f"(at most {_MOST_ROWS_IN_MEMORY:,}): give validation pairs in a file of their own"
            )
        return super().select(rows)


def is_packed(path: str | Path) -> bool:
    """Is it a folder of packed pairs?"""
    return os.path.isfile(Path(path) / RECORD)  # False, not an error, for what cannot be a path


def open_packed(path: Path, *, everything: bool = False) -> PackedTable:
    """Open packed pairs: compares sizes and digests of blocks (of large ones a sample), then maps the files; reads no row.

    Args:
        everything: compare the digests of all blocks.

    Raises:
        InputError: no packed pairs there, of another format, or a file that is missing, damaged or does not belong.
    """
    if not is_packed(path):
        raise InputError(f"{path}: no packed pairs ({RECORD} is missing); `isoglot data pack` makes them")
    facts = read_json(path / RECORD)
    number = facts.get("format") if isinstance(facts, dict) else None
    if number != FORMAT:
        raise InputError(f"{path / RECORD}: packed pairs of format {number}, expected {FORMAT}; pack the pairs anew")
    if problem := damage(path, everything=everything):
        raise InputError(f"{problem}; pack the pairs anew")
    try:
        n_pairs, n_rows, n_order = int(facts["pairs"]), int(facts["rows"]), int(np.sum(facts["counts"]))
        languages, sources = tuple(facts["languages"]), tuple(facts["sources"])
        shapes = {"rows": (n_pairs, len(languages)), "source": (n_pairs,), "group": (n_pairs,), "order": (n_order,)}
        arrays = {name: _mapped(path / f"{name}.npy", shape) for name, shape in shapes.items()}
        bitext = tuple(facts.get("bitext", ()))  # packed before it was told apart: there was no source of it
        index = PackedIndex(languages, sources, **arrays, facts=facts, bitext=bitext)
        table = open_texts(path)
        packed = PackedTable(table, index, path, facts)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path / RECORD}: not a record of packed pairs ({error!r})") from None
    if table.num_rows != n_rows:
        raise InputError(f"{path / TEXTS}: {table.num_rows:,} rows where {RECORD} says {n_rows:,}; pack the pairs anew")
    return packed


def open_texts(path: Path) -> pa.Table:
    """The rows of a packed folder as a memory-mapped Arrow table."""
    try:
        return with_all_columns(pa.ipc.open_file(pa.memory_map(str(path / TEXTS))).read_all())
    except (OSError, pa.ArrowInvalid) as error:
        problem = f"not a complete Arrow file ({first_line(error)}); pack the pairs anew"
        raise InputError(f"{path / TEXTS}: {problem}") from None


def _mapped(path: Path, shape: tuple[int, ...]) -> IntArray:
    """An array on disk, mapped for access in random order."""
    try:
        array = np.load(path, mmap_mode="r")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; pack the pairs anew") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: not a complete array ({error}); pack the pairs anew") from None
    if array.shape != shape or array.dtype.kind != "i":
        raise InputError(f"{path}: {array.dtype} of shape {array.shape}, expected integers of shape {shape}")
    # batches touch pages in random order: reading ahead would fetch 32 pages for each
    if array.size and hasattr(mmap, "MADV_RANDOM"):
        array._mmap.madvise(mmap.MADV_RANDOM)
    plain: IntArray = np.asarray(array)  # a memmap's own indexing is slow
    return plain
