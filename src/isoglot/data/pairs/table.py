"""Parallel question-answer pairs: load, filter, and the table that plans and trainers read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isoglot.data.groups import components
from isoglot.data.languages import spelled
from isoglot.data.pairs.documents import Documents
from isoglot.data.pairs.index import PairIndex, build_index
from isoglot.data.pairs.lists import take_rows
from isoglot.errors import InputError
from isoglot.files import digest_strings
from isoglot.records import BoolArray, IntArray, PairRow

SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("lang", pa.string(), nullable=False),
        pa.field("query", pa.large_string(), nullable=False),
        pa.field("passage", pa.large_string(), nullable=False),
        pa.field("passage_id", pa.string()),
        pa.field("negatives", pa.list_(pa.large_string())),
        pa.field("document_id", pa.string()),
        pa.field("document_passages", pa.list_(pa.large_string())),
    ]
)
_LISTS = ("negatives", "document_passages")


@dataclass(frozen=True)
class PairTable:
    """Rows of parallel pairs as an Arrow table, with their index.

    Attributes:
        table: Arrow table with the columns of `SCHEMA`, one row per (pair, language).
        index: pairs x languages -> row numbers.
    """

    table: pa.Table
    index: PairIndex

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def languages(self) -> tuple[str, ...]:
        return self.index.languages

    def column(self, name: str, rows: IntArray) -> list[Any]:
        """Values of a column for row numbers of shape (n,), in their order."""
        # row by row: `take` would lay the chunks of a memory-mapped column together in memory first
        column: Any = self.table.column(name)
        return [column[row].as_py() for row in rows.tolist()]

    @cached_property
    def has_negatives(self) -> bool:
        return any_negatives(self.table)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all rows, in order; without documents, which have a digest of their own."""
        return digest_strings(text for row in read_rows(self.table) for text in digested(row))

    @cached_property
    def document_digest(self) -> str | None:
        """SHA-256 over the documents of all rows, in order; None where no row has one."""
        if not any_documents(self.table):
            return None
        return digest_strings(text for row in read_rows(self.table) for text in digested_document(row))

    @cached_property
    def documents(self) -> Documents:
        """What stands beside each passage in its document; all texts are read once for it."""
        return Documents.of(self.table, self.index)

    def select(self, rows: IntArray) -> PairTable:
        """The table of some rows, by number, indexed anew."""
        columns = {name: take_rows(self.table.column(name), rows) for name in SCHEMA.names}
        return PairTable.from_arrow(pa.table(columns, schema=SCHEMA))

    def split(self, share: float, seed: int) -> tuple[PairTable, PairTable]:
        """Two tables: about `1 - share` and `share` of the pairs. Pairs that share a passage or query stay together.

        Raises:
            InputError: share not strictly between 0 and 1, or so extreme that one side would be empty.
        """
        held = self.held(share, seed)
        return self.select_pairs(~held), self.select_pairs(held)

    def held(self, share: float, seed: int, *, whole_documents: bool = False) -> BoolArray:
        """Which pairs are in the second table of `split`; shape (n_pairs,). InputError as there.

        Args:
            whole_documents: pairs that have a document in common stay together, too.
        """
        if not 0.0 < share < 1.0:
            raise InputError(f"the share of a split must lie strictly between 0 and 1, got {share}")
        group = self.groups(whole_documents=whole_documents)
        groups = self.index.shuffled_groups(seed, 41, group)
        held = np.isin(group, groups[: round(share * len(groups))])
        if held.all() or not held.any():
            raise InputError(f"a share of {share} of {len(groups)} groups of pairs leaves one side empty")
        return held

    def groups(self, *, whole_documents: bool) -> IntArray:
        """The index's groups of pairs; with `whole_documents`, those that have a document in common are one. Shape (n_pairs,)."""
        group: IntArray = self.index.group
        if not whole_documents:
            return group
        pair, _ = self.index.places(len(self))
        names: dict[tuple[str, str], int] = {}
        columns = (self.table.column(name).to_pylist() for name in ("source", "document_id"))
        document = np.array(
            [-1 if name is None else names.setdefault((source, name), len(names)) for source, name in zip(*columns)]
        )
        edges = np.unique(np.stack([pair, document + self.index.n_pairs])[:, document >= 0], axis=1)
        # nodes are pairs, then documents, then groups
        ends = self.index.n_pairs + len(names) + np.unique(group, return_inverse=True)[1]
        left, right = np.concatenate([edges[0], np.arange(len(group))]), np.concatenate([edges[1], ends])
        return components(left, right, self.index.n_pairs + len(names) + len(group))[: len(group)]

    def select_pairs(self, kept: BoolArray) -> PairTable:
        """The table of some pairs, `kept` of shape (n_pairs,), indexed anew."""
        rows = self.index.rows[kept]
        return self.select(np.sort(rows[rows >= 0]))

    @classmethod
    def from_arrow(cls, table: pa.Table) -> PairTable:
        """A table with the columns of `SCHEMA`, indexed; one that was written before there were documents has none."""
        table = with_all_columns(table)
        return cls(table, build_index(list(read_rows(table))))

    @classmethod
    def from_rows(cls, rows: Sequence[PairRow]) -> PairTable:
        """A table of `rows` in their order, their languages as `isoglot.data.languages.language` spells them.

        Raises:
            ValueError: two rows share (source, id, lang).
        """
        langs = map(spelled, (row.lang for row in rows))
        rows = [row if row.lang == lang else replace(row, lang=lang) for row, lang in zip(rows, langs)]
        columns = {name: [getattr(row, name) for row in rows] for name in SCHEMA.names}
        return cls(pa.table(columns, schema=SCHEMA), build_index(rows))


def read_rows(table: pa.Table) -> Iterator[PairRow]:
    """The rows of a table, a chunk at a time."""
    for batch in table.to_batches():
        for fields in batch.to_pylist():
            yield PairRow(**{**fields, **{name: tuple(fields[name] or ()) for name in _LISTS}})


def digested(row: PairRow) -> tuple[str, ...]:
    """What of a row counts for `PairTable.digest`."""
    return (row.source, row.id, row.lang, row.query, row.passage, str(len(row.negatives)), *row.negatives)


def digested_document(row: PairRow) -> tuple[str, ...]:
    """What of a row counts for `PairTable.document_digest`."""
    key = ("-",) if row.document_id is None else ("+", row.document_id)
    return (*key, str(len(row.document_passages)), *row.document_passages)


def any_negatives(table: pa.Table) -> bool:
    """Does any row have negatives? A chunk at a time."""
    return _any_texts(table, "negatives")


def any_documents(table: pa.Table) -> bool:
    """Does any row say what stands beside its passage?"""
    column = table.column("document_id")
    return column.null_count < len(column) or _any_texts(table, "document_passages")


def _any_texts(table: pa.Table, name: str) -> bool:
    return any(pc.max(pc.list_value_length(chunk)).as_py() for chunk in table.column(name).chunks)


def with_all_columns(table: pa.Table) -> pa.Table:
    """A table with nulls for those columns of `SCHEMA` that came later than its file; they take no memory per chunk."""
    for field in SCHEMA:
        if field.name not in table.column_names and field.nullable:
            sizes = [len(chunk) for chunk in table.column("id").chunks]
            nulls = pa.nulls(max(sizes, default=0), field.type)
            chunks = [nulls.slice(0, size) for size in sizes]
            table = table.append_column(field, pa.chunked_array(chunks, field.type))
    return table
