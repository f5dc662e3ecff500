"""`isoglot study export`: what of a study can be published and gone on with: figures and records, no weights and no texts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from isoglot.errors import InputError
from isoglot.files import atomic_directory, read_json, write_json, write_text
from isoglot.study.analysis.reading import Study, read_study
from isoglot.study.packing import DETAILS, PACKED, PackedStudy, pack

EXPORT = "export.json"
"""Lies in a directory that `export_study` made, until a study goes on there."""
_WITHOUT = ("weights", "checkpoints", "pairs", "texts")
Json = dict[str, Any]


def export_study(directory: Path, target: Path) -> list[Path]:
    """Write what can be published of a study: no adapters, models, checkpoints, pairs, excerpts of texts, places of this machine.

    Results (the rows per query as one table), costs, learning rates, losses, the audit's counts and the report (made anew)
    remain. `isoglot study run` on a copy of the target goes on where the study was, and does nothing again that is finished.

    Args:
        directory: of `isoglot study run --output`, or an export of this or an earlier form.
        target: a folder that does not exist, is empty, or is an older export, which is replaced whole.

    Returns:
        The files written.

    Raises:
        InputError: no results there, a damaged file, or a target that cannot be used; nothing is written then.
    """
    study = read_study(directory)
    if "results.json" in study.missing:
        raise InputError(
            f"{directory}: no study with results here; make one with isoglot study run SPEC --output {directory}"
        )
    if target.exists() and not (target / EXPORT).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: not empty and no export of a study; give another directory")
    from isoglot.study.report import write_report

    with atomic_directory(target) as copy:
        for name in ("study.json", "cost.json"):
            if (directory / name).is_file():
                shutil.copyfile(directory / name, copy / name)
        _copy_audit(directory / "audit.json", copy / "audit.json")
        write_json(copy / EXPORT, {"schema": 1, "without": _WITHOUT})
        if study.packed:
            for name in (PACKED, DETAILS, "results.json"):
                shutil.copyfile(directory / name, copy / name)
        else:
            _pack(study, read_json(directory / "results.json"), copy)
        write_report(copy, target.name)
    return sorted(path for path in target.rglob("*") if path.is_file())


def _pack(study: Study, results: Json, copy: Path) -> None:
    """Write the table of all rows, results.json without what is said of single languages, and the rest for programs alone."""
    tables: dict[tuple[str, str], Any] = {}
    kept: dict[str, Json] = {}
    states: Json = {}
    for run in results["cells"]:
        for benchmark, scores in run["benchmarks"].items():
            result = study.result(scores["path"])
            tables[run["id"], benchmark] = result.per_query
            entry = {"record": scores, "summary": result.summary, "columns": result.per_query.column_names}
            kept.setdefault(run["id"], {})[benchmark] = entry
            bias = {key: value for key, value in scores["bias"].items() if key != "per_language"}
            short = {key: value for key, value in scores.items() if key != "per_language"}
            run["benchmarks"][benchmark] = {**short, "bias": bias}
        if run["status"] == "done":
            states[run["id"]] = read_json(study.directory / "cells" / run["id"] / "state.json")
    trials = {}
    for folder in _trials(study.directory, results):
        trials[folder.name] = {name: read_json(folder / f"{name}.json") for name in ("cell", "state")}
    pack(copy, tables, {"results": kept, "states": states, "trials": trials})
    write_text(copy / "results.json", _one_run_a_line(results))


def _trials(directory: Path, results: Json) -> Iterator[Path]:
    """Folders of the trials that results.json speaks of; others are of an earlier spec."""
    rates = {
        (choice["data"], choice["tuning"], f"{candidate['learning_rate']:g}")
        for choice in results["selection"]
        for candidate in choice["candidates"]
        if candidate["learning_rate"] is not None
    }
    for folder in sorted((directory / "selection").glob("*.lr*")):
        data, _, rest = folder.name.partition(".")
        trial, _, rate = rest.rpartition(".lr")
        if (data, trial.rpartition(".")[2], rate) in rates and (folder / "cell.json").is_file():
            yield folder


def unpack_export(directory: Path) -> None:
    """Make of a copy of an export the folders that `isoglot study run` goes on with; of anything else nothing.

    A run that is stopped meanwhile unpacks again: the packed table goes last.
    """
    if not (directory / PACKED).is_file():
        return
    packed, costs = PackedStudy(directory), read_json(directory / "cost.json")
    results = packed.restore(read_json(directory / "results.json"))
    for run in results["cells"]:
        if run["status"] != "done":
            continue
        folder = directory / "cells" / run["id"]
        for scores in run["benchmarks"].values():
            packed.result(scores["path"]).save(directory / scores["path"])
        cost = costs[run["id"]]
        trained = {key: value for key, value in cost.items() if key != "evaluate_seconds"}
        scored = {
            name: {key: scores[key] for key in scores if key != "path"} for name, scores in run["benchmarks"].items()
        }
        if run["train"]:
            write_json(folder / "train.json", {"train": run["train"], "cost": trained})
        write_json(folder / "outcome.json", {"train": run["train"], "benchmarks": scored, "cost": cost})
        write_json(folder / "state.json", packed.details["states"][run["id"]])
        write_json(folder / "cell.json", run)
    for name, files in packed.details["trials"].items():
        for stem, content in files.items():
            write_json(directory / "selection" / name / f"{stem}.json", content)
    write_json(directory / "results.json", results)
    for name in (EXPORT, PACKED, DETAILS):
        (directory / name).unlink(missing_ok=True)


def _one_run_a_line(results: Mapping[str, Any]) -> str:
    """JSON with a line per key, and per cell."""

    def short(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    runs = ",\n".join(map(short, results["cells"]))
    lines = [f"{short(key)}:{short(value)}" for key, value in results.items() if key != "cells"]
    return "{\n" + ",\n".join([*lines, f'"cells":[\n{runs}\n]']) + "\n}\n"


def _copy_audit(source: Path, target: Path) -> None:
    """The audit with the ids of what it found, but without the texts."""
    if not source.is_file():
        return
    audit = read_json(source)
    for comparison in audit.get("comparisons") or []:
        for side in comparison.get("sides") or []:
            for example in side.get("examples") or []:
                for excerpt in ("evaluation", "training"):
                    example[excerpt].pop("text", None)
    write_json(target, audit)
