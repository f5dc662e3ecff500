"""Pairs as rows of files that `load_pairs` reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isoglot.data.pairs.table import PairTable, read_rows
from isoglot.errors import say
from isoglot.files import atomic_path, dump_jsonl
from isoglot.records import BoolArray, PairRow

_ALWAYS, _WHERE_GIVEN = ("source", "id", "lang", "query", "passage"), ("passage_id", "document_id", "negatives")


def write_pairs(table: PairTable, path: Path) -> int:
    """Write a table atomically, see `dump_pairs`."""
    with atomic_path(path) as temporary:
        return dump_pairs(table, temporary, path)


def dump_pairs(
    table: PairTable,
    path: Path,
    name: Path,
    kept: BoolArray | None = None,
    negatives: Callable[[int], Sequence[str]] | None = None,
) -> int:
    """Write rows of a table as JSON lines, packed where the name ends in `.gz`. What files do not hold is said.

    Args:
        path: that is written, and renamed by the caller.
        name: what it will be.
        kept: shape (n_rows,): which rows; None: all.
        negatives: those of a row by its number, in place of its own.

    Returns:
        How many of them had further passages of their documents, which files do not hold.
    """
    lost = 0

    def lines() -> Iterator[dict[str, Any]]:
        nonlocal lost
        for number, row in enumerate(read_rows(table.table)):
            if kept is None or kept[number]:
                lost += bool(row.document_passages)
                yield _fields(row if negatives is None else replace(row, negatives=tuple(negatives(number))))

    dump_jsonl(path, lines(), packed=name.suffix == ".gz")
    if lost:
        say(f"{name}: further passages of documents, which {lost} rows had, are not written to files")
    return lost


def _fields(row: PairRow) -> dict[str, Any]:
    given = {name: value for name in _WHERE_GIVEN if (value := getattr(row, name)) not in (None, ())}
    return {**{name: getattr(row, name) for name in _ALWAYS}, **given}
