"""Judgments: the lines of qrels files, flat arrays, and the benchmark record that is made of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from isoglot.data.jsonl import lines
from isoglot.data.languages import language
from isoglot.errors import InputError, LineError
from isoglot.records import Benchmark, BoolArray, FloatArray, IntArray, Texts


@dataclass(frozen=True)
class Judgments:
    """Judged pairs, all arrays of shape (n_judged,): pooled query numbers, pooled document numbers, gains > 0."""

    queries: IntArray
    documents: IntArray
    gains: FloatArray


@dataclass(frozen=True)
class JudgedBenchmark(Benchmark):
    """A benchmark that also knows which documents somebody judged, relevant or not.

    Attributes:
        judged: pooled numbers of every document that the qrels name with whatever grade, ascending, int64. A sample of
            the corpus keeps them all: the passages judged not relevant are the hard ones.
    """

    judged: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def judged_lines(path: Path) -> Iterator[tuple[int, str, str, float]]:
    """(1-based line, query id, document id, grade) of a qrels file: TREC's four columns or BEIR's three.

    A first line that begins with `query-id` is BEIR's header.

    Raises:
        LineError: another number of columns, a grade that is no number, a pair that was judged on an earlier line.
    """
    seen: dict[tuple[str, str], int] = {}
    for number, line in lines(path):
        fields = [part.strip() for part in (line.split("\t") if "\t" in line else line.split())]
        if number == 1 and fields[0].lower() in ("query-id", "query_id", "qid"):
            continue
        if len(fields) not in (3, 4):
            expected = "'query 0 document grade' or 'query document grade'"
            raise LineError(path, number, f"{len(fields)} columns; expected {expected}")
        query, document = fields[0], fields[-2]
        grade = _grade(fields[-1], path, number)
        if (first := seen.setdefault((query, document), number)) != number:
            raise LineError(
                path, number, f"query '{query}' and document '{document}' are already judged on line {first}"
            )
        yield number, query, document, grade


def _grade(text: str, path: Path, line: int) -> float:
    try:
        grade = float(text)
    except ValueError:
        grade = math.nan
    if not math.isfinite(grade):
        raise LineError(path, line, f"grade '{text}' is not a number")
    return grade


def make_benchmark(
    name: str,
    queries: Mapping[str, Texts],
    corpus: Mapping[str, Texts],
    judgments: Judgments,
    groups: Sequence[str] = (),
    about: Mapping[str, str] | None = None,
    judged: IntArray | None = None,
) -> Benchmark:
    """Put the judged pairs in the order that `Benchmark` promises.

    Args:
        judged: pooled numbers of all judged documents, where some were judged not relevant.

    Raises:
        InputError: no pair is judged relevant, so nothing could be measured.
    """
    if not len(judgments.queries):
        raise InputError(f"{name}: no query has a relevant document; expected a judgment with a grade above 0")
    order = np.lexsort((judgments.documents, judgments.queries))
    n_queries = sum(map(len, queries.values()))
    indptr = np.zeros(n_queries + 1, dtype=np.int64)
    np.cumsum(np.bincount(judgments.queries, minlength=n_queries), out=indptr[1:])
    relevant = judgments.documents[order].astype(np.int64)
    gains = judgments.gains[order].astype(np.float64)
    parts = (name, dict(queries), dict(corpus), indptr, relevant, gains, list(groups), dict(about or {}))
    if judged is None:
        return Benchmark(*parts)
    return JudgedBenchmark(*parts, np.unique(judged).astype(np.int64))


def judgments_of(benchmark: Benchmark) -> Judgments:
    """The judged pairs of a benchmark, by query, then document."""
    counts = np.diff(benchmark.indptr)
    queries = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return Judgments(queries, benchmark.relevant, benchmark.gains)


def judged_documents(benchmark: Benchmark) -> IntArray:
    """Pooled numbers of all documents that are known to be judged, ascending: relevant, and judged not relevant."""
    more = benchmark.judged if isinstance(benchmark, JudgedBenchmark) else ()
    return np.unique(np.concatenate([benchmark.relevant, np.asarray(more, dtype=np.int64)]))


def keep_documents(
    benchmark: Benchmark, keep: BoolArray, corpus: Mapping[str, Texts], about: Mapping[str, str]
) -> Benchmark:
    """The benchmark with some of its documents: `keep` has shape (n_documents,), `corpus` holds what is left."""
    numbers = np.cumsum(keep) - 1
    old = judgments_of(benchmark)
    left = keep[old.documents]
    judgments = Judgments(old.queries[left], numbers[old.documents[left]], old.gains[left])
    judged = numbers[benchmark.judged[keep[benchmark.judged]]] if isinstance(benchmark, JudgedBenchmark) else None
    return make_benchmark(benchmark.name, benchmark.queries, corpus, judgments, benchmark.query_groups, about, judged)


def wanted_languages(name: str, languages: Sequence[str], known: Sequence[str]) -> list[str]:
    """The languages asked for, as the benchmark spells them, in its order.

    Raises:
        InputError: a language that the benchmark does not have, or none.
    """
    wanted = {code if code in known else language(code) for code in languages}
    if missing := sorted(wanted - set(known)):
        raise InputError(f"{name} has no language '{missing[0]}'; it has: {', '.join(sorted(known))}")
    if not wanted:
        raise InputError(f"{name}: no language given; it has: {', '.join(sorted(known))}")
    return [lang for lang in known if lang in wanted]


def restrict(benchmark: Benchmark, languages: Sequence[str] | None) -> Benchmark:
    """The benchmark with the queries and the corpora of some languages only, in the benchmark's own order.

    Raises:
        InputError: a language that the benchmark does not have, or none left with a relevant document.
    """
    if languages is None:
        return benchmark
    wanted = set(wanted_languages(benchmark.name, languages, sorted({*benchmark.queries, *benchmark.corpus})))
    keep_query = _keep(benchmark.queries, wanted)
    keep_document = _keep(benchmark.corpus, wanted)
    old = judgments_of(benchmark)
    keep = keep_query[old.queries] & keep_document[old.documents]
    numbers = np.cumsum(keep_document) - 1
    judgments = Judgments((np.cumsum(keep_query) - 1)[old.queries[keep]], numbers[old.documents[keep]], old.gains[keep])
    judged = None
    if isinstance(benchmark, JudgedBenchmark):
        judged = numbers[benchmark.judged[keep_document[benchmark.judged]]]
    groups = [group for group, kept in zip(benchmark.query_groups, keep_query.tolist(), strict=False) if kept]
    queries = {lang: texts for lang, texts in benchmark.queries.items() if lang in wanted}
    corpus = {lang: texts for lang, texts in benchmark.corpus.items() if lang in wanted}
    return make_benchmark(benchmark.name, queries, corpus, judgments, groups, benchmark.about, judged)


def _keep(side: Mapping[str, Texts], wanted: set[str]) -> BoolArray:
    return np.concatenate([np.full(len(texts), lang in wanted) for lang, texts in side.items()])
