"""Questions before and after: for how many the answers rose or fell, and the first five of some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoglot.evaluation.cells import make_rows
from isoglot.evaluation.mapped_vectors import mapped, stored_vectors
from isoglot.evaluation.measures import parse_measure
from isoglot.evaluation.results import model_digest
from isoglot.records import Benchmark, FloatArray, IntArray, Kind
from isoglot.repairing.choice import MEASURE
from isoglot.retrieval.encode import Embeddings
from isoglot.retrieval.rankings import rank_benchmark, vector_search
from isoglot.retrieval.store import EmbeddingStore
from isoglot.retrieval.ties import pooled_ties

TOP = 5
_SHOWN = 3
_EQUAL = 1e-9


@dataclass(frozen=True)
class View:
    """What a model finds in the pooled corpora of a benchmark.

    Attributes:
        ranks: pooled, of every judged document, in the order of `relevant`; int64, shape (n_judged,).
        values: nDCG@10 of every query, shape (n_queries,).
        top: numbers of the first documents of every query, int64, shape (n_queries, <= 5).
    """

    ranks: IntArray
    values: FloatArray
    top: IntArray


def look(model: Any, benchmark: Benchmark, store: EmbeddingStore) -> View:
    """Rank a benchmark by a model whose vectors a store has from its evaluation."""
    vectors = _vectors(model, benchmark, store)
    ties = pooled_ties(benchmark)
    ranks = rank_benchmark(benchmark, vectors.queries, vectors.documents, ties)
    rows = make_rows("multi", benchmark, ranks)
    values = np.zeros(benchmark.n_queries)
    values[rows.query] = parse_measure(MEASURE)(rows.ranked)
    top, _ = vector_search(benchmark, vectors.queries, vectors.documents, ties=ties)(None, TOP)
    return View(ranks.pooled, values, top)


def _vectors(model: Any, benchmark: Benchmark, store: EmbeddingStore) -> Embeddings:
    parts = mapped(model, benchmark)
    digest = str(model_digest(model if parts is None else parts.inner))

    def encode(kind: Kind) -> Any:
        return stored_vectors(model, benchmark, kind, store, digest, parts, progress=False)

    return Embeddings(np.asarray(encode("query")[:], dtype=np.float32), encode("passage"))


def compare_views(
    benchmark: Benchmark, before: View, after: View, wanted: Sequence[str] = (), shown: int = _SHOWN
) -> dict[str, Any]:
    """How a benchmark's questions fare, as plain JSON values.

    Args:
        wanted: `question:answer` languages of the first examples.
        shown: how many examples of what rose; one that fell is added where there is one.

    Returns:
        "questions" {"all", "rose", "fell", "same"} by nDCG@10 over the pooled languages; "answers" {"all", "before", "after"}:
        relevant passages in other languages than the question's, and how many of them are among the first ten; "examples", see
        `_example`, those that rose first; "not_shown": pairs of `wanted` for which no question rose.
    """
    gain = after.values - before.values
    judged = _Judged(benchmark)
    other = judged.query_language != judged.answer_language
    counts = {
        "all": len(gain),
        "rose": int((gain > _EQUAL).sum()),
        "fell": int((gain < -_EQUAL).sum()),
        "same": int((abs(gain) <= _EQUAL).sum()),
    }
    in_ten = [int((view.ranks[other] <= 10).sum()) for view in (before, after)]
    answers = {"all": int(other.sum()), "before": in_ten[0], "after": in_ten[1]}
    chosen, missing = _rising(judged, other, before, after, gain, wanted, shown)
    examples = [_example(judged, row, before, after) for row in chosen]
    if (fallen := _falling(judged, other, before, after, gain)) is not None:
        examples.append(_example(judged, fallen, before, after))
    return {"questions": counts, "answers": answers, "examples": examples, "not_shown": missing}


class _Judged:
    """The judged documents of a benchmark: row by row the query and both languages; and all texts as (language, id, text)."""

    def __init__(self, benchmark: Benchmark) -> None:
        self.query = np.repeat(np.arange(benchmark.n_queries), np.diff(benchmark.indptr))
        names = np.array(benchmark.query_languages), np.array(benchmark.corpus_languages)
        places = benchmark.query_offsets(), benchmark.document_offsets()
        numbers = self.query, benchmark.relevant
        languages = [
            own[np.searchsorted(ends, rows, side="right") - 1] for own, ends, rows in zip(names, places, numbers)
        ]
        self.query_language, self.answer_language = languages
        self.document = benchmark.relevant
        self.queries, self.documents = list(benchmark.pooled_queries()), list(benchmark.pooled_documents())


def _rising(
    judged: _Judged,
    other: Any,
    before: View,
    after: View,
    gain: FloatArray,
    wanted: Sequence[str],
    shown: int,
) -> tuple[list[int], list[str]]:
    """(rows of the judged, pairs of `wanted` without one): answers in another language that rose most, to the first five, one for
    each language of a question.
    """
    step = np.log2(before.ranks) - np.log2(after.ranks)
    score = np.where(other & (gain[judged.query] > _EQUAL) & (after.ranks <= TOP) & (step > 0), step, 0.0)
    chosen, missing = [], []
    for pair in wanted:
        query, answer = pair.split(":")
        own = np.where((judged.query_language == query) & (judged.answer_language == answer), score, 0.0)
        if own.any():
            chosen.append(int(own.argmax()))
        else:
            missing.append(pair)
    used = {str(judged.query_language[row]) for row in chosen}
    while len(chosen) < shown:
        rest = np.where(np.isin(judged.query_language, sorted(used)), 0.0, score)
        if not rest.any():
            break
        chosen.append(int(rest.argmax()))
        used.add(str(judged.query_language[chosen[-1]]))
    return chosen, missing


def _falling(judged: _Judged, other: Any, before: View, after: View, gain: FloatArray) -> int | None:
    """The row of the answer that fell most, of the question that lost most; None: no question lost."""
    worst = int(gain.argmin())
    if gain[worst] >= -_EQUAL:
        return None
    rows = np.flatnonzero(judged.query == worst)
    rows = rows[other[rows]] if other[rows].any() else rows
    return int(rows[(after.ranks[rows] / before.ranks[rows]).argmax()])


def _example(judged: _Judged, row: int, before: View, after: View) -> dict[str, Any]:
    """A question: "language", "text", "english" (the same question, "" where it has none), the "answer" (language, text, ranks
    before and after), nDCG@10 "values" before and after, and the first five, "before" and "after".
    """
    query = int(judged.query[row])
    relevant = set(judged.document[judged.query == query].tolist())
    queries, documents = judged.queries, judged.documents
    language, key, text = queries[query]
    english = next((other for lang, own, other in queries if (lang, own) == ("en", key)), "")

    def first(view: View) -> list[dict[str, Any]]:
        return [
            {"language": documents[n][0], "text": documents[n][2], "right": n in relevant}
            for n in view.top[query].tolist()
        ]

    answer = documents[int(judged.document[row])]
    return {
        "language": language,
        "text": text,
        "english": english if language != "en" else "",
        "answer": {
            "language": answer[0],
            "text": answer[2],
            "before": int(before.ranks[row]),
            "after": int(after.ranks[row]),
        },
        "rose": bool(after.values[query] > before.values[query]),
        "values": [round(float(view.values[query]), 4) for view in (before, after)],
        "before": first(before),
        "after": first(after),
    }
