"""BM25 as a lexical reference: what retrieval reaches on shared words alone, without any model.

Between languages there is little to find (names, numbers, loans): its cross-lingual figures are a floor. In the
multilingual setting it ranks documents in the query's language first almost by construction, so its rank distance is a
ceiling. BM25 after Robertson and Zaragoza (2009), in Lucene's variant, precomputed by bm25s (Lu 2024, arXiv 2407.03618).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from isoglot.errors import InputError
from isoglot.optional import needed
from isoglot.records import Benchmark, Float32Array, IntArray
from isoglot.retrieval.rankings import Scorer, Search, ranks_from_scores, scored_search
from isoglot.retrieval.ranks import Ranks
from isoglot.retrieval.terms import terms


class BM25:
    """A ranker for `evaluate`: `evaluate(BM25(), "xquad-r", model_name="bm25")`.

    Args:
        k1: how soon repetitions of a term stop counting.
        b: how much long documents are held back, 0 to 1.

    Raises:
        InputError: bm25s is not installed.
    """

    def __init__(self, k1: float = 1.5, b: float = 0.75) -> None:
        _bm25s()
        if k1 < 0 or not 0 <= b <= 1:
            raise InputError(f"BM25 takes k1 >= 0 and b between 0 and 1, got k1={k1}, b={b}")
        self.k1, self.b = k1, b

    def __str__(self) -> str:
        return f"bm25 (Lucene, k1={self.k1:g}, b={self.b:g})"

    def scorer(self, benchmark: Benchmark) -> Scorer:
        """Indexes of a benchmark: one per language for mono and cross, one over all languages for multi."""
        return _Scorer(benchmark, self.k1, self.b)

    def rank(self, benchmark: Benchmark) -> Ranks:
        """Exact ranks of all judged documents."""
        return ranks_from_scores(benchmark, self.scorer(benchmark))

    def search(self, benchmark: Benchmark) -> Search:
        """Rankings for `isoglot.evaluation.trec.export_runs`."""
        return scored_search(benchmark, self.scorer(benchmark))


class _Scorer:
    def __init__(self, benchmark: Benchmark, k1: float, b: float) -> None:
        self._queries = [Counter(terms(text)) for _, _, text in benchmark.pooled_queries()]
        self._documents = {lang: [terms(text) for text in texts.texts] for lang, texts in benchmark.corpus.items()}
        self._settings = (k1, b)
        self._indexed: tuple[str | None, dict[str, int], csr_matrix] | None = None

    def scores(self, queries: IntArray, language: str | None) -> Float32Array:
        """A score is a sum over the query's terms, each as often as it occurs."""
        if self._indexed is None or self._indexed[0] != language:  # one index at a time is held
            corpora = self._documents.values() if language is None else [self._documents[language]]
            self._indexed = (language, *weights_of([terms for corpus in corpora for terms in corpus], *self._settings))
        _, vocabulary, weights = self._indexed
        asked = [self._queries[query].items() for query in queries.tolist()]
        known = [[(vocabulary[term], n) for term, n in query if term in vocabulary] for query in asked]
        indptr = np.cumsum([0, *map(len, known)])
        columns, counts = np.array([pair for line in known for pair in line], dtype=np.int64).reshape(-1, 2).T
        matrix = csr_matrix((counts.astype(np.float32), columns, indptr), shape=(len(known), len(vocabulary)))
        dense: Float32Array = np.asarray((matrix @ weights).toarray(), dtype=np.float32)
        return dense


def weights_of(documents: list[list[str]], k1: float, b: float) -> tuple[dict[str, int], csr_matrix]:
    """(numbers of the terms, their weights per document as a sparse matrix, terms x documents)."""
    vocabulary: dict[str, int] = {}
    ids = [[vocabulary.setdefault(term, len(vocabulary)) for term in text] for text in documents]
    shape = (len(vocabulary), len(documents))
    if not vocabulary:
        return vocabulary, csr_matrix(shape, dtype=np.float32)
    index = _bm25s().BM25(k1=k1, b=b, method="lucene")
    weights = index.build_index_from_ids(list(range(len(vocabulary))), ids, show_progress=False)
    # bm25s keeps documents x terms by column, which is terms x documents by row
    return vocabulary, csr_matrix(
        (weights["data"], weights["indices"], weights["indptr"]), shape=shape, dtype=np.float32
    )


def _bm25s() -> Any:
    return needed("bm25s", "BM25 needs bm25s, which is not installed", "bm25")
