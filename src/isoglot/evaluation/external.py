"""Vectors that were made elsewhere (a hosted API, another framework) and the texts to make them from.

A directory of vectors holds `queries/<lang>` and `corpus/<lang>`, each as one of

- `.npy`: shape (n, d), row i for text i of that language in the benchmark's order (that of `export_texts`);
- `.parquet`: columns `id` (string) and `embedding` (list of numbers), in any order; ids that the benchmark does not have
  are passed over.

Vectors are divided by their length, so that the score is the cosine whatever an API returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from isoglot.errors import InputError, LineError
from isoglot.files import write_jsonl
from isoglot.records import Benchmark, Float32Array, IntArray, Texts
from isoglot.retrieval.encode import Embeddings

Side = Literal["queries", "corpus"]
_BATCH = 8192


def export_texts(benchmark: Benchmark, directory: str | Path) -> list[Path]:
    """Write the texts to embed, `queries/<lang>.jsonl` and `corpus/<lang>.jsonl` with {"_id", "text"} per line.

    Texts stand there as the benchmark has them: a prefix that a model wants ("query: ") is for whoever embeds them. Every
    distinct text should be embedded once: an API that answers twice with slightly different vectors breaks ties at
    random.
    """
    root = Path(directory)
    written = []
    for side, by_language in _sides(benchmark):
        for lang, texts in by_language.items():
            path = root / side / f"{lang}.jsonl"
            write_jsonl(path, ({"_id": key, "text": text} for key, text in zip(texts.ids, texts.texts)))
            written.append(path)
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
    width: int | None = None
    vectors_of: dict[Side, Float32Array] = {}
    for side, by_language in _sides(benchmark):
        pieces = []
        for lang, texts in by_language.items():
            path = _find(root, side, lang)
            vectors = _read_npy(path, texts) if path.suffix == ".npy" else _read_parquet(path, texts)
            if width is not None and vectors.shape[1] != width:
                raise InputError(f"{path}: vectors of width {vectors.shape[1]}; those before it have {width}")
            width = vectors.shape[1]
            pieces.append(_unit(vectors, texts.ids, path))
        vectors_of[side] = np.concatenate(pieces)
    return Embeddings(vectors_of["queries"], vectors_of["corpus"])


def _sides(benchmark: Benchmark) -> Iterator[tuple[Side, Mapping[str, Texts]]]:
    yield "queries", benchmark.queries
    yield "corpus", benchmark.corpus


def _find(root: Path, side: Side, lang: str) -> Path:
    paths = [path for suffix in (".npy", ".parquet") if (path := root / side / f"{lang}{suffix}").is_file()]
    if not paths:
        raise InputError(f"{root / side / lang}.npy (or .parquet): no such file")
    if len(paths) > 1:
        raise InputError(f"{root / side}: has both {lang}.npy and {lang}.parquet; expected one of them")
    return paths[0]


def _read_npy(path: Path, texts: Texts) -> Float32Array:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{path}: not a .npy file of numbers ({error})") from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fi" or not array.shape[1]:
        kind = f"shape {array.shape}, {array.dtype}" if isinstance(array, np.ndarray) else "an archive"
        raise InputError(f"{path}: {kind}; expected numbers of shape ({len(texts)}, d)")
    if len(array) != len(texts):
        raise InputError(f"{path}: {len(array)} rows for the {len(texts)} texts of this language in the benchmark")
    return np.asarray(array, dtype=np.float32)


def _read_parquet(path: Path, texts: Texts) -> Float32Array:
    rows = {key: i for i, key in enumerate(texts.ids)}
    seen = np.zeros(len(texts), dtype=bool)
    vectors: Float32Array | None = None
    line = 1
    for ids, embedded in _batches(path):
        numbers: IntArray = np.fromiter((rows.get(key, -1) for key in ids), dtype=np.int64, count=len(ids))
        kept = np.flatnonzero(numbers >= 0)
        if vectors is None:
            vectors = np.empty((len(texts), embedded.shape[1]), dtype=np.float32)
        if embedded.shape[1] != vectors.shape[1]:
            raise LineError(
                path, line, f"vectors of width {embedded.shape[1]}; those before it have {vectors.shape[1]}"
            )
        for i in kept.tolist():
            if seen[numbers[i]]:
                raise LineError(path, line + i, f"id '{ids[i]}' occurs twice")
            seen[numbers[i]] = True
        vectors[numbers[kept]] = embedded[kept]
        line += len(ids)
    if vectors is None or not seen.all():
        first = texts.ids[int(np.argmin(seen))]
        raise InputError(f"{path}: {int((~seen).sum())} of {len(texts)} texts have no vector; the first is '{first}'")
    return vectors


def _batches(path: Path) -> Iterator[tuple[list[str], npt.NDArray[np.floating]]]:
    """(ids, vectors of shape (n, d)) of a Parquet file, a bounded number of rows at a time."""
    try:
        source = pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    names = source.schema_arrow.names
    if missing := [name for name in ("id", "embedding") if name not in names]:
        raise InputError(f"{path}: no column '{missing[0]}'; it has {', '.join(names)}, expected id and embedding")
    line = 1
    for batch in source.iter_batches(_BATCH, columns=["id", "embedding"]):
        if batch.num_rows:
            yield _ids(batch.column("id"), path, line), _matrix(batch.column("embedding"), path, line)
        line += batch.num_rows


def _ids(column: Any, path: Path, line: int) -> list[str]:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise InputError(f"{path}: column id is {column.type}; expected string")
    ids: list[Any] = column.to_pylist()
    if column.null_count:
        raise LineError(path, line + ids.index(None), "no id")
    return ids


def _matrix(column: Any, path: Path, line: int) -> npt.NDArray[np.floating]:
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_kind(column.type) for is_kind in kinds):
        raise InputError(f"{path}: column embedding is {column.type}; expected a list of numbers")
    if column.null_count:
        raise LineError(path, line + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False))), "no embedding")
    lengths: IntArray = pc.list_value_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
    if (lengths != lengths[0]).any() or not lengths[0]:
        wrong = int(np.argmax(lengths != lengths[0]))
        raise LineError(path, line + wrong, f"a vector of width {lengths[wrong]}; the one before it has {lengths[0]}")
    flat = column.flatten()
    if not (pa.types.is_floating(flat.type) or pa.types.is_integer(flat.type)):
        raise InputError(f"{path}: column embedding is {column.type}; expected a list of numbers")
    # a null inside a list becomes NaN and is refused below
    values = flat.to_numpy(zero_copy_only=False).astype(np.float32)
    return np.asarray(values.reshape(len(column), int(lengths[0])))


def _unit(vectors: Float32Array, ids: Sequence[str], path: Path) -> Float32Array:
    """Rows divided by their length, which is taken in float64."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise InputError(f"{path}: the vector of '{ids[int(np.argmin(finite))]}' has NaN or infinity in it")
    length = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not length.all():
        raise InputError(f"{path}: the vector of '{ids[int(np.argmin(length))]}' is zero and has no direction")
    unit: Float32Array = (vectors / length).astype(np.float32)
    return unit
