"""Pairs as a file that `load_pairs` reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoglot.data.pairs.table import PairTable, read_rows
from isoglot.files import write_jsonl
from isoglot.records import PairRow

_ALWAYS, _WHERE_GIVEN = ("source", "id", "lang", "query", "passage"), ("passage_id", "document_id", "negatives")


def write_pairs(table: PairTable, path: Path) -> int:
    """Write a table as JSON lines, atomically: a row with its source per line.

    Returns:
        How many rows had further passages of their documents, which files do not hold.
    """
    lost = 0

    def lines() -> Iterator[dict[str, Any]]:
        nonlocal lost
        for row in read_rows(table.table):
            lost += bool(row.document_passages)
            yield _fields(row)

    write_jsonl(path, lines())
    return lost


def _fields(row: PairRow) -> dict[str, Any]:
    given = {name: value for name in _WHERE_GIVEN if (value := getattr(row, name)) not in (None, ())}
    return {**{name: getattr(row, name) for name in _ALWAYS}, **given}
