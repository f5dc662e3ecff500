"""What the templates of a report ask for: numbers and words as they are printed, rows of tables, facts that limit figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from isoglot.evaluation.drawing import places, signed
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.significance import ALPHA
from isoglot.study.analysis.contrasts import CROSS, Contrast, Experiment, What, exposed
from isoglot.study.analysis.reading import Json, Study
from isoglot.study.analysis.systems import System, encoder_share, is_number
from isoglot.study.runs import named_choice

NOTHING = "–"
_UNITS = {
    "seconds": ((120, 1, 0, "s"), (7200, 60, 1, "min"), (float("inf"), 3600, 1, "h")),
    "bytes": ((1e6, 1e3, 0, "kB"), (1e9, 1e6, 1, "MB"), (float("inf"), 1e9, 2, "GB")),
}
"""By the last word of a cost's key: below the first number divide by the second, show so many digits and the unit."""


def score(value: float | None, what: What, sign: str = "") -> str:
    """A measure with three decimal places, a rank distance with three digits."""
    return NOTHING if value is None else signed(value, places(value, share=what[0] != RANK_DISTANCE), sign)


def told(value: float, what: What, sign: str = "") -> str:
    """A figure with as many digits as the sentences of claims have it."""
    return signed(value, 1 if what[0] == RANK_DISTANCE else 4, sign)


def told_contrasts(experiment: Experiment, winner: System | None, spoken: Contrast | None) -> list[Contrast]:
    """Cross-lingual differences to tell first: of a system to another that is trained, and of hybrid to cross batches.

    Args:
        winner: the system.
        spoken: the difference that the study's answer speaks of, which comes before others.
    """
    own = [c for c in experiment.contrasts if (c.setting, c.measure) == CROSS and winner in (c.before, c.after)]
    own.sort(key=lambda c: spoken is None or (c.before, c.after) != (spoken.before, spoken.after))
    told = [*own[:1], *filter(None, [experiment.sampling])]
    pairs = [{contrast.before, contrast.after} for contrast in told]
    return told[:1] if len(pairs) == 2 and pairs[0] == pairs[1] else told


def heading(what: What) -> str:
    """How a column is called."""
    setting, measure = what
    return "rank distance" if setting == RANK_DISTANCE else f"{'mAP' if measure == 'AP' else measure} {setting}"


def is_significant(contrast: Contrast) -> bool:
    """Whether a difference is significant at 5%, after Holm's correction where it was corrected."""
    return (contrast.p if contrast.p_holm is None else contrast.p_holm) < ALPHA


def minus_signs(text: str) -> str:
    """True minus signs before the numbers of a sentence; dashes inside words stay."""
    return re.sub(r"(?<![\w-])-(?=\d)", "−", text)


def number(value: Any, digits: int = 0) -> str:
    """A count or amount with thousands separated; a dash for what is no number."""
    return signed(value, digits, "") if is_number(value) else NOTHING


def cost(value: float | None, key: str) -> str:
    """A cost in a unit that suits it and the last word of its key in `cost.json`."""
    steps = _UNITS.get(key.rsplit("_", 1)[-1])
    if value is None or steps is None:
        return number(value, int(key == "pairs_per_second"))
    _, divisor, digits, unit = next(step for step in steps if value < step[0])
    return f"{value / divisor:,.{digits}f} {unit}"


def listed(words: Iterable[Any]) -> str:
    """`a, b and c`; a dash for nothing."""
    *names, last = [str(word) for word in words] or [NOTHING]
    return f"{', '.join(names)} and {last}" if names else last


def plural(count: int, noun: str) -> str:
    """`1 cell`, `2 cells`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def value_text(value: Any) -> str:
    """Any JSON value in one line."""
    if value is None or value in ({}, [], ()):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}".replace("-", "−")
    if isinstance(value, dict):
        return "; ".join(f"{key} {value_text(inner)}" for key, inner in value.items())
    return ", ".join(map(value_text, value)) if isinstance(value, (list, tuple)) else str(value)


def distinct(records: Iterable[Any], path: str) -> list[Any]:
    """The different values at a dotted path of JSON records, sorted; those that lack it are left out."""
    values = []
    for value in records:
        for key in path.split("."):
            value = (value or {}).get(key)
        values += [value] if value is not None and value not in values else []
    return sorted(values)


def best(experiment: Experiment, what: What, systems: Sequence[System]) -> System | None:
    """The system with the best figure; of rank distance, the lowest."""
    figures = {system: figure.mean for system in systems if (figure := experiment.figure(system, what))}
    return (min if what[0] == what[1] else max)(figures, key=figures.__getitem__, default=None)


def differences(experiment: Experiment) -> dict[str, dict[str, dict[What, Contrast]]]:
    """Contrasts by what was changed, by systems, and by setting and measure."""
    table: dict[str, dict[str, dict[What, Contrast]]] = {}
    for contrast in experiment.contrasts:
        systems = f"{contrast.after.label} − {contrast.before.label}"
        table.setdefault(contrast.name, {}).setdefault(systems, {})[contrast.setting, contrast.measure] = contrast
    return table


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


def benchmarks(study: Study) -> dict[str, Json]:
    """The first finished result on every benchmark, which states its sizes and digest."""
    return {name: scores for run in reversed(study.done) for name, scores in run["benchmarks"].items()}


def seen_by_bases(study: Study) -> list[tuple[str, str, str]]:
    """(base, benchmark, sentence) for all that is known of the bases' own training."""
    measured = sorted({(str(run["base"]), name) for run in study.done for name in run["benchmarks"]})
    return [(base, name, sentence) for base, name in measured for sentence in exposed(base, name)]


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


def trained_shares(runs: Iterable[Json]) -> str:
    """Of all parameters of the base, and of its encoder without word embeddings, how many are trained; "" where not recorded."""
    for run in runs:
        if (share := encoder_share(run)) is not None:
            trained = run["train"]
            every = trained["trainable_parameters"] / (trained["parameters"] - trained["added_parameters"])
            return f"{100 * every:.3g}% of all, {100 * share:.3g}% of the encoder without its embeddings"
    return ""


def flattening(runs: Iterable[Json]) -> list[tuple[Any, ...]]:
    """(strategy, runs, mean loss over the fourth fifth of the steps, over the last): whether the loss still fell."""
    by_strategy: dict[str, list[tuple[float, float]]] = {}
    for run in runs:
        losses = (run.get("train") or {}).get("losses") or []
        fifth = len(losses) // 5
        if len(losses) >= 10:
            ends = fmean(losses[-2 * fifth : -fifth]), fmean(losses[-fifth:])
            by_strategy.setdefault(str(run.get("strategy") or run.get("label")), []).append(ends)
    return [(name, len(ends), *map(fmean, zip(*ends))) for name, ends in by_strategy.items()]


def edge_of(choice: Json) -> str | None:
    """Which end of its candidates a chosen learning rate is, `smallest` or `largest`; None where it lies between others."""
    rates = [candidate["learning_rate"] for candidate in choice.get("candidates") or []]
    ends = {min(rates): "smallest", max(rates): "largest"} if len(rates) > 1 else {}
    return ends.get(choice.get("chosen"))


def rates_at_the_edge(study: Study) -> dict[tuple[str, float], list[str]]:
    """Whose learning rate is the smallest or largest candidate, by end and rate: beyond it none was tried."""
    edges: dict[tuple[str, float], list[str]] = {}
    for choice in study.results.get("selection") or []:
        if end := edge_of(choice):
            edges.setdefault((end, choice["chosen"]), []).append(named_choice(choice))
    return edges
