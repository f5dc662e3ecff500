"""Values, intervals and tests of an arena, from the rows per query: the same figures as `isoglot compare` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoglot.errors import InputError
from isoglot.evaluation import matching, significance
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.multiple import holm
from isoglot.evaluation.results import Result
from isoglot.evaluation.significance import ALPHA, Interval
from isoglot.records import FloatArray
from isoglot.study.report_data import Arena, Json, Notes, System, main_hybrids

RESAMPLES, SEED = 9999, 0
MAIN_MEASURE = "nDCG@10"
COLUMNS = (
    ("mono", "AP"),
    ("cross", "AP"),
    ("multi", "AP"),
    ("mono", MAIN_MEASURE),
    ("cross", MAIN_MEASURE),
    ("multi", MAIN_MEASURE),
    (RANK_DISTANCE, RANK_DISTANCE),
)
"""Setting and measure of every column of a results table."""
_TESTED = COLUMNS[3:]
_KEYS = ("setting", "query_id", "query_lang", "doc_lang", "group")

What = tuple[str, str]
"""Setting and measure."""


@dataclass(frozen=True)
class Value:
    """A system's macro-average.

    Attributes:
        mean: over training seeds.
        seeds: the values of the seeds, in the order of the system's cells.
        interval: 95%, by bootstrap over paragraphs and, where there are several, seeds; None without rows.
    """

    mean: float
    seeds: tuple[float, ...]
    interval: Interval | None = None


@dataclass(frozen=True)
class Contrast:
    """One system against another: after minus before.

    Attributes:
        name: what was changed.
        before, after: labels of the systems.
        setting, measure: what is compared.
        difference, interval: with its 95% interval.
        p, p_holm: sign-flip permutation over groups of query ids (paragraphs; the ids themselves where there are none),
            and after Holm over the arena's contrasts.
    """

    name: str
    before: str
    after: str
    setting: str
    measure: str
    difference: float
    interval: Interval
    p: float
    p_holm: float


@dataclass(frozen=True)
class Measured:
    """All figures of an arena: {(system label, (setting, measure)): value} and contrasts."""

    values: dict[tuple[str, What], Value]
    contrasts: tuple[Contrast, ...]


Load = Callable[[str], Result]
"""From a result's folder, relative to the study's, to the result."""


def measure(load: Load, arena: Arena, notes: Notes) -> Measured:
    """The figures of an arena; without intervals, and with a note, where the rows per query cannot be used.

    Args:
        load: reads a result.
        arena: at least one system.
        notes: what was missing is added there.
    """
    stated = {(s.label, what): _stated(s, arena.benchmark, what) for s in arena.systems for what in COLUMNS}
    values = {key: value for key, value in stated.items() if value is not None}
    try:
        loaded = [_load(load, system, arena.benchmark) for system in arena.systems]
        matching.require_comparable(loaded)
    except InputError as error:
        notes.say(f"{arena.title}: no intervals and no tests, for the rows per query cannot be used ({error})")
        return Measured(values, ())
    contrasts: list[Contrast] = []
    for what in COLUMNS:
        here = [i for i, system in enumerate(arena.systems) if (system.label, what) in values]
        if not here:
            continue
        try:
            _one_column(arena, [loaded[i] for i in here], here, what, values, contrasts)
        except InputError as error:
            notes.say(f"{arena.title}, {what[0]} {what[1]}: no intervals and no tests ({error})")
    adjusted = holm([item.p for item in contrasts]).tolist() if contrasts else []
    return Measured(values, tuple(replace(item, p_holm=p) for item, p in zip(contrasts, adjusted)))


def _one_column(
    arena: Arena,
    loaded: Sequence[matching.System],
    places: Sequence[int],
    what: What,
    values: dict[tuple[str, What], Value],
    contrasts: list[Contrast],
) -> None:
    """Add intervals of one setting and measure to `values`, and tests to `contrasts`."""
    matched = matching.match(loaded, *what)
    if matched.cells.n_groups < 2:
        raise InputError("all queries are of one group; an interval needs at least two")
    averages = significance.bootstrap_averages(matched.cells, np.concatenate(matched.values), RESAMPLES, SEED)
    ends = np.cumsum([len(rows) for rows in matched.values])[:-1]
    resampled = dict(zip((arena.systems[i].label for i in places), np.split(averages, ends, axis=1)))
    nothing = np.zeros((RESAMPLES, 1))
    for label, own in resampled.items():
        spread = significance.bootstrap_difference(nothing, own, SEED)
        values[label, what] = replace(values[label, what], interval=_interval(spread))
    if what not in _TESTED:
        return
    means = {label: rows.mean(axis=0) for label, rows in zip(resampled, matched.values)}
    for name, before, after in contrasted(arena.systems):
        if before.label not in means or after.label not in means:
            continue
        spread = significance.bootstrap_difference(resampled[before.label], resampled[after.label], SEED)
        rows = means[after.label] - means[before.label]
        parts = significance.contributions(matched.cells, rows, by_group=True)[:, :1]
        p = float(significance.sign_flip(parts, RESAMPLES, SEED)[0])
        gain = float(parts.sum())
        contrasts.append(Contrast(name, before.label, after.label, *what, gain, _interval(spread), p, p))


def contrasted(systems: Sequence[System]) -> list[tuple[str, System, System]]:
    """(name, before, after): LoRA against full fine-tuning, hybrid (α = 0.5) against mono and cross, all else equal."""
    trained = [system for system in systems if not system.is_base]
    pairs = [(before, after) for after in trained for before in trained]
    tunings = [
        (before, after) for before, after in pairs if (before.tuning_kind, after.tuning_kind) == ("full", "lora")
    ]
    found = [("LoRA − full", *pair) for pair in tunings if _equal_but(*pair, "tuning")]
    for kind in ("mono", "cross"):
        # a strategy of that name, else hybrid batches that are nothing but that
        baselines = [s for s in trained if s.traits["strategy"] == kind] or [s for s in trained if s.batches == kind]
        found += [
            (f"hybrid − {kind}", before, after)
            for after in main_hybrids(trained)
            for before in baselines
            if _equal_but(before, after, "strategy", "mono_share")
        ]
    return found


def _equal_but(one: System, two: System, *names: str) -> bool:
    return all(one.traits[key] == two.traits[key] for key in one.traits if key not in names)


def _interval(distribution: FloatArray) -> Interval:
    return significance.percentile_interval(distribution, 1 - ALPHA)


def stated(cell: Json, benchmark: str, what: What) -> float | None:
    """A figure as the results file states it."""
    part = (cell.get("benchmarks") or {}).get(benchmark) or {}
    scores = part.get("bias") if what[0] == RANK_DISTANCE else (part.get("settings") or {}).get(what[0])
    value = (scores or {}).get(what[1])
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _stated(system: System, benchmark: str, what: What) -> Value | None:
    found = [stated(cell, benchmark, what) for cell in system.cells]
    seeds = tuple(value for value in found if value is not None)
    return Value(float(np.mean(seeds)), seeds) if len(seeds) == len(found) and seeds else None


def _load(load: Load, system: System, benchmark: str) -> matching.System:
    """A system's results with only the columns that are needed."""
    results, places = [], []
    for cell in system.cells:
        place = cell["benchmarks"][benchmark].get("path") or f"cells/{cell['id']}/results/{benchmark}"
        result = load(place)
        names = result.per_query.column_names
        wanted = [name for name in (*_KEYS, "AP", MAIN_MEASURE, RANK_DISTANCE) if name in names]
        results.append(Result(result.summary, result.per_query.select(wanted)))
        places.append(place)
    return matching.System(system.label, tuple(results), tuple(places))
