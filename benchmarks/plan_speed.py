"""How fast a packed pair table opens, how much memory that takes, and what a step of its plan costs.

An index of many pairs is generated straight into the packed format: rows, groups of false negatives and missing languages
are random. The texts are not: `texts.arrow` has the record batches that so many rows would have, with one row each,
because opening depends on their number only. Opening and stepping are measured in fresh processes.

    python benchmarks/plan_speed.py                     # 40 million pairs x 7 languages; needs 5 GB in --work
    python benchmarks/plan_speed.py --quick             # 200,000 pairs, to see that it runs
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

CODES = ("ar", "de", "en", "es", "hi", "vi", "zh", "el", "ru", "th", "tr", "fr", "it", "ja", "ko", "pt")
_CHUNK = 1 << 20
_FILES = ("rows.npy", "source.npy", "group.npy", "order.npy", "texts.arrow", "pairs.json", "blocks.json")


def generate(folder: Path, pairs: int, languages: int, missing: float, shared: float, seed: int = 0) -> dict[str, Any]:
    """Write packed pairs to `folder`; returns what was made.

    Args:
        missing: share of (pair, language) cells without a row, in random places.
        shared: share of groups with more than one pair; their sizes are geometric (mean 2 more), at most 64.
    """
    from numpy.lib.format import open_memmap

    from isoglot.blocks import write_blocks
    from isoglot.data.pairs.index import PairIndex
    from isoglot.data.pairs.packing import _smallest, write_record

    random = np.random.default_rng(seed)
    sizes = np.ones(pairs, dtype=np.int64)
    more = random.random(pairs) < shared
    sizes[more] = np.minimum(1 + random.geometric(1 / 3, int(more.sum())), 64)
    group = open_memmap(folder / "group.npy", mode="w+", dtype=np.int32, shape=(pairs,))
    # groups are numbered by their first pair; the others of a group follow somewhere in the next thousands
    labels = np.repeat(np.arange(pairs, dtype=np.int32), sizes)[:pairs]
    for start in range(0, pairs, _CHUNK):
        group[start : start + _CHUNK] = random.permutation(labels[start : start + _CHUNK])
    source = open_memmap(folder / "source.npy", mode="w+", dtype=np.int32, shape=(pairs,))
    rows = open_memmap(folder / "rows.npy", mode="w+", dtype=_smallest(pairs * languages), shape=(pairs, languages))
    n_rows = 0
    for start in range(0, pairs, _CHUNK):
        there = random.random((min(_CHUNK, pairs - start), languages)) >= missing
        there[:, 0] |= ~there.any(axis=1)
        count = int(there.sum())
        part = np.full(there.shape, -1, dtype=np.int64)
        part[there] = np.arange(n_rows, n_rows + count)
        rows[start : start + _CHUNK] = part
        n_rows += count
    index = PairIndex(tuple(sorted(CODES[:languages])), ("generated",), rows, source, group)
    batches = _texts(folder / "texts.arrow", n_rows)
    write_record(folder, index, {"rows": batches, "negatives": False, "digest": "generated", "documents": None})
    group.flush()
    write_blocks(folder)
    return {
        "pairs": pairs,
        "languages": languages,
        "rows": n_rows,
        "groups": index.n_groups,
        "missing_share": missing,
        "record_batches": batches,
        "bytes": {name: (folder / name).stat().st_size for name in _FILES},
    }


def _texts(path: Path, rows: int) -> int:
    """An Arrow file with the record batches of so many rows, one row in each; returns their number."""
    import pyarrow as pa

    from isoglot.data.pairs.parts import _BATCH_ROWS
    from isoglot.data.pairs.table import SCHEMA

    batches = -(-rows // _BATCH_ROWS)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        for number in range(batches):
            row = ["generated", str(number), "en", "question", "answer", None, [], None, []]
            writer.write_batch(
                pa.RecordBatch.from_arrays([pa.array([v], f.type) for v, f in zip(row, SCHEMA)], schema=SCHEMA)
            )
    return batches


def memory() -> dict[str, int]:
    """Resident bytes of this process: all, anonymous, of mapped files."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    names = {"resident": "VmRSS", "anonymous": "RssAnon", "mapped_files": "RssFile", "peak_resident": "VmHWM"}
    return {name: int(fields[field].split()[0]) * 1024 for name, field in names.items()}


