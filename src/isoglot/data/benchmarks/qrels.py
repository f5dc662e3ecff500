"""Judgments: the lines of qrels files, flat arrays, and the benchmark record that is made of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.data.languages import language
from isoglot.data.readers import lines
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
        fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]
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


def judge_by_key(query_keys: Iterable[str], answers: Iterable[tuple[str, int]]) -> Judgments:
    """Judgments where a query's relevant documents are those with its key, all of gain 1.

    Args:
        query_keys: one per pooled query.
        answers: (key, pooled document number).
    """
    numbers: dict[str, list[int]] = defaultdict(list)
    for key, document in answers:
        numbers[key].append(document)
    of_key = {key: np.array(documents, dtype=np.int64) for key, documents in numbers.items()}
    none = np.zeros(0, dtype=np.int64)
    documents = [none, *(of_key.get(key, none) for key in query_keys)]
    queries = np.repeat(np.arange(len(documents), dtype=np.int64) - 1, [len(own) for own in documents])
    relevant = np.concatenate(documents)
    return Judgments(queries, relevant, np.ones(len(relevant)))


def merge_judgments(judgments: Sequence[Judgments]) -> Judgments:
    """One after the other."""
    return Judgments(
        queries=np.concatenate([judged.queries for judged in judgments]),
        documents=np.concatenate([judged.documents for judged in judgments]),
        gains=np.concatenate([judged.gains for judged in judgments]),
    )


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
    fields: dict[str, Any] = {
        "name": name,
        "queries": dict(queries),
        "corpus": dict(corpus),
        "indptr": indptr,
        "relevant": judgments.documents[order].astype(np.int64),
        "gains": judgments.gains[order].astype(np.float64),
        "query_groups": list(groups),
        "about": dict(about or {}),
    }
    if judged is None:
        return Benchmark(**fields)
    return JudgedBenchmark(**fields, judged=np.unique(judged).astype(np.int64))


def judgments_of(benchmark: Benchmark) -> Judgments:
    """The judged pairs of a benchmark, by query, then document."""
    counts = np.diff(benchmark.indptr)
    queries = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return Judgments(queries, benchmark.relevant, benchmark.gains)


def judged_documents(benchmark: Benchmark) -> IntArray:
    """Pooled numbers of all documents that are known to be judged, ascending: relevant, and judged not relevant."""
    more = benchmark.judged if isinstance(benchmark, JudgedBenchmark) else ()
    return np.unique(np.concatenate([benchmark.relevant, np.asarray(more, dtype=np.int64)]))


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
    queries = {lang: texts for lang, texts in benchmark.queries.items() if lang in wanted}
    corpus = {lang: texts for lang, texts in benchmark.corpus.items() if lang in wanted}
    keep_query, keep_document = (
        np.concatenate([np.full(len(texts), lang in wanted) for lang, texts in side.items()])
        for side in (benchmark.queries, benchmark.corpus)
    )
    return keep(benchmark, keep_document, corpus, benchmark.about, keep_query, queries)


def keep(
    benchmark: Benchmark,
    keep_document: BoolArray,
    corpus: Mapping[str, Texts],
    about: Mapping[str, str],
    keep_query: BoolArray | None = None,
    queries: Mapping[str, Texts] | None = None,
) -> Benchmark:
    """The benchmark with some of its documents, and with some of its queries where they are given.

    Args:
        keep_document, keep_query: shape (n_documents,) and (n_queries,).
        corpus, queries: what is left.
    """
    keep_query = np.ones(benchmark.n_queries, dtype=np.bool_) if keep_query is None else keep_query
    query_numbers, document_numbers = np.cumsum(keep_query) - 1, np.cumsum(keep_document) - 1
    old = judgments_of(benchmark)
    left = keep_query[old.queries] & keep_document[old.documents]
    return make_benchmark(
        benchmark.name,
        benchmark.queries if queries is None else queries,
        corpus,
        Judgments(query_numbers[old.queries[left]], document_numbers[old.documents[left]], old.gains[left]),
        [group for group, kept in zip(benchmark.query_groups, keep_query.tolist(), strict=False) if kept],
        about,
        document_numbers[benchmark.judged[keep_document[benchmark.judged]]]
        if isinstance(benchmark, JudgedBenchmark)
        else None,
    )
