"""Judgments as flat arrays, and the benchmark record that is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isoglot.data.languages import language
from isoglot.errors import InputError
from isoglot.records import Benchmark, BoolArray, FloatArray, IntArray, Texts


@dataclass(frozen=True)
class Judgments:
    """Judged pairs, all arrays of shape (n_judged,): pooled query numbers, pooled document numbers, gains > 0."""

    queries: IntArray
    documents: IntArray
    gains: FloatArray


def make_benchmark(
    name: str,
    queries: Mapping[str, Texts],
    corpus: Mapping[str, Texts],
    judgments: Judgments,
    groups: Sequence[str] = (),
    about: Mapping[str, str] | None = None,
) -> Benchmark:
    """Put the judged pairs in the order that `Benchmark` promises.

    Raises:
        InputError: no pair is judged relevant, so nothing could be measured.
    """
    if not len(judgments.queries):
        raise InputError(f"{name}: no query has a relevant document; expected a judgment with a grade above 0")
    order = np.lexsort((judgments.documents, judgments.queries))
    n_queries = sum(map(len, queries.values()))
    indptr = np.zeros(n_queries + 1, dtype=np.int64)
    np.cumsum(np.bincount(judgments.queries, minlength=n_queries), out=indptr[1:])
    return Benchmark(
        name,
        dict(queries),
        dict(corpus),
        indptr,
        judgments.documents[order].astype(np.int64),
        judgments.gains[order].astype(np.float64),
        list(groups),
        dict(about or {}),
    )


def judgments_of(benchmark: Benchmark) -> Judgments:
    """The judged pairs of a benchmark, by query, then document."""
    counts = np.diff(benchmark.indptr)
    queries = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return Judgments(queries, benchmark.relevant, benchmark.gains)


def restrict(benchmark: Benchmark, languages: Sequence[str] | None) -> Benchmark:
    """The benchmark with the queries and the corpora of some languages only, in the benchmark's own order.

    Raises:
        InputError: a language that the benchmark does not have, or none left with a relevant document.
    """
    if languages is None:
        return benchmark
    known = sorted({*benchmark.queries, *benchmark.corpus})
    wanted = {language(code) for code in languages}
    if missing := sorted(wanted - set(known)):
        raise InputError(f"{benchmark.name} has no language '{missing[0]}'; it has: {', '.join(known)}")
    if not wanted:
        raise InputError(f"{benchmark.name}: no language given; it has: {', '.join(known)}")
    keep_query = _keep(benchmark.queries, wanted)
    keep_document = _keep(benchmark.corpus, wanted)
    old = judgments_of(benchmark)
    keep = keep_query[old.queries] & keep_document[old.documents]
    judgments = Judgments(
        (np.cumsum(keep_query) - 1)[old.queries[keep]],
        (np.cumsum(keep_document) - 1)[old.documents[keep]],
        old.gains[keep],
    )
    groups = [group for group, kept in zip(benchmark.query_groups, keep_query.tolist(), strict=False) if kept]
    queries = {lang: texts for lang, texts in benchmark.queries.items() if lang in wanted}
    corpus = {lang: texts for lang, texts in benchmark.corpus.items() if lang in wanted}
    return make_benchmark(benchmark.name, queries, corpus, judgments, groups, benchmark.about)


def _keep(side: Mapping[str, Texts], wanted: set[str]) -> BoolArray:
    return np.concatenate([np.full(len(texts), lang in wanted) for lang, texts in side.items()])
