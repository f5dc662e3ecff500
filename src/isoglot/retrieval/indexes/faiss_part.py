"""The documents of one language in one faiss index, searched in whichever way keeps the recall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from isoglot.records import BoolArray, Float32Array, IntArray
from isoglot.retrieval.columns import Columns
from isoglot.retrieval.index_input import Addition, Condition
from isoglot.retrieval.indexes.approximate import Approximate
from isoglot.retrieval.scoring import float32_error, lengths, longest_of, margins
from isoglot.retrieval.search import Value

Kind = Literal["flat", "hnsw", "ivf"]
Candidates = list[tuple[IntArray, Float32Array]]
"""Per query: rows and products, both of shape (m,)."""

_DEAD = 0.2
"""The structure is built anew when more than this share of it was deleted."""
_SPARE = 16
"""Candidates beyond k: where products are nearly equal, the exact scores decide."""


@dataclass(frozen=True)
class Documents:
    """The rows of a part, dead ones included: n ids, n mappings, shape (n,)."""

    ids: list[str]
    metadata: list[dict[str, Value]]
    alive: BoolArray


class Part:
    """Documents in rows; vectors are taken up by the faiss index when it is next needed (`build`).

    A search that all documents pass reads the structure. With filters, up to `scan` documents are scored one by one: a graph
    whose neighbours are mostly filtered away leads nowhere, least of all where what passes lies far from the query. Where more
    pass, the structure is read as much deeper as fewer pass; queries that then find fewer than k are scored one by one.
    """

    def __init__(self, faiss: Any, kind: Kind, settings: Approximate, width: int, exact_below: int, scan: int) -> None:
        self._faiss, self._kind, self._settings, self._width = faiss, kind, settings, width
        self._exact_below, self._scan_at_most = exact_below, scan
        self.ids: list[str] = []
        self.rows: dict[str, int] = {}
        self.columns = Columns()
        self.alive: BoolArray = np.empty(0, dtype=bool)
        self.longest = 0.0
        self._pending: list[Float32Array] = []
        self.index = faiss.IndexFlatIP(width)
        self.made: Kind = "flat"
        self.fitted = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows (dead ones included) and width of the vectors."""
        return len(self.ids), self._width

    def __getitem__(self, rows: IntArray, /) -> Float32Array:
        """The vectors of rows that `build` has taken up, float32, shape (m, d)."""
        vectors: Float32Array = self.index.reconstruct_batch(np.ascontiguousarray(rows, dtype=np.int64))
        return vectors

    def add(self, fresh: Addition) -> None:
        """Append documents; their vectors are copied."""
        if not fresh.ids:
            return
        self.rows.update(zip(fresh.ids, range(len(self.ids), len(self.ids) + len(fresh.ids))))
        self.ids += fresh.ids
        self.columns.add(fresh.metadata)
        self.alive = np.concatenate([self.alive, np.ones(len(fresh.ids), dtype=bool)])
        self.longest = max(self.longest, _longest(fresh.vectors))
        self._pending.append(fresh.vectors.copy())

    def delete(self, ids: Sequence[str]) -> None:
        """Mark documents as gone; all of the ids are here."""
        self.alive[[self.rows.pop(key) for key in ids]] = False

    def build(self) -> None:
        """Take up what was added, and build the structure (anew) where it is missing, half empty or outgrown."""
        wanted: Kind = self._kind if len(self.rows) >= max(self._exact_below, 1) else "flat"
        has_outgrown = self.made == "ivf" and len(self.rows) > 2 * self.fitted
        is_missing = self.made == "flat" and wanted != "flat"
        if is_missing or has_outgrown or len(self.rows) < (1 - _DEAD) * len(self.ids):
            self._rebuild(wanted)
        for vectors in self._pending:
            self.index.add(vectors)
        self._pending = []

    def _rebuild(self, kind: Kind) -> None:
        """Everything anew, without the dead rows; the vectors are in memory twice meanwhile."""
        blocks = [self[np.flatnonzero(self.alive[: self.index.ntotal])]] if self.index.ntotal else []
        start = self.index.ntotal
        for vectors in self._pending:
            blocks.append(vectors[self.alive[start : start + len(vectors)]])
            start += len(vectors)
        left = np.flatnonzero(self.alive).tolist()
        self.ids = [self.ids[row] for row in left]
        self.rows = {key: row for row, key in enumerate(self.ids)}
        self.columns = Columns(self.columns.rows[row] for row in left)
        self.alive = np.ones(len(left), dtype=bool)
        self.index, self.made, self._pending = self._empty(kind, blocks), kind, blocks

    def _empty(self, kind: Kind, blocks: list[Float32Array]) -> Any:
        """An index without documents, its clusters fitted to those of the blocks."""
        faiss, settings = self._faiss, self._settings
        if kind == "flat":
            return faiss.IndexFlatIP(self._width)
        if kind == "hnsw":
            graph = faiss.IndexHNSWFlat(self._width, settings.m, faiss.METRIC_INNER_PRODUCT)
            graph.hnsw.efConstruction = settings.ef_construction
            return graph
        n = sum(map(len, blocks))
        clusters = settings.clusters(n)
        lists = faiss.IndexIVFFlat(faiss.IndexFlatIP(self._width), self._width, clusters, faiss.METRIC_INNER_PRODUCT)
        chosen = np.sort(np.random.default_rng(0).permutation(n)[: settings.sample(clusters)])
        edges = np.cumsum([0, *map(len, blocks)])
        lists.train(
            np.concatenate([b[chosen[(chosen >= s) & (chosen < s + len(b))] - s] for b, s in zip(blocks, edges)])
        )
        lists.make_direct_map()
        self.fitted = n
        return lists

    def restore(self, index: Any, made: Kind, fitted: int, longest: float, documents: Documents) -> None:
        """Take what a file holds, into a part that is empty."""
        self.index, self.made, self.fitted, self.longest = index, made, fitted, longest
        self.ids, self.alive = documents.ids, documents.alive
        self.rows = {key: row for row, key in enumerate(self.ids) if self.alive[row]}
        self.columns = Columns(documents.metadata)

    def search(self, queries: Float32Array, k: int, conditions: Sequence[Condition]) -> Candidates:
        """Candidates of every query, in any order: the k best among what passes, with what is too near to tell."""
        self.build()
        chosen = self.columns.passes(conditions) & self.alive if conditions else self.alive
        eligible = int(np.count_nonzero(chosen))
        if not eligible:
            return [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)) for _ in queries]
        k = min(k, eligible)
        if self.made == "flat" or (eligible < len(self.rows) and eligible <= self._scan_at_most):
            return self._scan(queries, k, chosen, eligible)
        share = eligible / len(self.ids)
        products, rows = self.index.search(queries, k, params=self._parameters(chosen, share, k))
        found: Candidates = list(zip(rows, products))
        short = np.flatnonzero((rows < 0).any(axis=1))
        if len(short):
            for number, candidates in zip(short.tolist(), self._scan(queries[short], k, chosen, eligible)):
                found[number] = candidates
        return found

    def _parameters(self, chosen: BoolArray, share: float, k: int) -> Any:
        """Of a search in the structure, where a share of the rows passes."""
        faiss, settings = self._faiss, self._settings
        given = {} if share == 1 else {"sel": _selector(faiss, chosen)}
        if self.made == "hnsw":
            return faiss.SearchParametersHNSW(efSearch=int(max(settings.ef_search, k) / share), **given)
        clusters = self.index.nlist
        return faiss.SearchParametersIVF(nprobe=min(clusters, int(settings.probes(clusters) / share)), **given)

    def _scan(self, queries: Float32Array, k: int, chosen: BoolArray, eligible: int) -> Candidates:
        """Score all rows that are chosen; beyond the k best, whatever is too near to them to tell."""
        faiss = self._faiss
        given = {} if eligible == len(self.ids) else {"sel": _selector(faiss, chosen)}
        if self.made == "ivf":
            index, parameters = self.index, faiss.SearchParametersIVF(nprobe=self.index.nlist, **given)
        else:
            index = self.index if self.made == "flat" else faiss.downcast_index(self.index.storage)
            parameters = faiss.SearchParameters(**given)
        margin = margins(lengths(queries), self.longest, self._width, float32_error(self._width))
        reach = min(eligible, k + _SPARE)
        while True:
            products, rows = index.search(queries, reach, params=parameters)
            near = products[:, -1] >= products[:, k - 1] - 2 * margin
            if reach == eligible or not near.any():
                return list(zip(rows, products))
            reach = min(eligible, 2 * reach)


def _selector(faiss: Any, chosen: BoolArray) -> Any:
    return faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))


def _longest(vectors: Float32Array) -> float:
    squares = np.einsum("ij,ij->i", vectors, vectors)
    return longest_of(float(squares.max(initial=0.0)), vectors.shape[1])
