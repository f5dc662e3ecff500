"""Vectors of one sequence of texts as several .npy files, read as one array without being loaded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isoglot.files import load_array

# first row, end row and the first 16 hex digits of the file's SHA-256: a shard says itself whether it is whole
_NAME = re.compile(r"rows-(\d{12})-(\d{12})-[0-9a-f]{16}\.npy")


class ShardedRows:
    """Vectors of shape (n, d) in several memory maps.

    Slices with step 1, numbers and arrays of row numbers can be read, and `numpy.asarray` reads everything. A slice inside
    one shard is a view of its map; any other is a copy.

    Args:
        maps: in order, each with at least one row.
    """

    ndim = 2

    def __init__(self, maps: Sequence[npt.NDArray[Any]]) -> None:
        self._maps = list(maps)
        self._starts = np.cumsum([0, *map(len, maps)])
        self.shape: tuple[int, int] = (sum(map(len, maps)), int(maps[0].shape[1]))
        self.dtype: np.dtype[Any] = maps[0].dtype
        self.nbytes = sum(vectors.nbytes for vectors in maps)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False and (len(self._maps) > 1 or dtype not in (None, self.dtype)):
            raise ValueError("several shards cannot become one array without a copy")
        return np.array(self[:], dtype=dtype) if copy else np.asarray(self[:], dtype=dtype)

    def __getitem__(self, index: Any, /) -> Any:
        """float array: shape (d,) for a number, (m, d) for a slice or an array of m row numbers.

        Raises:
            IndexError: a row number outside the array, or another kind of index.
        """
        if isinstance(index, slice):
            start, end, step = index.indices(len(self))
            if step != 1:
                raise IndexError("a slice of stored vectors must have step 1")
            return self._slice(start, max(start, end))
        rows = np.asarray(index)
        if rows.dtype == np.bool_ or rows.ndim > 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise IndexError("stored vectors are read by a slice, a row number or an array of row numbers")
        flat = rows.reshape(-1).astype(np.int64)
        flat = np.where(flat < 0, flat + len(self), flat)
        if ((flat < 0) | (flat >= len(self))).any():
            raise IndexError(f"row number out of range for {len(self)} vectors")
        vectors = np.empty((len(flat), self.shape[1]), dtype=self.dtype)
        numbers = np.searchsorted(self._starts, flat, side="right") - 1
        places = flat - self._starts[numbers]
        for number in np.unique(numbers).tolist():
            here = numbers == number
            vectors[here] = self._maps[number][places[here]]
        return vectors[0] if rows.ndim == 0 else vectors

    def _slice(self, start: int, end: int) -> npt.NDArray[Any]:
        first, behind = np.searchsorted(self._starts, (start + 1, end), side="left").tolist()
        pieces = []
        for number in range(first - 1, behind if end > start else 0):
            own = self._starts[number]
            pieces.append(self._maps[number][max(start - own, 0) : end - own])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces or [self._maps[0][:0]])


def find_shards(directory: Path) -> dict[tuple[int, int], Path]:
    """Shards of a directory by (first row, end row); their contents are not looked at."""
    spans = [(span(path.name), path) for path in sorted(directory.glob("rows-*.npy"))]
    return {rows: path for rows, path in spans if rows}


def span(name: str) -> tuple[int, int] | None:
    """(first row, end row) that the name of a shard tells; None for another name."""
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def open_shard(path: Path, dtype: str, verify: bool) -> npt.NDArray[Any] | None:
    """A read-only map of a shard; None when it is damaged: cut short, of another type or shape, or with another digest.

    Args:
        verify: as in `load_array`.
    """
    rows = span(path.name)
    vectors = load_array(path, verify=verify) if rows else None
    if rows is None or vectors is None or vectors.dtype != dtype or vectors.ndim != 2:
        return None
    return vectors if len(vectors) == rows[1] - rows[0] else None