def measure(folder: Path, batch_size: int, steps: int, furthest: int) -> dict[str, Any]:
    """Open the table and a plan over it and time steps; to be called in a fresh process."""
    from isoglot.batching.plan import BatchPlan, PlanSettings
    from isoglot.data.pairs.loading import load_pairs

    before = memory()
    began = time.perf_counter()
    table = load_pairs(folder)
    loaded = time.perf_counter()
    plan = BatchPlan(table.index, PlanSettings(batch_size=batch_size))
    opened = time.perf_counter()
    result: dict[str, Any] = {
        "open_seconds": {"table": loaded - began, "plan": opened - loaded, "both": opened - began},
        "memory_after_imports": before,
        "memory_after_open": memory(),
        "steps_per_epoch": plan.steps_per_epoch,
        "first_step_ms": _timed(plan, [0])["max_ms"],
        "jump_to_furthest_step_ms": _timed(plan, [furthest])["max_ms"],
    }
    anywhere = np.random.default_rng(1).integers(0, furthest, steps).tolist()
    # the first round touches pages that this process has not mapped and makes the tables of the permutations
    for name, order in (
        ("first_forwards", range(steps)),
        ("first_random", anywhere),
        ("forwards", range(steps)),
        ("backwards", range(steps - 1, -1, -1)),
        ("random", anywhere),
        ("new_random", np.random.default_rng(2).integers(0, furthest, steps).tolist()),
    ):
        result[name] = _timed(plan, order)
    result["memory_after_steps"] = memory()
    result["check"] = [int(plan[step].query_rows.sum()) for step in (0, 1, furthest)]
    return result


def _timed(plan: Any, order: Iterable[int]) -> dict[str, float]:
    """Milliseconds per step: by the clock (median, 95th percentile, maximum), and of the processor (mean, median)."""
    clock, cpu = [], []
    for step in order:
        began, busy = time.perf_counter(), time.thread_time()
        plan[step]
        cpu.append(time.thread_time() - busy)
        clock.append(time.perf_counter() - began)
    found = {
        "median_ms": np.median(clock),
        "p95_ms": np.percentile(clock, 95),
        "max_ms": np.max(clock),
        "mean_ms": np.mean(clock),
        "cpu_median_ms": np.median(cpu),
        "cpu_p95_ms": np.percentile(cpu, 95),
        "cpu_mean_ms": np.mean(cpu),
    }
    return {name: round(float(value) * 1e3, 4) for name, value in found.items()} | {"steps": len(clock)}


def cache_state(folder: Path, *, keep: bool) -> None:
    """Bring the files into the system's page cache, or (keep=False) write them out and drop them from it."""
    for name in _FILES:
        with open(folder / name, "rb") as source:
            if keep:
                while source.read(1 << 24):
                    pass
            else:
                os.fsync(source.fileno())
                os.posix_fadvise(source.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def in_fresh_process(folder: Path, options: argparse.Namespace, steps: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--measure", str(folder), "--steps", str(steps)]
    command += ["--batch-size", str(options.batch_size), "--furthest", str(options.furthest)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40_000_000)
    parser.add_argument("--languages", type=int, default=7, help=f"at most {len(CODES)}")
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=2000, help="steps that are timed in each order")
    parser.add_argument("--furthest", type=int, default=1_000_000, help="random steps lie before this one")
    parser.add_argument("--missing", type=float, default=0.1, help="share of pairs that a language lacks")
    parser.add_argument("--shared", type=float, default=0.1, help="share of groups of more than one pair")
    parser.add_argument(
        "--work", type=Path, help="where the table is generated (default: the system's temporary folder)"
    )
    parser.add_argument("--quick", action="store_true", help="200,000 pairs, 200 steps")
    parser.add_argument("--output", type=Path, default=Path("results/speed/plan_speed.json"))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.batch_size, options.steps, options.furthest)))
        return
    if options.quick:
        options.pairs, options.steps, options.furthest = 200_000, 200, 50_000
    from _machine import conditions, write

    # the conditions stand before the work, so that the load they name is not this script's
    result: dict[str, Any] = {"conditions": conditions("pyarrow", "scipy"), "batch_size": options.batch_size}
    folder = Path(tempfile.mkdtemp(prefix="plan_speed.", dir=options.work))
    try:
        began = time.perf_counter()
        result["table"] = generate(folder, options.pairs, options.languages, options.missing, options.shared)
        result["generate_seconds"] = round(time.perf_counter() - began, 1)
        result["peak_resident_of_generating"] = memory()["peak_resident"]
        cache_state(folder, keep=False)
        result["cold"] = in_fresh_process(folder, options, min(100, options.steps))
        cache_state(folder, keep=True)
        result["warm"] = in_fresh_process(folder, options, options.steps)
        if result["cold"]["check"] != result["warm"]["check"]:
            raise SystemExit("two processes gave different batches")
    finally:
        shutil.rmtree(folder)
    for state in ("cold", "warm"):
        part = result[state]
        anonymous = part["memory_after_open"]["anonymous"] / 2**20
        print(f"{state}: opens in {part['open_seconds']['both']:.2f} s, {anonymous:.0f} MiB anonymous; ms per step:")
        for name in ("first_forwards", "first_random", "forwards", "backwards", "random", "new_random"):
            figures = "  ".join(
                f"{key} {part[name][f'{key}_ms']:.2f}" for key in ("median", "p95", "max", "cpu_median")
            )
            print(f"  {name:<15} {figures}")
    write(options.output, result)


if __name__ == "__main__":
    main()
