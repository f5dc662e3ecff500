"""Ranks of the judged documents by any kind of model (vectors, or scores of its own), and the seconds each part takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from isoglot.errors import InputError
from isoglot.processes import in_first
from isoglot.records import Benchmark, Float32Array, IntArray
from isoglot.retrieval.encode import Embeddings, Kind, device_of
from isoglot.retrieval.fair import Fair
from isoglot.retrieval.rankings import Ranker, Search, rank_benchmark, vector_search
from isoglot.retrieval.ranks import Ranks
from isoglot.retrieval.scoring import Vectors
from isoglot.retrieval.ties import pooled_ties


class Clock:
    """Seconds between laps, and since it was made."""

    def __init__(self) -> None:
        self._ends = [("", time.perf_counter())]

    def lap(self, name: str = "") -> None:
        """End a lap and begin the next; one without a name is not kept."""
        self._ends.append((name, time.perf_counter()))

    def seconds(self) -> dict[str, float]:
        """Of every lap, and their "total" since the clock was made."""
        laps = {name: round(end - begin, 3) for (_, begin), (name, end) in zip(self._ends, self._ends[1:]) if name}
        return {**laps, "total": round(time.perf_counter() - self._ends[0][1], 3)}


class Ranking(NamedTuple):
    """Ranks of the judged documents, places of all in the order of ties, vectors (if any), and what finds the best."""

    ranks: Ranks
    ties: IntArray
    vectors: Embeddings | None
    search: Callable[[], Search]


def rank(
    model: Any,
    benchmark: Benchmark,
    clock: Clock,
    encode: Callable[[Kind], Vectors],
    device: str | None,
    fair: Fair | None,
) -> Ranking:
    """Stored vectors of documents stay on disk: chunks of them are read while they are ranked."""
    if isinstance(model, Ranker):
        if fair is not None:
            raise InputError(f"{fair.fusion} mixes languages by the scores of vectors; {model} has none")
        ranks = model.rank(benchmark)
        clock.lap("rank")
        return Ranking(ranks, pooled_ties(benchmark), None, lambda: model.search(benchmark))
    queries: Float32Array = np.asarray(encode("query")[:], dtype=np.float32)
    clock.lap("encode_queries")
    documents = encode("passage")
    clock.lap("encode_corpus")
    for kind, given, count in (("query", queries, benchmark.n_queries), ("passage", documents, benchmark.n_documents)):
        if len(given) != count:
            raise InputError(f"{len(given)} {kind} vectors for the {count} texts of {benchmark.name}")
    ties = pooled_ties(benchmark)
    ranks = in_first(lambda: _exact_ranks(benchmark, queries, documents, ties, device))
    search = vector_search(benchmark, queries, documents, device=device, ties=ties)
    if fair is not None:
        own, search = ranks.own, fair.searching(benchmark, queries, documents, ties, search)
        ranks = in_first(lambda: fair.ranks(benchmark, queries, documents, ties, own))
    clock.lap("rank")
    return Ranking(ranks, ties, Embeddings(queries, documents), lambda: search)


def ranks_on(device: str | None, model: Any) -> str | None:
    """The torch device for the ranking; None for numpy, which compares scores faster on a CPU than torch does."""
    if device is None and device_of(model) == "cuda":
        return str(model.device)
    return None if device == "cpu" else device


def _exact_ranks(
    benchmark: Benchmark, queries: Float32Array, documents: Vectors, ties: IntArray, device: str | None
) -> Ranks:
    try:
        return rank_benchmark(benchmark, queries, documents, ties, device)
    except ValueError as error:  # NaN, vectors too long for float32, widths that differ
        raise InputError(f"these vectors cannot be ranked: {error}") from None
