"""The pictures of a report, from what the analysis found."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, TypeVar

from isoglot.evaluation import charts
from isoglot.evaluation.drawing import Titles, to_svg
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.pictures import common_scale, distance_chart, language_matrix, matrix_chart, rank_distances
from isoglot.study.analysis.contrasts import MAIN_MEASURE, TESTED, Experiment, What
from isoglot.study.analysis.systems import System, is_number
from isoglot.study.report_format import heading, plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Key = TypeVar("Key", bound=Hashable)
CROSS: What = ("cross", MAIN_MEASURE)
_COSTS = (
    ("training time", "minutes", 60, ("train_seconds",)),
    ("peak memory", "GB", 1e9, ("gpu_peak_memory_bytes", "peak_memory_bytes")),
)


@dataclass(frozen=True)
class Picture:
    """A drawn chart: the name of its file without the ending, what it shows, and its SVG."""

    name: str
    alt: str
    svg: str


def picture(figure: Figure, names: Sequence[str], alt: str) -> Picture:
    """A chart as SVG, under a file name of ASCII letters, digits, dots and dashes made from `names`."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(names)).strip("-.").lower()[:90]
    return Picture(slug or "figure", alt, to_svg(figure, alt))


def _names(experiment: Experiment, *words: str) -> tuple[str, ...]:
    kind, *more = words
    return (kind, str(experiment.data), experiment.base.rsplit("/")[-1], experiment.benchmark, *more)


def forests(experiment: Experiment, margins: Mapping[What, float]) -> list[Picture]:
    """Differences between systems with intervals, a plot per setting."""
    pictures = []
    for what in TESTED:
        rows = [
            (f"{c.after.label} − {c.before.label}", c.difference, c.interval(), (c.p if c.p_holm is None else c.p_holm) < 0.05)
            for c in experiment.contrasts
            if (c.setting, c.measure) == what
        ]
        if rows:
            axis = f"difference in {heading(what)}" + (" (lower is better)" if what[0] == RANK_DISTANCE else "")
            digits = 0 if what[0] == RANK_DISTANCE else 3
            figure = charts.forest(rows, Titles(heading(what), experiment.title, axis), margin=margins.get(what), digits=digits)
            pictures.append(picture(figure, _names(experiment, "difference", *what), f"Differences in {heading(what)}, {experiment.title}"))
    return pictures


def setting_bars(experiment: Experiment) -> list[Picture]:
    """Every system's figure, the untrained base above the others, a chart per setting."""
    pictures = []
    for what in TESTED:
        figures = [experiment.figure(system, what) for system in experiment.systems]
        if any(figures):
            names = [system.label for system in experiment.systems]
            figure = charts.bars(
                names,
                [("", [found.mean if found else None for found in figures])],
                Titles(heading(what), experiment.title),
                intervals=[found.interval if found else None for found in figures],
                before=0 if experiment.before else None,
                digits=0 if what[0] == RANK_DISTANCE else 3,
            )
            pictures.append(picture(figure, _names(experiment, "systems", *what), f"{heading(what)} of every system, {experiment.title}"))
    return pictures


def heat_maps(experiment: Experiment) -> dict[System, Picture]:
    """Query language by passage language for every system, seeds averaged, all on one scale of colours."""
    matrices = {}
    for system in experiment.systems:
        summaries = [run["benchmarks"][experiment.benchmark] for run in system.runs]
        if all("cross" in (scores.get("per_language") or {}) and MAIN_MEASURE in scores["settings"]["cross"] for scores in summaries):
            matrices[system] = _average([language_matrix(scores, MAIN_MEASURE) for scores in summaries])
    pictures = {}
    for system, matrix in matrices.items():
        seeds = "" if system.is_base else f", mean of {plural(len(system.runs), 'seed')}"
        about = f"{MAIN_MEASURE} on {experiment.benchmark}{seeds}"
        figure = matrix_chart(matrix, system.label, about, common_scale(list(matrices.values()), 20))
        pictures[system] = picture(figure, _names(experiment, "heat", system.label), f"{system.label}: {about}")
    return pictures


