"""How long does an evaluation take beside mteb running the same tasks, and do the figures agree?

    python benchmarks/against_mteb.py offline:multilingual-e5-small --benchmark xquad-r
    python benchmarks/against_mteb.py offline:multilingual-e5-small --languages en de --cached

One process, one model, one machine: `evaluate`, then `mteb.evaluate` on isoglot's tasks (mono, cross, multi; 132 subsets
on XQuAD-R). mteb encodes both sides of every subset; with --cached it runs behind its own CachedEmbeddingWrapper, which
keeps vectors on disk per task. Exits with 1 where a figure of a subset differs by more than 1e-4.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import mteb
from _machine import conditions, write
from _subset import some_paragraphs
from mteb.models import SentenceTransformerEncoderWrapper
from mteb.models.cache_wrappers import CachedEmbeddingWrapper

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.evaluation.cells import parse_settings
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.measures import parse_measure
from isoglot.evaluation.mteb_results import mteb_key, to_mteb_results
from isoglot.evaluation.mteb_tasks import get_tasks, make_task
from isoglot.evaluation.results import Result
from isoglot.models.load import load_model
from isoglot.records import SETTINGS, Benchmark

TOLERANCE = 1e-4
MEASURES = ("nDCG@10", "AP@1000", "R@10", "R@100", "RR@10")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--benchmark", default="xquad-r")
    parser.add_argument("--languages", nargs="+")
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS))
    parser.add_argument(
        "--paragraphs", type=int, metavar="N", help="only the questions of N paragraphs, in all settings"
    )
    parser.add_argument("--data-dir")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--cached", action="store_true", help="give mteb its own cache of embeddings")
    parser.add_argument("--output", type=Path, default=Path("results/speed/mteb.json"))
    options = parser.parse_args()
    about = conditions("mteb")

    model = load_model(options.model)
    model.encode_query(["a first call that is not measured"] * options.batch_size, batch_size=options.batch_size)
    benchmark = load_benchmark(options.benchmark, languages=options.languages, data_dir=options.data_dir)
    if options.paragraphs:
        benchmark = some_paragraphs(benchmark, options.paragraphs)
    started = time.perf_counter()
    result = evaluate(model, benchmark, settings=options.settings, measures=MEASURES, batch_size=options.batch_size)
    ours = time.perf_counter() - started
    tasks = _tasks(options, benchmark)
    for task in tasks:  # neither side is charged for reading the files
        task.load_data()
    ran, theirs = _run(model, tasks, options.batch_size, options.cached)
    largest, worst = _differences(ran, result)
    agrees = max(largest.values()) <= TOLERANCE
    report = {
        "model": options.model,
        "benchmark": benchmark.name,
        "languages": benchmark.query_languages,
        "subsets": sum(result.summary["counts"]["cells"].values()),
        "batch_size": options.batch_size,
        "mteb_cached_embeddings": options.cached,
        "seconds": {"isoglot": round(ours, 2), "mteb": round(theirs, 2)},
        "ratio": round(theirs / ours, 2),
        "isoglot_laps": result.summary["seconds"],
        "mteb_seconds_per_task": {found.task_name: found.evaluation_time for found in ran.task_results},
        "largest_difference_of_a_subset": largest,
        "where": worst,
        "tolerance": TOLERANCE,
        "agrees": agrees,
        **about,
    }
    print(f"mteb {theirs:.1f} s, isoglot {ours:.1f} s: {report['ratio']} times as fast")
    print(f"largest difference of a subset per measure: {largest}")
    write(options.output, report)
    return 0 if agrees else 1


def _tasks(options: argparse.Namespace, benchmark: Benchmark) -> list[Any]:
    if options.paragraphs:
        return [make_task(benchmark, setting) for setting in parse_settings(options.settings)]
    return get_tasks(
        [options.benchmark], settings=options.settings, languages=options.languages, data_dir=options.data_dir
    )


def _run(model: Any, tasks: list[Any], batch_size: int, cached: bool) -> tuple[Any, float]:
    """mteb's results without its cache of results, and the seconds they took."""
    with tempfile.TemporaryDirectory() as folder:
        wrapped = CachedEmbeddingWrapper(SentenceTransformerEncoderWrapper(model), folder) if cached else model
        started = time.perf_counter()
        kwargs = {"batch_size": batch_size, "show_progress_bar": False}
        ran = mteb.evaluate(wrapped, tasks, cache=None, encode_kwargs=kwargs, co2_tracker=False)
        return ran, time.perf_counter() - started


def _differences(ran: Any, result: Result) -> tuple[dict[str, float], dict[str, str]]:
    """The largest difference of any subset per measure, and where it is."""
    ours = {value["task_name"]: value for value in to_mteb_results(result)}
    largest, worst = dict.fromkeys(MEASURES, 0.0), dict.fromkeys(MEASURES, "")
    for found in ran.task_results:
        mine = {cell["hf_subset"]: cell for cell in ours.pop(found.task_name)["scores"]["test"]}
        for cell in found.scores["test"]:
            for name in MEASURES:
                key = mteb_key(parse_measure(name))
                difference = abs(mine[cell["hf_subset"]][key] - cell[key])
                if difference > largest[name]:
                    largest[name], worst[name] = difference, f"{found.task_name} {cell['hf_subset']}"
    if ours:
        raise RuntimeError(f"mteb did not run {', '.join(ours)}")
    return largest, worst


if __name__ == "__main__":
    sys.exit(main())
