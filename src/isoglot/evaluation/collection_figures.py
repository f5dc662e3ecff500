"""Figures of a collection's bias, from plain arrays: languages of what is found, and success by pair of languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from isoglot.evaluation.bias import recall_gap, share_distance, topk_share
from isoglot.evaluation.measures import RankedQueries, parse_measure
from isoglot.evaluation.significance import Cells, bootstrap_averages, cell_means, percentile_interval
from isoglot.records import BoolArray, FloatArray, IntArray

K = 10
MEASURES = ("Success@1", f"Success@{K}", f"RR@{K}")
MAIN = MEASURES[1]
_RESAMPLES = 2000
_LEVEL = 0.95
_FEW = 10  # questions below which a pair of languages does not stand among the worst: it is mostly chance
_WORST = 10


def mix_figures(
    languages: Sequence[str], query: IntArray, groups: IntArray, top: IntArray, sizes: FloatArray, seed: int = 0
) -> dict[str, Any]:
    """The languages of the best documents of n questions, beside those of the documents.

    Args:
        languages: L of them.
        query: numbers of the questions' languages, shape (n,).
        groups: numbers of the groups of questions that are translations of each other, shape (n,).
        top: numbers of the languages of the k best documents, shape (n, k).
        sizes: documents by language that could be found, of each question, shape (n, L).
        seed: of the resamples.

    Returns:
        "k"; "matrix": shares of the k best by language of the question; "by_language": for each language of questions
        "questions", "own" (its share of the k best), "expected" (its share of the documents), "ratio" (own / expected) with
        its 95% "interval" over groups, "others" (its share where other languages ask), "distance" (total variation distance
        of the mix from that of the documents); "mean": over languages, the ratio being that of the means.
    """
    n = len(languages)
    expected = sizes / sizes.sum(axis=1, keepdims=True)
    share, fair = topk_share(top, np.arange(n), query, n), np.full((n, n), np.nan)
    asked = np.unique(query)
    for lang in asked:
        fair[lang] = expected[query == lang].mean(axis=0)
    distance, (_, others, _) = share_distance(share, fair), recall_gap(share)
    own = (top == query[:, None]).mean(axis=1)
    values = np.stack([own, expected[np.arange(len(query)), query]])
    rows = {
        languages[lang]: {
            **_preference(values[:, query == lang], query[query == lang], groups[query == lang], seed),
            "others": number(others[lang]),
            "distance": number(distance[lang]),
        }
        for lang in asked.tolist()
    }
    mean = {**_preference(values, query, groups, seed), "distance": number(np.mean(distance[asked]))}
    matrix = {
        languages[lang]: {name: number(value) for name, value in zip(languages, share[lang])} for lang in asked.tolist()
    }
    return {"k": top.shape[1], "matrix": matrix, "by_language": rows, "mean": mean}


def _preference(values: FloatArray, query: IntArray, groups: IntArray, seed: int) -> dict[str, Any]:
    """Means over languages of values (own and expected share, shape (2, n)), and their ratio."""
    cells = _cells(query, groups)
    own, expected = (float(np.mean(cell_means(cells, line))) for line in values)
    row: dict[str, Any] = {"questions": len(query), "own": number(own), "expected": number(expected)}
    row |= {"ratio": None, "interval": None}
    if expected > 0:
        row["ratio"] = number(own / expected)
        if cells.n_groups > 1:
            resampled = bootstrap_averages(cells, values, _RESAMPLES, seed)
            row["interval"] = _interval(resampled[:, 0] / resampled[:, 1])
    return row


def success_figures(
    languages: Sequence[str],
    query: IntArray,
    document: IntArray,
    groups: IntArray,
    ranks: Mapping[str, IntArray],
    seed: int = 0,
) -> dict[str, Any]:
    """How often n answers are found.

    Args:
        languages: L of them.
        query, document: numbers of the languages of question and answer, shape (n,).
        groups: numbers of groups of translations, shape (n,).
        ranks: of the answers, "pooled" (all languages) and "alone" (that of the answer), int64, shape (n,) each.
        seed: of the resamples.

    Returns:
        "pairs": {"query", "document", "questions", "pooled": {measure: mean}, "alone": {measure: mean}}; "same" and "other":
        means over the pairs of one language and of two, with the 95% "interval" over groups of the main measure in the pool,
        None where there are none; "by_document_language": {"same", "other", "gap"} of it; "worst": the pairs of two languages
        with the least of it, where some answer is not found.
    """
    n = len(languages)
    values = {where: _values(own) for where, own in ranks.items()}
    pairs, cell = np.unique(query * n + document, return_inverse=True)
    cells = _cells(cell, groups)
    means = {where: {name: cell_means(cells, line) for name, line in own.items()} for where, own in values.items()}
    rows = [
        {
            "query": languages[pair // n],
            "document": languages[pair % n],
            "questions": size,
            **{where: {name: number(line[place]) for name, line in own.items()} for where, own in means.items()},
        }
        for place, (pair, size) in enumerate(zip(pairs.tolist(), cells.sizes.tolist()))
    ]
    matrix = np.full(n * n, np.nan)
    matrix[pairs] = means["pooled"][MAIN]
    gaps = zip(languages, *recall_gap(matrix.reshape(n, n)))
    between = [row for row in rows if row["query"] != row["document"] and row["questions"] >= _FEW]
    between = [row for row in between if row["pooled"][MAIN] < 1]
    return {
        "same": _over(query == document, cell, groups, values, seed),
        "other": _over(query != document, cell, groups, values, seed),
        "by_document_language": {
            lang: {"same": number(same), "other": number(other), "gap": number(gap)}
            for lang, same, other, gap in gaps
            if other == other
        },
        "worst": sorted(between, key=lambda row: [row["pooled"][name] for name in (MAIN, *MEASURES)])[:_WORST],
        "pairs": rows,
    }


def _values(ranks: IntArray) -> dict[str, FloatArray]:
    ranked = RankedQueries(np.arange(len(ranks) + 1), ranks, np.ones(len(ranks)))
    return {name: parse_measure(name)(ranked) for name in MEASURES}


def _over(
    chosen: BoolArray, cell: IntArray, groups: IntArray, values: Mapping[str, Mapping[str, FloatArray]], seed: int
) -> dict[str, Any] | None:
    """Macro-averages over pairs of languages; None where there is none."""
    if not chosen.any():
        return None
    cells = _cells(cell[chosen], groups[chosen])
    means = {
        where: {name: number(np.mean(cell_means(cells, line[chosen]))) for name, line in lines.items()}
        for where, lines in values.items()
    }
    interval = None
    if cells.n_groups > 1:
        interval = _interval(bootstrap_averages(cells, values["pooled"][MAIN][None, chosen], _RESAMPLES, seed)[:, 0])
    return {**means, "interval": interval, "answers": int(chosen.sum()), "pairs": cells.n_cells}


def _cells(cell: IntArray, groups: IntArray) -> Cells:
    group = np.unique(groups, return_inverse=True)[1]
    return Cells(np.unique(cell, return_inverse=True)[1], group, group)


def _interval(distribution: FloatArray) -> list[float | None]:
    return [number(end) for end in percentile_interval(distribution, _LEVEL)]


def number(value: float | np.floating[Any]) -> float | None:
    """To six places; None for what is not there."""
    return None if np.isnan(value) else round(float(value), 6)
