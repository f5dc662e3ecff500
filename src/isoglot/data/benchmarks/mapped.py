"""Corpora too large for a list: shards are read once into a memory-mapped Arrow file, texts come from there."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.blocks import keep
from isoglot.data.groups import first_rows
from isoglot.data.readers import json_rows, valid
from isoglot.errors import InputError, LineError
from isoglot.files import cache_dir, digest_strings
from isoglot.records import IntArray

_FORMAT = "2"  # of the folder: part of its name, so that a later format is built anew
_TEXTS = "texts.arrow"
_BATCH_ROWS = 16_384
_READ_ROWS = 4_096  # texts that are Python strings at a time while a mapped sequence is read through


class Mapped(Sequence[str]):
    """One string per row of a memory-mapped Arrow table; what is held is the chunk that is being read.

    Args:
        columns: chunked string columns of equal length and chunks. The string of a row is its non-empty cells, joined
            by a space: one column gives its own cells, (title, text) gives title and text.
    """

    def __init__(self, *columns: Any) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return View(self, range(len(self))[index])
        row = range(len(self))[index]  # IndexError and negative numbers as in a list
        return _join([column[row].as_py() for column in self._columns])

    def __iter__(self) -> Iterator[str]:
        for chunks in zip(*(column.chunks for column in self._columns)):
            for start in range(0, len(chunks[0]), _READ_ROWS):
                cells = [chunk.slice(start, _READ_ROWS).to_pylist() for chunk in chunks]
                yield from cells[0] if len(cells) == 1 else map(_join, zip(*cells))

    def find(self, wanted: Collection[str]) -> dict[str, int]:
        """Row numbers of the `wanted` strings that are there, of the first column; one pass, nothing else is held."""
        import pyarrow as pa
        import pyarrow.compute as pc

        keys = sorted(wanted)
        values = pa.array(keys, pa.large_string())
        rows: dict[str, int] = {}
        start = 0
        for chunk in self._columns[0].chunks:
            hits = pc.index_in(chunk, value_set=values).fill_null(-1).to_numpy(zero_copy_only=False)
            for row in np.flatnonzero(hits >= 0).tolist():
                rows.setdefault(keys[hits[row]], start + row)
            start += len(chunk)
        return rows


class View(Sequence[str]):
    """Some rows of a sequence of strings, in the order given; nothing is copied."""

    def __init__(self, base: Sequence[str], rows: Sequence[int] | IntArray) -> None:
        self._base = base
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        rows = self._rows[index]
        return View(self._base, rows) if isinstance(index, slice) else self._base[int(rows)]

    def __iter__(self) -> Iterator[str]:
        return (self._base[int(row)] for row in self._rows)


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

    The shards are read once, line by line, into an Arrow file in a folder under `cache_dir()`, named by a digest of their
    paths, sizes and modification times; from then on the file is memory-mapped. Beside it are digests of its blocks, which are
    compared when it is opened (`isoglot.blocks`): a damaged file is made again, which is said. A second process waits.

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
    folder = cache_dir() / "corpora" / digest_strings([_FORMAT, *names])[:32]
    keep(folder, f"the copy of the corpus {label}", lambda copy: _write(copy / _TEXTS, files, label))
    table = pa.ipc.open_file(pa.memory_map(str(folder / _TEXTS))).read_all()
    title, text = table.column("title"), table.column("text")
    return MappedCorpus(Mapped(table.column("id")), Mapped(text), Mapped(title, text))


def _write(target: Path, files: Sequence[Path], label: str) -> None:
    import pyarrow as pa

    schema = pa.schema([(name, pa.large_string()) for name in ("id", "title", "text")])
    hashes = array("q")  # of the ids: 8 bytes each, where a set of 33 million strings would take gigabytes
    with pa.OSFile(str(target), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        rows = _rows(files, label)
        while batch := list(islice(rows, _BATCH_ROWS)):
            hashes.extend(hash(key) for key, _, _ in batch)
            columns = [pa.array(column, pa.large_string()) for column in zip(*batch)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    if not hashes:
        raise InputError(f"{label}: no passage in {_named(files)}")
    _check_unique(target, hashes, f"{label}: {_named(files)}")


def _rows(files: Sequence[Path], label: str) -> Iterator[tuple[str, str, str]]:
    from isoglot.bars import tqdm

    example = '{"docid": "7#0", "title": "...", "text": "..."}'
    # a bar only on a terminal, and only where the reading takes long enough to be noticed
    for path in tqdm(files, desc=f"read {label}", unit="file", disable=None, delay=3):
        for number, row in valid(json_rows(path, example)):
            key, text, title = row.get("docid", row.get("_id")), row.get("text"), row.get("title")
            title = "" if title is None else title
            if not (isinstance(key, str) and key and isinstance(text, str) and isinstance(title, str)):
                raise LineError(
                    path, number, f"expected text in 'docid' (or '_id'), 'text' and 'title', as in {example}"
                )
            yield key, title, text


def _named(files: Sequence[Path]) -> str:
    return f"{files[0]}{' and its other shards' if len(files) > 1 else ''}"


def _check_unique(target: Path, hashes: array[int], place: str) -> None:
    """Equal hashes are suspects; their ids are looked at."""
    import pyarrow as pa

    keys = np.frombuffer(hashes, dtype=np.uint64) | np.uint64(1)
    repeats = [np.concatenate([rows[rows != first], first[rows != first]]) for rows, first in first_rows(keys)]
    suspects = np.unique(np.concatenate(repeats)).tolist()
    with pa.memory_map(str(target)) as source:
        ids = Mapped(pa.ipc.open_file(source).read_all().column("id"))
        first_row: dict[str, int] = {}
        for row in suspects:
            if (earlier := first_row.setdefault(ids[row], row)) != row:
                raise InputError(
                    f"{place}: passage '{ids[row]}' occurs twice (passages {earlier + 1:,} and {row + 1:,}); "
                    "ids are unique within a language, so is a shard there both packed and unpacked?"
                )
