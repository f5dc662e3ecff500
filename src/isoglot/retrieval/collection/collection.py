"""A collection, open to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isoglot.data.document_rows import DocumentRow
from isoglot.records import IntArray, several
from isoglot.retrieval.collection.documents import SCALARS, Counts, Documents, ModelEntry
from isoglot.retrieval.collection.settings import CollectionSettings
from isoglot.retrieval.collection.vectors import Vectors
from isoglot.settings import build

_VALUES = 50


class Collection:
    """Documents, and the models whose vectors of them there are. Any number of processes may read while one writes.

    Attributes:
        path: the directory.
        documents: the database.
        settings: that it was made with.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.documents = Documents(self.path)
        self.settings = build(CollectionSettings, [(str(path), self.documents.fact("settings", {}))])

    @classmethod
    def open(cls, path: str | Path) -> Collection:
        """Open a directory that `isoglot index` wrote. InputError: it is none, or damaged."""
        return cls(path)

    @property
    def models(self) -> dict[str, ModelEntry]:
        """By name; the first is the default."""
        return self.documents.models()

    def counts(self) -> Counts:
        """How many documents, chunks, languages."""
        return self.documents.counts()

    def generation(self) -> int:
        """A number that rises with every change."""
        return self.documents.generation()

    def examples(self) -> list[str]:
        """Questions to begin with: those of the corpus, else some titles."""
        own: list[str] = self.documents.fact("examples", [])
        return list(own) or self.documents.titles()

    def fields(self) -> dict[str, list[Any]]:
        """By key of the metadata: its most frequent values, those of text, numbers and truth only; keys of ids are left out."""
        counts: dict[str, Counter[Any]] = {}
        for _, about in self.documents.metadata():
            for key, value in about.items():
                if isinstance(value, SCALARS):
                    counts.setdefault(key, Counter())[value] += 1
        return {
            key: [value for value, _ in own.most_common(_VALUES)]
            for key, own in sorted(counts.items())
            if len(own) <= max(_VALUES, sum(own.values()) // 2)
        }

    def get(self, ids: str | Sequence[str]) -> list[DocumentRow]:
        """Those documents that are there, in the order of the ids."""
        return self.documents.get(several(ids))

    def vectors(self, model: str) -> tuple[IntArray, npt.NDArray[np.float16]]:
        """Keys of all chunks, int64, shape (n,), and their vectors, float16, shape (n, d)."""
        keys, digests = self.documents.keys()
        return keys, Vectors(self.path / "vectors" / self.models[model].key).read(digests)

    def close(self) -> None:
        """Close the files; calling it again does nothing."""
        self.documents.close()

    def __enter__(self) -> Collection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
