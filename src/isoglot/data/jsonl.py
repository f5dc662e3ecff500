"""JSON lines, and corpora too large for a list: shards are read once into a memory-mapped Arrow file, texts come from there."""

from __future__ import annotations

import gzip
import json
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, cast, overload

import numpy as np

from isoglot.errors import InputError, LineError
from isoglot.files import atomic_path, cache_dir, digest_strings
from isoglot.records import IntArray

BROKEN_GZIP = (gzip.BadGzipFile, EOFError, zlib.error)
_FORMAT = "1"  # of the Arrow file: part of its name, so that a later format is built anew
_BATCH_ROWS = 16_384
_READ_ROWS = 4_096  # texts that are Python strings at a time while a mapped sequence is read through


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(1-based number, text) of every line that is not blank; a name that ends in `.gz` is unpacked on the way.

    Raises:
        LineError: a line that is not UTF-8.
        InputError: an incomplete gzip file, or no such file.
    """
    try:
        with open_bytes(path) as source:
            for number, raw in enumerate(source, start=1):
                try:
                    line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise LineError(path, number, f"not UTF-8 ({error.reason} at byte {error.start})") from None
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except BROKEN_GZIP as error:
        raise InputError(f"{path}: not a complete gzip file ({error})") from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None


def open_bytes(path: Path) -> BinaryIO:
    """The bytes of a file; a name that ends in `.gz` is unpacked on the way."""
    return cast(BinaryIO, gzip.open(path, "rb")) if path.name.endswith(".gz") else path.open("rb")


def json_value(line: str, path: Path, number: int) -> Any:
    """The JSON value on a line; LineError where there is none."""
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise LineError(path, number, f"not valid JSON ({error.msg} at column {error.colno})") from None


def json_object(line: str, path: Path, number: int, example: str) -> dict[str, Any]:
    """The JSON object on a line; LineError where it is something else, with `example` as what would be right."""
    row = json_value(line, path, number)
    if not isinstance(row, dict):
        raise LineError(path, number, f"expected an object such as {example}")
    return row


class Mapped(Sequence[str]):
    """One string per row of a memory-mapped Arrow table; what is held is the chunk that is being read.

    Args:
        columns: chunked string columns of equal length and chunks. The string of a row is its non-empty cells, joined
            by a space: one column gives its own cells, (title, text) gives title and text.
    """

    def __init__(self, *columns: Any) -> None:
        self._chunks = [tuple(parts) for parts in zip(*(column.chunks for column in columns)) if len(parts[0])]
        self._starts = [0, *accumulate(len(parts[0]) for parts in self._chunks)]

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return View(self, range(*index.indices(len(self))))
        row = range(len(self))[index]  # IndexError and negative numbers as in a list
        number = bisect_right(self._starts, row) - 1
        return _join([part[row - self._starts[number]].as_py() for part in self._chunks[number]])

    def __iter__(self) -> Iterator[str]:
        for parts in self._chunks:
            for start in range(0, len(parts[0]), _READ_ROWS):
                cells = [part.slice(start, _READ_ROWS).to_pylist() for part in parts]
                yield from cells[0] if len(cells) == 1 else map(_join, zip(*cells))

    def find(self, wanted: Collection[str]) -> dict[str, int]:
        """Row numbers of the `wanted` strings that are there, of the first column; one pass, nothing else is held."""
        import pyarrow as pa
        import pyarrow.compute as pc

        keys = sorted(wanted)
        values = pa.array(keys, pa.large_string())
        found: dict[str, int] = {}
        for start, parts in zip(self._starts, self._chunks):
            hits = pc.index_in(parts[0], value_set=values).fill_null(-1).to_numpy(zero_copy_only=False)
            for row in np.flatnonzero(hits >= 0).tolist():
                found.setdefault(keys[hits[row]], start + row)
        return found


class View(Sequence[str]):
    """Some rows of a sequence of strings, in the order given; nothing is copied."""

    def __init__(self, base: Sequence[str], rows: Sequence[int] | IntArray) -> None:
        self._base = base
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return View(self._base, self._rows[index])
        return self._base[int(self._rows[index])]

    def __iter__(self) -> Iterator[str]:
        base = self._base
        return (base[int(row)] for row in self._rows)


def _join(cells: Sequence[str]) -> str:
    return " ".join(cell for cell in cells if cell)


@dataclass(frozen=True)
class MappedCorpus:
    """A corpus on disk: `ids`, `texts` without and `passages` with their titles; row i of all three is one passage."""

    ids: Mapped
    texts: Mapped
    passages: Mapped


def map_corpus(files: Sequence[Path], label: str) -> MappedCorpus:
    """The passages of JSON-lines shards, in their order, each {"docid" or "_id", "title"?, "text"}; `.gz` is unpacked.

    The shards are read once, line by line, into an Arrow file under `cache_dir()`, named by a digest of their paths,
    sizes and modification times; from then on the file is memory-mapped.

    Args:
        files: the shards.
        label: how messages and the progress bar call the corpus.

    Raises:
        LineError: a malformed line.
        InputError: an id that occurs twice, no passage at all, no room for the Arrow file.
    """
    import pyarrow as pa

    stats = [path.stat() for path in files]
    names = [f"{path.resolve()}\t{stat.st_size}\t{stat.st_mtime_ns}" for path, stat in zip(files, stats, strict=True)]
    home = cache_dir() / "corpora" / f"{digest_strings([_FORMAT, *names])[:32]}.arrow"
    if not home.is_file():
        try:
            with atomic_path(home) as temporary:
                _write(temporary, files, label)
        except OSError as error:
            problem = error.strerror or type(error).__name__
            raise InputError(
                f"{home}: the corpus could not be kept there ({problem}); set ISOGLOT_CACHE to a folder with room"
            ) from None
    table = pa.ipc.open_file(pa.memory_map(str(home))).read_all()
    title, text = table.column("title"), table.column("text")
    return MappedCorpus(Mapped(table.column("id")), Mapped(text), Mapped(title, text))


def _write(target: Path, files: Sequence[Path], label: str) -> None:
    import pyarrow as pa

    schema = pa.schema([(name, pa.large_string()) for name in ("id", "title", "text")])
    hashes = array("q")  # of the ids: 8 bytes each, where a set of 33 million strings would take gigabytes
    with pa.OSFile(str(target), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        rows: list[tuple[str, str, str]] = []
        for row in _rows(files, label):
            rows.append(row)
            hashes.append(hash(row[0]))
            if len(rows) == _BATCH_ROWS:
                writer.write_batch(_batch(rows, schema))
                rows = []
        if rows:
            writer.write_batch(_batch(rows, schema))
    if not hashes:
        raise InputError(f"{label}: no passage in {files[0]}" + (" and its other shards" if len(files) > 1 else ""))
    _check_unique(target, hashes, label)


def _batch(rows: list[tuple[str, str, str]], schema: Any) -> Any:
    import pyarrow as pa

    columns = [pa.array(column, pa.large_string()) for column in zip(*rows)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _rows(files: Sequence[Path], label: str) -> Iterator[tuple[str, str, str]]:
    from tqdm import tqdm

    example = '{"docid": "7#0", "title": "...", "text": "..."}'
    # a bar only on a terminal, and only where the reading takes long enough to be noticed
    for path in tqdm(files, desc=f"read {label}", unit="file", disable=None, delay=3):
        for number, line in lines(path):
            row = json_object(line, path, number, example)
            key = row.get("docid", row.get("_id"))
            text = row.get("text")
            title = row.get("title") or ""
            if not (isinstance(key, str) and key and isinstance(text, str) and isinstance(title, str)):
                raise LineError(
                    path, number, f"expected text in 'docid' (or '_id'), 'text' and 'title', as in {example}"
                )
            yield key, title, text


def _check_unique(target: Path, hashes: array[int], label: str) -> None:
    """Equal hashes are suspects; their ids are looked at."""
    import pyarrow as pa

    values = np.frombuffer(hashes, dtype=np.int64)
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    twice = np.flatnonzero(ranked[1:] == ranked[:-1])
    if not len(twice):
        return
    with pa.memory_map(str(target)) as source:
        ids = Mapped(pa.ipc.open_file(source).read_all().column("id"))
        first: dict[str, int] = {}
        for row in sorted({*order[twice].tolist(), *order[twice + 1].tolist()}):
            if ids[row] in first:
                raise InputError(
                    f"{label}: passage '{ids[row]}' is there twice (passages {first[ids[row]] + 1:,} and {row + 1:,}); "
                    "ids are unique within a language, so is a shard there both packed and unpacked?"
                )
            first[ids[row]] = row
