"""A study directory with invented but consistent figures: rows per query, and the averages that belong to them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isoglot.evaluation.results import Result
from isoglot.files import write_json

LANGUAGES = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]
MEASURES = ("AP", "nDCG@10")
GAIN = {None: (0.0, 0.0), "mono": (0.02, 0.06), "cross": (-0.01, 0.09), "hybrid": (0.015, 0.085)}
LORA = {"name": "lora", "kind": "lora", "rank": 16, "targets": ["query", "key", "value", "dense"]}
FULL = {"name": "full", "kind": "full", "rank": None, "targets": []}
Json = dict[str, Any]


def make_cell(home: Path, key: str, **values: Any) -> Json:
    """A cell as `results.json` holds it; `benchmarks` is {name: languages}, written with `ids` queries each."""
    trained = values.get("kind", "trained") == "trained"
    cell: Json = {
        "id": key,
        "digest": f"{zlib.crc32(key.encode()):08x}" * 8,
        "kind": "trained",
        "data": "mlqa-r" if trained else None,
        "base": "offline:multilingual-e5-small",
        "strategy": None,
        "mono_share": None,
        "tuning": None,
        "seed": 0 if trained else None,
        "amount": 1.0,
        "languages": ["ar", "de", "en", "es", "hi", "vi", "zh"] if trained else [],
        "learning_rate": 5e-4 if trained else None,
        "steps": 300 if trained else 0,
        "batch_size": 32 if trained else 0,
        "status": "done",
        "error": None,
        "train": None,
    }
    ids, per_group = values.pop("ids", 12), values.pop("per_group", 3)
    extra = values.pop("extra", 0.0)
    benchmarks: dict[str, Sequence[str]] = values.pop("benchmarks", {"xquad-r": LANGUAGES[:3]})
    cell |= values
    cell["benchmarks"] = {}
    if cell["status"] != "done":
        return cell
    if trained:
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        steps = np.arange(1, 101)
        losses = 0.2 + 1.3 * np.exp(-steps / 14) + rng.normal(0, 0.04, 100)
        cell["train"] = {
            "steps": cell["steps"],
            "first_loss": float(losses[0]),
            "last_loss": float(losses[-1]),
            "mean_loss_of_last_tenth": float(losses[-10:].mean()),
            "losses": [round(float(x), 5) for x in losses],
            "trainable_parameters": 1_327_104 if (cell["tuning"] or {}).get("kind") == "lora" else 118_980_864,
            "parameters": 118_980_864,
            "pairs": 1148,
        }
    for name, languages in benchmarks.items():
        gains = tuple(x + extra for x in GAIN[cell["strategy"]])
        result = make_result(name, languages, ids, per_group, gains, seed=zlib.crc32(f"{key}{name}".encode()))
        path = f"cells/{key}/results/{name}"
        result.save(home / path)
        part = {k: result.summary[k] for k in ("settings", "bias", "per_language", "counts", "digests")}
        cell["benchmarks"][name] = {"path": path, **part}
    return cell


def make_result(
    benchmark: str, languages: Sequence[str], ids: int, per_group: int, gains: tuple[float, float], seed: int
) -> Result:
    """Rows of mono, cross and multi for `ids` parallel queries, and their averages."""
    rng, common = np.random.default_rng(seed), np.random.default_rng(zlib.crc32(benchmark.encode()))
    n = len(languages)
    hard = common.normal(0.75, 0.14, ids)
    skill = common.uniform(-0.08, 0.05, n)
    tables, averages, by_language = [], {}, {}
    pairs = {
        "mono": [(i, i) for i in range(n)],
        "cross": [(i, j) for i in range(n) for j in range(n) if i != j],
        "multi": [(i, -1) for i in range(n)],
    }
    for setting, places in pairs.items():
        here = np.repeat(places, ids, axis=0)
        query, doc = here[:, 0], here[:, 1]
        base = np.tile(hard, len(places)) + skill[query] + np.where(doc >= 0, skill[doc], -0.35)
        base += np.where(query == doc, 0.06 + gains[0], gains[1]) * (3 if setting == "multi" else 1)
        ap = np.clip(base + rng.normal(0, 0.08, len(base)), 0, 1)
        values = {"AP": ap, "nDCG@10": np.minimum(1, ap**0.85)}
        names = [*languages, "*"]
        distance = np.maximum(10, 1500 * (1 - ap) ** 2 + rng.normal(0, 20, len(ap))) if setting == "multi" else None
        tables.append(
            pa.table(
                {
                    "setting": pa.array([setting] * len(ap)),
                    "query_id": pa.array(np.tile([f"q{i:04d}" for i in range(ids)], len(places))),
                    "query_lang": pa.array(np.array(names)[query]),
                    "doc_lang": pa.array(np.array(names)[doc]),
                    "group": pa.array(np.tile([f"p{i // per_group:03d}" for i in range(ids)], len(places))),
                    **{name: pa.array(column) for name, column in values.items()},
                    "rank_distance": pa.nulls(len(ap), pa.float64()) if distance is None else pa.array(distance),
                }
            )
        )
        means = {name: column.reshape(len(places), ids).mean(axis=1) for name, column in values.items()}
        averages[setting] = {name: float(column.mean()) for name, column in means.items()}
        scores = {
            (names[i], names[j]): {name: float(means[name][k]) for name in MEASURES} for k, (i, j) in enumerate(places)
        }
        by_language[setting] = {q: v for (q, _), v in scores.items()}
        if setting == "cross":
            matrix: Json = {q: {} for q in languages}
            for (q, d), value in scores.items():
                matrix[q][d] = value
            by_query = {
                q: {name: float(np.mean([v[name] for v in row.values()])) for name in MEASURES}
                for q, row in matrix.items()
            }
            by_language[setting] = {"by_query": by_query, "matrix": matrix}
        if distance is not None:
            rows = distance.reshape(n, ids)
    bias = {
        "rank_distance": float(rows.mean(axis=1).mean()),
        "per_language": {lang: {"rank_distance": float(rows[i].mean())} for i, lang in enumerate(languages)},
    }
    summary = {
        "model": "invented",
        "benchmark": benchmark,
        "context": "sentence",
        "settings": averages,
        "bias": bias,
        "per_language": by_language,
        "counts": {
            "languages": n,
            "queries": dict.fromkeys(languages, ids),
            "documents": dict.fromkeys(languages, ids + 20),
            "cells": {setting: len(places) for setting, places in pairs.items()},
        },
        "about": {},
        "tie_rule": "none",
        "digests": {"benchmark": f"{zlib.crc32(benchmark.encode()):08x}" * 8, "model": f"{seed:08x}"},
    }
    return Result(summary, pa.concat_tables(tables))


def make_cost(cell: Json) -> Json:
    """A cost that fits a cell; nulls for a base."""
    rng = np.random.default_rng(zlib.crc32(cell["id"].encode()))
    lora = (cell["tuning"] or {}).get("kind") == "lora"
    seconds = float((600 if lora else 900) * rng.uniform(0.95, 1.05))
    trained = cell["kind"] == "trained"
    return {
        "train_seconds": seconds if trained else None,
        "evaluate_seconds": dict.fromkeys(cell["benchmarks"], 360.0),
        "pairs_per_second": 9600 / seconds if trained else None,
        "tokens_per_second": 9600 * 60 / seconds if trained else None,
        "peak_memory_bytes": int((3.7e9 if lora else 5.1e9) * rng.uniform(0.98, 1.02)) if trained else None,
        "gpu_peak_memory_bytes": None,
        "trainable_parameters": (cell["train"] or {}).get("trainable_parameters"),
        "adapter_bytes": 5_320_000 if lora else None,
        "model_bytes": 471_000_000 if trained else None,
        "checkpoint_bytes": (21_000_000 if lora else 1_420_000_000) if trained else None,
        "machine": {"platform": "Linux", "python": "3.11.7", "cpus": 2, "threads": 2, "gpu": None},
    }


def write_study(home: Path, cells: Sequence[Json], **results: Any) -> Path:
    """Write the study's files around its cells."""
    cells = sorted(cells, key=lambda cell: str(cell["id"]))
    data = list(dict.fromkeys(cell["data"] for cell in cells if cell["data"]))
    benchmarks = list(dict.fromkeys(name for cell in cells for name in cell["benchmarks"])) or ["xquad-r"]
    spec = {
        "name": "demo",
        "data": [{"name": name, "pairs": [f"lareqa:{name}"], "amount": [1.0], "benchmarks": []} for name in data],
        "benchmarks": benchmarks,
        "train": {"steps": 300, "batch_size": 32},
        "evaluate": {"context": "sentence"},
    }
    base = {
        "schema": 1,
        "name": "lareqa",
        "question": "How does LoRA with hybrid batches change zero-shot cross-lingual nDCG@10 compared with full fine-tuning?",
        "spec_digest": "ab" * 32,
        "audit": {
            "leaks": False,
            "allowed": False,
            "summary": ["mlqa-r against xquad-r: 0 exact, 0 near, 0 contained"],
        },
        "selection": [
            {
                "data": "mlqa-r",
                "base": "offline:multilingual-e5-small",
                "tuning": "lora",
                "strategy": "hybrid",
                "candidates": [
                    {"learning_rate": 2e-4, "validation_loss": 0.412},
                    {"learning_rate": 5e-4, "validation_loss": 0.377},
                ],
                "chosen": 5e-4,
            }
        ],
        "cells": list(cells),
    }
    versions = {"isoglot": "0.1.0", "python": "3.11.7", "torch": "2.13.0+cpu"}
    study = {"schema": 1, "name": "lareqa", "question": base["question"], "spec": spec, "spec_digest": "ab" * 32}
    write_json(home / "study.json", {**study, "versions": versions, "created": "2026-11-23T10:00:00+00:00"})
    write_json(home / "results.json", {**base, **results})
    write_json(home / "cost.json", {cell["id"]: make_cost(cell) for cell in cells if cell["status"] == "done"})
    write_json(home / "audit.json", base["audit"])
    return home


def grid(home: Path, *, data: str = "mlqa-r", seeds: Sequence[int] = (0, 1), **options: Any) -> list[Json]:
    """Base and mono, cross, hybrid by LoRA and full: 1 + 6 cells per seed."""
    base = make_cell(home, "base.e5", kind="base", **options)
    cells = [base]
    for seed in seeds:
        for strategy in ("mono", "cross", "hybrid"):
            for tuning in (LORA, FULL):
                key = f"{data}.e5.{strategy}.{tuning['name']}.s{seed}"
                extra = -0.004 if tuning is FULL else 0.0
                share = 0.5 if strategy == "hybrid" else None
                own = {"data": data, "strategy": strategy, "mono_share": share, "tuning": tuning, "seed": seed}
                rate = 5e-4 if tuning is LORA else 3e-5
                cells.append(make_cell(home, key, extra=extra, learning_rate=rate, **own, **options))
    return cells
