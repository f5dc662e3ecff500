"""The files of a study: records of cells, results.json and cost.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isoglot.files import read_json, write_json
from isoglot.study.layout import SCHEMA, JobFolder, Layout
from isoglot.study.spec import StudySpec

RESULT_KEYS = ("settings", "bias", "per_language", "counts", "digests")
"""Keys of a result's summary that a run's record repeats."""


def run_record(about: Mapping[str, Any], folder: JobFolder, *, status: str, error: str | None = None) -> dict[str, Any]:
    """The record of a run: what was known before, and what came out of it if it is done."""
    record = {**about, "status": status, "error": error, "train": None, "benchmarks": {}}
    if status != "done":
        return record
    outcome = read_json(folder.outcome)
    record["train"] = outcome["train"]
    record["benchmarks"] = {
        name: {"path": f"cells/{about['id']}/results/{name}", **figures}
        for name, figures in outcome["benchmarks"].items()
    }
    return record


def write_results(
    layout: Layout,
    spec: StudySpec,
    *,
    audit: Mapping[str, Any],
    selection: Sequence[Mapping[str, Any]],
    runs: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    """Write results.json: no times, no paths outside the study, runs by id, so that equal studies give equal bytes."""
    results = {
        "schema": SCHEMA,
        "name": spec.name,
        "question": spec.question,
        "spec_digest": spec.digest,
        "audit": dict(audit),
        "selection": sorted(
            map(dict, selection), key=lambda choice: (choice["data"], choice["base"], choice["tuning"])
        ),
        "cells": sorted(map(dict, runs), key=lambda run: str(run["id"])),
    }
    write_json(layout.results, results)
    return results


def write_costs(layout: Layout, ids: Iterable[str]) -> dict[str, Any]:
    """Write cost.json from the outcomes of the runs that have one."""
    outcomes = {name: layout.cell(name).outcome for name in sorted(ids)}
    costs = {name: read_json(path)["cost"] for name, path in outcomes.items() if path.is_file()}
    write_json(layout.costs, costs)
    return costs
