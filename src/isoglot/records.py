"""Frozen records that travel between rooms, and the array aliases they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

Column = Literal["query", "passage", "negative"]
"""A kind of text in a batch."""
Kind = Literal["query", "passage"]
"""Of a text."""
Setting = Literal["mono", "cross", "multi", "natural", "natural-cross"]
SETTINGS: tuple[Setting, ...] = ("mono", "cross", "multi")
NATURAL: tuple[Setting, ...] = ("natural", "natural-cross")


def several(values: str | Path | Iterable[str | Path]) -> list[str]:
    """Names or paths as a list; one that stands alone is a list of one, never its letters.

    >>> several("faq.csv"), several(("de", "en"))
    (['faq.csv'], ['de', 'en'])
    """
    return [str(values)] if isinstance(values, (str, PurePath)) else [str(value) for value in values]


@dataclass(frozen=True)
class PairRow:
    """One question-answer pair in one language, as read from a source.

    Rows with the same `(source, id)` are translations of each other.

    Attributes:
        negatives: texts that do not answer the query.
        document_id: what the passage is a part of; rows of a source with the same one in the same language share it.
        document_passages: other passages of the document, in the row's language, that do not answer the query. Sources give
            them where they are no row's passage; files have no such column.
    """

    source: str
    id: str
    lang: str
    query: str
    passage: str
    passage_id: str | None = None
    negatives: tuple[str, ...] = ()
    document_id: str | None = None
    document_passages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Side:
    """The queries or the passages of a batch, pair by pair.

    Attributes:
        rows: int64, shape (n,): rows of the pair table.
        pairs: int64, shape (n,): numbers of the pairs that the rows belong to.
        places: int64, shape (n,), ascending: places of those pairs among the pairs of the whole batch.
        languages: int64, shape (n,): numbers of the rows' languages in the table's languages.
        targets: int64, shape (n,): where texts change on their way into the batch (`Batch.rewrite`), numbers of the languages
            that they go into; -1 for those that stay. None: all stay.
    """

    rows: IntArray
    pairs: IntArray
    places: IntArray
    languages: IntArray
    targets: IntArray | None = None

    def between(self, first: int, end: int) -> Side:
        """The rows of the pairs whose places lie in [first, end)."""
        kept = slice(*np.searchsorted(self.places, (first, end)).tolist())
        targets = None if self.targets is None else self.targets[kept]
        return Side(self.rows[kept], self.pairs[kept], self.places[kept], self.languages[kept], targets)


class Rewrite(Protocol):
    """What makes the texts of a step of those of its rows."""

    @property
    def languages(self) -> tuple[str, ...]:
        """That texts go into; `Side.targets` are numbers of these."""
        ...

    def texts(self, column: Column, keys: IntArray, texts: Sequence[str], targets: IntArray | None) -> list[str]:
        """The texts of some rows (or, of negatives, of their numbers in their pool), as they are trained on."""
        ...


@dataclass(frozen=True)
class Batch:
    """One training step of a plan: texts that know their pair, their side and their language.

    A pair may have several queries and several passages, in different languages. A passage of a query's own pair answers it;
    those of all other pairs do not.

    Attributes:
        step: of the plan.
        kind: the strategy, or part of one, that made it.
        source: of all its pairs.
        language: of all its texts where the batch was drawn from the pairs of one language; None otherwise.
        n_pairs: pairs in the batch.
        queries, passages: the texts.
        rewrite: where texts change on their way into the batch; None: they are those of the rows.
    """

    step: int
    kind: str
    source: str
    language: str | None
    n_pairs: int
    queries: Side
    passages: Side
    rewrite: Rewrite | None = None

    def __len__(self) -> int:
        return self.n_pairs

    @property
    def query_rows(self) -> IntArray:
        return self.queries.rows

    @property
    def passage_rows(self) -> IntArray:
        return self.passages.rows

    def texts(self, column: Column, given: Sequence[str], numbers: IntArray | None = None) -> list[str]:
        """The texts that are trained on.

        Args:
            given: texts of the rows of a side, or of negatives.
            numbers: of negatives, int64: theirs in the pool that they are drawn from.
        """
        if self.rewrite is None:
            return list(given)
        if numbers is not None:
            return self.rewrite.texts(column, numbers, given, None)
        side = self.queries if column == "query" else self.passages
        return self.rewrite.texts(column, side.rows, given, side.targets)

    @property
    def is_aligned(self) -> bool:
        """Whether every pair has one query and one passage, so that position i of both sides is one pair."""
        return len(self.queries.rows) == self.n_pairs == len(self.passages.rows)

    def part(self, rank: int, world: int) -> Batch:
        """The slice of this global batch that process `rank` of `world` trains on; the slices tile the batch.

        Places stay those of the global batch.

        Raises:
            ValueError: the number of pairs is not a multiple of `world`.
        """
        if len(self) % world:
            raise ValueError(f"batch of {len(self)} pairs cannot be split evenly over {world} processes")
        share = len(self) // world
        return self.between(rank * share, (rank + 1) * share)

    def between(self, first: int, end: int) -> Batch:
        """The pairs whose places lie in [first, end), which keep them."""
        queries, passages = (side.between(first, end) for side in (self.queries, self.passages))
        return replace(self, n_pairs=end - first, queries=queries, passages=passages)


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
        judged: int64, ascending: pooled numbers of every document that somebody judged, relevant or not. A sample of the corpus
            keeps them all: the passages judged not relevant are the hard ones.
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
    judged: IntArray
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
    for lang, texts in side.items():
        for key, text in zip(texts.ids, texts.texts):
            yield lang, key, text
