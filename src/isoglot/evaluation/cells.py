"""Cells: which queries are asked of which corpora in every setting, and averages over them.

mono: language X against the corpus of X. cross: X against Y, X != Y, each ordered pair a cell. multi: X against the
pooled corpora of all languages, every answer in every language relevant. natural: the queries of X whose only relevant
documents are in X, against the pooled corpora; natural-cross: those whose only relevant documents are in one Y != X. A query
counts in a cell only where it has a relevant document there; a cell without such a query does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoglot.data.benchmarks.qrels import judgments_of
from isoglot.errors import InputError, unknown
from isoglot.evaluation.measures import RankedQueries
from isoglot.records import NATURAL, SETTINGS, Benchmark, BoolArray, FloatArray, IntArray, Setting
from isoglot.retrieval.ranks import Ranks

POOLED = "*"
"""The document language of a row in the multilingual setting."""
Scores = dict[str, float]
"""Measure spelling -> value."""


@dataclass(frozen=True)
class QueryRows:
    """One row per query and cell of a setting, by query and then by document language.

    Attributes:
        setting: of all rows.
        query: pooled query numbers, int64, shape (n,).
        names: (query language, document language or "*") per cell, in the order of the languages.
        cell: numbers into `names`, int64, shape (n,).
        n_languages: in how many languages there are relevant documents, int64, shape (n,).
        ranked: the relevant documents of each row.
    """

    setting: Setting
    query: IntArray
    names: list[tuple[str, str]]
    cell: IntArray
    n_languages: IntArray
    ranked: RankedQueries

    def __len__(self) -> int:
        return len(self.query)

    def means(self, values: dict[str, FloatArray]) -> dict[tuple[str, str], Scores]:
        """Cell -> the mean of every measure over its queries, from values of shape (n,)."""
        means = [mean_by(self.cell, column, len(self.names)).tolist() for column in values.values()]
        return {pair: dict(zip(values, scores)) for pair, *scores in zip(self.names, *means)}


def parse_settings(names: Sequence[str], every: Sequence[Setting] = (*SETTINGS, *NATURAL)) -> tuple[Setting, ...]:
    """Settings by name, each once, in the order of `every`.

    Raises:
        InputError: an unknown setting, or none.
    """
    for name in names:
        if name not in every:
            raise unknown("setting", name, every)
    if not names:
        raise InputError(f"no setting given; expected some of {', '.join(every)}")
    return tuple(setting for setting in every if setting in names)


def judged_languages(benchmark: Benchmark) -> tuple[IntArray, IntArray]:
    """Query and document language of every judged document: numbers into the benchmark's languages, int64, (n_judged,)."""
    query = judgments_of(benchmark).queries
    query_language = np.searchsorted(benchmark.query_offsets(), query, side="right") - 1
    return query_language, np.searchsorted(benchmark.document_offsets(), benchmark.relevant, side="right") - 1


def language_pairs(benchmark: Benchmark, setting: Setting) -> list[tuple[str, str]]:
    """(query language, document language or "*") of the cells that have a query, in the order of the languages."""
    numbers = np.unique(np.stack(judged_languages(benchmark)), axis=1).T.tolist()
    pairs = [(benchmark.query_languages[query], benchmark.corpus_languages[document]) for query, document in numbers]
    if setting == "multi":
        return list(dict.fromkeys((query, POOLED) for query, _ in pairs))
    return [pair for pair in pairs if (pair[0] == pair[1]) == (setting == "mono")]


def cell_judgments(benchmark: Benchmark, query_language: str, document_language: str) -> list[tuple[int, int, int]]:
    """(query, document, whole grade) of the judged pairs of a cell, by query; the document language may be "*"."""
    judged = judgments_of(benchmark)
    asked, answered = judged_languages(benchmark)
    inside = asked == benchmark.query_languages.index(query_language)
    if document_language != POOLED:
        inside &= answered == benchmark.corpus_languages.index(document_language)
    columns = (judged.queries, judged.documents, judged.gains.astype(np.int64))
    return list(zip(*(column[inside].tolist() for column in columns)))


