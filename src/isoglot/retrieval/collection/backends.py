"""What finds the nearest vectors of a collection: any registered index, brought up to date from the shards without encoding."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.disk import make_directory
from isoglot.errors import InputError
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
    """

    def __init__(self, directory: Path, entry: ModelEntry, asked: CollectionSettings) -> None:
        folder = directory / "backends"
        settings: Any = asked.backend.at(folder, entry.key)
        self._state = folder / f"{entry.key}.{asked.backend.name}.keys.npy"
        self._keeps = settings is not asked.backend
        if self._keeps:
            make_directory(folder)
        self.index: SearchIndex = settings.open()
        self.keys: IntArray = np.empty(0, dtype=np.int64)
        if self._keeps and self._state.is_file():
            with suppress(OSError, ValueError, EOFError):
                self.keys = np.load(self._state, allow_pickle=False)
        if self.index.count() != len(self.keys):  # stopped between a change and the note of it
            self.index.close()
            self.keys = np.empty(0, dtype=np.int64)
            self._state.unlink(missing_ok=True)
            self.index = settings.open(fresh=True) if self._keeps else settings.open()

    def update(self, documents: Documents, vectors: Vectors) -> None:
        """Take in what changed since."""
        keys, digests = documents.keys()
        gone = np.setdiff1d(self.keys, keys, assume_unique=True)
        fresh = ~np.isin(keys, self.keys, assume_unique=True)
        if missing := int(np.count_nonzero(~vectors.has(digests[fresh]))):
            raise InputError(
                f"{missing:,} of {len(keys):,} chunks have no vector of this model; run isoglot index again"
            )
        after = int(keys[fresh].min()) - 1 if fresh.any() else 0
        labels = {label.key: label.metadata for label in documents.labels(after)} if fresh.any() else {}
        if (gone.size or fresh.any()) and self._keeps:
            self._state.unlink(missing_ok=True)  # until the change is whole
        if gone.size:
            self.index.delete([str(key) for key in gone.tolist()])
        new, wanted = keys[fresh], digests[fresh]
        for start in range(0, len(new), _AT_ONCE):
            part = new[start : start + _AT_ONCE].tolist()
            rows = vectors.read(wanted[start : start + _AT_ONCE]).astype(np.float32)
            self.index.add([str(key) for key in part], rows, [labels.get(key, {}) for key in part])
        self.keys = keys
        if self._keeps and (gone.size or fresh.any()):
            with atomic_path(self._state) as temporary, temporary.open("wb") as sink:
                np.save(sink, keys)


def build_backend(
    directory: Path, documents: Documents, entry: ModelEntry, vectors: Vectors, asked: CollectionSettings
) -> None:
    """Bring an index that is kept on disk, or in a server, up to date; one in memory is made when it is searched."""
    if asked.backend.at(directory, entry.key) is asked.backend:
        return
    backend = Backend(directory, entry, asked)
    try:
        backend.update(documents, vectors)
    finally:
        backend.index.close()
