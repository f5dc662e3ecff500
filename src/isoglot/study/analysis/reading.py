"""A study directory, or an export of one, as the analysis reads it: files, runs, costs, audit, and rows per query on demand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import UndefinedError

from isoglot.errors import InputError
from isoglot.evaluation.results import Result, load_result
from isoglot.files import inside, read_json
from isoglot.study.packing import PACKED, PackedStudy

Json = dict[str, Any]
SCHEMA = 1
FILES = ("study", "results", "cost", "audit")
ROW_KEYS = ("setting", "query_id", "query_lang", "doc_lang", "group")
# characters that no XML file may hold, and halves of surrogate pairs, which UTF-8 has no bytes for
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, eq=False)
class Study:
    """The files of a study as they were read.

    Attributes:
        directory: where they lie.
        study, results, costs: content of `study.json`, `results.json`, `cost.json`; {} where a file is not there.
        audit: content of `audit.json`; None where the study was not audited.
        missing: names of the files that are not there.
        packed: what an export holds in one table; None of a study directory.
        name, question: of the study.
        spec: the specification as it was resolved.
        runs: the records of all cells, by id, whatever became of them.
        done: those of finished cells.
    """

    directory: Path
    study: Json
    results: Json
    costs: Json
    audit: Json | None
    missing: tuple[str, ...]
    packed: PackedStudy | None
    name: str
    question: str
    spec: Json
    runs: list[Json]
    done: list[Json]
    _loaded: dict[str, Result] = field(default_factory=dict, repr=False)

    @property
    def open(self) -> list[Json]:
        """The records of cells that failed or are pending: what they would have shown is not known."""
        return [run for run in self.runs if run["status"] != "done"]

    @property
    def n_open(self) -> int:
        """How many cells failed or are pending."""
        return len(self.open)

    @property
    def trained_pairs(self) -> list[tuple[str, str]]:
        """(data, benchmark) of all finished trained cells, sorted."""
        return sorted({(run["data"], name) for run in self.done if run["data"] for name in run["benchmarks"]})

    def audited(self, data: str | None, benchmark: str) -> Mapping[str, Any] | None:
        """What the audit found for training data and benchmark; None where it did not look."""
        every = (self.audit or {}).get("comparisons", [])
        return {(audit["data"], Path(audit["benchmark"]).name): audit for audit in every}.get((data, benchmark))

    def leaked(self, data: str | None, benchmark: str) -> bool:
        """Whether the audit found the benchmark in the data: then results on it are not zero-shot."""
        return bool((self.audited(data, benchmark) or {}).get("leak"))

    def result(self, path: str) -> Result:
        """The result in a folder of the study (`cells/<id>/results/<benchmark>`), from there or from an export's one table.

        Raises:
            InputError: it is missing or malformed.
        """
        if path not in self._loaded:
            result = self.packed.result(path) if self.packed else load_result(inside(self.directory, path))
            for name in ROW_KEYS:
                if name not in result.per_query.column_names:
                    raise InputError(f"{self.directory / path}: no column '{name}' in the rows per query")
            self._loaded[path] = result
        return self._loaded[path]


@contextmanager
def as_written(directory: str | Path) -> Iterator[None]:
    """What goes wrong inside for want of a part of a study's files, or for another type, is an InputError."""
    try:
        yield
    except InputError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, UndefinedError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise InputError(f"{directory}: its files are not as `isoglot study run` writes them ({problem})") from None


def read_study(directory: str | Path) -> Study:
    """Read a study directory or an export.

    Raises:
        InputError: no directory, neither `results.json` nor `study.json`, or a file that is not what it should be.
    """
    home = Path(directory)
    if not home.is_dir():
        raise InputError(f"{home}: no such directory; expected one that `isoglot study run --output` wrote")
    contents = {name: _read(home / f"{name}.json") for name in FILES if (home / f"{name}.json").is_file()}
    if not {"study", "results"} & contents.keys():
        raise InputError(f"{home}: no study.json and no results.json; expected what `isoglot study run --output` wrote")
    packed = PackedStudy(home / PACKED) if (home / PACKED).is_file() else None
    # the file of an export leaves out what is said of single languages
    results = clean(packed.details["results"]) if packed else contents.get("results", {})
    if "results" in contents:
        _check_runs(home / "results.json", results)
    audit = contents.get("audit") if (results.get("audit") or {}).get("leaks") is not None else None
    missing = tuple(f"{name}.json" for name in FILES if name not in contents)
    study, runs = contents.get("study", {}), sorted(results.get("cells") or [], key=lambda run: str(run["id"]))
    done = [run for run in runs if run["status"] == "done"]
    name = str(results.get("name") or study.get("name") or home.name)
    question = str(results.get("question") or study.get("question") or "No question was stated.")
    files = (home, study, results, contents.get("cost", {}), audit or None, missing, packed)
    return Study(*files, name, question, dict(study.get("spec") or {}), runs, done)


def _read(path: Path) -> Json:
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, as `isoglot study run` writes it")
    if path.stem in ("study", "results") and (schema := content.get("schema", SCHEMA)) != SCHEMA:
        raise InputError(f"{path}: schema {schema!r} is not one that this version reads ({SCHEMA})")
    cleaned: Json = clean(content)
    return cleaned


def _check_runs(path: Path, results: Json) -> None:
    runs = results.get("cells")
    if not isinstance(runs, list):
        raise InputError(f"{path}: no 'cells'; expected the results of `isoglot study run`")
    for run in runs:
        absent = [key for key in ("id", "kind", "base", "status", "benchmarks") if key not in (run or {})]
        if absent:
            raise InputError(f"{path}: a cell is not as `isoglot study run` writes it (no '{absent[0]}')")


def clean(value: Any) -> Any:
    """A JSON value whose texts hold no control characters and no halves of surrogate pairs."""
    if isinstance(value, str):
        return _FORBIDDEN.sub("\ufffd", value)
    if isinstance(value, dict):
        return {clean(key): clean(inner) for key, inner in value.items()}
    return [clean(inner) for inner in value] if isinstance(value, list) else value
