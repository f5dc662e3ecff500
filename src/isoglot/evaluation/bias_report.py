"""All measures of language bias of one model on one benchmark, as plain JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isoglot.evaluation.bias import (
    by_language,
    language_bias,
    normalised_worst_rank,
    rank_distance,
    rank_distance_log2,
)
from isoglot.evaluation.bias_ranks import (
    JudgedRanks,
    judged_ranks,
    peer,
    recall_gap,
    recall_matrix,
    target_language_recall,
)
from isoglot.evaluation.bias_topk import relevant_share, share_distance, topk_share
from isoglot.evaluation.cells import make_rows
from isoglot.evaluation.consistency import rank_consistency
from isoglot.evaluation.language_classifier import language_classifier_accuracy
from isoglot.records import Benchmark, FloatArray, IntArray
from isoglot.retrieval.encode import Embeddings
from isoglot.retrieval.ranks import Ranks

CUTOFFS = (10, 20, 100)
TOP_K = 20
"""Places of the ranking that are looked at: room for the answers in all languages, and little else."""

_NO_DISTANCE = "no query has relevant documents in two languages"
_NO_OTHER = "no query has a relevant document in another language"
_NO_PARALLEL = "no query exists in two languages"
_NO_CLASSES = "the texts of two languages cannot be split into translations to train and to test on"
_NO_VECTORS = "the ranker makes no vectors"
_NO_TEST = (
    "PEER tests whether languages have the same mean rank, and no query has two relevant documents in each of two "
    "languages; with one per language it is the same for every ranking"
)


def bias_report(
    benchmark: Benchmark,
    ranks: Ranks,
    vectors: Embeddings | None,
    ties: IntArray,
    top: IntArray | None = None,
    *,
    cutoffs: Sequence[int] = CUTOFFS,
    k: int = TOP_K,
    seed: int = 0,
) -> dict[str, Any]:
    """Every measure of language bias; formulas, ranges and sources are in the functions' docstrings.

    Args:
        benchmark, ranks: what was ranked, and the ranks of its judged documents.
        vectors: in pooled order; without them there is no consistency and no classifier.
        ties: from `tie_positions`, shape (n_documents,).
        top: the best documents per query in the pooled corpus from `top_k`, shape (n_queries, k or more); without it
            there is no `topk_share`.
        cutoffs: of TLR@k.
        k: of the recall gap and of `topk_share`.
        seed: of the sample of documents and of the classifier's split.

    Returns:
        Means over languages of means over queries: rank_distance, rank_distance_median, rank_distance_log2,
        normalised_worst_rank, TLR@k for each cutoff, rank_consistency, PEER, language_classifier_accuracy (of queries);
        the same by query language in per_language;
        recall_gap: {"k", "mean", "by_document_language": {lang: {"same", "other", "gap"}}, "matrix"};
        topk_share: {"k", "distance", "by_query_language", "matrix", "relevant", "corpus"}, the distance being that from
        the shares of the relevant documents; language_classifier: {"queries", "passages", "chance"}.
        A measure that is not defined on this benchmark is {"undefined": why}. Empty with a single corpus language.
    """
    if len(benchmark.corpus) < 2:
        return {}
    judged = judged_ranks(benchmark, ranks)
    found = _Found(judged)
    _distances(found, benchmark, ranks)
    for cutoff in cutoffs:
        found.add(f"TLR@{cutoff}", target_language_recall(judged, cutoff), _NO_OTHER)
    found.report["recall_gap"] = _gap(judged, k)
    if top is not None:
        found.report["topk_share"] = _shares(judged, benchmark, top[:, :k])
    if vectors is None:
        for name in ("rank_consistency", "language_classifier_accuracy", "language_classifier"):
            found.report[name] = {"undefined": _NO_VECTORS}
    else:
        consistency = rank_consistency(vectors.queries, vectors.documents, ties, _parallel(benchmark), seed=seed)
        found.add("rank_consistency", consistency, _NO_PARALLEL)
        _classifiers(found, benchmark, vectors, seed)
    found.add("PEER", peer(judged), _NO_TEST)
    return {**found.report, "per_language": found.per_language}


class _Found:
    """What has been measured so far: figures, and the same by query language."""

    def __init__(self, judged: JudgedRanks) -> None:
        self.report: dict[str, Any] = {}
        self.per_language: dict[str, dict[str, float]] = {}
        self._judged = judged

    def add(self, name: str, values: FloatArray, why_not: str) -> None:
        """Values per query, NaN where there is none."""
        self.put(name, by_language(values, self._judged.query_language, self._judged.languages), why_not)

    def put(self, name: str, values: dict[str, float], why_not: str) -> None:
        """Values per query language, and their mean."""
        for lang, value in values.items():
            self.per_language.setdefault(lang, {})[name] = value
        self.report[name] = float(np.mean(list(values.values()))) if values else {"undefined": why_not}


def _distances(found: _Found, benchmark: Benchmark, ranks: Ranks) -> None:
    """The measures of a query's best and worst rank."""
    rows = make_rows("multi", benchmark, ranks)
    names = benchmark.query_languages
    bias: dict[str, Any] = language_bias(rank_distance(rows.ranked, rows.n_languages), rows.query_language, names)
    for key in ("rank_distance", "rank_distance_median"):
        values = {lang: item[key] for lang, item in bias.get("per_language", {}).items()}
        found.put(key, values, _NO_DISTANCE)
    others = {
        "rank_distance_log2": rank_distance_log2(rows.ranked, rows.n_languages),
        "normalised_worst_rank": normalised_worst_rank(rows.ranked, rows.n_languages, benchmark.n_documents),
    }
    for key, column in others.items():
        found.put(key, by_language(column, rows.query_language, names), _NO_DISTANCE)


