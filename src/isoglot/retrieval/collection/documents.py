"""The documents of a collection and their chunks, in SQLite: one writer, any number of readers, nothing lost by a kill."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.data.document_rows import DocumentRow
from isoglot.disk import writing
from isoglot.errors import InputError, first_line
from isoglot.places import instead
from isoglot.records import IntArray
from isoglot.retrieval.index_input import is_scalar
from isoglot.retrieval.search import LANGUAGE, Metadata
from isoglot.retrieval.store import Digests

DATABASE = "documents.sqlite"
FORMAT = 1
_SCHEMA = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, lang TEXT NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL,
    translation TEXT NOT NULL, text TEXT NOT NULL, metadata TEXT NOT NULL, digest BLOB NOT NULL
);
CREATE TABLE chunks (
    key INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    first INTEGER NOT NULL, last INTEGER NOT NULL, digest BLOB NOT NULL
);
CREATE INDEX chunks_of_documents ON chunks (document);
CREATE TABLE models (name TEXT PRIMARY KEY, place INTEGER NOT NULL, about TEXT NOT NULL) WITHOUT ROWID;
"""
SCALARS = (str, int, float, bool)
_AT_ONCE = 500  # numbers in one statement; SQLite takes 999 at least


@dataclass(frozen=True)
class Chunk:
    """A part of a document that is one vector.

    Attributes:
        first, last: its span in the document's text, in characters.
        digest: 16 bytes, of what is encoded.
    """

    first: int
    last: int
    digest: bytes


@dataclass(frozen=True)
class Counts:
    """What a collection holds.

    Attributes:
        languages: documents by language, most first.
    """

    documents: int
    chunks: int
    languages: dict[str, int]


@dataclass(frozen=True)
class Found:
    """A chunk with its document."""

    document: DocumentRow
    first: int
    last: int
    digest: bytes


@dataclass(frozen=True)
class Label:
    """What a chunk is filtered and grouped by.

    Attributes:
        document: key of its document.
        metadata: the language, and what of the document's metadata is one value.
    """

    key: int
    document: int
    lang: str
    metadata: Metadata


@dataclass(frozen=True)
class ModelEntry:
    """A model whose vectors a collection has.

    Attributes:
        name: in this collection.
        source: what it was loaded from.
        digest: of its files.
        key: of its vectors: digest, settings, passage prompt.
        width: of its vectors.
        similarity: cosine or dot.
    """

    name: str
    source: str
    digest: str
    key: str
    width: int
    similarity: str


