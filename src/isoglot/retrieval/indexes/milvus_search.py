"""Searches in a Milvus collection: where to search for what the filters let pass, and how deep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isoglot.records import Float32Array
from isoglot.retrieval.index_input import Condition
from isoglot.retrieval.indexes.milvus_collection import MOST_RESULTS, SHARED, MilvusCollection
from isoglot.retrieval.indexes.milvus_rows import (
    BUCKETS,
    bucket_expressions,
    expression,
    partition_of,
    plain_language,
)
from isoglot.retrieval.search import LANGUAGE, Hits
from isoglot.retrieval.ties import tie_positions

_QUERIES, _RESULTS = 1000, 1 << 18
"""Of one message."""
_UNWRITTEN = 1000
"""Rows that may be searched outside of segments of their own: Milvus Lite takes a hundred times longer for these."""
_SPARE = 16
_CANDIDATES = 32_768
"""The most that Milvus takes for a search in a graph."""
_SCORED, _WALKED = 0.06, 0.4
"""Shares of documents behind a filter: up to which a server scores them one by one, and from which a graph is a good way."""


class MilvusSearch:
    """Searches of one collection."""

    def __init__(self, collection: MilvusCollection) -> None:
        self._collection, self._kind = collection, collection.structure.kind
        self._shares: dict[str, float] = {}
        self._shares_of = 0

    def scope(self, filters: Sequence[Condition]) -> dict[str, Any] | None:
        """Partitions and a filter that take what the conditions let pass; None where that is nothing."""
        chosen = [set(one.allowed) for one in filters if one.key == LANGUAGE]
        if not all(one.allowed for one in filters) or (chosen and not set.intersection(*chosen)):
            return None
        if self._collection.is_lite or not chosen:
            return {"filter": expression(filters, is_lite=self._collection.is_lite)}
        partitions = {partition_of(plain_language({LANGUAGE: code})) for code in set.intersection(*chosen)}
        if not self._collection.partitions.issuperset(partitions):
            self._collection.list_partitions()  # another process may have made it
        own = sorted(partitions & self._collection.partitions - {SHARED})
        if len(own) == len(partitions):
            rest = [one for one in filters if one.key != LANGUAGE]
            return {"partition_names": own, "filter": expression(rest, is_lite=False)}
        return {"partition_names": [*own, SHARED], "filter": expression(filters, is_lite=False)}

    def best(self, queries: Float32Array, k: int, scope: dict[str, Any]) -> Hits:
        """The k best for each query."""
        if self._collection.unwritten >= _UNWRITTEN:
            self._collection.flush()
        hits = Hits([], [])
        step = max(1, min(_QUERIES, _RESULTS // k))
        for start in range(0, len(queries), step):
            for found in self._candidates(queries[start : start + step], k, scope):
                keys = [hit["id"] for hit in found]
                scores = np.array([hit["distance"] for hit in found], dtype=np.float32)
                order = np.lexsort((tie_positions(keys), -scores))[:k]
                hits.ids.append([keys[place] for place in order.tolist()])
                hits.scores.append(scores[order])
        return hits

    def _candidates(self, queries: Float32Array, k: int, scope: dict[str, Any]) -> list[list[Any]]:
        if self._kind == "flat":
            return self._find_with_ties(queries, k, scope)
        share = self._share(scope)
        found = self._find(queries, k, self._cut(scope, share), share)
        fewest = min(map(len, found))
        if fewest < k and fewest < self._collection.count(**scope):  # there are more: now whatever it takes
            scopes = _buckets(scope, 1) if self._kind == "hnsw" else [scope]
            found = self._find(queries, k, scopes, 1 / _CANDIDATES)
        return found

    def _share(self, scope: dict[str, Any]) -> float:
        """Which part of the documents of its partitions passes a filter, at most 1."""
        if not scope["filter"]:
            return 1.0
        if self._shares_of != self._collection.changes or len(self._shares) > 1000:
            self._shares, self._shares_of = {}, self._collection.changes
        key = str(scope)
        if key not in self._shares:
            passing, of = (self._collection.count(**{**scope, "filter": some}) for some in (scope["filter"], ""))
            self._shares[key] = max(passing, 1) / max(of, 1)
        return self._shares[key]

    def _cut(self, scope: dict[str, Any], share: float) -> list[dict[str, Any]]:
        """Searches that together are one: in each so few documents pass that the server scores them one by one.

        A graph whose nodes are mostly filtered away falls apart, and Milvus walks it as long as 7% of them are left.
        """
        if self._kind != "hnsw" or not _SCORED < share < _WALKED:
            return [scope]
        return _buckets(scope, max(1, int(_SCORED / share * BUCKETS)))

    def _find(self, queries: Float32Array, k: int, scopes: list[dict[str, Any]], share: float) -> list[list[Any]]:
        """What each query finds in all of the scopes: as much deeper as fewer documents pass."""
        structure = self._collection.structure
        depth = {
            "hnsw": {"ef": int(min(_CANDIDATES, max(structure.candidates, k) / share))},
            "ivf": {"nprobe": int(min(structure.clusters, structure.probes / share))},
            "flat": {},
        }[self._kind]
        found: list[list[Any]] = [[] for _ in queries]
        for scope in scopes:
            answer = self._collection.read(
                "search",
                data=list(queries),
                limit=k,
                search_params={"metric_type": "IP", "params": depth},
                output_fields=["id"],
                **scope,
            )
            for hits, fresh in zip(found, answer):
                hits += fresh
        return found

    def _find_with_ties(self, queries: Float32Array, k: int, scope: dict[str, Any]) -> list[list[Any]]:
        """The k best and all that tie with the last of them."""
        most = 1 << 30 if self._collection.is_lite else MOST_RESULTS
        reach = min(most, k + _SPARE)
        while True:
            found = self._find(queries, reach, [scope], 1.0)
            is_open = any(len(hits) == reach and hits[k - 1]["distance"] == hits[-1]["distance"] for hits in found)
            if reach == most or not is_open:
                return found
            reach = min(most, 2 * reach)


def _buckets(scope: dict[str, Any], several: int) -> list[dict[str, Any]]:
    return [{**scope, "filter": own} for own in bucket_expressions(scope["filter"], several)]
