"""The search protocol: what an index of vectors can do, whatever holds them (memory, faiss, Milvus).

    index = INDEXES["exact"]().open()                    # isoglot.retrieval.indexes
    index.add(ids, vectors, [{"lang": "de"}, {"lang": "en"}])
    hits = index.search(query_vectors, 10, languages=["de"])
    hits.ids[0], hits.scores[0]                          # best first, for the first query
    index.delete(ids[:1])

`tests/retrieval/test_search_protocol.py` holds every registered index to what is written here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from isoglot.records import Float32Array

LANGUAGE = "lang"
"""The key of the metadata that holds a document's language."""

Value = str | int | float | bool
Metadata = Mapping[str, Value]
Filters = Mapping[str, Value | Collection[Value]]
"""Key -> the value, or the values of which one, a document must have. A document without the key does not pass."""


@dataclass(frozen=True)
class Hits:
    """The documents found for n queries, best first.

    Attributes:
        ids: n lists of at most k document ids.
        scores: their inner products with the query, n arrays of float32 that do not increase.
    """

    ids: list[list[str]]
    scores: list[Float32Array]


class SearchIndex(Protocol):
    """Documents as vectors with ids and metadata. One thread at a time changes it."""

    def add(self, ids: Sequence[str], vectors: Float32Array, metadata: Sequence[Metadata] | None = None) -> None:
        """Add documents; all of them or, where something is wrong, none.

        Args:
            ids: n, different from each other and from those that are there.
            vectors: float32, shape (n, d), finite; d is the same in all calls.
            metadata: one mapping per document, such as {"lang": "de", "source": "wiki"}.

        Raises:
            InputError: an id occurs twice or is there already, or the vectors do not fit.
        """

    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents; ids that are not there are passed over. Returns how many were removed."""

    def search(
        self, queries: Float32Array, k: int, *, languages: Sequence[str] | None = None, where: Filters | None = None
    ) -> Hits:
        """The k documents with the greatest inner product among those that pass the filters.

        Filters come before the k are counted: fewer than k are found only where fewer pass. An exact index breaks ties as
        `isoglot.retrieval.ties` does, so equal calls give equal answers; an approximate one says what it may miss.

        Args:
            queries: float32, shape (n, d).
            k: at least 1.
            languages: only documents in one of these; all when None.
            where: further filters on metadata, all of which must hold.

        Raises:
            InputError: k below 1, or vectors of another width or that are not finite.
        """

    def count(self) -> int:
        """How many documents there are."""

    def finish(self) -> None:
        """Do now what the next search would do first, and put on the disk what is kept there."""

    def close(self) -> None:
        """Give back memory, files and connections; calling it again does nothing. What is asked afterwards is an error."""
