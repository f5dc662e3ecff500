"""Cells: which queries are asked of which corpora in the mono-, cross- and multilingual setting.

mono: language X against the corpus of X. cross: X against Y, X != Y, each ordered pair a cell. multi: X against the
pooled corpora of all languages, every answer in every language relevant. A query counts in a cell only where it has a
relevant document there; a cell without such a query does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoglot.errors import InputError, unknown
from isoglot.evaluation.measures import RankedQueries
from isoglot.records import SETTINGS, Benchmark, IntArray, Setting
from isoglot.retrieval.ranks import Ranks

POOLED = "*"
"""The document language of a row in the multilingual setting."""


@dataclass(frozen=True)
class QueryRows:
    """One row per query and cell of a setting, by query and then by document language.

    Attributes:
        setting: of all rows.
        query: pooled query numbers, int64, shape (n,).
        query_language, document_language: numbers into the benchmark's `query_languages` and `corpus_languages`, int64,
            shape (n,); the document language is -1 in the multilingual setting.
        n_languages: in how many languages there are relevant documents, int64, shape (n,).
        ranked: the relevant documents of each row.
    """

    setting: Setting
    query: IntArray
    query_language: IntArray
    document_language: IntArray
    n_languages: IntArray
    ranked: RankedQueries

    def __len__(self) -> int:
        return len(self.query)


def parse_settings(names: Sequence[str]) -> tuple[Setting, ...]:
    """Settings by name, each once, in the order mono, cross, multi.

    Raises:
        InputError: an unknown setting, or none.
    """
    for name in names:
        if name not in SETTINGS:
            raise unknown("setting", name, SETTINGS)
    if not names:
        raise InputError(f"no setting given; expected some of {', '.join(SETTINGS)}")
    return tuple(setting for setting in SETTINGS if setting in names)


def judged_languages(benchmark: Benchmark) -> tuple[IntArray, IntArray]:
    """Query and document language of every judged document: numbers into the benchmark's languages, int64, (n_judged,)."""
    query = np.repeat(np.arange(benchmark.n_queries), np.diff(benchmark.indptr))
    query_language = np.searchsorted(benchmark.query_offsets(), query, side="right") - 1
    document_language = np.searchsorted(benchmark.document_offsets(), benchmark.relevant, side="right") - 1
    return query_language, document_language


def language_pairs(benchmark: Benchmark, setting: Setting) -> list[tuple[str, str]]:
    """(query language, document language or "*") of the cells that have a query, in the order of the languages."""
    numbers = np.unique(np.stack(judged_languages(benchmark)), axis=1).T.tolist()
    pairs = [(benchmark.query_languages[query], benchmark.corpus_languages[document]) for query, document in numbers]
    if setting == "multi":
        return list(dict.fromkeys((query, POOLED) for query, _ in pairs))
    return [pair for pair in pairs if (pair[0] == pair[1]) == (setting == "mono")]


def make_rows(setting: Setting, benchmark: Benchmark, ranks: Ranks) -> QueryRows:
    """The rows of one setting from the ranks of all judged documents; there may be none."""
    counts = np.diff(benchmark.indptr)
    query = np.repeat(np.arange(len(counts)), counts)
    query_language, document_language = judged_languages(benchmark)
    if setting == "multi":
        answered = np.unique(np.stack([query, document_language]), axis=1)[0]
        n_languages = np.bincount(answered, minlength=len(counts))
        order, rank = np.arange(len(query)), ranks.pooled
        document_language = np.full(len(query), -1, dtype=np.int64)
    else:
        codes = {lang: number for number, lang in enumerate(benchmark.corpus_languages)}
        own_language = np.array([codes.get(lang, -2) for lang in benchmark.query_languages])[query_language]
        n_languages = np.ones(len(counts), dtype=np.int64)
        order, rank = np.flatnonzero((own_language == document_language) == (setting == "mono")), ranks.own
    order = order[np.lexsort((rank[order], document_language[order], query[order]))]
    key = np.stack([query[order], document_language[order]])
    starts = np.flatnonzero(np.diff(key, axis=1, prepend=-2).any(axis=0))
    first = order[starts]
    return QueryRows(
        setting,
        query[first],
        query_language[first],
        document_language[first],
        n_languages[query[first]],
        RankedQueries(np.append(starts, len(order)).astype(np.int64), rank[order], benchmark.gains[order]),
    )
