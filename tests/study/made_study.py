"""Study directories with planted effects: no model is trained, rows per query are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isoglot.evaluation.results import Result
from isoglot.files import write_json

LANGUAGES = ("de", "en", "sw")
SETTINGS = ("mono", "cross", "multi")
Shift = float | Mapping[Any, float]
BASE = "offline:multilingual-e5-small"


def make_result(
    shift: Shift = 0.0, *, seed: int, noise: float = 0.01, n_ids: int = 60, languages: Sequence[str] = LANGUAGES
) -> Result:
    """Rows of made-up nDCG@10 and AP: shared by all systems, a planted shift, and noise by seed.

    Args:
        shift: added everywhere, or by setting, or by (setting, query language).
    """
    shared, own = np.random.default_rng(99), np.random.default_rng(seed)
    tables = []
    for setting in SETTINGS:
        for query in languages:
            documents = {"mono": [query], "multi": ["*"]}.get(setting, [lang for lang in languages if lang != query])
            by = shift if isinstance(shift, (int, float)) else shift.get((setting, query), shift.get(setting, 0.0))
            for document in documents:
                base = shared.uniform(0.2, 0.6, size=n_ids)
                values = base + by + own.normal(0, noise, size=n_ids)
                columns = {
                    "setting": [setting] * n_ids,
                    "query_id": [f"q{n}" for n in range(n_ids)],
                    "query_lang": [query] * n_ids,
                    "doc_lang": [document] * n_ids,
                    "group": [f"p{n // 2}" for n in range(n_ids)],
                    "nDCG@10": values,
                    "AP": values - 0.05,
                    "rank_distance": 100 - 100 * values if setting == "multi" else pa.nulls(n_ids, pa.float64()),
                }
                tables.append(pa.table(columns))
    table = pa.concat_tables(tables)
    return Result(_summary(table, languages, f"{seed}{shift}"), table)


def _summary(table: pa.Table, languages: Sequence[str], model: str) -> dict[str, Any]:
    settings: dict[str, dict[str, float]] = {}
    per_cell: dict[str, list[float]] = {}
    frame = table.group_by(["setting", "query_lang", "doc_lang"]).aggregate(
        [(name, "mean") for name in ("nDCG@10", "AP", "rank_distance")]
    )
    rows = frame.to_pylist()
    for setting in SETTINGS:
        own = [row for row in rows if row["setting"] == setting]
        settings[setting] = {name: float(np.mean([row[f"{name}_mean"] for row in own])) for name in ("nDCG@10", "AP")}
        per_cell[setting] = [row["rank_distance_mean"] for row in own]
    sizes = dict.fromkeys(languages, 60)
    n = len(languages)
    return {
        "model": model,
        "benchmark": "toy",
        "context": "sentence",
        "settings": settings,
        "bias": {"rank_distance": float(np.mean(per_cell["multi"]))},
        "per_language": {"cross": {"by_query": {lang: {} for lang in languages}}},
        "counts": {
            "languages": n,
            "queries": sizes,
            "documents": sizes,
            "cells": {"mono": n, "cross": n * (n - 1), "multi": n},
        },
        "tie_rule": "by hash",
        "about": {},
        "digests": {"benchmark": "b" * 64, "model": model},
    }


KEYS = ("settings", "bias", "per_language", "counts", "digests")


class MadeStudy:
    """Writes a study directory cell by cell."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cells: list[dict[str, Any]] = []
        self.costs: dict[str, Any] = {}
        self.audit: dict[str, Any] | None = None
        self.number = 0

    def add(
        self,
        strategy: str | None = "hybrid",
        shift: Shift = 0.0,
        *,
        seeds: Sequence[int] = (0, 1),
        tuning: str = "lora",
        share: float | None = None,
        base: str = BASE,
        benchmarks: Sequence[str] = ("toy",),
        noise: float = 0.01,
        spread: float = 0.0,
        languages: Sequence[str] = LANGUAGES,
        trained: Sequence[str] = LANGUAGES,
        status: str = "done",
        cost: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> MadeStudy:
        """Cells of one recipe, one per seed; `strategy` None is the untrained base. `spread`: +- by seed."""
        is_base = strategy is None
        if strategy == "hybrid" and share is None:
            share = 0.5
        kind = "full" if tuning.startswith("full") else "lora"
        for place, seed in enumerate((None,) if is_base else seeds):
            name = f"{base}.{tuning}.{strategy}.{share}.s{seed}".replace(":", "-")
            name = f"base.{base}".replace(":", "-") if is_base else f"{name}.{len(self.cells)}"
            own = shift + spread * (-1) ** place if spread and isinstance(shift, (int, float)) else shift
            self.cells.append(
                {
                    "id": name,
                    "digest": name,
                    "kind": "base" if is_base else "trained",
                    "data": None if is_base else "data",
                    "base": base,
                    "strategy": strategy,
                    "mono_share": share,
                    "tuning": None
                    if is_base
                    else {"name": tuning, "kind": kind, "rank": 16 if kind == "lora" else None, "targets": []},
                    "seed": seed,
                    "amount": 1.0,
                    "languages": list(trained) if not is_base else [],
                    "learning_rate": None if is_base else 5e-4,
                    "steps": 0 if is_base else 100,
                    "batch_size": 0 if is_base else 32,
                    "status": status,
                    "error": None,
                    "train": None,
                    "benchmarks": self._measure(name, own, benchmarks, noise, languages) if status == "done" else {},
                    **fields,
                }
            )
            if cost:
                self.costs[name] = dict(cost)
        return self

    def _measure(
        self, name: str, shift: Shift, benchmarks: Sequence[str], noise: float, languages: Sequence[str]
    ) -> dict[str, Any]:
        found = {}
        for benchmark in benchmarks:
            self.number += 1
            result = make_result(shift, seed=self.number, noise=noise, languages=languages)
            path = f"cells/{name}/results/{benchmark}"
            result.save(self.home / path)
            found[benchmark] = {"path": path, **{key: result.summary[key] for key in KEYS}}
        return found

    def audited(self, leaks: int = 0, distractors: int = 0, benchmarks: Sequence[str] = ("toy",)) -> MadeStudy:
        """An audit of all benchmarks with so many leaked questions and so many distractors in common."""
        total = {"texts": 100, "exact": leaks + distractors, "near": 0, "contained": 0, "short": 0, "leaks": leaks}
        item = {
            "data": "data",
            "leak": leaks > 0,
            "leaks": {"queries": leaks, "documents": 0, "ids": 0},
            "evaluation": {"queries": 100, "documents": 100},
            "sides": [{"training": "query", "evaluation": "queries", "total": total}],
            "notes": [],
        }
        comparisons = [{**item, "benchmark": name} for name in benchmarks]
        self.audit = {"schema": 1, "leaks": leaks > 0, "summary": ["made"], "comparisons": comparisons}
        return self

    def write(self) -> Path:
        """Write the files and return the directory."""
        leaks = self.audit["leaks"] if self.audit else None
        results = {"schema": 1, "name": "lareqa", "question": "?", "spec_digest": "0", "selection": []}
        results["audit"] = {"leaks": leaks, "allowed": True, "summary": []}
        write_json(self.home / "results.json", {**results, "cells": self.cells})
        write_json(self.home / "cost.json", self.costs)
        if self.audit:
            write_json(self.home / "audit.json", self.audit)
        return self.home
