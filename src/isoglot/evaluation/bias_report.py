"""All measures of language bias of one model on one benchmark, as plain JSON values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from isoglot.evaluation import bias
from isoglot.evaluation.bias import JudgedRanks
from isoglot.evaluation.bias_preference import first_result, language_ndcg, language_preference
from isoglot.evaluation.bias_vectors import language_classifier_accuracy, rank_consistency
from isoglot.evaluation.cells import make_rows
from isoglot.records import Benchmark, FloatArray, IntArray
from isoglot.retrieval.encode import Embeddings
from isoglot.retrieval.ranks import Ranks

CUTOFFS = (10, 20, 100)
TOP_K = 20
"""Places of the ranking that are looked at: room for the answers in all languages, and little else."""

_NO_CLASSES = "the texts of two languages cannot be split into translations to train and to test on"
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
            there are no `topk_share` and `first_result`.
        cutoffs: of TLR@k.
        k: of the recall gap and of `topk_share`.
        seed: of the sample of documents and of the classifier's split.

    Returns:
        Means over languages of means over queries: rank_distance, rank_distance_median, rank_distance_log2,
        normalised_worst_rank, TLR@k for each cutoff, language_preference, Lang-nDCG@10, rank_consistency, PEER,
        language_classifier_accuracy (of queries); the same by query language in per_language;
        recall_gap: {"k", "mean", "by_document_language": {lang: {"same", "other", "gap"}}, "matrix"};
        topk_share: {"k", "distance", "by_query_language", "matrix", "relevant", "corpus"}, the distance being that from
        the shares of the relevant documents; first_result: {"right_own", "right_other", "wrong_own", "wrong_other"}, the
        shares of queries whose best document is relevant or not, in the query's language or not;
        language_classifier: {"queries", "passages", "chance"}.
        A measure that is not defined on this benchmark is {"undefined": why}. Empty with a single corpus language.
    """
    if len(benchmark.corpus) < 2:
        return {}
    judged = bias.judged_ranks(benchmark, ranks)
    figures: dict[str, Any] = {}
    per_language: dict[str, dict[str, float]] = {}

    def add(name: str, values: dict[str, float], why_not: str) -> None:
        """Values per query language, and their mean."""
        for lang, value in values.items():
            per_language.setdefault(lang, {})[name] = value
        figures[name] = _mean(values) if values else {"undefined": why_not}

    def by_language(values: FloatArray) -> dict[str, float]:
        return bias.by_language(values, judged.query_language, judged.languages)

    for name, values in _distances(benchmark, ranks).items():
        add(name, values, "no query has relevant documents in two languages")
    for cutoff in cutoffs:
        recall = bias.target_language_recall(judged, cutoff)
        add(f"TLR@{cutoff}", by_language(recall), "no query has a relevant document in another language")
    preference = by_language(language_preference(judged))
    add("language_preference", preference, "no query has relevant documents in its own and in another language")
    add("Lang-nDCG@10", by_language(language_ndcg(judged, 10)), "no query has a relevant document")
    figures["recall_gap"] = _gap(judged, k)
    if top is not None:
        sizes = [len(texts) for texts in benchmark.corpus.values()]
        language = np.repeat([judged.languages.index(lang) for lang in benchmark.corpus], sizes)
        figures["topk_share"] = _shares(judged, benchmark, top[:, :k], language)
        cases = first_result(judged, benchmark, top[:, 0], language)
        figures["first_result"] = {name: _mean(by_language(case)) for name, case in cases.items()}
    if vectors is None:
        of_vectors = ("rank_consistency", "language_classifier_accuracy", "language_classifier")
        figures |= {name: {"undefined": "the ranker makes no vectors"} for name in of_vectors}
    else:
        parallel = _numbered(key for _, key, _ in benchmark.pooled_queries())
        consistency = rank_consistency(vectors.queries, vectors.documents, ties, parallel, seed=seed)
        add("rank_consistency", by_language(consistency), "no query exists in two languages")
        topics = _numbered(benchmark.query_groups) if benchmark.query_groups else parallel
        classified = _classified(benchmark, vectors, topics, seed)
        add("language_classifier_accuracy", classified["queries"].get("per_language", {}), _NO_CLASSES)
        figures["language_classifier"] = classified
    add("PEER", by_language(bias.peer(judged)), _NO_TEST)
    return {**figures, "per_language": per_language}


