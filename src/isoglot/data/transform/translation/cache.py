"""Translations that were made before, so that a run that was killed goes on and no text is translated twice."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import xxhash

from isoglot.data.transform.translators import Direction
from isoglot.disk import make_directory, writing
from isoglot.errors import InputError, say
from isoglot.files import cache_dir, digest_json

T = TypeVar("T")
_AT_ONCE = 500  # keys of a query
_WAIT = 60.0  # seconds for another process that writes
_NO_DAMAGE = (
    "locked",
    "readonly",
    "full",
    "unable to open",
    "disk I/O",
)  # words of SQLite's errors about anything else
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
        self._run(lambda base: None)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in one transaction. A damaged file, which may come out late, is made anew before, which is said."""
        try:
            with writing(self.path):
                make_directory(self.path.parent)
                try:
                    return self._transaction(work)
                except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter of what it says of damage
                    if any(words in str(error) for words in _NO_DAMAGE):
                        raise
                    say(f"{self.path}: damaged ({error}); its translations are made again")
                    self.path.unlink()
                    return self._transaction(work)
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}: {error}; delete it, or name another folder by ISOGLOT_CACHE") from None

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        base = sqlite3.connect(self.path, timeout=_WAIT)
        base.text_factory = bytes  # decoded once its checksum is right
        try:
            with base:
                base.execute(_SCHEMA)
                return work(base)
        finally:
            base.close()

    def known(self, texts: Iterable[str]) -> dict[str, str]:
        """The translations of those texts that have one."""
        keys = {_key(text): text for text in texts}
        wanted = list(keys)

        def read(base: sqlite3.Connection) -> tuple[dict[str, str], int]:
            found, damaged = {}, 0
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                query = f"SELECT key, text, sum FROM translations WHERE key IN ({','.join('?' * len(some))})"
                for key, made, checksum in base.execute(query, some):
                    if isinstance(made, bytes) and checksum == _checksum(key, made):
                        found[keys[key]] = made.decode("utf-8")
                    else:
                        damaged += 1
            return found, damaged

        found, damaged = self._run(read)
        if damaged:
            say(f"{self.path}: {damaged} translations are damaged and are made again")
        return found

    def add(self, translations: Mapping[str, str]) -> None:
        """Keep translations by their texts; they are on the disk afterwards, all or none."""
        pairs = [(_key(text), made) for text, made in translations.items()]
        rows = [(key, made, _checksum(key, made.encode("utf-8"))) for key, made in pairs]
        self._run(lambda base: base.executemany("INSERT OR REPLACE INTO translations VALUES (?, ?, ?)", rows))


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8")).digest()


def _checksum(key: bytes, text: bytes) -> int:
    """Signed, as SQLite keeps whole numbers."""
    return int.from_bytes(xxhash.xxh3_64_digest(key + text), "big", signed=True)
