"""`isoglot study export`: what of a study can be published and gone on with: figures and records, no weights and no texts."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoglot.disk import check_writable
from isoglot.errors import InputError
from isoglot.files import atomic_directory, inside, read_json, write_json, write_text
from isoglot.one_writer import locked
from isoglot.study.analysis.reading import Study, as_written, read_study
from isoglot.study.packing import PACKED, PackedStudy, pack

EXPORT = "export.json"
"""Lies in a directory that `export_study` made, until a study goes on there."""
_WITHOUT = ("weights", "checkpoints", "pairs", "texts")
_OWN = re.compile(r"(study|results|cost|audit|export)\.json|per_query\.parquet|report\.(html|md)|figures/[^/]+\.svg")
Json = dict[str, Any]


def export_study(directory: Path, target: Path, *, overwrite: bool = False) -> list[Path]:
    """Write what can be published of a study: no adapters, models, checkpoints, pairs, excerpts of texts, places of this machine.

    Results (the rows per query as one table), costs, learning rates, losses, the audit's counts and the report (made anew)
    remain. `isoglot study run` on a copy of the target goes on where the study was, and does nothing again that is finished.

    Args:
        directory: of `isoglot study run --output`, or an export of this or an earlier form.
        target: a folder that does not exist, or is empty.
        overwrite: it may be an older export, which is replaced whole.

    Returns:
        The files written.

    Raises:
        InputError: no results there, a damaged file, or a target that cannot be used or holds something else; nothing is
            written then.
    """
    check_writable(target, directory=True)
    with locked(target, beside=True):
        _check_target(target, overwrite)
        _export(directory, target)
    return sorted(path for path in target.rglob("*") if path.is_file())


def _check_target(target: Path, overwrite: bool) -> None:
    """InputError where the folder holds what no export has, or an export that is not to be replaced."""
    if not target.exists():
        return
    names = [path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()]
    if names and EXPORT not in names:
        raise InputError(f"{target}: not empty and no export of a study; give another directory")
    if foreign := sorted(name for name in names if not _OWN.fullmatch(name)):
        raise InputError(f"{target}: {foreign[0]} is not of an export; move it away or give another directory")
    if names and not overwrite:
        raise InputError(f"{target}: holds an export already; give --overwrite to replace it, or another directory")


def _export(directory: Path, target: Path) -> None:
    study = read_study(directory)
    if "results.json" in study.missing:
        instead = f"make one with isoglot study run SPEC --output {directory}"
        raise InputError(f"{directory}: no study with results here; {instead}")
    from isoglot.study.report import write_report

    with atomic_directory(target) as copy:
        for name in ("study.json", "cost.json", *((PACKED, "results.json") if study.packed else ())):
            if (directory / name).is_file():
                shutil.copyfile(directory / name, copy / name)
        if "audit.json" not in study.missing:
            write_json(copy / "audit.json", _without_texts(read_json(directory / "audit.json")))
        write_json(copy / EXPORT, {"schema": 1, "without": _WITHOUT})
        if not study.packed:
            _pack(study, copy)
        write_report(copy, target.name)


def _pack(study: Study, copy: Path) -> None:
    """Write the table of all rows, and results.json without what is said of single languages."""
    results, home = read_json(study.directory / "results.json"), study.directory
    paths = [scores["path"] for run in results["cells"] for scores in run["benchmarks"].values()]
    done = [run["id"] for run in results["cells"] if run["status"] == "done"]
    states = {name: read_json(home / "cells" / name / "state.json") for name in done}
    # trials that results.json does not speak of are of an earlier spec
    candidates = [rate for choice in results["selection"] for rate in choice["candidates"]]
    tried = {(rate["learning_rate"], rate["validation_loss"]) for rate in candidates}
    trials = {}
    for folder in sorted(home.glob("selection/*.lr*")):
        trial = {name: read_json(folder / f"{name}.json") for name in ("cell", "state")}
        if (trial["cell"]["learning_rate"], trial["cell"]["validation_loss"]) in tried:
            trials[folder.name] = trial
    pack(
        copy / PACKED,
        {path: study.result(path) for path in paths},
        {"results": results, "states": states, "trials": trials},
    )
    for run in results["cells"]:
        for scores in run["benchmarks"].values():
            del scores["per_language"]
            scores["bias"].pop("per_language", None)
    write_text(copy / "results.json", _one_run_a_line(results))


def unpack_export(directory: Path) -> None:
    """Make of a copy of an export the folders that `isoglot study run` goes on with; of anything else nothing.

    A run that is stopped meanwhile unpacks again: the packed table goes last.
    """
    if not (directory / PACKED).is_file():
        return
    with as_written(directory):
        packed, costs = PackedStudy(directory / PACKED), read_json(directory / "cost.json")
        results = packed.details["results"]
        folders = {f"selection/{name}": files for name, files in packed.details["trials"].items()}
        for run in results["cells"]:
            for scores in run["benchmarks"].values():
                packed.result(scores["path"]).save(inside(directory, scores["path"]))
            if run["status"] == "done":
                measured = {
                    name: {k: v for k, v in own.items() if k != "path"} for name, own in run["benchmarks"].items()
                }
                outcome = {"train": run["train"], "benchmarks": measured, "cost": costs[run["id"]]}
                files = {"cell": run, "state": packed.details["states"][run["id"]], "outcome": outcome}
                folders[f"cells/{run['id']}"] = files
        for folder, files in folders.items():
            for name, content in files.items():
                write_json(inside(directory, f"{folder}/{name}.json"), content)
        write_json(directory / "results.json", results)
    for name in (EXPORT, PACKED):
        (directory / name).unlink(missing_ok=True)


def _one_run_a_line(results: Mapping[str, Any]) -> str:
    """JSON with a line per key, and per cell."""

    def short(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    runs = ",\n".join(map(short, results["cells"]))
    lines = [f"{short(key)}:{short(value)}" for key, value in results.items() if key != "cells"]
    return "{\n" + ",\n".join([*lines, f'"cells":[\n{runs}\n]']) + "\n}\n"


def _without_texts(audit: Json) -> Json:
    """The audit with the ids of what it found, but without the texts."""
    sides = [side for comparison in audit.get("comparisons") or [] for side in comparison.get("sides") or []]
    for example in (example for side in sides for example in side.get("examples") or []):
        for excerpt in ("evaluation", "training"):
            example[excerpt].pop("text", None)
    return audit
