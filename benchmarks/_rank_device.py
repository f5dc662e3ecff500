"""The sides of `rank_speed.py --device`: searches and rankings on a device, in bfloat16 parts and in float32, beside the CPU."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isoglot.retrieval import ranks, split_products, topk


class Undecided:
    """Counts the pairs that products leave undecided, in rankings or in searches."""

    def __init__(self, module: Any) -> None:
        self.pairs = self.scored_on_cpu = 0
        self._score, module.exact_scores = module.exact_scores, self._counted

    def _counted(self, queries: Any, rows: Any, chunk: Any, columns: Any, products: Any, *more: Any) -> Any:
        self.pairs += len(rows)
        known = more[1] if len(more) > 1 else None
        self.scored_on_cpu += len(rows) if known is None else int(np.isnan(known).sum())
        return self._score(queries, rows, chunk, columns, products, *more)

    def counts(self) -> dict[str, int]:
        return {"undecided": self.pairs, "scored_on_cpu": self.scored_on_cpu}


def one_run(side: str, root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One side, in its own process: seconds of a search and of a ranking, and what products left undecided."""
    device = None if side == "isoglot" else options.device
    documents, queries = np.load(root / f"{options.size}.npy", mmap_mode="r"), np.load(root / "queries.npy")
    is_cpu = options.device == "cpu"  # parts are multiplied there as well: slowly, to count pairs
    if side == "parts" and not (is_cpu or split_products.can_split(torch.from_numpy(queries).to(device))):
        raise SystemExit(f"{device} has no bfloat16 tensor cores, or torch {torch.__version__} does not reach them")
    split_products.can_split = lambda queries: side == "parts"
    ties, few = np.arange(len(documents)), min(len(documents), 20_000)
    topk.top_k(queries, documents[:few], options.top, ties[:few], device=device)  # starts the device
    searched, ranked = Undecided(topk), Undecided(ranks)
    started = time.perf_counter()
    numbers, scores = topk.top_k(queries, documents, options.top, ties, device=device)
    searching = time.perf_counter() - started
    relevant = np.sort(numbers[:, [0, min(9, options.top - 1), -1]], axis=1).ravel()
    judged = np.arange(0, len(relevant) + 1, 3), relevant
    started = time.perf_counter()
    found = ranks.exact_ranks(queries, documents, *judged, ties, np.array([0, len(documents)]), device=device)
    ranking = time.perf_counter() - started
    np.savez(root / f"{side}.npz", numbers=numbers, scores=scores, ranks=found.pooled)
    return {
        "seconds": round(searching, 4),
        "ranking_seconds": round(ranking, 4),
        "pairs": {"search": searched.counts(), "ranking": ranked.counts()},
        "device": torch.cuda.get_device_name(device) if device and device.startswith("cuda") else device or "numpy",
    }


def summary(root: Path, size: int, runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians of the runs, and whether all sides found the same."""
    answers = [np.load(root / f"{side}.npz") for side in runs]
    same = all(np.array_equal(answers[0][name], answer[name]) for answer in answers for name in answer)
    sides = {
        side: {
            "median_seconds": statistics.median(run["seconds"] for run in of),
            "median_ranking_seconds": statistics.median(run["ranking_seconds"] for run in of),
            "pairs": of[0]["pairs"],
            "runs": of,
        }
        for side, of in runs.items()
    }
    return {"documents": size, "sides": sides, "answers_are_the_same": same}


def lines(size: dict[str, Any]) -> Iterator[str]:
    for side, of in size["sides"].items():
        yield f"{side}: search {of['median_seconds']} s, ranks {of['median_ranking_seconds']} s, {of['pairs']}"
    yield f"the same answers: {size['answers_are_the_same']}"
