"""Memory and time of exact ranks and top-k over a large store of synthetic embeddings.

    OMP_NUM_THREADS=2 python benchmarks/rank_memory.py            (5 million vectors: 4 GB of disk, a few minutes)
    python benchmarks/rank_memory.py --documents 100000           (a trial)

A stand-in model fills an embedding store (float16), a second process opens it again, ranks the relevant documents of all
queries in their own language's corpus and in the pooled one, and finds the top 100. Memory is anonymous memory (RssAnon
in /proc/self/status, sampled every 5 ms in each process): what a program holds, without pages of files that the system keeps
as long as it likes. The inputs (ids, tie positions, queries) are counted. Two queries are ranked again by scoring every
document one by one. The figures are printed and written to results/rank_memory.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from _memory import Memory, gigabytes

from isoglot import __version__
from isoglot.files import write_json
from isoglot.processes import processor
from isoglot.retrieval.ranks import Ranks, exact_ranks
from isoglot.retrieval.scoring import pair_scores
from isoglot.retrieval.shards import ShardedRows
from isoglot.retrieval.store import EmbeddingStore
from isoglot.retrieval.ties import tie_positions
from isoglot.retrieval.topk import top_k

LIMIT_GB = 1.5
LANGUAGES = 5
TOP = 100


class Texts:
    """n texts that are made when they are read."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __iter__(self) -> Iterator[str]:
        return (f"passage {i}" for i in range(self.n))


class Model:
    """Random vectors around one common direction, so that scores are as close together as those of real models."""

    def __init__(self, width: int) -> None:
        self.rng = np.random.default_rng(0)
        self.common = self.rng.standard_normal(width, dtype=np.float32)

    def encode_document(self, texts: list[str], batch_size: int, show_progress_bar: bool) -> np.ndarray:
        return self.rng.standard_normal((len(texts), len(self.common)), dtype=np.float32) + 2 * self.common


def open_store(root: Path, options: argparse.Namespace, model: Model | None) -> ShardedRows:
    store = EmbeddingStore(root)
    texts = Texts(options.documents)
    return store.encode(model, "synthetic", "", texts, "passage", dtype="float16", progress=False)


def fill(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    memory = Memory()
    vectors = open_store(root, options, Model(options.width))
    memory.lap("fill")
    return {"base_gb": gigabytes(memory.base), "vectors_gb": gigabytes(vectors.nbytes), "laps": memory.laps}


def rank(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    memory, rng = Memory(), np.random.default_rng(1)
    documents = open_store(root, options, None)
    memory.lap("open")
    counts = rng.integers(1, 6, size=options.queries)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    relevant = np.concatenate([np.sort(rng.choice(len(documents), size=m, replace=False)) for m in counts])
    queries = make_queries(documents, indptr, relevant, rng)
    offsets = np.linspace(0, len(documents), LANGUAGES + 1).astype(np.int64)
    memory.lap("queries")
    ids = [f"document-{i}" for i in range(len(documents))]
    ties = tie_positions(ids)
    memory.lap("ties")
    ranks = exact_ranks(queries, documents, indptr, relevant, ties, offsets, device=options.device)
    memory.lap("ranks")
    numbers, _ = top_k(queries, documents, TOP, ties, device=options.device)
    memory.lap("top_k")
    check(queries, documents, indptr, relevant, ties, offsets, ranks, numbers)
    memory.lap("check")
    return {
        "base_gb": gigabytes(memory.base),
        "judged": len(relevant),
        "median_rank": {"pooled": float(np.median(ranks.pooled)), "own": float(np.median(ranks.own))},
        "laps": memory.laps,
    }


def make_queries(documents: ShardedRows, indptr: Any, relevant: Any, rng: np.random.Generator) -> np.ndarray:
    """The mean of a query's relevant documents with noise, of length 1."""
    sums = np.add.reduceat(documents[relevant].astype(np.float32), indptr[:-1], axis=0)
    queries = sums / np.diff(indptr)[:, None] + rng.normal(scale=0.03, size=sums.shape)
    unit: np.ndarray = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
    return unit


def check(
    queries: Any, documents: Any, indptr: Any, relevant: Any, ties: Any, offsets: Any, ranks: Ranks, numbers: Any
) -> None:
    """Ranks against the definition for two queries, and top-k against ranks for all."""
    everything = np.arange(len(documents))
    for q in (0, len(queries) - 1):
        scores = pair_scores(queries, np.full(len(documents), q), documents, everything)
        for j in range(indptr[q], indptr[q + 1]):
            own = scores[relevant[j]]
            before = (scores > own) | ((scores == own) & (ties < ties[relevant[j]]))
            language = np.searchsorted(offsets, relevant[j], side="right") - 1
            assert ranks.pooled[j] == 1 + np.count_nonzero(before)
            assert ranks.own[j] == 1 + np.count_nonzero(before[offsets[language] : offsets[language + 1]])
    query = np.repeat(np.arange(len(queries)), np.diff(indptr))
    inside = np.flatnonzero(ranks.pooled <= numbers.shape[1])
    assert (numbers[query[inside], ranks.pooled[inside] - 1] == relevant[inside]).all()


def stage(name: str, root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run one stage in its own process."""
    given = [f"--{key}={value}" for key, value in vars(options).items() if key not in ("stage", "root") and value]
    command = [sys.executable, __file__, f"--stage={name}", f"--root={root}", *given]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=5_000_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--device", default="", help="a torch device for the products; numpy when empty")
    parser.add_argument("--output", default="results/rank_memory.json")
    parser.add_argument("--stage", choices=["fill", "rank"], help=argparse.SUPPRESS)
    parser.add_argument("--root", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        options.device = options.device or None
        print(json.dumps({"fill": fill, "rank": rank}[options.stage](Path(options.root), options)))
        return 0
    with tempfile.TemporaryDirectory(prefix="rank-memory-") as root:
        stages = {name: stage(name, Path(root), options) for name in ("fill", "rank")}
    above = {
        name: round(max(lap["peak_gb"] for lap in found["laps"].values()) - found["base_gb"], 3)
        for name, found in stages.items()
    }
    summary = {
        "documents": options.documents,
        "queries": options.queries,
        "width": options.width,
        "dtype": "float16",
        "device": options.device or "cpu (numpy)",
        "top": TOP,
        "limit_gb": LIMIT_GB,
        "peak_above_imports_gb": above,
        "within_limit": max(above.values()) < LIMIT_GB,
        "memory": "RssAnon of /proc/self/status, sampled every 5 ms, in 1e9 bytes",
        **stages,
        "machine": {"processor": processor(), "cores": os.cpu_count(), "threads": os.environ.get("OMP_NUM_THREADS")},
        "versions": {"isoglot": __version__, "python": platform.python_version(), "numpy": np.__version__},
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%MZ"),
    }
    write_json(Path(options.output), summary)
    print(json.dumps(summary, indent=2))
    return 0 if summary["within_limit"] else 1


if __name__ == "__main__":
    sys.exit(main())