@dataclass
class Changes:
    """What a run did, in documents."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    deleted: int = 0
    guessed: Counter[str] = field(default_factory=Counter)


class Documents:
    """The database of a collection.

    Every method opens what it reads in one transaction (`chunks` and others that take many keys in several). Of one object any
    thread may call them.

    Where the directory takes no files (a read-only mount) and no writer has left a log, the database is read as it is, without
    SQLite's locks; reading after it was changed from elsewhere is an error then.

    Raises:
        InputError: there is none, it is damaged, or another version's.
    """

    def __init__(self, directory: Path, *, write: bool = False, create: bool = False) -> None:
        self._path = path = directory / DATABASE
        if not (path.is_file() or create):
            make = f"isoglot index MODEL CORPUS --output {directory}"
            raise InputError(f"{directory}: no index is there{instead(directory)}; make one: {make}")
        self._lock = threading.RLock()
        with self._in_words():
            how = "mode=rwc" if create else "mode=rw"  # a reader of a write-ahead log writes its index, too
            if not (write or os.access(directory, os.W_OK)):
                how = _read_only(path)
            self._frozen = self._stamp() if "immutable" in how else None
            self._open = sqlite3.connect(
                f"{path.absolute().as_uri()}?{how}", uri=True, check_same_thread=False, isolation_level=None
            )
            self._open.execute("PRAGMA busy_timeout=30000")
            self._open.execute("PRAGMA foreign_keys=ON")
            if write:
                self._open.execute("PRAGMA journal_mode=WAL")
                self._open.execute("PRAGMA synchronous=FULL")
            else:
                self._open.execute("PRAGMA query_only=ON")
            is_made = bool(self._rows("SELECT name FROM sqlite_master WHERE name = 'facts'"))
            if create and not is_made:
                self._open.executescript(f"BEGIN;{_SCHEMA}INSERT INTO facts VALUES ('format', '{FORMAT}');COMMIT;")
                is_made = True
            found = self.fact("format") if is_made else None
        if not is_made:
            self.close()
            raise InputError(f"{directory}: no index is there yet: isoglot index is beginning, or has to be run again")
        if found != FORMAT:
            raise InputError(f"{directory}: an index of format {found}; this version reads {FORMAT}: make it anew")

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        self._open.close()

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """All that is read inside is as it was at the first reading, whatever others write; other threads wait until it ends."""
        with self._lock, self._in_words():
            self._open.execute("BEGIN")
            try:
                yield
            finally:
                self._open.execute("COMMIT")

    # facts

    def fact(self, key: str, default: Any = None) -> Any:
        """A JSON value that the collection keeps."""
        rows = self._rows("SELECT value FROM facts WHERE key = ?", [key])
        return json.loads(rows[0][0]) if rows else default

    def keep(self, key: str, value: Any) -> None:
        """Keep a JSON value."""
        with self.changing() as run:
            run("INSERT OR REPLACE INTO facts VALUES (?, ?)", [key, json.dumps(value)])

    def generation(self) -> int:
        """A number that rises with every change of documents or models."""
        return int(self.fact("generation", 0))

    # models

    def models(self) -> dict[str, ModelEntry]:
        """By name, in the order they came in."""
        rows = self._rows("SELECT name, about FROM models ORDER BY place")
        return {name: ModelEntry(name, **json.loads(about)) for name, about in rows}

    def add_model(self, entry: ModelEntry) -> None:
        """Add a model, or replace the one of its name."""
        about = {key: value for key, value in vars(entry).items() if key != "name"}
        with self.changing() as run:
            run(
                "INSERT INTO models VALUES (?, (SELECT count(*) FROM models), ?)"
                " ON CONFLICT (name) DO UPDATE SET about = excluded.about",
                [entry.name, json.dumps(about)],
            )

    # documents

    def digests(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Digests of those documents that are there, by id."""
        return dict(self._where("SELECT id, digest FROM documents WHERE id IN", ids))

    def ids(self) -> set[str]:
        """Of all documents."""
        return {key for (key,) in self._rows("SELECT id FROM documents")}

    def put(self, documents: Iterable[tuple[DocumentRow, bytes, Sequence[Chunk]]]) -> None:
        """Add documents with their digests and chunks, or replace those with their ids, in one transaction."""
        with self.changing() as run:
            for row, digest, chunks in documents:
                run("DELETE FROM documents WHERE id = ?", [row.id])
                values = [row.id, row.lang, row.title, row.url, row.translation, row.text]
                values.append(json.dumps(row.metadata, ensure_ascii=False))
                fields = "id, lang, title, url, translation, text, metadata, digest"
                key = run(f"INSERT INTO documents ({fields}) VALUES (?,?,?,?,?,?,?,?)", [*values, digest]).lastrowid
                for chunk in chunks:
                    run(
                        "INSERT INTO chunks (document, first, last, digest) VALUES (?,?,?,?)",
                        [key, chunk.first, chunk.last, chunk.digest],
                    )

    def delete(self, ids: Sequence[str]) -> int:
        """Delete documents in one transaction; how many there were."""
        with self.changing() as run:
            return sum(int(run("DELETE FROM documents WHERE id = ?", [key]).rowcount) for key in ids)

    def get(self, ids: Sequence[str]) -> list[DocumentRow]:
        """Those documents that are there, in the order of the ids."""
        found = {row[0]: _document(row) for row in self._where(f"SELECT {_FIELDS} FROM documents d WHERE d.id IN", ids)}
        return [found[key] for key in ids if key in found]

    def counts(self) -> Counts:
        """How much there is."""
        with self._lock:
            languages = dict(self._rows("SELECT lang, count(*) FROM documents GROUP BY lang ORDER BY 2 DESC, 1"))
            (chunks,) = self._rows("SELECT count(*) FROM chunks")[0]
        return Counts(sum(languages.values()), chunks, languages)

    def titles(self, most: int = 8) -> list[str]:
        """Some titles, no two of them the same, each of another language."""
        query = "SELECT DISTINCT lang, title FROM documents WHERE title != '' ORDER BY key LIMIT 20000"
        titles: dict[str, str] = {}
        for lang, title in self._rows(query):
            if lang not in titles and title not in titles.values():
                titles[lang] = title
        return list(titles.values())[:most]

    def repeated_titles(self) -> set[tuple[str, str]]:
        """(language, title) of titles that several documents in one language have."""
        return set(self._rows("SELECT lang, title FROM documents WHERE title != '' GROUP BY 1, 2 HAVING count(*) > 1"))

    def translations(self) -> list[tuple[int, str, str]]:
        """(key, language, translation) of every document with a translation, by key."""
        return self._rows("SELECT key, lang, translation FROM documents WHERE translation != '' ORDER BY key")

    def parts(self, keys: Sequence[int]) -> dict[int, tuple[DocumentRow, list[tuple[int, int, int]]]]:
        """Documents by key, each with the (key, first, last) of its chunks, in order."""
        found: dict[int, tuple[DocumentRow, list[tuple[int, int, int]]]] = {
            row[7]: (_document(row), [])
            for row in self._where(f"SELECT {_FIELDS}, d.key FROM documents d WHERE d.key IN", keys)
        }
        chunks = self._where("SELECT document, key, first, last FROM chunks WHERE document IN", keys)
        for document, *chunk in sorted(chunks):
            if document in found:
                found[document][1].append((chunk[0], chunk[1], chunk[2]))
        return found

    def metadata(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(id, metadata) of every document."""
        yield from ((key, json.loads(text)) for key, text in self._rows("SELECT id, metadata FROM documents"))

    # chunks

    def keys(self) -> tuple[IntArray, Digests]:
        """Keys of all chunks, int64, ascending, and the digests of what is encoded, uint64, shape (n, 2)."""
        rows = self._rows("SELECT key, digest FROM chunks ORDER BY key")
        keys = np.fromiter((key for key, _ in rows), dtype=np.int64, count=len(rows))
        return keys, as_digests(digest for _, digest in rows)

    def chunks(self, keys: Sequence[int]) -> dict[int, Found]:
        """Chunks with their documents, by key; without those that are gone."""
        query = f"SELECT {_FIELDS}, c.key, c.first, c.last, c.digest FROM chunks c"
        query += " JOIN documents d ON d.key = c.document WHERE c.key IN"
        return {row[7]: Found(_document(row), *row[8:]) for row in self._where(query, keys)}

    def labels(self, after: int = 0) -> Iterator[Label]:
        """Labels of every chunk whose key is greater than `after`, ascending."""
        query = (
            "SELECT c.key, c.document, d.lang, d.metadata FROM chunks c JOIN documents d ON d.key = c.document"
            " WHERE c.key > ? ORDER BY c.key"
        )
        known: dict[tuple[str, str], Metadata] = {}
        for key, document, lang, text in self._rows(query, [after]):
            if (lang, text) not in known:
                about = {name: value for name, value in json.loads(text).items() if is_scalar(value)}
                known[lang, text] = {**about, LANGUAGE: lang}
            yield Label(key, document, lang, known[lang, text])

    def texts(self) -> Iterator[tuple[int, str, str, str, bytes]]:
        """(key, language, title, text, digest) of every chunk, by key."""
        query = (
            "SELECT c.key, d.lang, d.title, substr(d.text, c.first + 1, c.last - c.first), c.digest"
            " FROM chunks c JOIN documents d ON d.key = c.document WHERE c.key > ? ORDER BY c.key LIMIT 4096"
        )
        last = 0
        while rows := self._rows(query, [last]):
            yield from rows
            last = rows[-1][0]

    def texts_of(self, keys: Sequence[int]) -> Iterator[tuple[int, str, str, str, bytes]]:
        """As `texts`, of some chunks, in any order."""
        query = "SELECT c.key, d.lang, d.title, substr(d.text, c.first + 1, c.last - c.first), c.digest"
        yield from self._where(f"{query} FROM chunks c JOIN documents d ON d.key = c.document WHERE c.key IN", keys)

    def languages(self) -> Iterator[tuple[str, bytes]]:
        """(language, digest) of every chunk, by key."""
        query = "SELECT d.lang, c.digest FROM chunks c JOIN documents d ON d.key = c.document ORDER BY c.key"
        yield from self._rows(query)

    # what the above is made of

    @contextmanager
    def changing(self) -> Iterator[Any]:
        """One transaction that raises the generation; gives what runs a statement."""
        with self._lock, writing(self._path), self._in_words():
            self._open.execute("BEGIN IMMEDIATE")
            try:
                yield self._open.execute
                self._open.execute(
                    "INSERT INTO facts VALUES ('generation', '1')"
                    " ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
                )
                self._open.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # the transaction is gone already where the disk is full
                    self._open.execute("ROLLBACK")
                raise

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock, self._in_words():
            rows = self._open.execute(query, values).fetchall()
            if self._frozen and self._frozen != self._stamp():
                raise InputError(
                    f"{self._path}: was changed from elsewhere while this process could only read; open it again"
                )
            return rows

    def _stamp(self) -> tuple[int, int]:
        about = self._path.stat()
        return about.st_size, about.st_mtime_ns

    def _where(self, query: str, values: Sequence[Any]) -> Iterator[Any]:
        """Rows of a query that ends in IN, for any number of values."""
        for start in range(0, len(values), _AT_ONCE):
            part = values[start : start + _AT_ONCE]
            yield from self._rows(f"{query} ({','.join('?' * len(part))})", part)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise InputError(f"{self._path}: {first_line(error)}") from error
        except (sqlite3.DatabaseError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InputError(f"{self._path}: not an index, or damaged ({first_line(error)}); make it anew") from None


_FIELDS = "d.id, d.lang, d.title, d.url, d.translation, d.text, d.metadata"


def _read_only(path: Path) -> str:
    """How SQLite opens a database beside which it can write nothing; InputError where it cannot."""
    log, index_of_log = (path.with_name(f"{path.name}-{part}") for part in ("wal", "shm"))
    if not log.exists() or not log.stat().st_size:
        return "mode=ro&immutable=1"
    if index_of_log.exists():  # a writer is at work
        return "mode=ro"
    raise InputError(f"{path.parent}: a writer was killed here; search it once where it can be written")


def _document(row: Sequence[Any]) -> DocumentRow:
    key, lang, title, url, translation, text, metadata = row[:7]
    about: Mapping[str, Any] = json.loads(metadata)
    return DocumentRow(key, text, lang, title, url, translation, about)


def as_digests(digests: Iterable[bytes]) -> Digests:
    """Digests of 16 bytes as uint64, shape (n, 2)."""
    return np.frombuffer(bytearray().join(digests), dtype=np.uint64).reshape(-1, 2)
