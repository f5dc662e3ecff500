"""Vectors that were made elsewhere (a hosted API, another framework) and the texts to make them from.

A directory of vectors holds `queries/<lang>` and `corpus/<lang>`, each as one of

- `.npy`: shape (n, d), row i for text i of that language in the benchmark's order (that of `export_texts`);
- `.parquet`: columns `id` (string) and `embedding` (list of numbers), in any order; ids that the benchmark does not have
  are passed over;

or `queries/` and `corpus/` are what `isoglot encode` wrote, of texts with their ids and languages.

Vectors are divided by their length, so that the score is the cosine whatever an API returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isoglot.data.languages import spelled
from isoglot.data.readers import read_array, read_parquet, string_column
from isoglot.errors import InputError, LineError
from isoglot.evaluation.encoded_side import KINDS, EncodedSide
from isoglot.files import write_jsonl
from isoglot.one_writer import locked
from isoglot.records import Benchmark, Float32Array, IntArray, Texts
from isoglot.retrieval.encode import Embeddings
from isoglot.retrieval.encoded import is_encoded

_ACCEPTED = "expected numbers of float16, float32 or float64"
_BITS = ": whole numbers are quantised values or packed bits, and their cosine is not the model's"


def export_texts(benchmark: Benchmark, directory: str | Path) -> list[Path]:
    """Write the texts to embed, `queries/<lang>.jsonl` and `corpus/<lang>.jsonl` with {"_id", "text"} per line.

    Texts stand there as the benchmark has them: a prefix that a model wants ("query: ") is for whoever embeds them. Every
    distinct text should be embedded once: an API that answers twice with slightly different vectors breaks ties at
    random.
    """
    written = []
    with locked(Path(directory)):
        for side, lang, texts in _texts(benchmark):
            written.append(Path(directory) / side / f"{lang}.jsonl")
            write_jsonl(written[-1], ({"_id": key, "text": text} for key, text in zip(texts.ids, texts.texts)))
    return written


def load_embeddings(directory: str | Path, benchmark: Benchmark) -> Embeddings:
    """Read the vectors of all queries and documents of a benchmark; see the head of this module for the layout.

    Returns:
        float32 vectors of length 1 in pooled order.

    Raises:
        InputError: a file is missing, is there twice or is malformed; a text has no vector or two; vectors differ in width;
            a vector is zero or not finite. One line that names the file and the id.
    """
    root = Path(directory)
    if not root.is_dir():
        raise InputError(f"{root}: no such directory (expected queries/<lang>.npy and corpus/<lang>.npy, or .parquet)")
    vectors: list[Float32Array] = []
    encoded = {side: EncodedSide(root / side) for side in KINDS if is_encoded(root / side)}
    for side, lang, texts in _texts(benchmark):
        if side in encoded:
            path, read = root / side, encoded[side].vectors(lang, texts)
        else:
            path = _find(root / side, lang)
            read = _read_npy(path, texts) if path.suffix == ".npy" else _read_parquet(path, texts)
        if vectors and read.shape[1] != vectors[0].shape[1]:
            raise InputError(f"{path}: vectors of width {read.shape[1]}; those before it have {vectors[0].shape[1]}")
        vectors.append(unit_rows(read, texts.ids, path))
    n_queries = len(benchmark.queries)
    return Embeddings(np.concatenate(vectors[:n_queries]), np.concatenate(vectors[n_queries:]))


def _texts(benchmark: Benchmark) -> Iterator[tuple[str, str, Texts]]:
    """(directory, language, texts) of every file."""
    for side, by_language in (("queries", benchmark.queries), ("corpus", benchmark.corpus)):
        for lang, texts in by_language.items():
            yield side, lang, texts


def _find(folder: Path, lang: str) -> Path:
    files = [path for path in sorted(folder.glob("*")) if path.suffix in (".npy", ".parquet")]
    paths = [path for path in files if spelled(path.stem) == lang]
    if len(paths) == 1:
        return paths[0]
    both = f"{folder}: has both {' and '.join(path.name for path in paths)}; expected one of them"
    raise InputError(both if paths else f"{folder / lang}.npy (or .parquet): no such file")


def _read_npy(path: Path, texts: Texts) -> Float32Array:
    array = npy_matrix(path, str(len(texts)))
    if len(array) != len(texts):
        raise InputError(f"{path}: {len(array)} rows for the {len(texts)} texts of this language in the benchmark")
    return array


def npy_matrix(path: Path, rows: str = "n") -> Float32Array:
    """The vectors of a `.npy` file, float32, shape (n, d). InputError: another file, shape or type of numbers."""
    array = read_array(path)
    if array.dtype.kind != "f" or array.dtype.itemsize not in (2, 4, 8):
        raise InputError(f"{path}: {array.dtype}; {_ACCEPTED}{_BITS if array.dtype.kind in 'iu' else ''}")
    if array.ndim != 2 or not array.shape[1]:
        raise InputError(f"{path}: shape {array.shape}; expected ({rows}, d)")
    return _single(array)


def _read_parquet(path: Path, texts: Texts) -> Float32Array:
    table = read_parquet(path).combine_chunks()
    if missing := [name for name in ("id", "embedding") if name not in table.column_names]:
        names = ", ".join(table.column_names)
        raise InputError(f"{path}: no column '{missing[0]}'; it has {names}, expected id and embedding")
    ids = id_column(path, table)
    vectors = column_matrix(table.column("embedding"), path)
    numbers = pc.index_in(ids, pa.array(list(texts.ids), ids.type)).fill_null(-1).to_numpy()
    rows = np.flatnonzero(numbers >= 0)
    present, first = np.unique(numbers[rows], return_index=True)
    if len(first) < len(rows):
        again = int(np.delete(rows, first)[0])
        raise LineError(path, 1 + again, f"id '{ids[again]}' occurs twice")
    if absent := sorted({*range(len(texts))} - {*present.tolist()}):
        first_id = texts.ids[absent[0]]
        raise InputError(f"{path}: {len(absent)} of {len(texts)} texts have no vector; the first is '{first_id}'")
    return vectors[rows[first]]


def id_column(path: Path, table: Any, *, or_numbers: bool = False) -> Any:
    """The column of ids, `or_numbers` also whole ones. LineError where a row has none."""
    ids = string_column(path, table, "id", or_numbers=or_numbers)
    if ids.null_count:
        raise LineError(path, 1 + ids.to_pylist().index(None), "no id")
    return ids


def column_matrix(column: Any, path: Path, name: str = "embedding") -> Float32Array:
    """A column of lists as numbers of shape (n, d). InputError names what else is in it."""
    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not is_list or not pa.types.is_floating(kind.value_type):
        is_whole = is_list and pa.types.is_integer(kind.value_type)
        raise InputError(f"{path}: column {name} is {kind}; {_ACCEPTED} in lists{_BITS if is_whole else ''}")
    if column.null_count:
        raise LineError(path, 1 + column.is_null().to_pylist().index(True), "no embedding")
    widths: IntArray = pc.list_value_length(column).to_numpy()
    if (wrong := np.flatnonzero((widths != widths[:1]) | (widths == 0))).size:
        width = widths[wrong[0]]
        problem = (
            f"a vector of width {width}; the one before it has {widths[0]}" if width else "a vector without numbers"
        )
        raise LineError(path, 1 + int(wrong[0]), problem)
    # a null inside a list becomes NaN, which is refused later
    values = _single(pc.list_flatten(column).to_numpy())
    return np.asarray(values.reshape(len(widths), int(widths.max(initial=0))))


def _single(numbers: Any) -> Float32Array:
    """As float32; what is beyond it becomes infinite, which is refused later."""
    with np.errstate(over="ignore"):
        return np.asarray(numbers, dtype=np.float32)


def unit_rows(vectors: Float32Array, ids: Sequence[object], path: Path) -> Float32Array:
    """Rows divided by their length, which is taken in float64. InputError names one that is 0 or not finite."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise InputError(f"{path}: the vector of '{ids[int(np.argmin(finite))]}' has NaN or infinity in it")
    length = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not length.all():
        raise InputError(f"{path}: the vector of '{ids[int(np.argmin(length))]}' is zero and has no direction")
    return np.asarray(vectors / length, dtype=np.float32)
