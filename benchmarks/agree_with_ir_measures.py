"""Do exported runs give our figures in ir_measures (trec_eval)? Every cell, every query.

    python benchmarks/agree_with_ir_measures.py offline:multilingual-e5-small mlqa-r
    python benchmarks/agree_with_ir_measures.py offline:multilingual-e5-small xquad-r --depth 100

Evaluates a model, exports run and judgments of every cell, has ir_measures compute AP, nDCG@10, R@k and RR from the
files and compares every value per query with ours to the exported depth. A cell's files are deleted when it is
compared (XQuAD-R to depth 1000 would be 9 GB). Exits with 1 where a value differs by more than 1e-6.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import ir_measures
from _machine import conditions, write

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.trec import DEFAULT_DEPTH, LanguagePair, iter_runs
from isoglot.models.load import load_model
from isoglot.records import SETTINGS
from isoglot.retrieval.encode import Embeddings, encode_texts, pooled_texts
from isoglot.retrieval.rankings import vector_search

TOLERANCE = 1e-6
Values = dict[tuple[str, str, str, str], dict[str, float]]


def main() -> int:
    options = _options()
    about = conditions("ir-measures", "pytrec-eval-terrier")

    benchmark = load_benchmark(options.benchmark, languages=options.languages, data_dir=options.data_dir)
    model = load_model(options.model)
    vectors = Embeddings(
        encode_texts(model, pooled_texts(benchmark, "query"), "query", options.batch_size),
        encode_texts(model, pooled_texts(benchmark, "passage"), "passage", options.batch_size),
    )
    measures = _measures(options.depth)
    ours = evaluate(vectors, benchmark, settings=options.settings, measures=list(measures.values()))
    rows = {
        (row["setting"], row["query_lang"], row["doc_lang"], row["query_id"]): {m: row[m] for m in measures.values()}
        for row in ours.per_query.to_pylist()
    }
    search = vector_search(benchmark, vectors.queries, vectors.documents)
    largest = dict.fromkeys(measures.values(), 0.0)
    compared = cells = 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for cell in iter_runs(benchmark, search, home, depth=options.depth, settings=options.settings):
            compared += _compare(cell, home, rows, measures, largest)
            cells += 1
            print(f"{cell.setting} {cell.query_lang} {cell.doc_lang}: {cell.queries} queries", file=sys.stderr)
    agrees = max(largest.values()) <= TOLERANCE and not rows
    print(f"{compared} values in {cells} cells; largest difference per measure: {largest}")
    if rows:
        print(f"{len(rows)} of our rows were not exported, the first is {next(iter(rows))}")
    write(
        options.output,
        {
            "model": options.model,
            "benchmark": benchmark.name,
            "languages": benchmark.query_languages,
            "digests": ours.summary["digests"],
            "depth": options.depth,
            "cells": cells,
            "values_compared": compared,
            "largest_difference": largest,
            "tolerance": TOLERANCE,
            "agrees": agrees,
            **about,
        },
    )
    return 0 if agrees else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("benchmark")
    parser.add_argument("--languages", nargs="+")
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS))
    parser.add_argument("--depth", type=int, default=DEFAULT_DEPTH)
    parser.add_argument("--data-dir")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--output", type=Path, default=Path("results/agreement/ir_measures.json"))
    return parser.parse_args()


def _measures(depth: int) -> dict[str, str]:
    """Measure of ir_measures on a run of this depth -> ours."""
    found = {"AP": f"AP@{depth}", "RR": f"RR@{depth}"}
    return found | {name: name for name, k in (("nDCG@10", 10), ("R@1", 1), ("R@10", 10), ("R@100", 100)) if k <= depth}


def _compare(cell: LanguagePair, home: Path, rows: Values, measures: dict[str, str], largest: dict[str, float]) -> int:
    """Compare one cell, take its rows out of `rows` and delete its files; returns how many values there were."""
    parsed: dict[Any, str] = {ir_measures.parse_measure(name): ours for name, ours in measures.items()}
    run, qrels = home / cell.run, home / cell.qrels
    values = ir_measures.iter_calc(
        list(parsed), list(ir_measures.read_trec_qrels(str(qrels))), ir_measures.read_trec_run(str(run))
    )
    compared = 0
    for value in values:
        key = (cell.setting, cell.query_lang, cell.doc_lang, value.query_id.split(":", 1)[1])
        name = parsed[value.measure]
        # a value is taken once: one that ir_measures does not give stays and is reported
        difference = abs(rows[key].pop(name) - value.value)
        largest[name] = max(largest[name], difference)
        if not rows[key]:
            del rows[key]
        compared += 1
    run.unlink()
    qrels.unlink()
    return compared


if __name__ == "__main__":
    sys.exit(main())
