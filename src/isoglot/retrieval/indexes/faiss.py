"""The index `faiss`: a graph (HNSW), clusters (IVF) or plain vectors in memory, kept in a directory where one is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from isoglot.errors import InputError
from isoglot.optional import needed
from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.index_input import Addition, Condition, check_addition, check_k, check_vectors, conditions
from isoglot.retrieval.indexes import INDEXES
from isoglot.retrieval.indexes.approximate import Approximate
from isoglot.retrieval.indexes.faiss_files import Keeper
from isoglot.retrieval.indexes.faiss_part import Part
from isoglot.retrieval.scoring import float32_error, lengths, margins, pair_scores
from isoglot.retrieval.search import LANGUAGE, Filters, Hits, Metadata, Value
from isoglot.retrieval.ties import tie_positions

Language = str | None
_SCAN = 10
"""Filtered searches score at most so many times `exact_below` documents of a language one by one."""


@INDEXES.register
class Faiss(Approximate):
    """Search in memory by faiss, many times faster than `exact` on large collections; may miss a few of the k best."""

    name: ClassVar[str] = "faiss"

    kind: Literal["hnsw", "ivf", "flat"] = Field("hnsw", description="hnsw (a graph), ivf (clusters) or flat (exact)")
    exact_below: int = Field(
        5000, ge=0, description="languages of fewer documents are searched exactly; with filters, ten times as many"
    )
    path: str | None = Field(None, description="directory that it is read from and saved to; in memory only when None")

    def open(self, *, fresh: bool = False, to_write: bool = True) -> FaissIndex:
        return FaissIndex(self, fresh=fresh, to_write=to_write)

    def at(self, directory: Path, name: str) -> Faiss:
        return self.model_copy(update={"path": str(Path(self.path or directory) / f"{name}.faiss")})


class FaissIndex:
    """See `isoglot.retrieval.search.SearchIndex`. Holds 4 d bytes per document, and 8 m more for the graph.

    Every language has a structure of its own: a search in one language is as good as one in all, however far apart the model
    puts languages. Scores, and the order of what is found, are those of `exact`. Nothing is missed by `flat`, in languages of
    fewer than `exact_below` documents, and behind filters on metadata that at most ten times as many of a language pass.
    Structures are built by the first search after documents were added, or by `finish`.
    """

    def __init__(self, settings: Faiss, *, fresh: bool = False, to_write: bool = True) -> None:
        self._faiss = needed("faiss", "the index 'faiss' needs faiss", "faiss")
        self._settings = settings
        self._parts: dict[Language, Part] | None = {}
        self._language: dict[str, Language] = {}
        keeper = Keeper(Path(settings.path), self._faiss, settings) if settings.path else None
        self._keeper = keeper if to_write else None
        for stored in keeper.load(fresh=fresh) if keeper else ():
            part = self._part(stored.language, stored.index.d)
            part.restore(stored.index, stored.made, stored.fitted, stored.longest, stored.documents)
            self._language.update(dict.fromkeys(part.rows, stored.language))

    def add(self, ids: Sequence[str], vectors: Float32Array, metadata: Sequence[Metadata] | None = None) -> None:
        parts = self._open_parts()
        fresh = check_addition(ids, vectors, metadata, self._width(), lambda _: self._language)
        if not fresh.ids:
            return
        if self._keeper:
            self._keeper.begin()
        if not self._language:
            parts.clear()  # of another width, perhaps
        languages = [self._of(about) for about in fresh.metadata]
        numbers: dict[Language, list[int]] = {}
        for number, language in enumerate(languages):
            numbers.setdefault(language, []).append(number)
        for language, rows in numbers.items():
            own = Addition([fresh.ids[i] for i in rows], fresh.vectors[rows], [fresh.metadata[i] for i in rows])
            self._part(language, fresh.vectors.shape[1]).add(own)
        self._language.update(zip(fresh.ids, languages))

    def delete(self, ids: Sequence[str]) -> int:
        parts = self._open_parts()
        gone: dict[Language, list[str]] = {}
        for key in dict.fromkeys(ids):
            if key in self._language:
                gone.setdefault(self._language[key], []).append(key)
        if gone and self._keeper:
            self._keeper.begin()
        for language, keys in gone.items():
            parts[language].delete(keys)
            for key in keys:
                del self._language[key]
        return sum(map(len, gone.values()))

    def search(
        self, queries: Float32Array, k: int, *, languages: Sequence[str] | None = None, where: Filters | None = None
    ) -> Hits:
        parts = self._open_parts()
        check_k(k)
        asked = check_vectors(queries, self._width())
        filters = conditions(languages, where)
        hits = Hits([], [])
        step = max(1, (1 << 20) // (k + 1))  # queries at a time: candidates are held for all of them
        for start in range(0, len(asked), step):
            some = asked[start : start + step]
            found = [(part, part.search(some, k, rest)) for part, rest in _among(parts, filters)]
            for number, query in enumerate(some):
                keys, scores = _best(query[None], k, [(part, *lists[number]) for part, lists in found])
                hits.ids.append(keys)
                hits.scores.append(scores)
        return hits

    def count(self) -> int:
        self._open_parts()
        return len(self._language)

    def ids(self) -> list[str]:
        """Of all documents."""
        self._open_parts()
        return list(self._language)

    def finish(self) -> None:
        parts = self._open_parts()
        for part in parts.values():
            part.build()
        if self._keeper and self._keeper.is_changed:
            self._keeper.save({language: part for language, part in parts.items() if len(part)})

    def close(self) -> None:
        if self._parts is None:
            return
        try:
            if self._keeper and self._keeper.is_changed:
                self.finish()
        finally:
            self._parts, self._language = None, {}
            if self._keeper:
                self._keeper.close()

    def _open_parts(self) -> dict[Language, Part]:
        if self._parts is None:
            raise InputError("the index is closed")
        return self._parts

    def _part(self, language: Language, width: int) -> Part:
        parts, own = self._open_parts(), self._settings
        if language not in parts:
            parts[language] = Part(self._faiss, own.kind, own, width, own.exact_below, _SCAN * own.exact_below)
        return parts[language]

    def _of(self, about: dict[str, Value]) -> Language:
        """Which part a document belongs to; plain vectors need no parts."""
        language = about.get(LANGUAGE)
        return language if isinstance(language, str) and self._settings.kind != "flat" else None

    def _width(self) -> int | None:
        return next(iter(self._open_parts().values())).shape[1] if self._language else None


def _among(parts: dict[Language, Part], filters: list[Condition]) -> list[tuple[Part, list[Condition]]]:
    """The parts in which documents may pass, and what is left to ask of these."""
    chosen = []
    for language, part in parts.items():
        if language is None:
            chosen.append((part, filters))
        elif all(language in one.allowed for one in filters if one.key == LANGUAGE):
            chosen.append((part, [one for one in filters if one.key != LANGUAGE]))
    return chosen


def _best(
    query: Float32Array, k: int, found: list[tuple[Part, IntArray, Float32Array]]
) -> tuple[list[str], Float32Array]:
    """Ids and scores of the k best candidates of one query, shape (1, d): by exact scores, ties as `exact` has them."""
    products = np.concatenate([np.empty(0, dtype=np.float32), *(own for _, _, own in found)])
    floor = -np.inf
    if len(products) > k:
        longest, width = max(part.longest for part, _, _ in found), query.shape[1]
        margin = float(margins(lengths(query), longest, width, float32_error(width))[0])
        floor = float(np.partition(products, -k)[-k]) - 2 * margin
    keys: list[str] = []
    scores = [np.empty(0, dtype=np.float32)]
    for part, rows, own in found:
        near = rows[own >= floor]
        keys += [part.ids[row] for row in near.tolist()]
        scores.append(pair_scores(query, np.zeros(len(near), dtype=np.int64), part, near))
    exact = np.concatenate(scores)
    order = np.lexsort((tie_positions(keys), -exact))[:k]
    return [keys[place] for place in order.tolist()], exact[order]
