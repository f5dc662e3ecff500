"""Chunks by their words: BM25 over all languages, for searches that combine both; made when it is first asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from isoglot.files import atomic_directory, read_json, write_json
from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.bm25 import BM25, weights_of
from isoglot.retrieval.collection.chunking import encoded, front
from isoglot.retrieval.collection.documents import Documents
from isoglot.retrieval.terms import terms

_ARRAYS = ("data", "indices", "indptr", "keys")


class Words:
    """BM25 of a collection's chunks.

    Args:
        directory: of the collection; the weights are kept there.
    """

    def __init__(self, directory: Path, documents: Documents) -> None:
        folder, generation = directory / "words", documents.generation()
        self.generation = generation
        if not (folder / "about.json").is_file() or read_json(folder / "about.json")["generation"] != generation:
            _make(folder, documents, generation)
        self._vocabulary: dict[str, int] = read_json(folder / "terms.json")
        arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in _ARRAYS}
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


def _make(folder: Path, documents: Documents, generation: int) -> None:
    keys, texts = [], []
    for key, _, title, text, _ in documents.texts():
        keys.append(key)
        texts.append(terms(encoded(front(title), text)))
    ranker = BM25()
    vocabulary, weights = weights_of(texts, ranker.k1, ranker.b)
    about: dict[str, Any] = {"generation": generation, "ranker": str(ranker)}
    with atomic_directory(folder) as temporary:
        arrays = {"data": weights.data, "indices": weights.indices, "indptr": weights.indptr}
        for name, array in {**arrays, "keys": np.array(keys, dtype=np.int64)}.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        write_json(temporary / "terms.json", vocabulary)
        write_json(temporary / "about.json", about)
