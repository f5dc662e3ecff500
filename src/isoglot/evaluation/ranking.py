"""From a model to ranks: vectors, from the model or a store, or a ranker's own scores."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoglot.errors import InputError
from isoglot.evaluation.bias_report import TOP_K
from isoglot.processes import in_first
from isoglot.records import Benchmark, Float32Array, IntArray
from isoglot.retrieval.encode import Embeddings, Kind, encode_benchmark, pooled_texts
from isoglot.retrieval.rankings import Ranker, Search, rank_benchmark, vector_search
from isoglot.retrieval.ranks import Ranks
from isoglot.retrieval.scoring import Vectors
from isoglot.retrieval.store import EmbeddingStore, prompt_of
from isoglot.retrieval.ties import pooled_ties


class Clock:
    """Seconds between laps, and since it was made."""

    def __init__(self) -> None:
        self._laps: dict[str, float] = {}
        self._made = self._last = time.perf_counter()

    def lap(self, name: str = "") -> None:
        """End a lap and begin the next; one without a name is not kept."""
        now = time.perf_counter()
        self._laps.update({name: round(now - self._last, 3)} if name else {})
        self._last = now

    def seconds(self) -> dict[str, float]:
        """Of every lap, and their "total" since the clock was made."""
        return {**self._laps, "total": round(time.perf_counter() - self._made, 3)}


@dataclass(frozen=True)
class Ranking:
    """What a model makes of a benchmark.

    Attributes:
        ranks: of all judged documents.
        ties: places of all documents in the order that breaks ties, int64, shape (n_documents,).
        vectors: in pooled order; None for a ranker that makes none.
        search: makes the function that finds the best documents.
    """

    ranks: Ranks
    ties: IntArray
    vectors: Embeddings | None
    search: Callable[[], Search]

    def top(self) -> IntArray:
        """The `TOP_K` best documents of every query in the pooled corpora, int64, shape (n_queries, <= TOP_K)."""
        return in_first(lambda: self.search()(None, TOP_K)[0])


def rank_with(
    model: Any,
    benchmark: Benchmark,
    clock: Clock,
    *,
    batch_size: int | None = None,
    progress: bool = True,
    store: EmbeddingStore | None = None,
    digest: str | None = None,
    device: str | None = None,
) -> Ranking:
    """Rank the judged documents of a benchmark; the arguments are those of `evaluate`.

    Stored vectors of documents stay on disk: chunks of them are read while they are ranked.
    """
    if isinstance(model, Ranker):
        ranks = model.rank(benchmark)
        clock.lap("rank")
        return Ranking(ranks, pooled_ties(benchmark), None, lambda: model.search(benchmark))

    def vectors(kind: Kind) -> Vectors:
        if isinstance(model, Embeddings):
            given, count = (
                (model.queries, benchmark.n_queries) if kind == "query" else (model.documents, benchmark.n_documents)
            )
            if len(given) != count:
                raise InputError(f"{len(given)} {kind} vectors for the {count} texts of {benchmark.name}")
            return given
        if store is None or not digest:
            return encode_benchmark(model, benchmark, kind, batch_size, progress)
        texts, prompt = pooled_texts(benchmark, kind), prompt_of(model, kind)
        return store.encode(model, digest, prompt, texts, kind, batch_size=batch_size, progress=progress)

    queries: Float32Array = np.asarray(vectors("query")[:], dtype=np.float32)
    clock.lap("encode_queries")
    documents = vectors("passage")
    clock.lap("encode_corpus")
    ties = pooled_ties(benchmark)
    ranks = in_first(lambda: rank_benchmark(benchmark, queries, documents, ties, device))
    clock.lap("rank")
    search = vector_search(benchmark, queries, documents, device=device, ties=ties)
    return Ranking(ranks, ties, Embeddings(queries, documents), lambda: search)
