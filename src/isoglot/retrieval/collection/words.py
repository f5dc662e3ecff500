"""Chunks by their words: BM25 over all languages, for searches that combine both; made when it is first asked for."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from isoglot.disk import UnwritableError
from isoglot.errors import InputError, warn
from isoglot.files import atomic_directory, read_json, write_json
from isoglot.one_writer import locked, tidy
from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.bm25 import BM25, weights_of
from isoglot.retrieval.collection.chunking import encoded, front
from isoglot.retrieval.collection.documents import Documents
from isoglot.retrieval.terms import terms

_ARRAYS = ("data", "indices", "indptr", "keys")


class _Weights(NamedTuple):
    vocabulary: dict[str, int]
    matrix: csr_matrix  # terms x chunks, float32
    keys: IntArray  # of the chunks


class Words:
    """BM25 of a collection's chunks.

    Args:
        directory: of the collection; the weights are kept there. Where it cannot be written they are made for this process alone.
        documents: at one moment, where others may change them meanwhile.
    """

    def __init__(self, directory: Path, documents: Documents) -> None:
        folder, self.generation = directory / "words", documents.generation()
        made = _read(folder, self.generation)
        try:
            if made is not None:
                tidy(folder, beside=True)
            else:
                with locked(folder, beside=True, waiting=""):  # two models of a server, or two processes
                    made = _read(folder, self.generation)
                    if made is None:
                        made = _make(documents)
                        _write(folder, made, self.generation)
        except UnwritableError as error:
            warn(f"{error}; every process that searches by words reads all texts first")
        self._vocabulary, self._weights, self.keys = made or _make(documents)

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


def _read(folder: Path, generation: int) -> _Weights | None:
    """What is kept; None where that is nothing, damaged, or belongs to other documents."""

    def is_current() -> bool:
        about = folder / "about.json"
        return about.is_file() and read_json(about)["generation"] == generation

    with suppress(InputError, OSError, EOFError, KeyError, TypeError, ValueError):
        if is_current():
            vocabulary: dict[str, int] = read_json(folder / "terms.json")
            arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in _ARRAYS}
            keys: IntArray = arrays.pop("keys")
            matrix = csr_matrix(tuple(arrays.values()), shape=(len(vocabulary), len(keys)))
            if is_current():  # it may have been replaced while it was read
                return _Weights(vocabulary, matrix, keys)
    return None


def _make(documents: Documents) -> _Weights:
    keys, texts = [], []
    for key, _, title, text, _ in documents.texts():
        keys.append(key)
        texts.append(terms(encoded(front(title), text)))
    ranker = BM25()
    return _Weights(*weights_of(texts, ranker.k1, ranker.b), np.array(keys, dtype=np.int64))


def _write(folder: Path, made: _Weights, generation: int) -> None:
    with atomic_directory(folder) as temporary:
        arrays = {name: getattr(made.matrix, name) for name in _ARRAYS[:-1]}
        for name, array in {**arrays, "keys": made.keys}.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        write_json(temporary / "terms.json", made.vocabulary)
        write_json(temporary / "about.json", {"generation": generation, "ranker": str(BM25())})
