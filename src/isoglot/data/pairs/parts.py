"""The first half of packing: rows go by once, part by part, and a journal says which parts are on the disk.

A part is the rows of one record batch. `texts.arrow` and the arrays of hashes grow by it, then the journal by a line: rows and
bytes so far, a digest of the bytes that the part added, and where the reading of the sources stands. A pack that is killed
goes on behind the last part whose bytes are those of the journal; what lies behind is cut off. Sources are asked for the rows
behind that place only (see `isoglot.data.pairs.source.Place`).
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from xxhash import xxh3_64_digest, xxh3_128, xxh3_128_digest

from isoglot.data.pairs.journal import (
    HASHES,
    JOURNAL,
    SCRATCH,
    TABLE,
    Part,
    Written,
    begin,
    finish,
    job_of,
    journal_line,
    read_journal,
    reading_fields,
    reading_of,
    whole_parts,
)
from isoglot.data.pairs.loading import Reading, read_pairs
from isoglot.data.pairs.packed import TEXTS
from isoglot.data.pairs.table import SCHEMA, digested, digested_document, read_rows
from isoglot.data.sameness import passage_key, text_key
from isoglot.disk import check_kind
from isoglot.errors import InputError, say
from isoglot.files import StringDigest
from isoglot.records import PairRow

_BATCH_ROWS = 65_536  # rows of a record batch: opening maps one after the other, 4,300 of them for 280 million rows


def write_rows(folder: Path, specs: Sequence[str], languages: Sequence[str] | None, data_dir: Path | None) -> Written:
    """Write texts.arrow and the hashes of all rows, or what is missing of them.

    Args:
        folder: of an unfinished pack; what it holds of another one, or of files that have changed, is removed.

    Returns:
        Digests of the rows and of their documents, and the sources with a row whose query is not its passage.

    Raises:
        InputError: what `read_pairs` raises.
    """
    job = {**job_of(specs, languages, data_dir), "batch_rows": _BATCH_ROWS}
    parts, written = read_journal(folder, job)
    if written:  # everything was read
        return written
    parts = parts[: whole_parts(folder, parts)]
    with ExitStack() as stack:
        if not parts:
            begin(folder, job)
        writer = stack.enter_context(_Writer(folder, parts))
        reading = reading_of(parts[-1].reading) if parts else Reading()
        if parts:
            say(f"{folder}: {writer.rows:,} rows are there; going on behind them")
        rows = read_pairs(specs, languages, data_dir, unique=False, reading=reading)
        writer.run(rows, reading, parts[-1].rows if parts else 0)
    return finish(folder, *writer.written)


def check_place(folder: Path) -> None:
    """InputError where something else has the name of an unfinished pack; what one left that became whole is removed."""
    check_kind(folder, directory=True)
    if folder.is_dir() and {path.name for path in folder.iterdir()} - {TABLE, SCRATCH}:
        raise InputError(f"{folder}: is in the way (an unfinished pack has this name); give it another name")
    if not (folder / JOURNAL).is_file():
        shutil.rmtree(folder, ignore_errors=True)


class _Writer:
    """Writes parts behind those that are there. The rows of those go by once more, from texts.arrow: for the digest, and for
    the places of the batches that an Arrow file ends with."""

    def __init__(self, folder: Path, parts: Sequence[Part]) -> None:
        self._folder, self._parts, self.rows = folder, parts, 0
        self._digest, self._documents = StringDigest(), StringDigest()
        self._asking: set[str] = set()

    def __enter__(self) -> _Writer:
        kept = self._parts[-1] if self._parts else Part(0, 0, "", {})
        with ExitStack() as stack:
            self._sink = stack.enter_context(_Sink(self._folder / TABLE / TEXTS, kept.bytes))
            self._files = [
                stack.enter_context(_opened(self._folder / SCRATCH / name, 8 * kept.rows)) for name in HASHES
            ]
            self._journal = stack.enter_context(open(self._folder / JOURNAL, "r+b"))
            lines = self._journal.readlines()[: 1 + len(self._parts)]
            self._journal.truncate(sum(map(len, lines)))
            self._journal.seek(0, io.SEEK_END)
            self._writer = stack.enter_context(pa.ipc.new_file(self._sink, SCHEMA))
            for batch in self._kept_batches():
                self._writer.write_batch(batch)
                self._add(list(read_rows(pa.Table.from_batches([batch]))))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def _kept_batches(self) -> Iterator[pa.RecordBatch]:
        if self._parts:
            with pa.OSFile(str(self._folder / TABLE / TEXTS), "rb") as source:
                source.seek(8)  # behind the magic bytes of a file there is a stream
                yield from islice(pa.ipc.open_stream(source), len(self._parts))

    def _add(self, rows: list[PairRow]) -> None:
        self._digest.add(chain.from_iterable(map(digested, rows)))
        self._documents.add(chain.from_iterable(map(digested_document, rows)))
        self._asking.update(row.source for row in rows if row.query != row.passage)
        self.rows += len(rows)

    def run(self, rows: Iterator[tuple[PairRow, str, int]], reading: Reading, there: int) -> None:
        """Write the rows; `reading` is where they come from, `there` how many are there already."""
        from isoglot.bars import tqdm

        with tqdm(desc="read pairs", unit="row", unit_scale=True, initial=there, disable=None) as bar:
            while batch := [row for row, _, _ in islice(rows, _BATCH_ROWS)]:
                self._part(batch, reading)
                bar.update(len(batch))

    def _part(self, rows: list[PairRow], reading: Reading) -> None:
        columns = [pa.array([getattr(row, column.name) for row in rows], column.type) for column in SCHEMA]
        self._sink.digest = xxh3_128()
        # the schema, which stands before the first batch, is written with it at the latest
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))
        digest = self._sink.digest
        for file, values in zip(self._files, _columns(rows)):
            file.write(values)
            file.flush()
            digest.update(values)
        self._add(rows)
        self._sink.flush()
        part = Part(self.rows, self._sink.tell(), digest.hexdigest(), reading_fields(reading))
        self._journal.write(journal_line(asdict(part)))
        self._journal.flush()

    @property
    def written(self) -> Written:
        return self._digest.hex(), self._documents.hex(), self._asking


class _Sink(io.RawIOBase):
    """texts.arrow as it is written: `kept` bytes that are there already are passed over."""

    def __init__(self, path: Path, kept: int) -> None:
        super().__init__()
        self._file, self._kept, self._at = _opened(path, kept), kept, 0
        self.digest = xxh3_128()

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.digest.update(view)
        fresh = view[max(0, min(len(view), self._kept - self._at)) :]
        self._file.write(fresh)
        self._at += len(view)
        return len(view)

    def flush(self) -> None:
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        self._file.close()
        super().close()


def _opened(path: Path, kept: int) -> BinaryIO:
    """A file to write on behind its first `kept` bytes; others are cut off."""
    file = path.open("r+b" if kept else "wb")
    file.truncate(kept)
    file.seek(kept)
    return file


def _columns(batch: list[PairRow]) -> list[bytes]:
    """Hashes of the rows (XXH3), 8 bytes each, one column per name in `HASHES`."""
    hashes = []
    for row in batch:
        query, passage = xxh3_64_digest(text_key(row.query)), xxh3_64_digest(passage_key(row.passage))
        pair = xxh3_128_digest(_joined(row.source, row.id))
        own = row.passage_id
        passage_id = bytes(8) if own is None else xxh3_64_digest(_joined(row.source, own))
        hashes.append((pair[:8], pair[8:], query, passage, passage_id))
    return [b"".join(column) for column in zip(*hashes)]


def _joined(first: str, second: str) -> bytes:
    """Two strings as one; ("a", "bc") and ("ab", "c") differ."""
    return f"{len(first)}:{first}{second}".encode("utf-8", "surrogatepass")