def distance_bars(experiment: Experiment) -> dict[System, Picture]:
    """Rank distance by query language before and after training, per trained system, on one scale."""
    distances = {}
    for system in experiment.systems:
        found = [rank_distances({"bias": {}, **run["benchmarks"][experiment.benchmark]}) for run in system.runs]
        if all(found):
            distances[system] = _average(found)
    highest = max((value for values in distances.values() for value in values.values()), default=0.0)
    base = experiment.before
    pictures = {}
    for system in experiment.trained:
        if system in distances:
            series = [("before", distances[base])] if base in distances else []
            about = f"rank distance on {experiment.benchmark}"
            figure = distance_chart([*series, ("after", distances[system])], system.label, about, highest)
            pictures[system] = picture(figure, _names(experiment, "bias", system.label), f"{system.label}: {about}")
    return pictures


def _average(values: Sequence[Mapping[Key, float]]) -> dict[Key, float]:
    """Means by key over those that have it."""
    keys = dict.fromkeys(key for one in values for key in one)
    return {key: fmean(one[key] for one in values if key in one) for key in keys}


def quality_and_cost(experiment: Experiment) -> list[Picture]:
    """Cross-lingual quality against training time and against peak memory, with every seed."""
    pictures = []
    base = experiment.figure(experiment.before, CROSS) if experiment.before else None
    for name, unit, divisor, keys in _COSTS:
        points = []
        for system in experiment.trained:
            figure = experiment.figure(system, CROSS)
            key = next((key for key in keys if system.cost(key) is not None), None)
            if figure and key:
                costs = [cost[key] / divisor for cost in system.costs]
                seeds = list(zip(costs, figure.seeds)) if len(costs) > 1 else []
                points.append((system.label, fmean(costs), figure.mean, seeds))
        if points:
            titles = Titles(f"Quality against {name}", experiment.title, f"{name} ({unit})", heading(CROSS))
            chart = charts.scatter(points, titles, ("base", base.mean) if base else None)
            pictures.append(picture(chart, _names(experiment, "cost", name), f"{titles.title}, {experiment.title}"))
    return pictures


def curves(experiment: Experiment) -> list[tuple[str, list[Picture]]]:
    """Figures over a number that systems differ in alone: (the number in words, a chart per setting)."""
    found = []
    for key in dict.fromkeys(series.key for series in experiment.series):
        members = [series for series in experiment.series if series.key == key and len(series.systems) > 2][:4]
        pictures = []
        for what in TESTED:
            drawn = []
            for series in members:
                points = [(x, f) for x, system in zip(series.x, series.systems) if (f := experiment.figure(system, what))]
                drawn.append((series.label, [(x, f.mean) for x, f in points], [f.interval for _, f in points]))
            if any(points for _, points, _ in drawn):
                ticks = sorted({x for series in members for x in series.x})
                titles = Titles(heading(what), experiment.title, members[0].axis, heading(what))
                chart = charts.lines(drawn, titles, ticks=ticks, log=key != "mono_share")
                alt = f"{heading(what)} over the {members[0].axis}, {experiment.title}"
                pictures.append(picture(chart, _names(experiment, "curve", key, *what), alt))
        if pictures:
            found.append((members[0].axis, pictures))
    return found


def loss_curves(systems: Sequence[System]) -> list[Picture]:
    """The training loss over steps, a small chart per system with a line per seed, on common axes."""
    runs = {system: [_losses(run) for run in system.runs] for system in systems if not system.is_base}
    runs = {system: [points for points in own if len(points) > 1] for system, own in runs.items()}
    tops = [max(loss for _, loss in points) for own in runs.values() for points in own]
    pictures = []
    for system, own in runs.items():
        if own:
            # a first peak of one run must not flatten all others
            top = min(max(tops), 2 * median(tops))
            last = max(points[-1][0] for other in runs.values() for points in other)
            chart = charts.losses(own, Titles(system.label, f"{system.data}"), top, last)
            names = ("loss", str(system.data), system.base.rsplit("/")[-1], system.label)
            pictures.append(picture(chart, names, f"Training loss of {system.label} on {system.data}"))
    return pictures


def _losses(run: Mapping[str, Any]) -> list[tuple[float, float]]:
    """(step, loss) of a run, as far as the losses are numbers."""
    losses = [float(loss) for loss in (run.get("train") or {}).get("losses") or [] if is_number(loss) and loss == loss]
    steps = float((run.get("train") or {}).get("steps") or len(losses))
    return [(steps * (i + 1) / len(losses), loss) for i, loss in enumerate(losses)]