def _distances(benchmark: Benchmark, ranks: Ranks) -> dict[str, dict[str, float]]:
    """The measures of a query's best and worst rank by query language."""
    rows = make_rows("multi", benchmark, ranks)
    of, cells = (rows.ranked, rows.n_languages), (rows.cell, [query for query, _ in rows.names])
    return {
        "rank_distance": bias.by_language(bias.rank_distance(*of), *cells),
        "rank_distance_median": bias.median_by_language(bias.rank_distance(*of), *cells),
        "rank_distance_log2": bias.by_language(bias.rank_distance_log2(*of), *cells),
        "normalised_worst_rank": bias.by_language(bias.normalised_worst_rank(*of, benchmark.n_documents), *cells),
    }


def _gap(judged: JudgedRanks, k: int) -> dict[str, Any]:
    matrix = bias.recall_matrix(judged, k)
    recalls = [_known(judged.languages, column) for column in bias.recall_gap(matrix)]
    by_document = {
        lang: {"same": recalls[0][lang], "other": recalls[1][lang], "gap": gap} for lang, gap in recalls[2].items()
    }
    if not by_document:
        return {"undefined": "no document language is asked both in itself and in another language"}
    named = _named(matrix, judged.languages, judged.languages)
    return {"k": k, "mean": _mean(recalls[2]), "by_document_language": by_document, "matrix": named}


def _shares(judged: JudgedRanks, benchmark: Benchmark, top: IntArray, language: IntArray) -> dict[str, Any]:
    """`language`: number of every document's, shape (n_documents,)."""
    sizes = {lang: len(texts) for lang, texts in benchmark.corpus.items()}
    share = bias.topk_share(top, language, judged.query_language, len(judged.languages))
    relevant = bias.relevant_share(judged)
    distance = _known(judged.languages, bias.share_distance(share, relevant))
    return {
        "k": top.shape[1],
        "distance": _mean(distance),
        "by_query_language": distance,
        "matrix": _named(share, judged.languages, sizes),
        "relevant": _named(relevant, judged.languages, sizes),
        "corpus": {lang: size / benchmark.n_documents for lang, size in sizes.items()},
    }


def _classified(benchmark: Benchmark, vectors: Embeddings, topics: IntArray, seed: int) -> dict[str, dict[str, Any]]:
    """How well the language classifier reads queries, and passages that answer one: over all, by chance, by language."""
    figures: dict[str, dict[str, Any]] = {}
    for name, texts, rows, groups, embedded in (
        ("queries", benchmark.queries, np.arange(len(topics)), topics, vectors.queries),
        ("passages", benchmark.corpus, *_answer_topics(benchmark, topics), vectors.documents),
    ):
        language = np.repeat(np.arange(len(texts)), list(map(len, texts.values())))[rows]
        accuracy = language_classifier_accuracy(embedded[rows], language, groups, len(texts), seed=seed)
        figures[name] = {"undefined": _NO_CLASSES}
        if by := _known(list(texts), accuracy):
            figures[name] = {"accuracy": _mean(by), "chance": 1 / len(by), "per_language": by}
    return figures


def _mean(values: dict[str, float]) -> float:
    return float(np.mean(list(values.values())))


def _numbered(keys: Iterable[str]) -> IntArray:
    """A number per text, the same for equal ones; int64."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _answer_topics(benchmark: Benchmark, topics: IntArray) -> tuple[IntArray, IntArray]:
    """Numbers of the documents that answer a query, ascending, and for each a number shared by all that topics connect.

    Args:
        topics: a number per query that its translations, and questions over one paragraph, share, shape (n_queries,).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_topics = int(topics.max()) + 1
    topic = np.repeat(topics, np.diff(benchmark.indptr))
    size = n_topics + benchmark.n_documents
    edges = coo_array((np.ones(len(topic)), (topic, n_topics + benchmark.relevant)), shape=(size, size))
    numbers = connected_components(edges, directed=False)[1][n_topics:].astype(np.int64)
    answers = np.unique(benchmark.relevant)
    return answers, numbers[answers]


def _known(languages: Sequence[str], values: FloatArray) -> dict[str, float]:
    """{language: value} of what is not NaN."""
    return {lang: value for lang, value in zip(languages, values.tolist(), strict=True) if value == value}


def _named(matrix: FloatArray, languages: Sequence[str], columns: Collection[str]) -> dict[str, dict[str, float]]:
    """{query language: {document language: x}} of what is not NaN, to 6 places, for the document languages in `columns`."""
    rows = ({lang: round(x, 6) for lang, x in _known(languages, row).items() if lang in columns} for row in matrix)
    return {query: row for query, row in zip(languages, rows) if row}
