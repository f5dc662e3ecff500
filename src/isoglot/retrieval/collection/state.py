"""A collection as it was at one moment: by it alone an answer is made, whatever a writer does meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.errors import InputError
from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.collection.documents import Documents, Label, ModelEntry, as_digests
from isoglot.retrieval.collection.vectors import Vectors
from isoglot.retrieval.store import Digests


@dataclass(frozen=True)
class State:
    """What of a collection searches need in memory, for one of its models.

    Attributes:
        labels: of every chunk, by key.
        sizes: chunks by language.
        keys, digests: of all chunks, in the order of the keys.
        vectors: the files that there were: they can be read after they were merged and deleted.
    """

    generation: int
    labels: Mapping[int, Label]
    sizes: Counter[str]
    keys: IntArray
    digests: Digests
    vectors: Vectors

    def cosines(self, asked: Sequence[tuple[int, bytes]], queries: Float32Array) -> list[float]:
        """Scores of (number of a query, digest of a text)."""
        if not asked:
            return []
        rows = self.vectors.read(as_digests(digest for _, digest in asked)).astype(np.float32)
        return [round(float(queries[number] @ row), 6) for (number, _), row in zip(asked, rows)]

    def why_nothing(self, languages: Sequence[str] | None, where: Mapping[str, Sequence[Any]]) -> str:
        """Why nothing was found, in one sentence.

        Args:
            languages: that were asked for; None: all.
            where: values that were asked for, by key of the metadata.
        """
        if not self.labels:
            return "The index has no documents."
        there = ", ".join(f"{lang} ({n:,})" for lang, n in self.sizes.most_common(12))
        if languages is not None and not set(languages) & set(self.sizes):
            return f"No document is in {', '.join(languages)}; there are: {there}."
        for key, values in where.items():
            own = Counter(label.metadata[key] for label in self.labels.values() if key in label.metadata)
            if not own:
                keys = sorted({name for label in self.labels.values() for name in label.metadata} - {"lang"})
                return f"No document has '{key}'; there are: {', '.join(keys) or 'no metadata'}."
            if not set(own) & set(values):
                some = ", ".join(str(value) for value, _ in own.most_common(8))
                return f"No document has {key} = {', '.join(map(str, values))}; there are: {some}."
        return "No document passes all filters together."


@contextmanager
def reading(directory: Path, entry: ModelEntry) -> Iterator[tuple[Documents, State]]:
    """A collection as it is now; the documents can be asked for more of the same moment inside.

    Raises:
        InputError: a chunk has no vector of this model.
    """
    with closing(Documents(directory)) as documents, documents.at_one_moment():
        generation = documents.generation()
        labels = {label.key: label for label in documents.labels()}
        keys, digests = documents.keys()
        vectors = Vectors(directory / "vectors" / entry.key)  # after the keys: what they need was written before them
        if missing := int(np.count_nonzero(~vectors.has(digests))):
            raise InputError(
                f"{missing:,} of {len(keys):,} chunks have no vector of this model; run isoglot index again"
            )
        sizes = Counter(label.lang for label in labels.values())
        yield documents, State(generation, labels, sizes, keys, digests, vectors)
