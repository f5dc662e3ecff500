"""Translations that were made before, so that a run that was killed goes on and no text is translated twice."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import xxhash

from isoglot.data.transform.translators import Direction
from isoglot.disk import make_directory, writing
from isoglot.errors import say
from isoglot.files import cache_dir, digest_json

_AT_ONCE = 500  # keys of a query
_WAIT = 60.0  # seconds for another process that writes
_SCHEMA = "CREATE TABLE IF NOT EXISTS translations (key BLOB PRIMARY KEY, text TEXT NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID"


class TranslationCache:
    """The translations of one translator from one language into another, by the exact text.

    An SQLite file of its own in the cache: what `add` has returned from is on the disk, and what was being added when a process
    died is not there. Each translation has a checksum; damaged ones are not taken.

    Args:
        identity: what decides translations, see `Translator.identity`.

    Raises:
        InputError: the cache cannot be written.
    """

    def __init__(self, identity: Mapping[str, Any], direction: Direction) -> None:
        digest = digest_json({"identity": identity, "direction": direction})[:24]
        self.path = cache_dir() / "translations" / f"{'-'.join(direction)}-{digest}.sqlite"
        with writing(self.path):
            make_directory(self.path.parent)
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                say(f"{self.path}: damaged ({error}); its translations are made again")
                self.path.unlink()
                self._open()

    def _open(self) -> None:
        with self._connected() as base:
            base.execute(_SCHEMA)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        base = sqlite3.connect(self.path, timeout=_WAIT)
        try:
            with base:  # one transaction
                yield base
        finally:
            base.close()

    def known(self, texts: Iterable[str]) -> dict[str, str]:
        """The translations of those texts that have one."""
        keys = {_key(text): text for text in texts}
        wanted, found, damaged = list(keys), {}, 0
        with writing(self.path), self._connected() as base:
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                for key, text, checksum in base.execute(f"SELECT * FROM translations WHERE key IN ({marks})", some):
                    if checksum == _checksum(key, text):
                        found[keys[key]] = text
                    else:
                        damaged += 1
        if damaged:
            say(f"{self.path}: {damaged} translations are damaged and are made again")
        return found

    def add(self, translations: Mapping[str, str]) -> None:
        """Keep translations by their texts; they are on the disk afterwards, all or none."""
        rows = [(key := _key(text), made, _checksum(key, made)) for text, made in translations.items()]
        with writing(self.path), self._connected() as base:
            base.executemany("INSERT OR REPLACE INTO translations VALUES (?, ?, ?)", rows)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8")).digest()


def _checksum(key: bytes, text: str) -> int:
    """Signed, as SQLite keeps whole numbers."""
    return int.from_bytes(xxhash.xxh3_64_digest(key + text.encode("utf-8")), "big", signed=True)
