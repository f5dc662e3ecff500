"""Exact top-100 over memory-mapped float16 vectors: isoglot's `top_k` beside faiss, in time and in memory.

    pip install faiss-cpu
    OMP_NUM_THREADS=2 python benchmarks/rank_speed.py                (200,000 and 2 million vectors: 1.7 GB of disk)
    python benchmarks/rank_speed.py --quick                          (20,000 vectors, one repeat: a trial)
    python benchmarks/rank_speed.py --device cuda                    (on a GPU)

Vectors around one common direction, so that scores are as close together as those of real models, are written to a temporary
directory as one .npy file per size. Every run is a fresh process with the same number of threads, the sides take turns:

- isoglot: `isoglot.retrieval.topk.top_k` on the memory map: exact, ties in a fixed order;
- flat: `faiss.IndexFlatIP`, the map added chunk by chunk as float32, then one search;
- knn: `faiss.knn` on one float32 chunk after the other, the best of all chunks merged by numpy; no index is held.

With `--device` the sides are isoglot on the CPU and, after a small search that starts the device, on it:

- parts: products of bfloat16 parts (`isoglot.retrieval.split_products`), as where nothing else is asked;
- float32: products in float32.

There `exact_ranks` is timed, too, of the documents that each query finds first, tenth and last; and of both it is counted how
many pairs were too near for a product to decide, and how many of these the CPU had to score.

Time is from the open map to the answer, without imports. Memory is RssAnon of /proc/self/status (what a program holds,
without pages of files that the system keeps as long as it likes), sampled every 5 ms, above what the imports hold. The answers
are compared: queries with the same set of documents, and how far the scores lie apart.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.retrieval.topk import top_k

SIDES = ("isoglot", "flat", "knn")
DEVICE_SIDES = ("isoglot", "parts", "float32")
CHUNK = 65_536
Answer = tuple[Any, Any]


class Memory:
    """The highest anonymous memory of this process since the object was made, bytes."""

    def __init__(self) -> None:
        self.base = self.peak = anonymous()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, anonymous())
            time.sleep(0.005)


def anonymous() -> int:
    """Bytes of anonymous memory in use."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not report RssAnon; run the benchmark on Linux 4.5 or later")


