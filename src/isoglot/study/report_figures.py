"""The figures of a report: heat maps, language bias before and after, quality against cost, curves and losses."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.study.charts import compact_heat_map, paired_bars
from isoglot.study.charts_xy import Point, Series, curve, losses, scatter
from isoglot.study.document import Figure, Panel, Paragraph
from isoglot.study.report_data import STRATEGIES, Arena, Json, System
from isoglot.study.report_format import mean, plural, score
from isoglot.study.report_results import heading
from isoglot.study.report_statistics import MAIN_MEASURE, Measured, What

CROSS: What = ("cross", MAIN_MEASURE)
Matrix = dict[str, dict[str, float]]


def slug(*parts: Any) -> str:
    """A file name from any texts: letters, digits, dots and dashes of ASCII."""
    text = "-".join(str(part) for part in parts)
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.").lower()[:90] or "figure"


def heat_maps(arena: Arena) -> Figure | Paragraph:
    """Query language by passage language for every system, seeds averaged, on one scale of colours."""
    drawn = [(system, _matrix(system, arena.benchmark)) for system in arena.systems]
    drawn = [(system, matrix) for system, matrix in drawn if matrix]
    if not drawn:
        return Paragraph(f"No heat map: no cell has {MAIN_MEASURE} between two languages on {arena.benchmark}.", "note")
    values = [x for _, matrix in drawn for row in matrix.values() for x in row.values()]
    low, high = math.floor(min(values) * 20 + 1e-9) / 20, math.ceil(max(values) * 20 - 1e-9) / 20
    scale = (low, high) if high > low else (max(low - 0.05, 0), low + 0.05)
    languages = sorted(
        {lang for _, matrix in drawn for lang in [*matrix, *(d for row in matrix.values() for d in row)]}
    )
    panels = []
    for system, matrix in drawn:
        rows = [lang for lang in languages if lang in matrix]
        columns = [lang for lang in languages if any(lang in row for row in matrix.values())]
        cells = [[matrix[query].get(doc) for doc in columns] for query in rows]
        seeds = "" if system.is_base else f", mean of {plural(len(system.cells), 'seed')}"
        names = (system.label, f"{MAIN_MEASURE} on {arena.benchmark}{seeds}, in hundredths")
        svg = compact_heat_map(rows, columns, cells, names, scale)
        panels.append(Panel(slug("heat", arena.data, arena.benchmark, system.label), svg, ": ".join(names)))
    return Figure(
        f"{MAIN_MEASURE} by query and passage language, {arena.title}: monolingual on the diagonal, cross-lingual beside it; all "
        "panels on one scale of colours, values in hundredths",
        tuple(panels),
    )


def _matrix(system: System, benchmark: str) -> Matrix:
    """{query language: {passage language: mean over seeds}}, the diagonal from the monolingual setting."""
    found: dict[str, dict[str, list[float]]] = {}
    for cell in system.cells:
        by = cell["benchmarks"][benchmark].get("per_language") or {}
        matrix = (by.get("cross") or {}).get("matrix") or {}
        pairs = [(query, doc, scores) for query, row in matrix.items() for doc, scores in row.items()]
        if pairs:
            pairs += [(lang, lang, scores) for lang, scores in (by.get("mono") or {}).items()]
        for query, doc, scores in pairs:
            if isinstance(scores.get(MAIN_MEASURE), (int, float)):
                found.setdefault(query, {}).setdefault(doc, []).append(float(scores[MAIN_MEASURE]))
    return {query: {doc: sum(v) / len(v) for doc, v in row.items()} for query, row in found.items()}


def bias_bars(arena: Arena) -> Figure | Paragraph:
    """Rank distance by query language before training and after, a panel per trained system."""
    before = _distances(arena.before, arena.benchmark) if arena.before else {}
    after = [(system, _distances(system, arena.benchmark)) for system in arena.trained]
    after = [(system, values) for system, values in after if values]
    if not after:
        return Paragraph(f"No bars of language bias: no trained cell has a rank distance on {arena.benchmark}.", "note")
    highest = max(x for values in (before, *(v for _, v in after)) for x in values.values())
    panels = []
    for system, values in after:
        languages = [*sorted(({*values, *before}) - {"mean"}), "mean"]
        series = [("before", [before.get(n) for n in languages])] if before else []
        series.append(("after", [values.get(n) for n in languages]))
        names = (system.label, f"rank distance on {arena.benchmark}")
        svg = paired_bars(languages, series, names, "ranks between best and worst answer", highest)
        panels.append(Panel(slug("bias", arena.data, arena.benchmark, system.label), svg, ": ".join(names)))
    words = "before training and after" if before else "after training (no base cell has finished)"
    return Figure(
        f"Language bias {words}, {arena.title}: rank distance by query language, seeds averaged; shorter is better",
        tuple(panels),
    )


def _distances(system: System, benchmark: str) -> dict[str, float]:
    """Rank distance by query language and "mean", averaged over seeds."""
    found: dict[str, list[float]] = {}
    for cell in system.cells:
        bias = cell["benchmarks"][benchmark].get("bias") or {}
        for lang, item in {**(bias.get("per_language") or {}), "mean": bias}.items():
            if isinstance(item, dict) and isinstance(item.get(RANK_DISTANCE), (int, float)):
                found.setdefault(lang, []).append(float(item[RANK_DISTANCE]))
    return {lang: sum(v) / len(v) for lang, v in found.items()} if len(found) > 1 else {}


_COSTS: tuple[tuple[str, str, Callable[[Json], Any]], ...] = (
    ("training time", "minutes", lambda cost: _over(cost.get("train_seconds"), 60)),
    ("peak memory", "GB", lambda cost: _over(cost.get("gpu_peak_memory_bytes") or cost.get("peak_memory_bytes"), 1e9)),
)


def _over(value: Any, unit: float) -> float | None:
    return value / unit if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def quality_and_cost(arena: Arena, measured: Measured, costs: Json) -> Figure | Paragraph:
    """nDCG@10 in cross against training time and against peak memory."""
    panels = []
    before = arena.before
    base = measured.values.get((before.label, CROSS)) if before else None
    for name, unit, read in _COSTS:
        points = [p for system in arena.trained if (p := _point(system, arena, measured, costs, read))]
        if points:
            titled = (f"Quality against {name}", arena.title)
            level = ("untrained base", base.mean) if base else None
            svg = scatter(points, level, titled, (f"{name} ({unit})", heading(CROSS)))
            panels.append(Panel(slug("cost", arena.data, arena.benchmark, name), svg, ": ".join(titled)))
    if not panels:
        return Paragraph(f"No picture of quality against cost: no trained cell on {arena.title} has both.", "note")
    return Figure(
        f"{MAIN_MEASURE} cross against cost, {arena.title}: a large mark per system, small marks its seeds; circles LoRA, "
        "squares full fine-tuning; blue mono, orange cross, green hybrid",
        tuple(panels),
    )


def _point(system: System, arena: Arena, measured: Measured, costs: Json, read: Callable[[Json], Any]) -> Point | None:
    value = measured.values.get((system.label, CROSS))
    if value is None:
        return None
    xs = [read(costs.get(cell["id"]) or {}) for cell in system.cells]
    seeds = [(x, y) for x, y in zip(xs, value.seeds) if isinstance(x, (int, float))]
    middle = mean([x for x, _ in seeds])
    if middle is None:
        return None
    strategy = system.traits.get("strategy")
    colour = STRATEGIES.index(strategy) if strategy in STRATEGIES else 3
    shape = {"lora": 0, "full": 1}.get(str(system.tuning_kind), 2)
    return Point(system.label, middle, value.mean, tuple(seeds) if len(seeds) > 1 else (), colour, shape)


_CURVES: tuple[tuple[str, str, bool, Callable[[System], Any]], ...] = (
    ("mono_share", "share of monolingual batches (α; 0: cross, 1: mono)", False, lambda s: _share(s)),
    ("amount", "share of the training pairs", True, lambda s: s.traits.get("amount")),
    ("rank", "LoRA rank", True, lambda s: (s.cells[0].get("tuning") or {}).get("rank")),
)
_CURVE_COLUMNS: tuple[What, ...] = (
    CROSS,
    ("multi", MAIN_MEASURE),
    ("mono", MAIN_MEASURE),
    (RANK_DISTANCE, RANK_DISTANCE),
)


def curves(arena: Arena, measured: Measured) -> list[Figure]:
    """Curves over alpha, amount of data and rank, where systems differ in these."""
    figures = []
    for trait, axis, log, read in _CURVES:
        lines = _lines(arena, trait, read)
        if not lines:
            continue
        panels = []
        for what in _CURVE_COLUMNS:
            series = [s for name, members in lines if (s := _series(name, members, measured, what, read))]
            if series:
                titled = (heading(what), arena.title)
                svg = curve(series[:4], titled, (axis, heading(what)), log=log)
                panels.append(Panel(slug("curve", trait, arena.data, arena.benchmark, *what), svg, ": ".join(titled)))
        if panels:
            words = f"By {axis}, {arena.title}: the mean over seeds as a line, every seed as a small mark"
            figures.append(Figure(words, tuple(panels)))
    return figures


def _lines(arena: Arena, trait: str, read: Callable[[System], Any]) -> list[tuple[str, list[System]]]:
    """Trained systems that differ in one trait alone, at least three of them: name and members by the trait."""
    gathered: dict[str, list[System]] = {}
    for system in arena.trained:
        tuning = system.cells[0].get("tuning") or {}
        own = dict(system.traits)
        if trait == "rank":
            own["tuning"] = (tuning.get("kind"), tuple(tuning.get("targets") or ()))
        if trait == "mono_share":
            own.pop("strategy")
        own.pop(trait, None)
        if trait == "amount":
            own.pop("steps", None)
        if isinstance(read(system), (int, float)) and read(system) > (-1 if trait == "mono_share" else 0):
            gathered.setdefault(repr(sorted(own.items())), []).append(system)
    found = []
    for members in gathered.values():
        # of mono and a hybrid with α = 1, which are the same thing, the hybrid
        members = sorted(members, key=lambda member: (read(member), member.traits["strategy"] != "hybrid"))
        members = [m for i, m in enumerate(members) if i == 0 or read(m) != read(members[i - 1])]
        if len(members) >= 3:
            found.append((_line_name(members[0], trait), members))
    return found


def _share(system: System) -> Any:
    """The share of monolingual batches."""
    return {"mono": 1.0, "cross": 0.0}.get(str(system.traits.get("strategy")), system.traits.get("mono_share"))


def _line_name(system: System, trait: str) -> str:
    tuning = system.cells[0].get("tuning") or {}
    if trait == "rank":
        targets = " ".join(tuning.get("targets") or ()) or "default targets"
        return f"{system.traits['strategy']}, {targets}"
    if trait == "mono_share":
        return str(tuning.get("name"))
    share = system.traits.get("mono_share")
    return f"{system.traits['strategy']} {tuning.get('name')}" + (f" α={share:g}" if share not in (None, 0.5) else "")


def _series(
    name: str, members: Sequence[System], measured: Measured, what: What, read: Callable[[System], Any]
) -> Series | None:
    points = []
    for member in members:
        value = measured.values.get((member.label, what))
        if value:
            points.append((float(read(member)), value.mean, value.seeds if len(value.seeds) > 1 else ()))
    return Series(name, tuple(points)) if len(points) >= 2 else None


def loss_panels(cells: Sequence[Json]) -> Figure | Paragraph:
    """The training loss of every finished cell over its steps, on common axes."""
    drawn = []
    for cell in cells:
        train = cell.get("train") or {}
        values = [x for x in train.get("losses") or [] if isinstance(x, (int, float)) and math.isfinite(x)]
        if len(values) > 1:
            drawn.append((cell, train, [float(x) for x in values]))
    if not drawn:
        return Paragraph("No curves of the training loss: no trained cell has finished.", "note")
    # a first peak of one run must not flatten all others
    tops = sorted(max(values) for _, _, values in drawn)
    top = min(tops[-1], 2 * tops[len(tops) // 2])
    last = max(float(train.get("steps") or len(values)) for _, train, values in drawn)
    panels = []
    for cell, train, values in drawn:
        steps = float(train.get("steps") or len(values))
        points = [(steps * (i + 1) / len(values), value) for i, value in enumerate(values)]
        name = _short_name(cell)
        end = train.get("mean_loss_of_last_tenth")
        svg = losses(name, f"{cell.get('data')}: {score(end)}", points, top, last)
        panels.append(Panel(slug("loss", cell["id"]), svg, f"Training loss of {cell['id']}"))
    return Figure(
        "Training loss over steps, a panel per cell, on common axes; the number is the mean loss of the last tenth of the steps",
        tuple(panels),
        "small",
    )


def _short_name(cell: Json) -> str:
    tuning = (cell.get("tuning") or {}).get("name")
    share = cell.get("mono_share")
    alpha = f" {share:g}" if cell.get("strategy") == "hybrid" and share not in (None, 0.5) else ""
    return f"{cell.get('strategy')}{alpha} {tuning} s{cell.get('seed')}"
