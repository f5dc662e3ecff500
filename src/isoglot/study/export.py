"""`isoglot study export`: what of a study can be published and gone on with: figures and records, no weights and no texts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoglot.errors import InputError
from isoglot.files import atomic_directory, read_json, write_json
from isoglot.study.layout import SCHEMA
from isoglot.study.report import write_report
from isoglot.study.results import read_study
from isoglot.study.runs import slug

_STUDY = ("study.json", "results.json", "cost.json")
_CELL = ("cell.json", "outcome.json", "train.json", "state.json")
"""What a later run needs to know that a cell is done, and what of it goes into results.json and cost.json."""
_LOG = Path("run/log.jsonl")


def export_study(directory: Path, target: Path) -> list[Path]:
    """Copy a study without adapters, models, checkpoints, pairs, excerpts of texts and places of this machine.

    Results per query, records of finished cells and trials, their losses, the audit's counts and the report (made anew) remain.
    `isoglot study run` on a copy of the target goes on where the study was, and does nothing again that is finished.

    Args:
        directory: of `isoglot study run --output`.
        target: a folder that does not exist, is empty, or is an older export, which is replaced whole.

    Returns:
        The files written.

    Raises:
        InputError: no results there, a damaged file, or a target that cannot be used; nothing is written then.
    """
    results = read_study(directory)
    if target.exists() and not (target / "export.json").is_file() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: not empty and no export of a study; give another directory")
    with atomic_directory(target) as copy:
        write_json(copy / "export.json", {"schema": SCHEMA, "without": ["weights", "checkpoints", "pairs", "texts"]})
        for name in _STUDY:
            if (directory / name).is_file():
                shutil.copyfile(directory / name, copy / name)
        _copy_audit(directory / "audit.json", copy / "audit.json")
        for place in _finished(directory, results):
            _copy_cell(directory / place, copy / place)
        write_report(copy, target.name)
    return sorted(path for path in target.rglob("*") if path.is_file())


def _finished(directory: Path, results: Mapping[str, Any]) -> list[Path]:
    """Folders of the finished cells and trials that results.json speaks of; others are of an earlier spec."""
    places = [Path("cells") / cell["id"] for cell in results["cells"] if cell["status"] == "done"]
    for choice in results["selection"]:
        key = choice["data"], choice["base"], choice["tuning"]
        rates = [candidate["learning_rate"] for candidate in choice["candidates"]]
        places += [
            Path("selection") / f"{key[0]}.{slug(key[1])}.{key[2]}.lr{rate:g}" for rate in rates if rate is not None
        ]
    return [place for place in places if (directory / place / "cell.json").is_file()]


def _copy_cell(source: Path, target: Path) -> None:
    places = [source / name for name in (*_CELL, _LOG)]
    places += [path for path in (source / "results").rglob("*") if path.is_file() and not path.name.startswith(".")]
    for place in places:
        if place.is_file():
            other = target / place.relative_to(source)
            other.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place, other)


def _copy_audit(source: Path, target: Path) -> None:
    """The audit with the ids of what it found, but without the texts."""
    if not source.is_file():
        return
    audit = read_json(source)
    for comparison in audit.get("comparisons") or []:
        for side in comparison.get("sides") or []:
            for example in side.get("examples") or []:
                for part in ("evaluation", "training"):
                    example[part].pop("text", None)
    write_json(target, audit)
