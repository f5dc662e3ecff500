"""Result files side by side: which may be compared, and their rows in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ValidationError

from isoglot.errors import InputError
from isoglot.evaluation.results import PER_QUERY_FILE, Result, load_result
from isoglot.evaluation.significance import Cells, macro_average
from isoglot.records import FloatArray, several

RANK_DISTANCE = "rank_distance"
_KEYS = ("query_lang", "doc_lang", "query_id")
_ROW = (*_KEYS, "group")


@dataclass(frozen=True)
class System:
    """One system as it is printed: a result per training seed, and the folders that they were read from, in one order."""

    name: str
    results: tuple[Result, ...]
    folders: tuple[str, ...]

    @property
    def n_models(self) -> int:
        """Training seeds with a model of their own: the very same model twice tells nothing about a recipe."""
        digests = [result.summary["digests"].get("model") for result in self.results]
        return len({digest for digest in digests if digest}) + sum(not digest for digest in digests)

    @property
    def settings(self) -> set[str]:
        """The settings that all results have, and "rank_distance" where they have that."""
        summaries = [result.summary for result in self.results]
        each = [{*s["settings"], *({RANK_DISTANCE} & (s.get("bias") or {}).keys())} for s in summaries]
        return set.intersection(*each)


@dataclass(frozen=True)
class Matched:
    """Rows of one setting, the same in all systems.

    Attributes:
        names: (query language, document language or "*") per cell.
        cells: where the n rows belong.
        values: per system, one row per training seed, float64, shape (n_seeds, n).
    """

    names: list[tuple[str, str]]
    cells: Cells
    values: list[FloatArray]

    def only(self, keep: Callable[[str, str], bool]) -> Matched:
        """The rows of those cells for whose names `keep` says so. InputError where no cell is left."""
        chosen = np.array([keep(*pair) for pair in self.names])
        rows = chosen[self.cells.cell]
        if not rows.any():
            raise InputError("no language pair is left to compare")
        labels = (self.cells.cell, self.cells.unit, self.cells.group)
        cells = Cells(*(np.unique(numbers[rows], return_inverse=True)[1] for numbers in labels))
        names = [pair for pair, kept in zip(self.names, chosen) if kept]
        return Matched(names, cells, [values[:, rows] for values in self.values])


def all_results(systems: Sequence[System]) -> Iterator[tuple[str, Result]]:
    """(folder, result) of every seed of every system."""
    for system in systems:
        yield from zip(system.folders, system.results)


def load_systems(words: str | Sequence[str]) -> list[System]:
    """Systems from `DIR`, `DIR,DIR` (training seeds of one system), `NAME=DIR` or `NAME=DIR,DIR`.

    A word that is an existing folder is that folder, whatever signs its name holds.

    Raises:
        InputError: fewer than two systems, a name or a folder of one system given twice, a file that is missing.
    """
    words = several(words)
    if len(words) < 2:
        wanted = "at least two results (folders that `isoglot evaluate --output` wrote)"
        raise InputError(f"nothing to compare: give {wanted}")
    return read_systems(words)


def read_systems(words: Sequence[str]) -> list[System]:
    """As `load_systems`, of any number of words."""
    parsed = [_parse(word) for word in words]
    short = [name or Path(folders[0]).name for name, folders in parsed]
    systems: dict[str, System] = {}
    for word, (name, folders), last in zip(words, parsed, short):
        # folders that share their last part are told apart by their whole path
        label = name or (last if last and short.count(last) == 1 and len(folders) == 1 else word)
        if label in systems:
            raise InputError(f"'{label}' names two systems; call them differently, such as first={folders[0]}")
        systems[label] = System(label, tuple(map(_load, folders)), folders)
    return list(systems.values())


def one_result(folder: str) -> System:
    """The system of a single result. InputError where there is none in the folder."""
    return System(folder, (_load(folder),), (folder,))


class _Counts(BaseModel):
    queries: dict[str, int]
    documents: dict[str, int]


class _Digests(BaseModel):
    benchmark: str
    model: str | None = None


class _Seen(BaseModel):
    shared: int
    of: int


class _Leak(BaseModel):
    queries: _Seen | None = None
    passages: _Seen | None = None
    ids: _Seen | None = None
    pairs: _Seen | None = None
    known: list[str]


class _Summary(BaseModel):
    """What comparisons read of the summary of a result."""

    benchmark: str
    context: str
    tie_rule: str
    settings: dict[str, dict[str, Any]]
    counts: _Counts
    digests: _Digests
    bias: dict[str, Any] = {}
    about: dict[str, str] = {}
    leak: _Leak | None = None


def _load(folder: str) -> Result:
    """A result whose summary has what comparisons read of it. InputError names what is missing."""
    result = load_result(folder)
    try:
        _Summary.model_validate(result.summary, strict=True)
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        problem = f"'{key}' is missing or another thing"
        raise InputError(f"{folder}/summary.json: not a result of `isoglot evaluate`: {problem}") from None
    return Result({"bias": {}, "about": {}, **result.summary}, result.per_query)


def _parse(word: str) -> tuple[str, tuple[str, ...]]:
    name, sign, rest = ("", "", word) if Path(word).is_dir() or "=" not in word else word.partition("=")
    folders = (rest,) if Path(rest).is_dir() else tuple(rest.split(","))
    if (sign and not name) or not all(folders):
        raise InputError(f"'{word}': expected DIR, NAME=DIR or NAME=DIR,DIR,... (one folder per training seed)")
    if len({Path(folder).resolve() for folder in folders}) < len(folders):
        raise InputError(f"'{word}': the same folder twice; every training seed has its own")
    return name, folders


def require_comparable(systems: Sequence[System]) -> None:
    """All results measure the same thing.

    Raises:
        InputError: it names the first thing that differs: context, sample, languages, benchmark or tie rule.
    """
    (first_folder, first), *others = [(folder, _identity(result)) for folder, result in all_results(systems)]
    for folder, identity in others:
        for what, (value, shown) in identity.items():
            if value != first[what][0]:
                raise InputError(
                    f"{first_folder} and {folder} cannot be compared: {what} differs ({first[what][1]} against {shown})"
                )


def _identity(result: Result) -> dict[str, tuple[Any, str]]:
    """What two results must share -> (value, as it is shown); what explains a difference comes before the digest."""
    summary = result.summary
    about, counts, digest = summary.get("about", {}), summary["counts"], summary["digests"]["benchmark"]
    languages = about.get("languages") or " ".join(sorted({*counts["queries"], *counts["documents"]}))
    return {
        "context": _shown(summary["context"]),
        "sample": _shown(about.get("sample")),
        "languages": _shown(languages),
        # the name of a benchmark may be a path: only its content counts
        "benchmark (its queries, passages, judgments or groups)": (
            digest,
            f"{summary['benchmark']}, digest {digest[:12]}",
        ),
        "tie rule": _shown(summary["tie_rule"]),
    }


def _shown(value: Any) -> tuple[Any, str]:
    text = str(value)
    return value, "none" if value is None else f"'{text}'" if len(text) <= 80 else f"'{text[:77]}...'"


def match(systems: Sequence[System], setting: str, measure: str) -> Matched:
    """The rows of one setting in one order for all systems, with the values of one measure.

    Args:
        systems: comparable results.
        setting: mono, cross, multi, or "rank_distance": that of the multilingual rows that have one.
        measure: a column of measures; "rank_distance" in the setting of that name.

    Raises:
        InputError: the measure or a column is missing, rows do not match or are there twice, values are missing, or the rows
            do not give the average that the summary states.
    """
    tables = [_rows(folder, result.per_query, setting, measure) for folder, result in all_results(systems)]
    first_folder, keys = systems[0].folders[0], tables[0].select(_ROW)
    for (folder, _), table in zip(all_results(systems), tables):
        if not table.select(_ROW).equals(keys):
            raise InputError(f"{first_folder} and {folder}: rows do not match{_mismatch(setting, keys, table)}")
    pairs = pc.binary_join_element_wise(keys.column("query_lang"), keys.column("doc_lang"), " ")  # type: ignore[call-overload]
    encoded = [column.combine_chunks().dictionary_encode() for column in (pairs, keys["query_id"], keys["group"])]
    cells = Cells(*(column.indices.to_numpy().astype(np.int64) for column in encoded))
    if len(cells.cell) != len(np.unique(cells.unit * cells.n_cells + cells.cell)):
        raise InputError(f"{first_folder}/{PER_QUERY_FILE}: a query occurs twice in one cell of setting '{setting}'")
    values = np.stack([table.column(measure).to_numpy() for table in tables]).astype(np.float64)
    for (folder, result), row in zip(all_results(systems), values):
        average = macro_average(cells, row)
        scores = result.summary["bias"] if setting == RANK_DISTANCE else result.summary["settings"].get(setting, {})
        stated = scores.get(measure)
        if not isinstance(stated, (int, float)) or abs(stated - average) > 1e-9 * max(1.0, abs(average)):
            figures = f"{stated} in summary.json but {average:.6f} in the rows of {PER_QUERY_FILE}"
            raise InputError(f"{folder}: {measure} in setting '{setting}' is {figures}; measure again")
    names = [(query, doc) for query, _, doc in (str(pair).partition(" ") for pair in encoded[0].dictionary.to_pylist())]
    ends = np.cumsum([len(system.results) for system in systems])
    return Matched(names, cells, np.split(values, ends[:-1]))


def _rows(folder: str, table: pa.Table, setting: str, measure: str) -> pa.Table:
    """The rows of one setting by query language, document language and query id."""
    path = f"{folder}/{PER_QUERY_FILE}"
    for name in ("setting", "group", *_KEYS, measure):
        if name not in table.column_names:
            hint = f"; it has: {', '.join(measures_of(table))}" if name == measure else ""
            raise InputError(f"{path}: no column '{name}'{hint}")
    for name in ("setting", *_ROW, measure):
        kind, is_number = table.schema.field(name).type, name == measure
        if not (pa.types.is_floating(kind) if is_number else pa.types.is_string(kind)):
            raise InputError(f"{path}: column '{name}' is {kind}; expected {'numbers' if is_number else 'text'}")
    wanted = "multi" if setting == RANK_DISTANCE else setting
    rows = table.filter(pc.field("setting") == wanted).select([*_ROW, measure])
    if setting == RANK_DISTANCE:
        rows = rows.filter(pc.is_valid(rows.column(measure)))
    if not len(rows):
        raise InputError(f"{path}: no rows of setting '{setting}'")
    if any(rows.column(key).null_count for key in _ROW):
        raise InputError(f"{path}: a row without an id, a language or a group in setting '{setting}'")
    if rows.column(measure).null_count or not np.isfinite(rows.column(measure).to_numpy()).all():
        raise InputError(f"{path}: column '{measure}' has no number in some rows of setting '{setting}'")
    return rows.sort_by([(key, "ascending") for key in _KEYS])


def measures_of(table: pa.Table) -> list[str]:
    """The measures of a per-query table: its columns of floating-point numbers but for rank distance."""
    return [field.name for field in table.schema if pa.types.is_floating(field.type) and field.name != RANK_DISTANCE]


def _mismatch(setting: str, first: pa.Table, second: pa.Table) -> str:
    if len(first) != len(second):
        return f": {len(first):,} against {len(second):,} in setting '{setting}'"
    for name in _ROW:
        differs = np.flatnonzero(pc.not_equal(first.column(name), second.column(name)).to_numpy())
        if len(differs):
            here, there = (table.column(name)[int(differs[0])].as_py() for table in (first, second))
            return f": {name} '{here}' against '{there}' in setting '{setting}'"
    return f" in setting '{setting}': columns of different types"