def make(path: Path, n: int, width: int, seed: int, common: np.ndarray) -> None:
    """Write n unit vectors, float16, shape (n, width), chunk by chunk."""
    rng = np.random.default_rng(seed)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(n, width))
    for start in range(0, n, CHUNK):
        part = rng.standard_normal((min(CHUNK, n - start), width), dtype=np.float32) + 2 * common
        out[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    out.flush()


def isoglot(queries: np.ndarray, documents: np.ndarray, k: int) -> Answer:
    return top_k(queries, documents, k, np.arange(len(documents)))


def flat(queries: np.ndarray, documents: np.ndarray, k: int) -> Answer:
    import faiss

    index = faiss.IndexFlatIP(documents.shape[1])
    for start in range(0, len(documents), CHUNK):
        index.add(documents[start : start + CHUNK].astype(np.float32))
    scores, numbers = index.search(queries, k)
    return numbers, scores


def knn(queries: np.ndarray, documents: np.ndarray, k: int) -> Answer:
    import faiss

    best, numbers = None, None
    for start in range(0, len(documents), CHUNK):
        part = documents[start : start + CHUNK].astype(np.float32)
        scores, found = faiss.knn(queries, part, min(k, len(part)), metric=faiss.METRIC_INNER_PRODUCT)
        found += start
        if best is not None:
            scores, found = np.hstack([best, scores]), np.hstack([numbers, found])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best, numbers = np.take_along_axis(scores, order, axis=1), np.take_along_axis(found, order, axis=1)
    return numbers, best


def one_run(side: str, root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Runs in its own process: time and memory; the answer is left in a file."""
    import torch  # every user of isoglot's encoders has it loaded; imported on all sides alike

    threads = torch.get_num_threads()
    if side != "isoglot":
        import faiss

        faiss.omp_set_num_threads(threads)
    documents, queries = np.load(root / f"{options.size}.npy", mmap_mode="r"), np.load(root / "queries.npy")
    answer: dict[str, Callable[..., Answer]] = {"isoglot": isoglot, "flat": flat, "knn": knn}
    memory, started, worked = Memory(), time.perf_counter(), time.process_time()
    numbers, scores = answer[side](queries, documents, options.top)
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    np.savez(root / f"{side}.npz", numbers=numbers, scores=scores)
    held = max(memory.peak, anonymous())
    return {
        "seconds": round(seconds, 4),
        "processor_seconds": round(worked, 4),
        "peak_above_imports_mb": round((held - memory.base) / 1e6, 1),
        "peak_mb": round(held / 1e6, 1),
        "threads": threads,
    }


def in_a_process(side: str, root: Path, size: int, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, f"--side={side}", f"--root={root}", f"--size={size}", f"--top={options.top}"]
    command += [f"--device={options.device}"] if options.device else []
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return found


def agreement(root: Path, side: str) -> dict[str, Any]:
    """isoglot's answer beside another one; scores of sets that differ only by ties or float noise lie within 1e-6."""
    ours, theirs = np.load(root / "isoglot.npz"), np.load(root / f"{side}.npz")
    same = [set(a) == set(b) for a, b in zip(ours["numbers"].tolist(), theirs["numbers"].tolist())]
    order = (ours["numbers"] == theirs["numbers"]).all(axis=1)
    return {
        "queries": len(same),
        "share_with_the_same_set": round(float(np.mean(same)), 6),
        "share_with_the_same_order": round(float(order.mean()), 6),
        "largest_difference_of_sorted_scores": float(np.abs(ours["scores"] - theirs["scores"]).max()),
    }


def all_runs(root: Path, size: int, options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """What every side reports of its runs; the sides take turns."""
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in options.sides}
    np.load(root / f"{size}.npy", mmap_mode="r").sum(dtype=np.float64)  # all sides find the file in the page cache
    for repeat in range(options.repeats):
        for side in options.sides[repeat % len(options.sides) :] + options.sides[: repeat % len(options.sides)]:
            runs[side].append(in_a_process(side, root, size, options))
            print(f"{size:>9,} documents, {side}: {runs[side][-1]}", file=sys.stderr, flush=True)
    return runs


def compare(root: Path, size: int, options: argparse.Namespace) -> dict[str, Any]:
    runs = all_runs(root, size, options)
    sides = {
        side: {
            "median_seconds": statistics.median(run["seconds"] for run in of),
            "least_seconds": min(run["seconds"] for run in of),
            "median_processor_seconds": statistics.median(run["processor_seconds"] for run in of),
            "peak_above_imports_mb": max(run["peak_above_imports_mb"] for run in of),
            "runs": of,
        }
        for side, of in runs.items()
    }
    others = [side for side in options.sides if side != "isoglot"]
    ours = sides["isoglot"]["median_seconds"]
    return {
        "documents": size,
        "sides": sides,
        "times_as_fast_as": {side: round(sides[side]["median_seconds"] / ours, 3) for side in others},
        "agreement": {side: agreement(root, side) for side in others},
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[200_000, 2_000_000])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--top", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sides", nargs="+", choices=[*SIDES, *DEVICE_SIDES[1:]])
    parser.add_argument("--device", help="a torch device: products on it, in bfloat16 parts and in float32")
    parser.add_argument("--quick", action="store_true", help="20,000 documents, one repeat")
    parser.add_argument(
        "--output", type=Path, help="default: rank_speed.json or rank_speed_DEVICE.json in results/speed"
    )
    for name, kind in (("side", str), ("root", Path), ("size", int)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args()
    where = f"rank_speed_{options.device.partition(':')[0]}.json" if options.device else "rank_speed.json"
    options.output = options.output or Path("results/speed") / where
    every = DEVICE_SIDES if options.device else SIDES
    options.sides = options.sides or list(every)
    if not set(options.sides) <= set(every):
        parser.error(f"--sides: expected some of {', '.join(every)}")
    if not options.device and "isoglot" not in options.sides:
        parser.error("--sides: isoglot must be among them")
    if options.quick:
        options.documents, options.repeats = [20_000], 1
    return options


def main() -> int:
    options = arguments()
    if options.side:
        if options.device:
            from _rank_device import one_run as on_device

            print(json.dumps(on_device(options.side, options.root, options)))
        else:
            print(json.dumps(one_run(options.side, options.root, options)))
        return 0
    from _machine import conditions, write
    from _rank_device import lines, summary

    about = conditions("faiss-cpu")
    with tempfile.TemporaryDirectory(prefix="rank-speed-") as name:
        root = Path(name)
        common = np.random.default_rng(0).standard_normal(options.width, dtype=np.float32)
        make(root / "half.npy", options.queries, options.width, 1, common)
        np.save(root / "queries.npy", np.load(root / "half.npy").astype(np.float32))
        found = []
        for size in options.documents:
            make(root / f"{size}.npy", size, options.width, 2, common)
            if options.device:
                found.append(summary(root, size, all_runs(root, size, options)))
            else:
                found.append(compare(root, size, options))
            (root / f"{size}.npy").unlink()
    report = {
        "queries": options.queries,
        "width": options.width,
        "dtype": "float16",
        "top": options.top,
        "repeats": options.repeats,
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "memory": "RssAnon of /proc/self/status, sampled every 5 ms, in 1e6 bytes",
        "sizes": found,
        **about,
    }
    for size in found:
        ours = f"{size['documents']:,} documents"
        if options.device:
            print(*(f"{ours}, {line}" for line in lines(size)), sep="\n")
        else:
            print(f"{ours}: isoglot is {size['times_as_fast_as']} times as fast")
    write(options.output, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
