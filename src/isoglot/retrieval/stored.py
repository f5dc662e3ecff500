"""Vectors that were computed before, in the place of the model that made them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.data.readers import read_parquet, string_column
from isoglot.errors import InputError
from isoglot.records import Float32Array, IntArray

_KINDS = ("query", "passage")


class StoredVectors:
    """What a model said of some texts, with a model's `encode_query` and `encode_document`; compared by cosine.

    Args:
        path: Parquet, a row per text: `text`, `vector` (a list of d numbers) and, where queries and passages differ, `kind`
            (`query` or `passage`).

    Raises:
        InputError: another file; no row; vectors that differ in width, are 0 or hold what is no finite number; another kind; a
            text twice.
    """

    similarity_fn_name = "cosine"

    def __init__(self, path: Path) -> None:
        import pyarrow.compute as pc

        self._path = path
        table = read_parquet(path)
        if missing := {"text", "vector"} - set(table.column_names):
            raise InputError(f"{path}: no column {' and '.join(sorted(missing))}; a row has a text and its vector")
        texts: Any = string_column(path, table, "text", or_numbers=True).combine_chunks().cast("string")
        kinds: Any = None
        self._vectors = _matrix(path, table["vector"])
        if "kind" in table.column_names:
            kinds = string_column(path, table, "kind", or_numbers=True).combine_chunks().cast("string")
            if others := sorted({str(kind) for kind in pc.unique(kinds).to_pylist()} - set(_KINDS)):
                raise InputError(f"{path}: kind '{others[0]}'; expected {' or '.join(_KINDS)}")
        self._rows: dict[str, IntArray] = {}
        self._texts: dict[str, Any] = {}
        for kind in _KINDS:
            rows = np.arange(len(texts)) if kinds is None else np.flatnonzero(np.array(kinds.to_pylist()) == kind)
            self._rows[kind], self._texts[kind] = rows, texts.take(rows)
            if len(rows) != len(pc.unique(self._texts[kind])):
                raise InputError(f"{path}: a text is there twice{'' if kinds is None else f' as {kind}'}")

    def get_embedding_dimension(self) -> int:
        """d."""
        return int(self._vectors.shape[1])

    def encode_query(self, texts: Sequence[str], **_: Any) -> Float32Array:
        """Vectors of queries, float32, shape (n, d). InputError: one that is not there."""
        return self._take(texts, "query")

    def encode_document(self, texts: Sequence[str], **_: Any) -> Float32Array:
        """Vectors of passages, float32, shape (n, d). InputError: one that is not there."""
        return self._take(texts, "passage")

    def _take(self, texts: Sequence[str], kind: str) -> Float32Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        found: Any = pc.index_in(pa.array(texts, pa.string()), self._texts[kind])
        if found.null_count:
            lacking = texts[found.is_null().index(True).as_py()]
            raise InputError(
                f"{self._path}: no vector of the {kind} {lacking[:80]!r} ({found.null_count} of {len(texts)})"
            )
        taken: Float32Array = self._vectors[self._rows[kind][found.to_numpy()]]
        return taken


def _matrix(path: Path, column: Any) -> Float32Array:
    """The vectors of a column of pyarrow, float32, shape (n, d)."""
    import pyarrow as pa

    values = column.combine_chunks()
    if not (
        pa.types.is_list(values.type) or pa.types.is_large_list(values.type) or pa.types.is_fixed_size_list(values.type)
    ):
        raise InputError(f"{path}: column vector holds {values.type}; expected lists of numbers")
    widths = set(values.value_lengths().to_pylist())
    if len(widths) != 1 or not all(widths):
        raise InputError(
            f"{path}: vectors of {', '.join(sorted(map(str, widths))) or 'no'} numbers; all must be as long"
        )
    flat = values.flatten()
    if flat.null_count or not (pa.types.is_floating(flat.type) or pa.types.is_integer(flat.type)):
        raise InputError(
            f"{path}: column vector holds {values.type} with {flat.null_count} gaps; expected lists of numbers"
        )
    matrix: Float32Array = flat.to_numpy(zero_copy_only=False).astype(np.float32).reshape(len(values), -1)
    wrong = ~np.isfinite(matrix).all(axis=1) | ~matrix.any(axis=1)
    if wrong.any():
        raise InputError(
            f"{path}: the vector of row {int(np.argmax(wrong)) + 1} is 0 or holds what is no finite number"
        )
    return matrix