def require_whole_grades(benchmark: Benchmark, what: str) -> None:
    """InputError where grades have fractions, which `what` cannot hold."""
    if not np.array_equal(benchmark.gains, np.rint(benchmark.gains)):
        raise InputError(f"{benchmark.name}: {what} judgments are whole numbers, but there are fractional grades")


def make_rows(setting: Setting, benchmark: Benchmark, ranks: Ranks) -> QueryRows:
    """The rows of one setting from the ranks of all judged documents; there may be none."""
    query, (asked, answered) = judgments_of(benchmark).queries, judged_languages(benchmark)
    names = [POOLED, *benchmark.corpus_languages]
    n_languages = np.ones(benchmark.n_queries, dtype=np.int64)
    if setting == "multi" or setting in NATURAL:
        languages = np.unique(query * len(names) + answered) // len(names)
        n_languages = np.bincount(languages, minlength=benchmark.n_queries)
    is_own = np.array(benchmark.query_languages)[asked] == np.array(benchmark.corpus_languages)[answered]
    if setting == "multi":
        chosen, rank, document = np.arange(len(query)), ranks.pooled, np.zeros_like(answered)
    elif setting in NATURAL:
        chosen = np.flatnonzero((n_languages[query] == 1) & (is_own == (setting == "natural")))
        rank, document = ranks.pooled, answered + 1
    else:
        chosen, rank, document = np.flatnonzero(is_own == (setting == "mono")), ranks.own, answered + 1
    row = query * len(names) + document
    order = chosen[np.lexsort((rank[chosen], row[chosen]))]
    starts = np.flatnonzero(np.diff(row[order], prepend=-1))
    first = order[starts]
    numbers, cell = np.unique(asked[first] * len(names) + document[first], return_inverse=True)
    return QueryRows(
        setting,
        query[first],
        [(benchmark.query_languages[number // len(names)], names[number % len(names)]) for number in numbers.tolist()],
        cell,
        n_languages[query[first]],
        RankedQueries(np.append(starts, len(order)).astype(np.int64), rank[order], benchmark.gains[order]),
    )


def mean_by(label: IntArray, values: FloatArray | BoolArray, count: int) -> FloatArray:
    """The mean of values of shape (n,) for every label from 0 to count - 1, shape (count,); NaN where there is none."""
    sizes = np.bincount(label, minlength=count)
    return np.asarray(np.bincount(label, weights=values, minlength=count) / np.where(sizes > 0, sizes, np.nan))


def macro(cells: Iterable[Scores]) -> Scores:
    """The plain mean over cells: every language, or pair of languages, counts the same."""
    each = list(cells)
    return {name: float(np.mean([cell[name] for cell in each])) for name in each[0]}


def micro(values: dict[str, FloatArray]) -> Scores:
    """The plain mean over all (query, cell) rows of a setting: every row counts the same, so large languages count more."""
    return {name: float(np.mean(column)) for name, column in values.items()}


def per_language(setting: str, cells: dict[tuple[str, str], Scores]) -> dict[str, Any]:
    """One setting by language.

    mono, multi and natural: {language: scores}. cross and natural-cross: {"by_query": {language: mean over document languages},
    "by_document": {language: mean over query languages}, "matrix": {query language: {document language: scores}}}.
    """
    if not setting.endswith("cross"):
        return {query: scores for (query, _), scores in cells.items()}
    matrix: dict[str, dict[str, Scores]] = {}
    columns: dict[str, list[Scores]] = {}
    for (query, document), scores in cells.items():
        matrix.setdefault(query, {})[document] = scores
        columns.setdefault(document, []).append(scores)
    return {
        "by_query": {lang: macro(row.values()) for lang, row in matrix.items()},
        "by_document": {lang: macro(column) for lang, column in sorted(columns.items())},
        "matrix": matrix,
    }
