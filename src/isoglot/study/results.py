"""The files of a study: records of cells, results.json, cost.json, and the few lines that are printed in the end."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from isoglot.errors import InputError
from isoglot.evaluation.report import grid
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


def summary_lines(results: Mapping[str, Any], home: Path, answer: str = "") -> list[str]:
    """Question and answer, a small table, what is highest in it, and where the rest is."""
    done = [cell for cell in results["cells"] if cell["status"] == "done"]
    if not done:
        return [f"{results['question']} No cell is done.", str(home)]
    opening = textwrap.wrap(f"{results['question']} {answer}".strip(), _WIDTH, break_on_hyphens=False)
    setting, measure = _main_figure(done)
    rows = [["benchmark", "base", "training", *_SHOWN_SETTINGS, "rank distance", "cells"]]
    best: list[str] = []
    for benchmark, base in dict.fromkeys((name, cell["base"]) for cell in done for name in cell["benchmarks"]):
        here = [cell for cell in done if benchmark in cell["benchmarks"] and cell["base"] == base]
        groups: dict[str, list[Mapping[str, Any]]] = {}
        for cell in sorted(here, key=lambda cell: (cell["kind"] != "base", _label(cell))):
            groups.setdefault(_label(cell), []).append(cell)
        for label, part in groups.items():
            figures = [_mean(part, benchmark, one, measure) for one in _SHOWN_SETTINGS]
            bias = [cell["benchmarks"][benchmark]["bias"].get("rank_distance") for cell in part]
            known = [float(value) for value in bias if value is not None]
            distance = f"{sum(known) / len(known):.1f}" if known else "-"
            shown = ["-" if value is None else f"{value:.4f}" for value in figures]
            rows.append([benchmark, base, label, *shown, distance, str(len(part))])
        best.append(_best(groups, benchmark, base, setting, measure))
    failed = sum(cell["status"] == "failed" for cell in results["cells"])
    lines = [*opening, "", f"{measure}, means over seeds", *grid(rows, text_columns=3), "", *best]
    if failed:
        lines += ["", f"{failed} of {len(results['cells'])} cells failed; the same command tries them again"]
    return [*lines, "", str(home / "report.html")]


_SHOWN_SETTINGS = ("mono", "cross", "multi")
_WIDTH = 110  # columns of prose


def _main_figure(done: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """(setting, measure) that the answer is about: cross and nDCG@10 where they were measured."""
    part = next(iter(done[0]["benchmarks"].values()))["settings"]
    setting = "cross" if "cross" in part else next(iter(part))
    return setting, "nDCG@10" if "nDCG@10" in part[setting] else next(iter(part[setting]))


def _label(cell: Mapping[str, Any]) -> str:
    if cell["kind"] == "base":
        return "none (base)"
    kind = cell["strategy"] if cell["mono_share"] is None else f"{cell['strategy']} {cell['mono_share']:g}"
    amount = "" if cell["amount"] == 1.0 else f", {cell['amount']:g} of the pairs"
    return f"{cell['data']}: {kind}, {cell['tuning']['name']}{amount}"


def _mean(part: Sequence[Mapping[str, Any]], benchmark: str, setting: str, measure: str) -> float | None:
    values = [cell["benchmarks"][benchmark]["settings"].get(setting, {}).get(measure) for cell in part]
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _best(
    groups: Mapping[str, Sequence[Mapping[str, Any]]], benchmark: str, base: str, setting: str, measure: str
) -> str:
    values = {label: _mean(part, benchmark, setting, measure) for label, part in groups.items()}
    known = {label: value for label, value in values.items() if value is not None}
    if not known:
        return f"{benchmark}: nothing measured."
    label = max(known, key=lambda name: known[name])
    before = known.get("none (base)")
    than = "" if before is None or label == "none (base)" else f" (base {before:.4f})"
    return f"Highest {setting} {measure} on {benchmark}, {base}: {label}, {known[label]:.4f}{than}."


def read_study(home: Path) -> dict[str, Any]:
    """results.json of a study. InputError where there is none."""
    path = home / "results.json"
    if not path.is_file():
        raise InputError(f"{home}: no study with results here; make one with isoglot study run SPEC --output {home}")
    results: dict[str, Any] = read_json(path)
    return results
