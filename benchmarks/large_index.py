"""What a large index costs to make, to search and to serve: disk, memory, seconds.

    python benchmarks/large_index.py INDEX PAIRS                  # some 4 minutes on two cores
    python benchmarks/large_index.py INDEX PAIRS --made made.json # with what `isoglot index --json` printed, and its time

INDEX is what `isoglot index MODEL PAIRS --output INDEX` made; the questions are those of PAIRS, drawn by --seed. Parts:

- disk: bytes of the index;
- search: the command `isoglot search INDEX QUESTION` from start to end; one question after the other in one process, by
  how languages are mixed, with and without the nearest sentence, and how often the question's own document is among the ten;
- serve: `isoglot serve INDEX` under 32 clients (see serve_load.py), as it comes, and without sentences and kept vectors.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from _machine import conditions, write
from serve_load import measure

from isoglot.data.pairs.loading import load_pairs
from isoglot.retrieval.collection import Collection, Searcher

WAYS: dict[str, dict[str, Any]] = {
    "raw, without sentences": {"sentences": False},
    "raw": {},
    "standardised": {"fairness": "standardised"},
    "round-robin": {"fairness": "round-robin"},
    "one language": {"languages": "de"},
    "hybrid": {"hybrid": True},
}


def command(index: Path, question: str) -> dict[str, Any]:
    """Seconds and memory of the command, three times."""
    words = [sys.executable, "-m", "isoglot", "search", str(index), question, "--device", "cpu", "--json", "--quiet"]
    seconds, memory = [], 0
    for _ in range(3):
        began = time.perf_counter()
        with psutil.Popen(words, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                try:
                    memory = max(memory, process.memory_info().rss)
                except psutil.Error:
                    break
                time.sleep(0.02)
        assert process.returncode == 0
        seconds.append(time.perf_counter() - began)
    return {"seconds": [round(value, 2) for value in seconds], "peak_memory_mb": round(memory / 2**20)}


def searches(index: Path, asked: list[tuple[str, str, str]]) -> dict[str, Any]:
    """Milliseconds of one question at a time; asked: (id, language, question)."""
    found: dict[str, Any] = {}
    with Collection.open(index) as collection, Searcher(collection, device="cpu") as searcher:
        for name, given in WAYS.items():
            times, met, languages = [], 0, []
            began = time.perf_counter()
            searcher.search([asked[0][2]], **given)
            first = time.perf_counter() - began
            for key, lang, question in asked:
                began = time.perf_counter()
                (answer,) = searcher.search([question], query_language=lang, **given)
                times.append(1000 * (time.perf_counter() - began))
                met += any(hit.id == key for hit in answer.hits)
                languages.append(len({hit.lang for hit in answer.hits}))
            found[name] = {
                "p50_ms": round(statistics.median(times), 1),
                "p95_ms": round(statistics.quantiles(times, n=20)[18], 1),
                "first_ms": round(1000 * first, 1),
                "own_document_in_10": round(met / len(asked), 3),
                "languages_in_10": round(statistics.mean(languages), 1),
            }
            print(name, found[name], file=sys.stderr, flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("pairs")
    parser.add_argument("--made", type=Path, help="JSON: seconds, documents and peak_memory_mb of the indexing")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--warm", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("results/speed/large_index.json"))
    options = parser.parse_args()
    about = conditions("fastapi", "uvicorn", "numpy")
    table = load_pairs((options.pairs,)).table.select(["source", "id", "lang", "query"])
    rows = random.Random(options.seed).sample(range(len(table)), options.questions)
    asked = [(f"{r['lang']}/{r['source']}/{r['id']}", r["lang"], r["query"]) for r in table.take(rows).to_pylist()]
    with Collection.open(options.index) as collection:
        counts = collection.counts()
        facts = {"documents": counts.documents, "chunks": counts.chunks, "languages": len(counts.languages)}
        collection.get([key for key, *_ in asked])  # are all there
    report = {
        **facts,
        "disk_mb": round(sum(file.stat().st_size for file in options.index.rglob("*") if file.is_file()) / 2**20, 1),
        "made": json.loads(options.made.read_text(encoding="utf-8")) if options.made else None,
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "questions": len(asked),
        "command": command(options.index, asked[0][2]),
        "search": searches(options.index, asked),
    }
    questions = list(dict.fromkeys(question for _, _, question in asked))
    serve = ["-m", "isoglot", "serve", str(options.index), "--port", "0", "--device", "cpu", "--quiet"]
    report["serve"] = {
        "as it comes": measure(serve, questions, {}, options)[0],
        "without sentences and kept vectors": measure(
            [*serve, "--kept-texts", "0"], questions, {"sentences": False}, options
        )[0],
    }
    print(json.dumps(report, indent=2))
    write(options.output, {**report, **about})
    return 0


if __name__ == "__main__":
    sys.exit(main())
