"""Chunks by their words: BM25 over all languages, for searches that combine both; made when it is first asked for."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from scipy.sparse import csr_matrix

from isoglot.files import atomic_path
from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.bm25 import BM25, weights_of
from isoglot.retrieval.collection.chunking import encoded, front
from isoglot.retrieval.collection.documents import Documents
from isoglot.retrieval.terms import terms


class Words:
    """BM25 of a collection's chunks.

    Args:
        directory: of the collection; the weights are kept there, in one file: a process that reads it while another one
            replaces it has the older or the newer one, never parts of both.

    Attributes:
        generation: of the collection.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / "words.npz"
        with closing(Documents(directory)) as documents, documents.at_one_moment():
            self.generation = documents.generation()
            arrays = _kept(path, self.generation) or _make(path, documents, self.generation)
        self._vocabulary: dict[str, int] = json.loads(arrays["terms"].tobytes())
        self.keys: IntArray = arrays["keys"]
        shape = (len(self._vocabulary), len(self.keys))
        self._weights = csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)

    def best(self, query: str, k: int, among: IntArray | None) -> tuple[IntArray, Float32Array]:
        """Keys of at most k chunks that share a term with the query, best first, and their scores.

        Args:
            among: keys of the only chunks that count, ascending; None: all.
        """
        asked = Counter(term for term in terms(query) if term in self._vocabulary)
        if not asked:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        rows = [self._vocabulary[term] for term in asked]
        times = np.array(list(asked.values()), dtype=np.float32)
        scores: Float32Array = (csr_matrix(times) @ self._weights[rows]).toarray()[0]
        if among is not None:
            scores = np.where(np.isin(self.keys, among), scores, 0)
        found = np.flatnonzero(scores > 0)
        order = found[np.lexsort((self.keys[found], -scores[found]))][:k]
        return self.keys[order], scores[order].astype(np.float32)


def _kept(path: Path, generation: int) -> dict[str, Any] | None:
    """What was kept; None where that is nothing, damaged, or of another state of the collection."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            return dict(kept) if int(kept["generation"]) == generation else None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _make(path: Path, documents: Documents, generation: int) -> dict[str, Any]:
    keys, texts = [], []
    for key, _, title, text, _ in documents.texts():
        keys.append(key)
        texts.append(terms(encoded(front(title), text)))
    ranker = BM25()
    vocabulary, weights = weights_of(texts, ranker.k1, ranker.b)
    arrays: dict[str, Any] = {
        "generation": np.int64(generation),
        "terms": np.frombuffer(json.dumps(vocabulary).encode(), dtype=np.uint8),
        "keys": np.array(keys, dtype=np.int64),
        "data": weights.data,
        "indices": weights.indices,
        "indptr": weights.indptr,
    }
    with atomic_path(path) as temporary, temporary.open("wb") as sink:
        np.savez(sink, **arrays)
    return arrays
