"""Metadata of documents as columns of codes, so that a filter compares integers instead of asking every document."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from isoglot.records import BoolArray
from isoglot.retrieval.index_input import Condition
from isoglot.retrieval.search import Value

Codes = npt.NDArray[np.int32]


class Columns:
    """The metadata of n documents, in rows. Each key is coded when it is first asked for, and anew after a change."""

    def __init__(self, rows: Iterable[dict[str, Value]] = ()) -> None:
        self.rows = list(rows)
        self._coded: dict[str, tuple[dict[Value, int], Codes]] = {}

    def add(self, rows: Iterable[dict[str, Value]]) -> None:
        """Append rows; they are held, not copied."""
        self.rows += rows
        self._coded = {}

    def passes(self, conditions: Iterable[Condition]) -> BoolArray:
        """Which rows fulfil all conditions, shape (n,). A row without the key does not."""
        passes = np.ones(len(self.rows), dtype=bool)
        for condition in conditions:
            values, codes = self._column(condition.key)
            # the code of a row without the key is -1: the last place, which stays false
            is_allowed = np.zeros(len(values) + 1, dtype=bool)
            for value in condition.allowed:
                code = values.get(value)
                if code is not None:
                    is_allowed[code] = True
            passes &= is_allowed[codes]
        return passes

    def _column(self, key: str) -> tuple[dict[Value, int], Codes]:
        """(value -> code, codes of the rows). Equal values have one code: 1, 1.0 and True, as they have one hash."""
        found = self._coded.get(key)
        if found is None:
            values: dict[Value, int] = {}
            codes = np.fromiter(
                (values.setdefault(row[key], len(values)) if key in row else -1 for row in self.rows),
                dtype=np.int32,
                count=len(self.rows),
            )
            found = self._coded[key] = values, codes
        return found
