"""The zero-shot audit: does anything of an evaluation set occur among the training pairs?

What stops a study (a leak), with an identical or nearly identical text that is long enough not to be a coincidence:
an evaluation question that is a training question; an evaluation answer passage (a relevant document) that is a training
passage or stands inside a longer one; a question whose id, of 16 characters or more, is that of a training pair: its
translation was trained on. Reported only: texts too short to tell, distractors that no question asks for, questions that
occur as passages and passages as questions, and questions whose text is the only thing in common.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from isoglot.data.audit.match import THRESHOLD, Distinct, training_chunks
from isoglot.data.audit.report import MOST_DOCUMENTS, PLURAL, Evaluation, SideReport, sentence
from isoglot.data.audit.texts import ENOUGH, LONG_ID
from isoglot.data.benchmarks.qrels import benchmark_digest
from isoglot.data.pairs.table import PairTable
from isoglot.files import package_versions
from isoglot.records import Benchmark

_BATCH = 50_000

RULES = {
    "normalised": "NFKC, case folded, only letters, marks and digits kept (no white space, punctuation, symbols)",
    "exact": "the same normalised text",
    "near": f"Jaccard similarity of at least {THRESHOLD} between sets of runs of 4 characters (2 where most are Chinese, "
    "Japanese or Korean); candidates by MinHash (128 permutations, 25 bands of 5), each verified exactly",
    "contained": "the normalised evaluation passage stands inside a longer training passage",
    "enough": f"a leak has at least {ENOUGH} letters or digits, about four words; a Chinese character counts 3, a Japanese or "
    "Korean syllable 2. Shorter texts (yes, a year, a name) agree by chance and are reported as coincidences",
    "leak": "question = training question; relevant passage = training passage or a part of one; the same id of "
    f"{LONG_ID} or more characters",
    "not found": "paraphrases, and translations into a language that the other side does not have (unless ids agree); "
    "training passages that are parts of evaluation passages",
}


def run_audit(
    datasets: Sequence[tuple[str, PairTable, Sequence[Benchmark]]],
    *,
    documents: Collection[str] = (),
    progress: bool = True,
) -> dict[str, Any]:
    """Compare training pairs with the benchmarks that they are to be measured on.

    Args:
        datasets: (name of the data, its pairs, the benchmarks). Benchmarks that are the same object are prepared once.
        documents: names of data whose documents are drawn from (`negatives: document`): their texts are compared as passages.
        progress: a progress bar on stderr.

    Returns:
        Plain JSON values, the same for the same texts: "schema", "leaks" (any), "summary" (a sentence per data and benchmark),
        "rules", "versions", and "comparisons": per data and benchmark
            data, benchmark, digests, training and evaluation (counts), leak (bool),
            leaks: {"queries", "documents", "ids"}: how many evaluation texts, and how many shared ids,
            affected: {"ids", "of", "share"}: question ids of which the question or a relevant passage leaked, in any language,
            sides: per training side (query, passage) and evaluation side (queries, documents): compared texts, "total" and
                "by_language" {lang: {"texts", "exact", "near", "contained", "short", "leaks", "share"}} in evaluation texts
                ("short" are those of the exact ones that are too short to be a leak), and examples,
            notes.

    Raises:
        InputError: the package datasketch is not installed.
    """
    asked = {id(benchmark): benchmark for _, _, benchmarks in datasets for benchmark in benchmarks}
    prepared = {key: Evaluation.of(benchmark) for key, benchmark in asked.items()}
    comparisons = []
    for name, pairs, benchmarks in datasets:
        evaluations = [prepared[id(benchmark)] for benchmark in benchmarks]
        comparisons += _audit_data(name, pairs, evaluations, name in documents, progress)
    return {
        "schema": 1,
        "leaks": any(comparison["leak"] for comparison in comparisons),
        "summary": [comparison["summary"] for comparison in comparisons],
        "rules": RULES,
        "versions": package_versions(["datasketch"]),
        "comparisons": comparisons,
    }


def _audit_data(
    name: str, pairs: PairTable, evaluations: Sequence[Evaluation], documents: bool, progress: bool
) -> list[dict[str, Any]]:
    from isoglot.bars import tqdm

    training = {side: Distinct.of(_training_texts(pairs, side, documents)) for side in PLURAL}
    reports = [
        [SideReport(side, other, training[side], evaluation) for side in training for other in evaluation.targets]
        for evaluation in evaluations
    ]
    with tqdm(total=sum(map(len, training.values())), desc=f"audit {name}", unit="text", disable=not progress) as bar:
        for side, distinct in training.items():
            of_side = [report for report in chain.from_iterable(reports) if report.side == side]
            for chunk in training_chunks(distinct):
                for report in of_side:
                    report.target.compare(chunk, report.matches)
                bar.update(len(chunk.texts))
    return [_comparison(name, pairs, *compared) for compared in zip(evaluations, reports)]


def _training_texts(pairs: PairTable, side: str, documents: bool) -> Iterator[tuple[int, str]]:
    """(row, text) of one column; negatives are passages that are trained on as well, those from `documents` too."""
    passages = ("passage", "negatives", *(("document_passages",) if documents else ()))
    columns = ("query",) if side == "query" else passages
    batches = pairs.table.select(columns).to_batches(max_chunksize=_BATCH)
    rows = chain.from_iterable(zip(*(column.to_pylist() for column in batch.columns)) for batch in batches)
    for row, (text, *negatives) in enumerate(rows):
        yield row, text
        for negative in chain.from_iterable(texts or () for texts in negatives):
            yield row, negative


def _comparison(name: str, pairs: PairTable, evaluation: Evaluation, reports: Sequence[SideReport]) -> dict[str, Any]:
    benchmark = evaluation.benchmark
    leaked: dict[str, set[int]] = {
        other: set().union(*(r.leaks for r in reports if r.other == other)) for other in evaluation.targets
    }
    trained = {str(key) for key in pairs.table.column("id").unique().to_pylist()}
    asked = {key for _, key, _ in benchmark.pooled_queries()}
    ids = {key for key in asked & trained if len(key) >= LONG_ID}
    affected = _affected(benchmark, leaked) | ids
    n_leaks = {name: len(numbers) for name, numbers in leaked.items()} | {"ids": len(ids)}
    left_out = benchmark.n_documents - len(evaluation.rows["documents"])
    note = (
        f"the corpus has more than {MOST_DOCUMENTS:,} documents, which is what fits into 8 GB of memory: {left_out:,} that no "
        "question asks for were not compared"
    )
    n_trained = {report.side: len(report.training) for report in reports}
    values = {
        "data": name,
        "benchmark": benchmark.name,
        "digests": {"data": pairs.digest, "benchmark": benchmark_digest(benchmark)},
        "training": {
            "rows": len(pairs),
            "languages": list(pairs.languages),
            "queries": n_trained["query"],
            "passages": n_trained["passage"],
        },
        "evaluation": {
            "queries": benchmark.n_queries,
            "documents": benchmark.n_documents,
            "relevant": len(evaluation.relevant),
            "languages": sorted({*benchmark.queries, *benchmark.corpus}),
        },
        "leak": any(n_leaks.values()),
        "leaks": n_leaks,
        "affected": {"ids": len(affected), "of": len(asked), "share": len(affected) / len(asked) if asked else 0.0},
        "sides": [report.to_dict(pairs) for report in reports],
        "notes": [note] if left_out else [],
    }
    return {**values, "summary": sentence(values)}


def _affected(benchmark: Benchmark, leaked: dict[str, set[int]]) -> set[str]:
    """Ids of the questions that leaked, or of which a relevant passage did."""
    keys = [key for _, key, _ in benchmark.pooled_queries()]
    hit = np.isin(benchmark.relevant, np.array(sorted(leaked["documents"]), dtype=np.int64))
    queries = np.searchsorted(benchmark.indptr, np.flatnonzero(hit), side="right") - 1
    return {keys[number] for number in leaked["queries"].union(queries.tolist())}
