"""What finds the nearest vectors of a collection: any registered index, brought up to date from the shards without encoding."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.disk import make_directory
from isoglot.errors import InputError, say
from isoglot.files import atomic_path
from isoglot.records import IntArray
from isoglot.retrieval.collection.documents import Documents, ModelEntry
from isoglot.retrieval.collection.settings import CollectionSettings
from isoglot.retrieval.collection.vectors import Vectors
from isoglot.retrieval.search import SearchIndex

_AT_ONCE = 16_384


class Backend:
    """An index of one model's vectors, and the keys of the chunks in it.

    Args:
        directory: of the collection.
        entry: the model.
        asked: the backend's settings.
        to_write: what is kept on disk or in a server is brought up to date; otherwise that is left to `isoglot index`.
    """

    def __init__(
        self, directory: Path, entry: ModelEntry, asked: CollectionSettings, *, to_write: bool = False
    ) -> None:
        folder = directory / "backends"
        settings: Any = asked.backend.at(folder, entry.key)
        self._state = folder / f"{entry.key}.{asked.backend.name}.keys.npy"
        is_kept = settings is not asked.backend
        if is_kept and to_write:
            make_directory(folder)
        self.index: SearchIndex = _open(settings, to_write) if is_kept else settings.open()
        # an index that can tell its ids needs no note of them
        self._is_noted = is_kept and not hasattr(self.index, "ids")
        self._is_read_only = getattr(self.index, "is_read_only", False)
        self._to_write = is_kept and to_write
        self.keys = self._held()
        if self.index.count() != len(self.keys) and not self._is_read_only:  # stopped between a change and the note
            self.index.close()
            self.keys = np.empty(0, dtype=np.int64)
            self._state.unlink(missing_ok=True)
            self.index = settings.open(fresh=True, to_write=to_write) if is_kept else settings.open()

    def _held(self) -> IntArray:
        """Keys of the chunks in the index, ascending."""
        if hasattr(self.index, "ids"):
            return np.sort(np.array([int(key) for key in self.index.ids()], dtype=np.int64))
        if self._is_noted and self._state.is_file():
            with suppress(OSError, ValueError, EOFError):
                keys: IntArray = np.load(self._state, allow_pickle=False)
                return keys
        return np.empty(0, dtype=np.int64)

    def update(self, documents: Documents, vectors: Vectors) -> None:
        """Take in what changed since."""
        keys, digests = documents.keys()
        if self._is_read_only:
            self._check(keys)
            return
        gone = np.setdiff1d(self.keys, keys, assume_unique=True)
        fresh = ~np.isin(keys, self.keys, assume_unique=True)
        if missing := int(np.count_nonzero(~vectors.has(digests[fresh]))):
            raise InputError(
                f"{missing:,} of {len(keys):,} chunks have no vector of this model; run isoglot index again"
            )
        after = int(keys[fresh].min()) - 1 if fresh.any() else 0
        labels = {label.key: label.metadata for label in documents.labels(after)} if fresh.any() else {}
        has_changed = bool(gone.size or fresh.any())
        if has_changed and self._is_noted:
            self._state.unlink(missing_ok=True)  # until the change is whole
        if gone.size:
            self.index.delete([str(key) for key in gone.tolist()])
        new, wanted = keys[fresh], digests[fresh]
        for start in range(0, len(new), _AT_ONCE):
            part = new[start : start + _AT_ONCE].tolist()
            rows = vectors.read(wanted[start : start + _AT_ONCE]).astype(np.float32)
            self.index.add([str(key) for key in part], rows, [labels.get(key, {}) for key in part])
        self.keys = keys
        if has_changed and self._to_write:
            self.index.finish()
        if has_changed and self._is_noted:
            with atomic_path(self._state) as temporary, temporary.open("wb") as sink:
                np.save(sink, keys)

    def _check(self, keys: IntArray) -> None:
        """Say where an index that is not this process's to change has other chunks than the collection."""
        if self._state.is_file():
            missing = len(np.setdiff1d(keys, self._held(), assume_unique=True))
            lacking = f"{missing:,} of {len(keys):,} chunks are not in the index yet" if missing else ""
        else:
            lacking = "the index is not whole yet" if len(keys) else ""
        if lacking:
            say(f"{self._state.parent}: {lacking}: isoglot index is at work, or was stopped and has to be run again")


def _open(settings: Any, to_write: bool) -> SearchIndex:
    """What is kept, or an empty index in place of one that is damaged."""
    try:
        index: SearchIndex = settings.open(to_write=to_write)
    except InputError as error:
        index = settings.open(fresh=True, to_write=to_write)  # which fails again where a server does not answer
        say(f"{error}: it is built again")
    return index


def build_backend(
    directory: Path, documents: Documents, entry: ModelEntry, vectors: Vectors, asked: CollectionSettings
) -> None:
    """Bring an index that is kept on disk, or in a server, up to date; one in memory is made when it is searched."""
    if asked.backend.at(directory, entry.key) is asked.backend:
        return
    backend = Backend(directory, entry, asked, to_write=True)
    try:
        backend.update(documents, vectors)
    finally:
        backend.index.close()
