"""The directory of a `faiss` index: one faiss file per part, the documents as Parquet, and a record with digests of all.

    index.json          what it is, its settings, what each part holds
    documents.parquet   id, metadata (JSON), part and whether it is alive, in the order of the rows
    part-0.faiss ...    as faiss writes them; nothing is pickled

A save replaces the whole directory at once. Readers take no lock; a writer holds one from its first change until it is closed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.disk import writing
from isoglot.errors import InputError
from isoglot.files import atomic_directory, digest_file, read_json, write_json
from isoglot.one_writer import locked
from isoglot.retrieval.indexes.approximate import Approximate
from isoglot.retrieval.indexes.faiss_part import Documents, Kind, Part

_RECORD, _DOCUMENTS = "index.json", "documents.parquet"
_FORMAT = "isoglot faiss index 1"
_BUILT_WITH = ("kind", "m", "ef_construction", "nlist")
"""Settings that a structure cannot change any more."""


@dataclass(frozen=True)
class Stored:
    """A part as it was saved."""

    language: str | None
    index: Any
    made: Kind
    fitted: int
    longest: float
    documents: Documents


class Keeper:
    """Reads the directory, and is its only writer from `begin` until `close`."""

    def __init__(self, path: Path, faiss: Any, settings: Approximate) -> None:
        self._path, self._faiss = path, faiss
        flat = settings.to_flat()
        self._settings = {key: flat[key] for key in _BUILT_WITH}
        self._stamp: str | None = None
        self._lock = ExitStack()
        self.is_changed = False

    def load(self, *, fresh: bool = False) -> list[Stored]:
        """What the directory holds; nothing where there is none yet.

        Args:
            fresh: nothing in any case: the next save replaces what there is.

        Raises:
            InputError: it holds something else or an index of other settings, or a file of it is damaged.
        """
        if fresh:
            self._stamp = self._stamp_there()
            return []
        for _ in range(3):
            record = self._record()
            try:
                parts = self._read(record) if record else []
            except (InputError, OSError, RuntimeError):  # faiss has no better error for a file that is gone
                if self._stamp_there() == (record or {}).get("stamp"):
                    raise
                continue  # it was replaced meanwhile
            self._stamp = record["stamp"] if record else None
            if self._stamp_there() == self._stamp:  # or parts may be of the older and the newer one
                return parts
        raise InputError(f"{self._path}: is being replaced again and again; try later")

    def begin(self) -> None:
        """Become the writer, before the first change.

        Raises:
            InputError: another process is, or has replaced the directory since it was read.
        """
        if self.is_changed:
            return
        self._lock.close()
        self._lock.enter_context(locked(self._path, beside=True))
        if self._stamp_there() != self._stamp:
            self._lock.close()
            raise InputError(f"{self._path}: another process has changed it since it was opened; open it anew")
        self.is_changed = True

    def save(self, parts: Mapping[str | None, Part]) -> None:
        """Replace the directory by parts that are built."""
        self.begin()
        stamp = secrets.token_hex(8)
        with writing(self._path), atomic_directory(self._path) as folder:
            self._write_documents(folder / _DOCUMENTS, parts.values())
            about = []
            for number, (language, part) in enumerate(parts.items()):
                file = folder / f"part-{number}.faiss"
                self._faiss.write_index(part.index, str(file))
                about.append(
                    {
                        "language": language,
                        "file": file.name,
                        "sha256": digest_file(file),
                        "rows": len(part.ids),
                        "made": part.made,
                        "fitted": part.fitted,
                        "longest": part.longest,
                    }
                )
            record = {"format": _FORMAT, "stamp": stamp, "settings": self._settings}
            documents = {"file": _DOCUMENTS, "sha256": digest_file(folder / _DOCUMENTS)}
            write_json(folder / _RECORD, {**record, "documents": documents, "parts": about})
        self._stamp, self.is_changed = stamp, False

    def close(self) -> None:
        """Let another process write."""
        self._lock.close()

    def _record(self) -> dict[str, Any] | None:
        path = self._path / _RECORD
        if not self._is_there():
            return None
        record = read_json(path)
        if not isinstance(record, dict) or record.get("format") != _FORMAT:
            raise InputError(f"{path}: is no record of a faiss index ('format' is not '{_FORMAT}')")
        held = record["settings"]
        if held != self._settings:
            written = ", ".join(f"{key}={value}" for key, value in held.items() if value is not None)
            raise InputError(f"{self._path}: was built with {written}; open it with these, or name another directory")
        return record

    def _is_there(self) -> bool:
        """Whether there is an index; InputError where there is something else, which must not be replaced."""
        if (self._path / _RECORD).is_file():
            return True
        if self._path.exists() and not (self._path.is_dir() and not any(self._path.iterdir())):
            raise InputError(
                f"{self._path}: holds something else than a faiss index of isoglot; name another directory"
            )
        return False

    def _stamp_there(self) -> str | None:
        """What the index that is there can be told by; the same for all that are damaged."""
        if not self._is_there():
            return None
        try:
            return str(read_json(self._path / _RECORD)["stamp"])
        except (InputError, OSError, KeyError, TypeError):
            return "damaged"

    def _read(self, record: dict[str, Any]) -> list[Stored]:
        for about in (record["documents"], *record["parts"]):
            file = self._path / about["file"]
            if not file.is_file() or digest_file(file) != about["sha256"]:
                raise InputError(f"{file}: is damaged or missing; delete the directory and build the index again")
        documents = self._read_documents([about["rows"] for about in record["parts"]])
        return [
            Stored(
                about["language"],
                self._faiss.read_index(str(self._path / about["file"])),
                about["made"],
                about["fitted"],
                about["longest"],
                own,
            )
            for about, own in zip(record["parts"], documents)
        ]

    def _write_documents(self, path: Path, parts: Iterable[Part]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        fields = [("id", pa.string()), ("metadata", pa.string()), ("part", pa.int32()), ("alive", pa.bool_())]
        schema = pa.schema([pa.field(name, kind) for name, kind in fields])
        with pq.ParquetWriter(path, schema, compression="zstd") as sink:
            for number, part in enumerate(parts):
                about = [json.dumps(row, ensure_ascii=False) for row in part.columns.rows]
                columns = {"id": part.ids, "metadata": about, "part": np.full(len(about), number), "alive": part.alive}
                sink.write_table(pa.table(columns, schema=schema))

    def _read_documents(self, counts: list[int]) -> Iterable[Documents]:
        import pyarrow.parquet as pq

        table = pq.read_table(self._path / _DOCUMENTS)
        start = 0
        for count in counts:
            own: Any = table.slice(start, count)
            about = [json.loads(row) for row in own.column("metadata").to_pylist()]
            yield Documents(own.column("id").to_pylist(), about, own.column("alive").to_numpy().copy())
            start += count