def _gap(judged: JudgedRanks, k: int) -> dict[str, Any]:
    matrix = recall_matrix(judged, k)
    columns = recall_gap(matrix)
    by_document = {
        name: {"same": float(same), "other": float(other), "gap": float(gap)}
        for name, same, other, gap in zip(judged.languages, *columns, strict=True)
        if not np.isnan(gap)
    }
    if not by_document:
        return {"undefined": "no document language is asked both in itself and in another language"}
    mean = float(np.mean([item["gap"] for item in by_document.values()]))
    return {"k": k, "mean": mean, "by_document_language": by_document, "matrix": _named(matrix, judged.languages)}


def _shares(judged: JudgedRanks, benchmark: Benchmark, top: IntArray) -> dict[str, Any]:
    code = {lang: i for i, lang in enumerate(judged.languages)}
    sizes = {lang: len(texts) for lang, texts in benchmark.corpus.items()}
    language = np.repeat([code[lang] for lang in sizes], list(sizes.values())).astype(np.int64)
    share = topk_share(top, language, judged.query_language, len(judged.languages))
    relevant = relevant_share(judged)
    distance = {
        lang: float(value)
        for lang, value in zip(judged.languages, share_distance(share, relevant), strict=True)
        if not np.isnan(value)
    }
    return {
        "k": top.shape[1],
        "distance": float(np.mean(list(distance.values()))),
        "by_query_language": distance,
        "matrix": _named(share, judged.languages, sizes),
        "relevant": _named(relevant, judged.languages, sizes),
        "corpus": {lang: size / benchmark.n_documents for lang, size in sizes.items()},
    }


def _classifiers(found: _Found, benchmark: Benchmark, vectors: Embeddings, seed: int) -> None:
    """The language classifier on queries, and on passages that answer one."""
    asked = np.repeat(np.arange(len(benchmark.queries)), np.diff(benchmark.query_offsets()))
    groups = _topics(benchmark)
    on_queries = language_classifier_accuracy(vectors.queries, asked, groups, len(benchmark.queries), seed=seed)
    values = {lang: float(x) for lang, x in zip(benchmark.queries, on_queries, strict=True) if not np.isnan(x)}
    found.put("language_classifier_accuracy", values, _NO_CLASSES)
    written = np.repeat(np.arange(len(benchmark.corpus)), np.diff(benchmark.document_offsets()))
    document_groups = _document_topics(benchmark, groups)
    rows = np.flatnonzero(document_groups >= 0)
    on_passages = language_classifier_accuracy(
        vectors.documents[rows], written[rows], document_groups[rows], len(benchmark.corpus), seed=seed
    )
    passages = {lang: float(x) for lang, x in zip(benchmark.corpus, on_passages, strict=True) if not np.isnan(x)}
    found.report["language_classifier"] = {
        name: {
            "accuracy": float(np.mean(list(side.values()))),
            "chance": 1 / len(side),
            "per_language": side,
        }
        if side
        else {"undefined": _NO_CLASSES}
        for name, side in (("queries", values), ("passages", passages))
    }


def _parallel(benchmark: Benchmark) -> IntArray:
    """A number per parallel question: queries with one id in several languages share it, shape (n_queries,)."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for _, key, _ in benchmark.pooled_queries()], dtype=np.int64)


def _topics(benchmark: Benchmark) -> IntArray:
    """A number per query that translations, and questions over one paragraph, share, shape (n_queries,)."""
    if not benchmark.query_groups:
        return _parallel(benchmark)
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in benchmark.query_groups], dtype=np.int64)


def _document_topics(benchmark: Benchmark, topics: IntArray) -> IntArray:
    """A number per document that answers, shared by all that a chain of topics connects; -1 for others, (n_documents,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_topics = int(topics.max()) + 1
    topic = np.repeat(topics, np.diff(benchmark.indptr))
    size = n_topics + benchmark.n_documents
    edges = coo_array((np.ones(len(topic)), (topic, n_topics + benchmark.relevant)), shape=(size, size))
    numbers = connected_components(edges, directed=False)[1][n_topics:].astype(np.int64)
    answers = np.zeros(benchmark.n_documents, dtype=bool)
    answers[benchmark.relevant] = True
    return np.where(answers, numbers, -1)


def _named(
    matrix: FloatArray, languages: Sequence[str], columns: Sequence[str] | dict[str, int] | None = None
) -> dict[str, dict[str, float]]:
    """{query language: {document language: x}} of what is not NaN, to 6 places; `columns` are kept, all where None."""
    kept = set(languages if columns is None else columns)
    rows = {
        query: {
            doc: round(float(x), 6) for doc, x in zip(languages, row, strict=True) if doc in kept and not np.isnan(x)
        }
        for query, row in zip(languages, matrix, strict=True)
    }
    return {query: row for query, row in rows.items() if row}
