"""What the templates of a report ask for beyond the analysis: rows of its tables, and facts that limit its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from statistics import fmean
from typing import Any

import yaml

from isoglot.registry import one_line_help
from isoglot.study.analysis.contrasts import COLUMNS, TESTED, Contrast, Experiment, What
from isoglot.study.analysis.reading import Json, Study
from isoglot.study.analysis.systems import System
from isoglot.study.report_format import distinct, score, value_text

_FEWEST_LOSSES = 10


@cache
def _data(name: str) -> Any:
    """A YAML file that lies beside this module."""
    return yaml.safe_load(files("isoglot.study").joinpath(name).read_text(encoding="utf-8"))


def columns(experiment: Experiment) -> list[What]:
    """The settings and measures in which any system has a figure."""
    return [what for what in COLUMNS if any(experiment.figure(system, what) for system in experiment.systems)]


def tested(experiment: Experiment) -> list[What]:
    """The settings and measures in which any difference was tested."""
    return [what for what in TESTED if any((c.setting, c.measure) == what for c in experiment.contrasts)]


def wins(experiment: Experiment, system: System, what: What) -> bool:
    """Whether a system's figure, as it is printed, is the best of several."""
    figures = {one: figure.mean for one in experiment.systems if (figure := experiment.figure(one, what))}
    top = (min if what[0] == what[1] else max)(figures.values())
    return len(figures) > 1 and score(figures[system], what) == score(top, what)


def differences(experiment: Experiment) -> dict[str, dict[str, dict[What, Contrast]]]:
    """Contrasts by what was changed, by systems, and by setting and measure."""
    table: dict[str, dict[str, dict[What, Contrast]]] = {}
    for contrast in experiment.contrasts:
        systems = f"{contrast.after.label} − {contrast.before.label}"
        table.setdefault(contrast.name, {}).setdefault(systems, {})[contrast.setting, contrast.measure] = contrast
    return table


def published(experiment: Experiment) -> Json | None:
    """The paper's figures on a benchmark: rows of the same base (`beside`) and of `others`; None where it has none."""
    paper = _data("paper_figures.yaml")
    table = paper["benchmarks"].get(experiment.benchmark)
    if table is None:
        return None
    base = next((name for name, spellings in paper["bases"].items() if experiment.base.lower() in spellings), None)
    beside, others = ([row for row in table["rows"] if (row["base"] == base) == same] for same in (True, False))
    return {**paper, "columns": [tuple(what) for what in table["columns"]], "beside": beside, "others": others}


def known(costs: Iterable[str], systems: Sequence[System]) -> list[str]:
    """Those costs that any of these systems has."""
    return [key for key in costs if any(system.cost(key) is not None for system in systems)]


def measuring_seconds(system: System) -> float | None:
    """Seconds of measuring on all benchmarks, mean over seeds."""
    sums = [sum(seconds.values()) for cost in system.costs if (seconds := cost.get("evaluate_seconds"))]
    return fmean(sums) if sums else None


def across_tunings(experiments: Iterable[Experiment]) -> list[tuple[System, System]]:
    """(reference, system) of all contrasts between two tunings, each once."""
    pairs = {(c.before, c.after): None for one in experiments for c in one.contrasts}
    return [(a, b) for a, b in pairs if a.traits["tuning"] != b.traits["tuning"] and a.costs and b.costs]


def machines(study: Study) -> Counter[str]:
    """How many cells ran on each machine."""
    return Counter(value_text(cost["machine"]) for cost in study.costs.values() if cost.get("machine"))


def benchmarks(study: Study) -> dict[str, Json]:
    """The first finished result on every benchmark, which states its sizes and digest."""
    results: dict[str, Json] = {}
    for run in study.done:
        results = {**run["benchmarks"], **results}
    return results


def described(kind: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """Members of a registry by name, with their line of help; those that are not installed here without."""
    if find_spec("isoglot.batching.strategies") is None:
        return [(name, "") for name in names]
    from isoglot.batching.strategies import STRATEGIES
    from isoglot.models.tunings import TUNINGS

    registry: Any = {"strategy": STRATEGIES, "tuning": TUNINGS}[kind]
    return [(name, one_line_help(registry[name]) if name in registry else "") for name in names]


def where(runs: Iterable[Json], path: str, value: Any) -> list[Json]:
    """The records that have a value at a dotted path."""
    return [run for run in runs if distinct([run], path) == [value]]


def budgets(runs: Iterable[Json]) -> list[tuple[int, int]]:
    """(steps, pairs per batch) of runs, each once, ascending."""
    return sorted({(run.get("steps") or 0, run.get("batch_size") or 0) for run in runs})


def passes(runs: Iterable[Json]) -> list[float]:
    """How often each run saw every one of its pairs on average, ascending."""
    pairs = [(run, (run.get("train") or {}).get("pairs")) for run in runs]
    return sorted((run.get("steps") or 0) * (run.get("batch_size") or 0) / count for run, count in pairs if count)


def flattening(runs: Iterable[Json]) -> list[tuple[Any, ...]]:
    """(strategy, runs, mean loss over the fourth fifth of the steps, over the last): whether the loss still fell."""
    by_strategy: dict[str, list[tuple[float, float]]] = {}
    for run in runs:
        losses = (run.get("train") or {}).get("losses") or []
        fifth = len(losses) // 5
        if len(losses) >= _FEWEST_LOSSES:
            ends = fmean(losses[-2 * fifth : -fifth]), fmean(losses[-fifth:])
            by_strategy.setdefault(str(run.get("strategy") or run.get("label")), []).append(ends)
    return [(name, len(ends), *map(fmean, zip(*ends))) for name, ends in by_strategy.items()]


def rates_at_the_edge(study: Study) -> dict[tuple[str, float], list[str]]:
    """Whose learning rate is the smallest or largest candidate, by end and rate: beyond it none was tried."""
    edges: dict[tuple[str, float], list[str]] = {}
    for choice in study.results.get("selection") or []:
        rates = [candidate["learning_rate"] for candidate in choice.get("candidates") or []]
        for end, rate in (("smallest", min(rates, default=None)), ("largest", max(rates, default=None))):
            if len(rates) > 1 and rate == choice.get("chosen"):
                edges.setdefault((end, rate), []).append(f"{choice['tuning']} on {choice['data']}")
    return edges


def not_measured(study: Study) -> list[tuple[str, str]]:
    """(data, benchmark) of the spec that no finished trained cell has anything about."""
    return [
        (data["name"], name)
        for data in study.spec.get("data") or []
        for name in data.get("benchmarks") or study.spec.get("benchmarks") or []
        if not {(data["name"], name), (data["name"], str(name).rsplit("/", 1)[-1])} & {*study.trained_pairs}
    ]


def caveats(study: Study) -> list[str]:
    """What is known beforehand about the bases and benchmarks of a study, see `caveats.yaml`."""
    facts = {
        "base": distinct(study.runs, "base"),
        "benchmark": [name for run in study.runs for name in run["benchmarks"]],
        "context": [(study.spec.get("evaluate") or {}).get("context", "sentence")],
    }

    def holds(key: str, words: Iterable[str]) -> bool:
        return any(word in fact for fact in facts[key] for word in words)

    return [
        one["text"] for one in _data("caveats.yaml") if all(holds(*condition) for condition in one["where"].items())
    ]
