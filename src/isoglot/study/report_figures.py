"""The pictures of a report, from what the analysis found."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from isoglot.evaluation import charts
from isoglot.evaluation.drawing import Titles, alt_text, to_svg
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.pictures import common_scale, distance_chart, language_matrix, matrix_chart, rank_distances
from isoglot.study.analysis.contrasts import MAIN_MEASURE, TESTED, Experiment, What
from isoglot.study.analysis.systems import System, is_number
from isoglot.study.report_format import heading, is_significant, plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Key = TypeVar("Key", bound=Hashable)
CROSS: What = ("cross", MAIN_MEASURE)
DISTANCE: What = (RANK_DISTANCE, RANK_DISTANCE)
_COSTS = (
    ("training time", "minutes", 60, ("train_seconds",)),
    ("peak memory", "GB", 1e9, ("gpu_peak_memory_bytes", "peak_memory_bytes")),
)


@dataclass
class Album:
    """All pictures of a report: {address in the Markdown: SVG}."""

    pictures: dict[str, str] = field(default_factory=dict)

    def add(self, figure: Figure, names: Iterable[object]) -> Picture:
        """A chart under an address that no other has, from `names` in letters, digits, dots and dashes of ASCII."""
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(map(str, names))).strip("-.").lower()[:120] or "figure"
        address = next(free for n in count() if (free := f"figures/{slug}{-n or ''}.svg") not in self.pictures)
        self.pictures[address] = to_svg(figure)
        return Picture(address, alt_text(figure))

    def of_experiment(self, experiment: Experiment, margins: Mapping[What, float]) -> dict[str, list[Picture]]:
        """All charts of an experiment, by kind; `margins` of non-inferiority by setting and measure."""
        charts_of = {
            "forests": _forests(experiment, margins),
            "bars": _setting_bars(experiment),
            "maps": _heat_maps(experiment),
            "distances": _distance_bars(experiment),
            "costs": _quality_and_cost(experiment),
        }
        charts_of |= {f"curve {key}": _curves(experiment, key) for key in series_axes(experiment)}
        place = (experiment.data, experiment.base.rsplit("/")[-1], experiment.benchmark)
        return {
            kind: [self.add(figure, (kind, *place, *names)) for figure, names in drawn]
            for kind, drawn in charts_of.items()
        }

    def of_losses(self, systems: Sequence[System]) -> list[Picture]:
        """The training loss over steps, a small chart per system with a line per seed, on common axes."""
        return [self.add(figure, ("loss", *names)) for figure, names in _loss_curves(systems)]


class Picture(NamedTuple):
    """Where a picture is and what it shows."""

    address: str
    alt: str


Drawn = Iterator[tuple["Figure", tuple[object, ...]]]
"""Charts, and the names that tell each from others of its kind."""


def series_axes(experiment: Experiment) -> dict[str, str]:
    """The numbers over which three or more systems make a curve: {trait: the same in words}."""
    return {series.key: series.axis for series in experiment.series if len(series.systems) > 2}


def _forests(experiment: Experiment, margins: Mapping[What, float]) -> Drawn:
    for what in TESTED:
        rows = [
            (f"{c.after.label} − {c.before.label}", c.difference, c.interval(), is_significant(c))
            for c in experiment.contrasts
            if (c.setting, c.measure) == what
        ]
        if rows:
            axis = "difference" + (" (negative is better)" if what == DISTANCE else "")
            titles = Titles(f"Differences in {heading(what)}", experiment.title, axis)
            yield charts.forest(rows, titles, margin=margins.get(what), digits=0 if what == DISTANCE else 3), what


def _setting_bars(experiment: Experiment) -> Drawn:
    for what in TESTED:
        figures = [experiment.figure(system, what) for system in experiment.systems]
        if any(figures):
            figure = charts.bars(
                [system.label for system in experiment.systems],
                [("", [figure.mean if figure else None for figure in figures])],
                Titles(heading(what), experiment.title),
                intervals=[figure.interval if figure else None for figure in figures],
                before=0 if experiment.before else None,
                digits=0 if what == DISTANCE else 3,
            )
            yield figure, what


def _heat_maps(experiment: Experiment) -> Drawn:
    """Seeds averaged, all on one scale of colours; the base and the system that is best across languages stand first."""
    matrices = {}
    for system in first_and_best(experiment):
        scores = [run["benchmarks"][experiment.benchmark] for run in system.runs]
        if all(
            "cross" in (one.get("per_language") or {}) and MAIN_MEASURE in one["settings"]["cross"] for one in scores
        ):
            matrices[system] = _average([language_matrix(one, MAIN_MEASURE) for one in scores])
    for system, matrix in matrices.items():
        seeds = "" if system.is_base else f", mean of {plural(len(system.runs), 'seed')}"
        about = f"{MAIN_MEASURE} on {experiment.benchmark}{seeds}"
        scale = common_scale(list(matrices.values()), 20)
        yield matrix_chart(matrix, system.label, about, scale), (system.label,)


def best(experiment: Experiment, what: What) -> System | None:
    """The trained system with the best figure."""
    known = [(figure.mean, system) for system in experiment.trained if (figure := experiment.figure(system, what))]
    pick = min if what == DISTANCE else max
    return pick(known, key=lambda pair: pair[0])[1] if known else None


def first_and_best(experiment: Experiment) -> list[System]:
    """All systems: the untrained base, the trained one that is best across languages, the others."""
    winner = best(experiment, CROSS)
    return sorted(experiment.systems, key=lambda system: (not system.is_base, system is not winner))


def _distance_bars(experiment: Experiment) -> Drawn:
    distances = {}
    for system in experiment.systems:
        found = [rank_distances({"bias": {}, **run["benchmarks"][experiment.benchmark]}) for run in system.runs]
        if all(found):
            distances[system] = _average(found)
    highest = max((value for values in distances.values() for value in values.values()), default=0.0)
    for system, values in distances.items():
        if not system.is_base:
            series = [("before", distances[base])] if (base := experiment.before) in distances else []
            about = f"rank distance on {experiment.benchmark}"
            figure = distance_chart([*series, ("after", values)], system.label, about, highest)
            yield figure, (system.label,)


def _average(values: Sequence[Mapping[Key, float]]) -> dict[Key, float]:
    """Means by key over those that have it."""
    keys = dict.fromkeys(key for one in values for key in one)
    return {key: fmean(one[key] for one in values if key in one) for key in keys}


def _quality_and_cost(experiment: Experiment) -> Drawn:
    base = experiment.figure(experiment.before, CROSS) if experiment.before else None
    for name, unit, divisor, keys in _COSTS:
        points = []
        for system in experiment.trained:
            quality = experiment.figure(system, CROSS)
            key = next((key for key in keys if system.cost(key) is not None), None)
            if quality and key:
                costs = [cost[key] / divisor for cost in system.costs]
                seeds = list(zip(costs, quality.seeds)) if len(costs) > 1 else []
                points.append((system.label, fmean(costs), quality.mean, seeds))
        if points:
            titles = Titles(f"Quality against {name}", experiment.title, f"{name} ({unit})", heading(CROSS))
            level = ("base", base.mean) if base else None
            yield charts.scatter(points, titles, level), (name,)


def _curves(experiment: Experiment, key: str) -> Drawn:
    members = [series for series in experiment.series if series.key == key and len(series.systems) > 2][:4]
    for what in TESTED:
        drawn = []
        for series in members:
            points = [(x, f) for x, system in zip(series.x, series.systems) if (f := experiment.figure(system, what))]
            if points:
                drawn.append(
                    (
                        series.label.removesuffix(f", {experiment.base} on {experiment.data}"),
                        [(x, f.mean) for x, f in points],
                        [f.interval for _, f in points],
                    )
                )
        if drawn:
            ticks = sorted({x for series in members for x in series.x})
            titles = Titles(heading(what), experiment.title, members[0].axis, heading(what))
            yield charts.lines(drawn, titles, ticks=ticks, log=key != "mono_share"), what


def _loss_curves(systems: Sequence[System]) -> Drawn:
    runs = {system: [points for run in system.runs if len(points := _losses(run)) > 1] for system in systems}
    tops = [max(loss for _, loss in points) for own in runs.values() for points in own]
    last = max((points[-1][0] for own in runs.values() for points in own), default=0.0)
    for system, own in runs.items():
        if own:
            # a first peak of one run must not flatten all others
            top = min(max(tops), 2 * median(tops))
            ends = [run["train"].get("mean_loss_of_last_tenth") for run in system.runs]
            end = f": {fmean(ends):.3f}" if all(map(is_number, ends)) else ""
            titles = Titles(system.label, f"loss on {system.data}{end}")
            yield charts.losses(own, titles, top, last), (system.data, system.base, system.label)


def _losses(run: Mapping[str, Any]) -> list[tuple[float, float]]:
    """(step, loss) of a run, as far as the losses are finite numbers."""
    train = run.get("train") or {}
    losses = [float(loss) for loss in train.get("losses") or [] if is_number(loss) and abs(loss) < float("inf")]
    steps = float(train.get("steps") or len(losses))
    return [(steps * (i + 1) / len(losses), loss) for i, loss in enumerate(losses)]
