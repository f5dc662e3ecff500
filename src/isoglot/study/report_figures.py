"""The charts of a report, from what the analysis found; its templates ask for them, kind by kind."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import count
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from isoglot.evaluation import charts
from isoglot.evaluation.drawing import Titles, to_svg
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.pictures import common_scale, distance_chart, language_matrix, matrix_chart, rank_distances
from isoglot.study.analysis.contrasts import CROSS, MAIN_MEASURE, TESTED, Contrast, Experiment, What
from isoglot.study.analysis.systems import System, is_number
from isoglot.study.report_facts import best, heading, is_significant, plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DISTANCE: What = (RANK_DISTANCE, RANK_DISTANCE)
_COSTS = (
    ("training time", "minutes", 60, ("train_seconds",)),
    ("peak memory", "GB", 1e9, ("gpu_peak_memory_bytes", "peak_memory_bytes")),
)
_MOST = 24
"""Differences in one picture."""


def add(chart: Figure, kind: str, pictures: dict[str, str]) -> str:
    """Write a chart as SVG under an address that says its kind and titles."""
    address = free_address(f"{kind} {chart.get_label()}", pictures)
    pictures[address] = to_svg(chart)
    return address


def free_address(words: str, pictures: Container[str]) -> str:
    """An address that no other picture has: words in letters of ASCII, digits and dashes."""
    slug = re.sub(r"[^a-z0-9.]+", "-", words.lower()).strip("-.")[:100]
    return next(free for n in count() if (free := f"figures/{slug}{-n or ''}.svg") not in pictures)


def forests(experiment: Experiment, margins: Mapping[What, float]) -> Iterator[Figure]:
    """Differences between systems per setting; `margins` of non-inferiority by setting and measure."""
    labels = short_labels(experiment.systems)
    for what in TESTED:
        every = [c for c in experiment.contrasts if (c.setting, c.measure) == what]
        shown = sorted(every, key=lambda c: abs(c.difference), reverse=True)[:_MOST]
        rows = [
            (_difference(c, labels), c.difference, c.interval(), is_significant(c))
            for c in every
            if any(c is own for own in shown)
        ]
        if rows:
            axis = "difference" + (" (negative is better)" if what == DISTANCE else "")
            about = (
                f"{experiment.title}, the {_MOST} largest of {len(every)}"
                if len(rows) < len(every)
                else experiment.title
            )
            titles = Titles(f"Differences in {heading(what)}", about, axis)
            yield charts.forest(rows, titles, margins.get(what))


def short_labels(systems: Sequence[System]) -> dict[System, str]:
    """Labels without what all trained systems have in common: `hybrid 0.5, 25%` of `hybrid 0.5, lora, 25% of the data`."""
    parts = {system: system.label.split(", ") for system in systems if not system.is_base}
    shared = set.intersection(*map(set, parts.values())) if len(parts) > 1 else set()
    own = {system: [part for part in words if part not in shared] or words for system, words in parts.items()}
    lasts = [words[-1].split(" ") for words in own.values()]
    tail = 0
    while lasts and all(len(last) > tail + 1 and last[-1 - tail :] == lasts[0][-1 - tail :] for last in lasts):
        tail += 1
    tail = tail if len(own) > 1 else 0
    short = {
        system: ", ".join([*words[:-1], " ".join(words[-1].split(" ")[: -tail or None])])
        for system, words in own.items()
    }
    if len({*short.values()}) < len(short):
        short = {system: system.label for system in own}
    return {system: short.get(system, system.label) for system in systems}


def _difference(contrast: Contrast, labels: Mapping[System, str]) -> str:
    """What a difference is between, and behind it what both have in common."""
    after, before = (labels[system].split(", ") for system in (contrast.after, contrast.before))
    common = 0
    while common < min(len(after), len(before)) - 1 and after[-1 - common] == before[-1 - common]:
        common += 1
    own = [", ".join(words[: len(words) - common]) for words in (after, before)]
    return " − ".join(own) + (f" ({', '.join(after[-common:])})" if common else "")


def setting_bars(experiment: Experiment) -> Iterator[Figure]:
    """All systems before and after training, per setting."""
    names = list(short_labels(experiment.systems).values())
    for what in TESTED:
        figures = [experiment.figure(system, what) for system in experiment.systems]
        if any(figures):
            means = [figure.mean if figure else None for figure in figures]
            intervals = [figure.interval if figure else None for figure in figures]
            titles, before = Titles(heading(what), experiment.title), 0 if experiment.before else None
            yield charts.bars(names, [("", means)], titles, intervals=intervals, before=before)


def heat_maps(experiment: Experiment) -> Iterator[Figure]:
    """The base, and the trained system that is best across languages, seeds averaged, on one scale of colours."""
    matrices = {}
    for system in filter(None, (experiment.before, best(experiment, CROSS, experiment.trained))):
        scores = [run["benchmarks"][experiment.benchmark] for run in system.runs]
        if experiment.figure(system, CROSS) and all("cross" in (one.get("per_language") or {}) for one in scores):
            seeds = [language_matrix(one, MAIN_MEASURE) for one in scores]
            matrices[system] = {pair: fmean(matrix[pair] for matrix in seeds) for pair in seeds[0]}
    for system, matrix in matrices.items():
        title = "Before training" if system.is_base else f"After training: {system.label}"
        mean = "" if system.is_base else f", {plural(len(system.runs), 'seed')}"
        about = f"{MAIN_MEASURE} on {experiment.benchmark}{mean}"
        yield matrix_chart(matrix, title, about, common_scale(list(matrices.values()), 20))


def distance_bars(experiment: Experiment) -> Iterator[Figure]:
    """Rank distance by query language before and after training, a chart per trained system."""
    distances = {}
    for system in experiment.systems:
        runs = [rank_distances({"bias": {}, **run["benchmarks"][experiment.benchmark]}) for run in system.runs]
        if all(runs):
            distances[system] = {lang: fmean(run[lang] for run in runs) for lang in runs[0]}
    highest = max((value for values in distances.values() for value in values.values()), default=0.0)
    before = [("before", values) for system, values in distances.items() if system.is_base]
    for system, values in distances.items():
        if not system.is_base:
            about = f"rank distance on {experiment.benchmark}"
            yield distance_chart([*before, ("after", values)], system.label, about, highest)


def cost_scatters(experiment: Experiment) -> Iterator[Figure]:
    """Quality against training time and against memory."""
    base = experiment.figure(experiment.before, CROSS) if experiment.before else None
    labels = short_labels(experiment.systems)
    for name, unit, divisor, keys in _COSTS:
        points = []
        for system in experiment.trained:
            quality = experiment.figure(system, CROSS)
            key = next((key for key in keys if system.cost(key) is not None), None)
            if quality and key:
                costs = [cost[key] / divisor for cost in system.costs]
                seeds = list(zip(costs, quality.seeds)) if len(costs) > 1 else []
                points.append((labels[system], fmean(costs), quality.mean, seeds))
        if points:
            titles = Titles(f"Quality against {name}", experiment.title, f"{name} ({unit})", heading(CROSS))
            yield charts.scatter(points, titles, ("base", base.mean) if base else None)


def curves(experiment: Experiment, key: str) -> Iterator[Figure]:
    """Figures over a number in which three or more systems differ, per setting."""
    members = [series for series in experiment.series if series.key == key and len(series.systems) > 2][:4]
    for what in TESTED:
        drawn = []
        for series in members:
            points = [(x, f) for x, system in zip(series.x, series.systems) if (f := experiment.figure(system, what))]
            label = series.label.removesuffix(f", {experiment.base} on {experiment.data}")
            if points:
                drawn.append((label, [(x, f.mean) for x, f in points], [f.interval for _, f in points]))
        if drawn:
            ticks = sorted({x for series in members for x in series.x})
            titles = Titles(heading(what), experiment.title, members[0].axis, heading(what))
            yield charts.lines(drawn, titles, ticks=ticks, log=key != "mono_share")


def loss_curves(systems: Sequence[System]) -> Iterator[Figure]:
    """The training loss over steps, a small chart per system with a line per seed, on common axes."""
    runs = {system: [points for run in system.runs if len(points := _losses(run)) > 1] for system in systems}
    tops = [max(loss for _, loss in points) for own in runs.values() for points in own]
    last = max((points[-1][0] for own in runs.values() for points in own), default=0.0)
    for system, own in runs.items():
        if own:
            # a first peak of one run must not flatten all others
            top = min(max(tops), 2 * median(tops))
            ends = [run["train"].get("mean_loss_of_last_tenth") for run in system.runs]
            end = f", last {fmean(ends):.3f}" if all(map(is_number, ends)) else ""
            series: list[charts.Line] = [("", [(step, min(loss, top)) for step, loss in points], []) for points in own]
            titles = Titles(system.label, system.data or "", f"steps{end}")
            yield charts.lines(series, titles, ticks=(0, last), ends=(0.0, top))


def _losses(run: Mapping[str, Any]) -> list[tuple[float, float]]:
    """(step, loss) of a run, as far as the losses are finite numbers."""
    train = run.get("train") or {}
    losses = [float(loss) for loss in train.get("losses") or [] if is_number(loss) and abs(loss) < float("inf")]
    steps = float(train.get("steps") or len(losses))
    return [(steps * (i + 1) / len(losses), loss) for i, loss in enumerate(losses)]
