"""Rankings of a collection for many questions at once, as a search mixes them, with some documents left out.

What is left out never enters the ranking: languages are mixed as if the index did not hold it. Search is exact, over the stored
vectors; languages are mixed by the very code of a search (`isoglot.retrieval.fair`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isoglot.errors import InputError
from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.collection import Collection
from isoglot.retrieval.fair import Fair
from isoglot.retrieval.ties import tie_positions
from isoglot.retrieval.topk import top_k

BEYOND = 1 << 30
"""The rank of what is not among the best that were looked at."""


@dataclass(frozen=True)
class Pool:
    """All chunks of a collection, language by language, with the vectors of one model.

    Attributes:
        languages: L of them, by name.
        offsets: places where they begin, and the end, int64, shape (L + 1,).
        keys: of the chunks, int64, shape (n,).
        documents: keys of their documents, int64, shape (n,).
        vectors: float16, shape (n, d).
        ties: place of every chunk in the order that breaks ties, int64, shape (n,).
    """

    languages: tuple[str, ...]
    offsets: IntArray
    keys: IntArray
    documents: IntArray
    vectors: npt.NDArray[np.float16]
    ties: IntArray

    @classmethod
    def of(cls, collection: Collection, model: str) -> Pool:
        """Read it. InputError: chunks without a vector, or a writer changed the collection meanwhile."""
        try:
            keys, vectors = collection.vectors(model)
        except KeyError as error:
            raise InputError(f"{collection.path}: {error.args[0]} of '{model}'; run isoglot index again") from None
        labels = [*collection.documents.labels()]
        if [label.key for label in labels] != keys.tolist():
            raise changed(collection)
        names = tuple(sorted({label.lang for label in labels}))
        number = {lang: place for place, lang in enumerate(names)}
        language = np.array([number[label.lang] for label in labels], dtype=np.int64)
        order = np.argsort(language, kind="stable")
        documents = np.array([label.document for label in labels], dtype=np.int64)
        offsets = np.searchsorted(language[order], np.arange(len(names) + 1))
        ties = tie_positions([str(key) for key in keys[order].tolist()])
        return cls(names, offsets, keys[order], documents[order], vectors[order], ties)

    @property
    def sizes(self) -> dict[str, int]:
        """Chunks by language."""
        return dict(zip(self.languages, np.diff(self.offsets).tolist()))

    def places(self, keys: Sequence[int]) -> IntArray:
        """Places of chunks that are there, by their keys."""
        order = np.argsort(self.keys)
        found: IntArray = order[np.searchsorted(self.keys, keys, sorter=order)]
        return found

    def document_languages(self) -> tuple[IntArray, IntArray]:
        """Keys of all documents, ascending, and numbers of their languages."""
        documents, first = np.unique(self.documents, return_index=True)
        return documents, np.searchsorted(self.offsets, first, side="right") - 1


def changed(collection: Collection) -> InputError:
    """What is raised where a writer came between."""
    return InputError(f"{collection.path}: was changed while it was read; run this again")


@dataclass(frozen=True)
class Head:
    """The best chunks for one question, any order.

    Attributes:
        places: in the pool, int64, shape (n,).
        scores: float32, shape (n,).
        language: numbers into the pool's languages, int64, shape (n,).
    """

    places: IntArray
    scores: Float32Array
    language: IntArray

    def with_target(self, places: IntArray, scores: Float32Array, language: int) -> Head:
        """And the chunks of one document more, at the end."""
        return Head(
            np.concatenate([self.places, places]),
            np.concatenate([self.scores, scores]),
            np.concatenate([self.language, np.full(len(places), language)]),
        )

    def of_language(self, language: int) -> Head:
        """The chunks of one language."""
        own = self.language == language
        return Head(self.places[own], self.scores[own], self.language[own])


def heads(pool: Pool, queries: Float32Array, left_out: Callable[[int], IntArray], k: int) -> list[Head]:
    """For every query the chunks of the k best documents of each language (fewer where there are no more).

    Among them are the k best documents over all languages, however these are mixed: a fusion keeps the order within a language.

    Args:
        queries: float32, shape (n, d).
        left_out: keys of the documents that do not count for a query, by its number.
    """
    found: list[list[tuple[IntArray, Float32Array]]] = [[] for _ in range(len(queries))]
    for first, end in zip(pool.offsets[:-1].tolist(), pool.offsets[1:].tolist()):
        left, n = np.arange(len(queries)), 4 * k
        while len(left):
            n = min(n, end - first)
            places, scores = top_k(queries[left], pool.vectors, n, pool.ties, within=(first, end))
            again = []
            for query, own, values in zip(left.tolist(), places, scores):
                kept = ~np.isin(pool.documents[own], left_out(query))
                cut = _end(pool.documents[own[kept]], k)
                if cut is None and n < end - first:
                    again.append(query)
                else:
                    found[query].append((own[kept][:cut], values[kept][:cut]))
            left, n = np.array(again, dtype=np.int64), 4 * n
    return [_head(own) for own in found]


def _end(documents: IntArray, k: int) -> int | None:
    """Where the k-th different document is complete; None where there are fewer."""
    first = np.sort(np.unique(documents, return_index=True)[1])
    return int(first[k - 1]) + 1 if len(first) >= k else None


def _head(lists: Sequence[tuple[IntArray, Float32Array]]) -> Head:
    language = np.repeat(np.arange(len(lists)), [len(places) for places, _ in lists])
    return Head(np.concatenate([p for p, _ in lists]), np.concatenate([s for _, s in lists]), language)


def mixed(pool: Pool, head: Head, fair: Fair, asked: str | None) -> IntArray:
    """Places of a head's chunks in the order of a search, int64.

    Args:
        fair: how languages are mixed.
        asked: language of the question, None where it is not known.
    """
    order = fair.order(head.scores, head.language, pool.ties[head.places], pool.languages, asked)
    return head.places[order]


def best_documents(pool: Pool, ordered: IntArray, k: int) -> IntArray:
    """Places of the best chunks of the k best documents, best first."""
    first = np.sort(np.unique(pool.documents[ordered], return_index=True)[1])
    return ordered[first[:k]]


def rank_of(pool: Pool, ordered: IntArray, document: int, k: int) -> int:
    """The rank of a document, 1 = best; `BEYOND` below rank k."""
    documents = pool.documents[ordered]
    before = documents[: int(np.argmax(documents == document))]
    rank = 1 + len(np.unique(before))
    return rank if rank <= k else BEYOND
