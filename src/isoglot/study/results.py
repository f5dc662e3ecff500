"""The files of a study: records of cells, results.json, cost.json, and the few lines that are printed in the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from isoglot.files import read_json, write_json
from isoglot.study.runs import SCHEMA
from isoglot.study.spec import StudySpec

RESULT_KEYS = ("settings", "bias", "per_language", "counts", "digests")
"""Keys of a result's summary that a cell's record repeats."""
_MOST_LOSSES = 200


def cell_record(about: Mapping[str, Any], folder: Path, *, status: str, error: str | None = None) -> dict[str, Any]:
    """The record of a cell: what was known before, and what came out of it if it is done."""
    record = {**about, "status": status, "error": error, "train": None, "benchmarks": {}}
    if status != "done":
        return record
    outcome = read_json(folder / "outcome.json")
    record["train"] = outcome["train"]
    record["benchmarks"] = {
        name: {"path": f"cells/{about['id']}/results/{name}", **part} for name, part in outcome["benchmarks"].items()
    }
    return record


def write_results(
    home: Path,
    spec: StudySpec,
    *,
    audit: Mapping[str, Any],
    selection: Sequence[Mapping[str, Any]],
    cells: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    """Write results.json: no times, no places outside the study, cells by id, so that equal studies give equal bytes."""
    results = {
        "schema": SCHEMA,
        "name": spec.name,
        "question": spec.question,
        "spec_digest": spec.digest,
        "audit": dict(audit),
        "selection": sorted(map(dict, selection), key=lambda part: (part["data"], part["base"], part["tuning"])),
        "cells": sorted(map(dict, cells), key=lambda cell: str(cell["id"])),
    }
    write_json(home / "results.json", results)
    return results


def write_costs(home: Path, ids: Iterable[str]) -> dict[str, Any]:
    """Write cost.json from the outcomes of the cells that have one."""
    places = {key: home / "cells" / key / "outcome.json" for key in sorted(ids)}
    costs = {key: read_json(path)["cost"] for key, path in places.items() if path.is_file()}
    write_json(home / "cost.json", costs)
    return costs


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a run's log; a last one that is being written is left out."""
    lines = []
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return []
    for part in text.splitlines():
        try:
            line = json.loads(part)
        except json.JSONDecodeError:
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines


def losses_of(path: Path) -> list[float]:
    """The training losses of a run; of more than 200, means over as many spans of equal length."""
    losses = [float(line["loss"]) for line in read_log(path) if "loss" in line]
    if len(losses) <= _MOST_LOSSES:
        return losses
    edges = [round(i * len(losses) / _MOST_LOSSES) for i in range(_MOST_LOSSES + 1)]
    return [round(sum(losses[a:b]) / (b - a), 6) for a, b in zip(edges, edges[1:])]
