"""How long does an evaluation take beside sentence-transformers' InformationRetrievalEvaluator, called per setting?

    python benchmarks/against_information_retrieval_evaluator.py offline:multilingual-e5-small
    python benchmarks/against_information_retrieval_evaluator.py offline:multilingual-e5-small --paragraphs 48
    python benchmarks/against_information_retrieval_evaluator.py offline:multilingual-e5-small --languages en de

One process, one model, one machine: first the bare encoding of all texts, then `evaluate` (which encodes every text once
for all settings), then an InformationRetrievalEvaluator for every cell, 132 of them on XQuAD-R (11 mono, 110 cross, 11
multi), as its users have to do it. Reports the ratio of the two, what `evaluate` takes beyond encoding, and how far the
figures lie apart (both rank ties in an order of their own).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _machine import conditions, write
from _subset import some_paragraphs
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.qrels import judgments_of
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.results import Result
from isoglot.models.load import load_model
from isoglot.records import Benchmark
from isoglot.retrieval.encode import Kind, encode_texts, pooled_texts
from isoglot.retrieval.rankings import bounds

Setting = tuple[str, str, str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--benchmark", default="xquad-r")
    parser.add_argument("--languages", nargs="+")
    parser.add_argument(
        "--paragraphs", type=int, metavar="N", help="only the questions of N paragraphs, in all settings"
    )
    parser.add_argument("--data-dir")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--output", type=Path, default=Path("results/speed/information_retrieval_evaluator.json"))
    options = parser.parse_args()
    about = conditions()

    benchmark = load_benchmark(options.benchmark, languages=options.languages, data_dir=options.data_dir)
    if options.paragraphs:
        benchmark = some_paragraphs(benchmark, options.paragraphs)
    model = load_model(options.model)
    model.encode_query(["a first call that is not measured"] * options.batch_size, batch_size=options.batch_size)
    encoding = _encode(model, benchmark, options.batch_size)
    started = time.perf_counter()
    result = evaluate(model, benchmark, measures=["nDCG@10", "AP@100"], batch_size=options.batch_size)
    ours = time.perf_counter() - started
    figures, theirs = _per_setting(model, benchmark, options.batch_size)
    report = {
        "model": options.model,
        "benchmark": benchmark.name,
        "languages": benchmark.query_languages,
        "settings": len(figures),
        "batch_size": options.batch_size,
        "seconds": {
            "encoding_alone": round(encoding, 2),
            "isoglot": round(ours, 2),
            "information_retrieval_evaluator": round(theirs, 2),
        },
        "ratio": round(theirs / ours, 2),
        "overhead_over_encoding": round(ours / encoding - 1, 4),
        "overhead_within_the_run": round(ours / _encoding_of(result) - 1, 4),
        "isoglot_laps": result.summary["seconds"],
        "texts_encoded": _texts(benchmark, list(figures)),
        "largest_difference_of_a_cell": _differences(figures, result),
        **about,
    }
    print(f"{len(figures)} settings: {theirs:.1f} s, isoglot {ours:.1f} s: {report['ratio']} times as fast")
    print(f"encoding alone {encoding:.1f} s: {report['overhead_over_encoding']:.1%} on top of it")
    print(f"{report['overhead_within_the_run']:.1%} on top of the encoding in the same run")
    write(options.output, report)
    return 0


def _encode(model: Any, benchmark: Benchmark, batch_size: int) -> float:
    started = time.perf_counter()
    kinds: tuple[Kind, ...] = ("query", "passage")
    for kind in kinds:
        encode_texts(model, pooled_texts(benchmark, kind), kind, batch_size)
    return time.perf_counter() - started


def _encoding_of(result: Result) -> float:
    """Seconds that `evaluate` itself spent on encoding: free of what changes on the machine between two runs."""
    laps = result.summary["seconds"]
    return float(laps["encode_queries"] + laps["encode_corpus"])


def _per_setting(model: Any, benchmark: Benchmark, batch_size: int) -> tuple[dict[Setting, dict[str, float]], float]:
    """Figures of every cell and the seconds that the evaluators took, without the making of their inputs."""
    figures = {}
    seconds = 0.0
    for setting, queries, corpus, relevant in _inputs(benchmark):
        started = time.perf_counter()
        evaluator = InformationRetrievalEvaluator(
            queries, corpus, relevant, batch_size=batch_size, name="cell", write_csv=False, map_at_k=[100]
        )
        found = evaluator(model)
        took = time.perf_counter() - started
        seconds += took
        ndcg = next(value for name, value in found.items() if name.endswith("_ndcg@10"))
        precision = next(value for name, value in found.items() if name.endswith("_map@100"))
        figures[setting] = {"nDCG@10": float(ndcg), "AP@100": float(precision)}
        print(f"{' '.join(setting)}: {took:.1f} s", file=sys.stderr)
    return figures, seconds


def _inputs(benchmark: Benchmark) -> Iterator[tuple[Setting, dict[str, str], dict[str, str], dict[str, set[str]]]]:
    """Per cell: queries, corpus and relevant documents as the evaluator takes them."""
    documents = [(f"{lang}|{key}", text) for lang, key, text in benchmark.pooled_documents()]
    judged = judgments_of(benchmark)
    offsets = benchmark.query_offsets()
    for place, query_language in enumerate(benchmark.query_languages):
        texts = benchmark.queries[query_language]
        asked = (judged.queries >= offsets[place]) & (judged.queries < offsets[place + 1])
        for document_language in [*benchmark.corpus_languages, "*"]:
            first, end = (0, len(documents)) if document_language == "*" else bounds(benchmark, document_language)
            here = np.flatnonzero(asked & (judged.documents >= first) & (judged.documents < end))
            relevant: dict[str, set[str]] = {}
            for query, document in zip(judged.queries[here].tolist(), judged.documents[here].tolist()):
                key = texts.ids[query - int(offsets[place])]
                relevant.setdefault(key, set()).add(documents[document][0])
            if relevant:
                kind = {query_language: "mono", "*": "multi"}.get(document_language, "cross")
                queries = {key: text for key, text in zip(texts.ids, texts.texts) if key in relevant}
                yield (kind, query_language, document_language), queries, dict(documents[first:end]), relevant


def _texts(benchmark: Benchmark, settings: list[Setting]) -> dict[str, int]:
    """How many texts either side hands to the model (isoglot: before equal texts are taken together)."""
    theirs = 0
    for _, query_language, document_language in settings:
        first, end = (0, benchmark.n_documents) if document_language == "*" else bounds(benchmark, document_language)
        theirs += len(benchmark.queries[query_language]) + end - first
    return {"isoglot": benchmark.n_queries + benchmark.n_documents, "information_retrieval_evaluator": theirs}


def _differences(figures: dict[Setting, dict[str, float]], result: Result) -> dict[str, float]:
    largest: dict[str, float] = {}
    by = result.summary["per_language"]
    for (kind, query_language, document_language), values in figures.items():
        ours = by[kind]["matrix"][query_language][document_language] if kind == "cross" else by[kind][query_language]
        for name, value in values.items():
            largest[name] = max(largest.get(name, 0.0), abs(ours[name] - value))
    return largest


if __name__ == "__main__":
    sys.exit(main())
