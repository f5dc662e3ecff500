"""Settings that every index with an approximate structure has: a graph (HNSW) or clusters (IVF)."""

from __future__ import annotations

import math

from pydantic import Field

from isoglot.retrieval.indexes import Index

_TRAIN = 64
"""Vectors per cluster that clusters are fitted to: more bring little (faiss asks for 39 at least)."""


class Approximate(Index):
    """Sizes of the structures and how much of them a search reads."""

    m: int = Field(32, ge=4, le=64, description="hnsw: neighbours of a document in the graph")
    ef_construction: int = Field(128, ge=8, le=4096, description="hnsw: candidates while the graph is built")
    ef_search: int = Field(
        128, ge=1, le=4096, description="hnsw: candidates of a search; more find more and take longer"
    )
    nlist: int | None = Field(
        None, ge=1, le=65536, description="ivf: clusters; None: 4 times the root of the documents"
    )
    nprobe: int | None = Field(
        None, ge=1, description="ivf: clusters that a search reads; None: one in three, 24 at least"
    )

    def clusters(self, documents: int) -> int:
        """How many clusters so many documents have; not more than there are vectors to fit them to."""
        return max(1, min(self.nlist or int(4 * math.sqrt(documents)), documents // 39, 65536))

    def probes(self, clusters: int) -> int:
        """How many of them a search reads."""
        return min(clusters, self.nprobe or max(24, clusters // 3))

    @staticmethod
    def sample(clusters: int) -> int:
        """How many vectors clusters are fitted to."""
        return _TRAIN * clusters
