"""Judgments: the lines of qrels files, flat arrays, and the benchmark record that is made of them."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from isoglot.data.languages import language, spelled
from isoglot.data.readers import lines
from isoglot.errors import InputError, LineError
from isoglot.files import digest_strings
from isoglot.records import Benchmark, BoolArray, FloatArray, IntArray, Texts

_NUMBER = re.compile(
    r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII
)  # float() takes "1_0" and other scripts' digits, too
_LARGEST_GRADE = 1e6  # gains are summed and discounted: beyond that, figures lose their digits


class Judgments(NamedTuple):
    """Judged pairs, all arrays of shape (n_judged,): pooled query numbers, pooled document numbers, gains > 0."""

    queries: IntArray
    documents: IntArray
    gains: FloatArray

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, float]]) -> Judgments:
        """From (query number, document number, gain) of every pair."""
        queries, documents, gains = np.array(rows, dtype=np.float64).reshape(-1, 3).T
        return cls(queries.astype(np.int64), documents.astype(np.int64), gains)


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
        if not (query and document):
            raise LineError(path, number, f"the id of the {'document' if query else 'query'} is empty")
        grade = float(fields[-1]) if _NUMBER.fullmatch(fields[-1]) else math.nan
        if not abs(grade) <= _LARGEST_GRADE:
            raise LineError(path, number, f"grade '{fields[-1][:80]}' is not a number that a grade can be")
        if (first := seen.setdefault((query, document), number)) != number:
            raise LineError(
                path, number, f"query '{query}' and document '{document}' are already judged on line {first}"
            )
        yield number, query, document, grade


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


def unique_texts(path: Path, rows: Iterable[tuple[int, str, str]], what: str, empty: str) -> Texts:
    """The texts of a file from (line, id, text).

    Args:
        path: for messages, as are `what` an id is called and what is said of an `empty` file.

    Raises:
        LineError: an id that occurs twice.
        InputError: no rows.
    """
    first_line: dict[str, int] = {}
    texts = []
    for number, key, text in rows:
        if (first := first_line.setdefault(key, number)) != number:
            raise LineError(path, number, f"{what} '{key}' is already on line {first}; ids are unique within a file")
        texts.append(text)
    if not texts:
        raise InputError(f"{path}: {empty}")
    return Texts(list(first_line), texts)


def make_benchmark(
    name: str,
    queries: Mapping[str, Texts],
    corpus: Mapping[str, Texts],
    judgments: Judgments,
    groups: Sequence[str] = (),
    about: Mapping[str, str] | None = None,
    judged: Sequence[int] | IntArray = (),
) -> Benchmark:
    """Put the judged pairs in the order that `Benchmark` promises.

    Args:
        judged: pooled numbers of the documents that were judged, relevant or not; relevant ones need not be named.

    Raises:
        InputError: no pair is judged relevant, so nothing could be measured; one language under two codes.
    """
    if not len(judgments.queries):
        raise InputError(f"{name}: no query has a relevant document; expected a judgment with a grade above 0")
    order = np.lexsort((judgments.documents, judgments.queries))
    per_query = np.bincount(judgments.queries, minlength=sum(map(len, queries.values())))
    benchmark = Benchmark(
        name=name,
        queries=dict(queries),
        corpus=dict(corpus),
        indptr=np.concatenate([[0], np.cumsum(per_query)]).astype(np.int64),
        relevant=judgments.documents[order].astype(np.int64),
        gains=judgments.gains[order].astype(np.float64),
        judged=np.union1d(judgments.documents, judged).astype(np.int64),
        query_groups=list(groups),
        about=dict(about or {}),
    )
    return one_spelling(benchmark)


def one_spelling(benchmark: Benchmark) -> Benchmark:
    """The benchmark with every language as `isoglot.data.languages.language` spells it.

    Raises:
        InputError: one language under two codes.
    """
    sides = (benchmark.queries, benchmark.corpus)
    queries, corpus = ({spelled(lang): texts for lang, texts in side.items()} for side in sides)
    for side, texts in zip(sides, (queries, corpus)):
        if len(texts) < len(side):
            problem = f"two of {', '.join(side)} are the same language; expected one code per language"
            raise InputError(f"{benchmark.name}: {problem}")
    return replace(benchmark, queries=queries, corpus=corpus)


def judgments_of(benchmark: Benchmark) -> Judgments:
    """The judged pairs of a benchmark, by query, then document."""
    counts = np.diff(benchmark.indptr)
    queries = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return Judgments(queries, benchmark.relevant, benchmark.gains)


def benchmark_digest(benchmark: Benchmark) -> str:
    """SHA-256 (hex) of all languages, ids, texts, judgments and groups; the name and the licence do not count."""

    def contents() -> Iterator[str]:
        for side in (benchmark.pooled_queries(), benchmark.pooled_documents()):
            for row in side:
                yield from row
            yield ""
        for array in (benchmark.indptr, benchmark.relevant, benchmark.gains):
            yield np.ascontiguousarray(array).tobytes().hex()
        yield from benchmark.query_groups

    return digest_strings(contents())


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
    known = sorted({*benchmark.queries, *benchmark.corpus})
    wanted = wanted_languages(benchmark.name, languages, known)
    if wanted == known:
        return benchmark
    sides = (benchmark.queries, benchmark.corpus)
    queries, corpus = ({lang: texts for lang, texts in side.items() if lang in wanted} for side in sides)
    keep_query, keep_document = (
        np.concatenate([np.full(len(texts), lang in wanted) for lang, texts in side.items()]) for side in sides
    )
    return keep(replace(benchmark, queries=queries, corpus=corpus), keep_document, keep_query)


def keep(cut: Benchmark, keep_document: BoolArray, keep_query: BoolArray | None = None) -> Benchmark:
    """A benchmark whose texts were cut to some of its documents and queries, with the judgments of those that are left.

    Args:
        cut: with the texts that are left, and the judgments and groups of all.
        keep_document: shape (n_documents before,).
        keep_query: shape (n_queries before,); None: all.
    """
    keep_query = np.ones(len(cut.indptr) - 1, dtype=np.bool_) if keep_query is None else keep_query
    query_numbers, document_numbers = np.cumsum(keep_query) - 1, np.cumsum(keep_document) - 1
    queries, documents, gains = judgments_of(cut)
    left = keep_query[queries] & keep_document[documents]
    return make_benchmark(
        cut.name,
        cut.queries,
        cut.corpus,
        Judgments(query_numbers[queries[left]], document_numbers[documents[left]], gains[left]),
        [group for group, kept in zip(cut.query_groups, keep_query.tolist(), strict=False) if kept],
        cut.about,
        document_numbers[cut.judged[keep_document[cut.judged]]],
    )
