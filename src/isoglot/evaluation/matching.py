"""Result files side by side: which may be compared, and their rows in one order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isoglot.errors import InputError
from isoglot.evaluation.results import PER_QUERY_FILE, Result, load_result
from isoglot.evaluation.significance import Cells, macro_average
from isoglot.records import FloatArray, IntArray

RANK_DISTANCE = "rank_distance"
_KEYS = ("query_lang", "doc_lang", "query_id")


@dataclass(frozen=True)
class System:
    """One system: its results for one or several training seeds, and where they were read.

    Attributes:
        name: as it is printed.
        results: one per training seed.
        places: the folders, in the same order.
    """

    name: str
    results: tuple[Result, ...]
    places: tuple[str, ...]

    @property
    def n_models(self) -> int:
        """Training seeds with a model of their own: the very same model twice tells nothing about a recipe."""
        digests = [result.summary["digests"].get("model") for result in self.results]
        return len({digest for digest in digests if digest}) + sum(not digest for digest in digests)


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


def load_systems(words: Sequence[str]) -> list[System]:
    """Systems from `DIR`, `DIR,DIR` (training seeds of one system), `NAME=DIR` or `NAME=DIR,DIR`.

    A word that is an existing folder is that folder, whatever signs its name holds.

    Raises:
        InputError: fewer than two systems, a name or a folder of one system given twice, a file that is missing.
    """
    if len(words) < 2:
        raise InputError(
            "nothing to compare: give at least two results (folders that `isoglot evaluate --output` wrote)"
        )
    parsed = [_parse(word) for word in words]
    short = [name or Path(places[0]).name for name, places in parsed]
    systems: list[System] = []
    for word, (name, places), brief in zip(words, parsed, short):
        # folders that share their last part are told apart by their whole path
        label = name or (brief if brief and short.count(brief) == 1 and len(places) == 1 else word)
        if label in [system.name for system in systems]:
            raise InputError(f"'{label}' names two systems; call them differently, such as first={places[0]}")
        systems.append(System(label, tuple(load_result(place) for place in places), places))
    return systems


def _parse(word: str) -> tuple[str, tuple[str, ...]]:
    if Path(word).is_dir():
        return "", (word,)
    name, sign, rest = word.partition("=")
    if not sign:
        name, rest = "", word
    places = (rest,) if Path(rest).is_dir() else tuple(rest.split(","))
    if (sign and not name) or not all(places):
        raise InputError(f"'{word}': expected DIR, NAME=DIR or NAME=DIR,DIR,... (one folder per training seed)")
    if len({Path(place).resolve() for place in places}) < len(places):
        raise InputError(f"'{word}': the same folder twice; every training seed has its own")
    return name, places


def require_comparable(systems: Sequence[System]) -> None:
    """All results measure the same thing.

    Raises:
        InputError: it names the first thing that differs: context, sample, languages, benchmark or tie rule.
    """
    everything = [(place, result.summary) for system in systems for place, result in zip(system.places, system.results)]
    first_place, first = everything[0]
    for place, summary in everything[1:]:
        for what, wanted, found in zip(_WHAT, _identity(first_place, first), _identity(place, summary)):
            if wanted != found:
                raise InputError(
                    f"{first_place} and {place} cannot be compared: {what} differs ({_brief(wanted)} against {_brief(found)})"
                )


_WHAT = ("context", "sample", "languages", "benchmark (its queries, passages, judgments or groups)", "tie rule")


def _identity(place: str, summary: Mapping[str, Any]) -> tuple[Any, ...]:
    """What two results must share; what explains a difference comes before the digest that only shows it."""
    try:
        about, counts = summary["about"], summary["counts"]
        languages = about.get("languages") or sorted({*counts["queries"], *counts["documents"]})
        digest = f"{summary['benchmark']}, digest {summary['digests']['benchmark']}"
        # the name of a benchmark may be a path: only its content counts
        same = _Named(str(summary["digests"]["benchmark"]), digest)
        return summary["context"], about.get("sample"), languages, same, summary["tie_rule"]
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{place}/summary.json: not a result of `isoglot evaluate`: a part of it is missing") from None


@dataclass(frozen=True)
class _Named:
    """Equal by content, shown by name."""

    content: str
    shown: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Named) and self.content == other.content

    def __hash__(self) -> int:
        return hash(self.content)


def _brief(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, _Named):
        head, sign, digest = value.shown.rpartition(", digest ")
        return f"{head}{sign}{digest[:12]}"
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"'{text}'" if len(text) <= 80 else f"'{text[:77]}...'"


def settings_of(system: System) -> set[str]:
    """The settings that all results of a system have, and "rank_distance" where they have that."""
    found = []
    for result in system.results:
        bias = result.summary.get("bias") or {}
        found.append({*result.summary["settings"], *([RANK_DISTANCE] if RANK_DISTANCE in bias else [])})
    return set.intersection(*found)


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
    keys: pa.Table | None = None
    values = []
    for system in systems:
        columns = []
        for place, result in zip(system.places, system.results):
            table = _rows(place, result.per_query, setting, measure)
            own = table.select([*_KEYS, "group"])
            keys = own if keys is None else keys
            if not own.equals(keys):
                raise InputError(f"{systems[0].places[0]} and {place}: {_mismatch(setting, keys, own)}")
            columns.append(table.column(measure).to_numpy())
        values.append(np.stack(columns).astype(np.float64))
    assert keys is not None
    names, cells = _cells(keys)
    if len(cells.cell) != len(np.unique(cells.unit * cells.n_cells + cells.cell)):
        raise InputError(
            f"{systems[0].places[0]}/{PER_QUERY_FILE}: a query occurs twice in one cell of setting '{setting}'"
        )
    for system, rows in zip(systems, values):
        for place, result, row in zip(system.places, system.results, rows):
            _require_summary(place, result.summary, setting, measure, macro_average(cells, row))
    return Matched(names, cells, values)


def _rows(place: str, table: pa.Table, setting: str, measure: str) -> pa.Table:
    """The rows of one setting by query language, document language and query id."""
    path = f"{place}/{PER_QUERY_FILE}"
    for name in ("setting", "group", *_KEYS, measure):
        if name not in table.column_names:
            known = [n for n in measures_of(table) if n != RANK_DISTANCE]
            hint = f"; it has: {', '.join(known)}" if name == measure else ""
            raise InputError(f"{path}: no column '{name}'{hint}")
    wanted = "multi" if setting == RANK_DISTANCE else setting
    rows = table.select(["setting", "group", *_KEYS, measure]).filter(
        pc.equal(table.column("setting"), pa.scalar(wanted))
    )
    if setting == RANK_DISTANCE:
        rows = rows.filter(pc.is_valid(rows.column(measure)))
    if not len(rows):
        raise InputError(f"{path}: no rows of setting '{setting}'")
    if rows.column(measure).null_count or not np.isfinite(rows.column(measure).to_numpy()).all():
        raise InputError(f"{path}: column '{measure}' has no number in some rows of setting '{setting}'")
    return rows.sort_by([(key, "ascending") for key in _KEYS]).combine_chunks()


def measures_of(table: pa.Table) -> list[str]:
    """The columns of a per-query table that hold measures: those of floating-point numbers."""
    return [field.name for field in table.schema if pa.types.is_floating(field.type)]


def _mismatch(setting: str, one: pa.Table, two: pa.Table) -> str:
    """What is wrong with rows that are not the same."""
    if len(one) != len(two):
        return f"rows do not match: {len(one):,} against {len(two):,} in setting '{setting}'"
    for name in (*_KEYS, "group"):
        differs = np.flatnonzero(pc.not_equal(one.column(name), two.column(name)).to_numpy())
        if len(differs):
            here, there = (table.column(name)[int(differs[0])].as_py() for table in (one, two))
            return f"rows do not match: {name} '{here}' against '{there}' in setting '{setting}'"
    return f"rows do not match in setting '{setting}': columns of different types"


def _cells(keys: pa.Table) -> tuple[list[tuple[str, str]], Cells]:
    """Cells, units and groups as numbers, from rows in the order of their keys."""
    languages = [_numbers(keys.column(name)) for name in ("query_lang", "doc_lang")]
    changes = np.flatnonzero(np.diff(languages[0]) | np.diff(languages[1])) + 1
    starts = np.concatenate([[0], changes])
    cell = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(keys))))
    first = keys.take(pa.array(starts))
    names = [(str(row["query_lang"]), str(row["doc_lang"])) for row in first.to_pylist()]
    return names, Cells(cell, _numbers(keys.column("query_id")), _numbers(keys.column("group")))


def _numbers(column: pa.ChunkedArray[Any]) -> IntArray:
    """Strings as numbers from 0, in the order of appearance."""
    indices: IntArray = column.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return indices


def _require_summary(place: str, summary: Mapping[str, Any], setting: str, measure: str, found: float) -> None:
    """The average of the rows is the figure that the summary states."""
    part = summary["bias"] if setting == RANK_DISTANCE else summary["settings"].get(setting, {})
    stated = part.get(measure)
    if not isinstance(stated, (int, float)) or abs(stated - found) > 1e-9 * max(1.0, abs(found)):
        raise InputError(
            f"{place}: {measure} in setting '{setting}' is {stated} in summary.json but {found:.6f} in the rows of "
            f"{PER_QUERY_FILE}; measure again"
        )
