"""Frozen records that travel between rooms, and the array aliases they are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

Strategy = Literal["mono", "cross", "hybrid"]
BatchKind = Literal["mono", "cross"]
Setting = Literal["mono", "cross", "multi"]
SETTINGS: tuple[Setting, ...] = ("mono", "cross", "multi")


@dataclass(frozen=True)
class PairRow:
    """One question-answer pair in one language, as read from a source.

    Rows with the same `(source, id)` are translations of each other.
    """

    source: str
    id: str
    lang: str
    query: str
    passage: str
    passage_id: str | None = None
    negatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """One training step of a plan.

    `query_rows` and `passage_rows` are row numbers of the pair table, both of shape (batch_size,): position i of both is one
    pair. In a mono batch `language` is the language of every row; in a cross batch it is None and the two rows of a position
    are in two different languages.
    """

    step: int
    kind: BatchKind
    source: str
    language: str | None
    query_rows: IntArray
    passage_rows: IntArray

    def __len__(self) -> int:
        return len(self.query_rows)

    def part(self, rank: int, world: int) -> Batch:
        """The slice of this global batch that process `rank` of `world` trains on; the slices tile the batch.

        Raises:
            ValueError: the batch size is not a multiple of `world`.
        """
        if len(self) % world:
            raise ValueError(f"batch of {len(self)} rows cannot be split evenly over {world} processes")
        share = len(self) // world
        rows = slice(rank * share, (rank + 1) * share)
        return Batch(self.step, self.kind, self.source, self.language, self.query_rows[rows], self.passage_rows[rows])


@dataclass(frozen=True)
class Texts:
    """Texts of one language with their ids; `texts[i]` belongs to `ids[i]`."""

    ids: Sequence[str]
    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Benchmark:
    """Queries and candidates per language, and which candidates answer which query.

    Queries of all languages are numbered through in the order of `query_languages` (all of the first language, then all of the
    second, ...), documents likewise in the order of `corpus_languages`. The relevant documents of query q are
    `relevant[indptr[q]:indptr[q + 1]]` (pooled document numbers, ascending) with `gains` beside them. A query id that occurs
    in several languages is one parallel query. A (query, document language) cell without a relevant document is not a
    query of that setting.

    Attributes:
        name: as given on the command line.
        queries, corpus: texts per language.
        indptr: int64, shape (n_queries + 1,).
        relevant: int64, shape (n_judged,).
        gains: float64, shape (n_judged,), relevance grades > 0.
        query_groups: for queries that are not independent (questions over one paragraph), the name of the group per query, in
            pooled query order; empty where there are none. Intervals are bootstrapped over these.
        about: licence, source, context and so on: strings that a result file should repeat.
    """

    name: str
    queries: Mapping[str, Texts]
    corpus: Mapping[str, Texts]
    indptr: IntArray
    relevant: IntArray
    gains: FloatArray
    query_groups: Sequence[str] = ()
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def query_languages(self) -> list[str]:
        return list(self.queries)

    @property
    def corpus_languages(self) -> list[str]:
        return list(self.corpus)

    @property
    def n_queries(self) -> int:
        return sum(map(len, self.queries.values()))

    @property
    def n_documents(self) -> int:
        return sum(map(len, self.corpus.values()))

    def query_offsets(self) -> IntArray:
        """First pooled query number per language and the total at the end, shape (n_languages + 1,)."""
        return _offsets(self.queries)

    def document_offsets(self) -> IntArray:
        """First pooled document number per language and the total at the end, shape (n_languages + 1,)."""
        return _offsets(self.corpus)

    def pooled_queries(self) -> Iterator[tuple[str, str, str]]:
        """(language, id, text) of every query in pooled order."""
        return _pooled(self.queries)

    def pooled_documents(self) -> Iterator[tuple[str, str, str]]:
        """(language, id, text) of every document in pooled order."""
        return _pooled(self.corpus)


def _offsets(side: Mapping[str, Texts]) -> IntArray:
    return np.cumsum([0, *map(len, side.values())]).astype(np.int64)


def _pooled(side: Mapping[str, Texts]) -> Iterator[tuple[str, str, str]]:
    for lang, part in side.items():
        for key, text in zip(part.ids, part.texts):
            yield lang, key, text
