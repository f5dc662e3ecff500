"""The chapters of a report that hold results: a section per arena, contrasts, and the paper's figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.study.document import Block, Cell, Column, Group, Link, Paragraph, Row, Section, Table, cells
from isoglot.study.report_data import Arena, Json
from isoglot.study.report_format import interval, listed, plural, probability, score
from isoglot.study.report_statistics import COLUMNS, Contrast, Measured, What

_NAMES = {"AP": "mAP", "nDCG@10": "nDCG@10"}
_PAPER_COLUMNS = ("mono", "cross", "multi", RANK_DISTANCE)


def heading(what: What) -> str:
    """How a column is called."""
    setting, measure = what
    return "rank distance" if setting == RANK_DISTANCE else f"{_NAMES.get(measure, measure)} {setting}"


def results_section(arena: Arena, measured: Measured) -> Section:
    """Tables of one arena: systems with intervals, every seed, contrasts, the paper's figures."""
    columns = [what for what in COLUMNS if any((s.label, what) in measured.values for s in arena.systems)]
    if not columns:
        words = f"No cell that was measured on {arena.benchmark} has mAP, nDCG@10 or rank distance."
        return Section(_title(arena), (Paragraph(words, "note"),))
    blocks: list[Block] = [_main_table(arena, measured, columns)]
    if not arena.trained:
        blocks.append(Paragraph(f"No trained cell that is measured on {arena.benchmark} has finished.", "note"))
    blocks += [_seed_table(arena, measured, columns)] if arena.trained else []
    blocks += _contrast_blocks(arena, measured.contrasts)
    blocks += _paper_blocks(arena, measured)
    return Section(_title(arena), tuple(blocks))


def _title(arena: Arena) -> str:
    trained = f"trained on {arena.data}, " if arena.data else ""
    return f"{arena.benchmark}: {trained}base {arena.base}"


def _main_table(arena: Arena, measured: Measured, columns: Sequence[What]) -> Table:
    best = {}
    for what in columns:
        known = [measured.values[s.label, what].mean for s in arena.systems if (s.label, what) in measured.values]
        best[what] = (min if what[0] == RANK_DISTANCE else max)(known) if len(known) > 1 else None
    rows: list[Row] = []
    for system in arena.systems:
        row = [Cell(system.label, plural(len(system.cells), "seed") if not system.is_base else "untrained")]
        for what in columns:
            value = measured.values.get((system.label, what))
            if value is None:
                row.append(Cell(score(None)))
                continue
            wins = best[what] is not None and score(value.mean, what[0]) == score(best[what], what[0])
            row.append(Cell(score(value.mean, what[0]), interval(value.interval, what[0]), strong=wins))
        rows.append(tuple(row))
    return Table(
        f"Macro-averages on {arena.benchmark}, means over seeds with 95% intervals; best of each column in bold",
        (Column("system", False), *(Column(heading(what)) for what in columns)),
        tuple(rows),
        "Rank distance: lower is better. Intervals: bootstrap over paragraphs (over query ids where the benchmark has none) "
        "and, where a system has several, over seeds. Overlapping intervals do not mean that two systems are equal: see the "
        "paired differences.",
    )


def _seed_table(arena: Arena, measured: Measured, columns: Sequence[What]) -> Table:
    rows: list[Row] = []
    for system in arena.trained:
        for i, cell in enumerate(system.cells):
            values = [measured.values.get((system.label, what)) for what in columns]
            shown = [score(v.seeds[i] if v and i < len(v.seeds) else None, w[0]) for v, w in zip(values, columns)]
            rows.append(cells(system.label, str(cell.get("seed")), *shown))
    return Table(
        "Every seed",
        (Column("system", False), Column("seed"), *(Column(heading(what)) for what in columns)),
        tuple(rows),
        small=True,
    )


def _contrast_blocks(arena: Arena, contrasts: Sequence[Contrast]) -> list[Block]:
    """Differences with tests, or a sentence that says why there are none."""
    if not contrasts:
        if not arena.trained:
            return []
        return [
            Paragraph(
                f"Not tested here: no two systems with rows per query differ in tuning or strategy alone on {arena.title}.",
                "note",
            )
        ]
    settings = list(dict.fromkeys((c.setting, c.measure) for c in contrasts))
    pairs = list(dict.fromkeys((c.name, c.before, c.after) for c in contrasts))
    by_place = {(c.name, c.before, c.after, c.setting, c.measure): c for c in contrasts}
    rows: list[Row] = []
    last = ""
    for name, before, after in pairs:
        if name != last:
            rows.append(Group(name))
            last = name
        row = [Cell(f"{after} − {before}")]
        for what in settings:
            item = by_place.get((name, before, after, *what))
            row += [_difference(item), _p(item)] if item else [Cell(score(None)), Cell(score(None))]
        rows.append(tuple(row))
    heads = [column for what in settings for column in (Column(heading(what)), Column("p"))]
    note = (
        "Small print: 95% interval of the paired difference; p after Holm's correction over the "
        f"{len(contrasts)} tests of this table. p: sign flips of whole paragraphs, two-sided, for the mean over the seeds at "
        "hand; intervals include other seeds. Bold: p (Holm) below 0.05. For rank distance a negative difference is better."
    )
    return [Table(f"Paired differences on {arena.title}", (Column("difference", False), *heads), tuple(rows), note)]


def _difference(item: Contrast) -> Cell:
    return Cell(
        score(item.difference, item.setting, signed=True),
        interval(item.interval, item.setting, signed=True),
        strong=item.p_holm < 0.05,
    )


def _p(item: Contrast) -> Cell:
    return Cell(probability(item.p), f"Holm {probability(item.p_holm)}")


@cache
def _paper() -> Json:
    value: Json = json.loads(files("isoglot.study").joinpath("paper_figures.json").read_text(encoding="utf-8"))
    return value


def paper_base(name: str) -> str | None:
    """What the paper calls a base, None where it did not use it."""
    lower = name.lower()
    return next((base for base, names in _paper()["bases"].items() if lower in names), None)


def _paper_blocks(arena: Arena, measured: Measured) -> list[Block]:
    """The paper's figures on this benchmark: beside ours for the same base, in a table of their own otherwise."""
    rows = _paper()["benchmarks"].get(arena.benchmark) or []
    if not rows or "mono" not in rows[0]:
        return []
    source = Link(_paper()["short"], _paper()["address"])
    base = paper_base(arena.base)
    blocks: list[Block] = []
    if base and arena.trained:
        blocks.append(_beside(arena, measured, [row for row in rows if row["base"] == base], base, source))
        rows = [row for row in rows if row["base"] != base]
    table = Table(
        (f"Published figures on {arena.benchmark} for other bases than ours: not comparable with the tables above",),
        (
            Column("base and sampling (full fine-tuning)", False),
            *(Column("mAP " + name) for name in _PAPER_COLUMNS[:3]),
            Column("rank distance"),
        ),
        tuple(
            cells(
                f"{row['base']} {row['strategy']}",
                *(score(row[name]) for name in _PAPER_COLUMNS[:3]),
                score(row["rank_distance"], RANK_DISTANCE),
            )
            for row in rows
        ),
        (
            "Source: ",
            source,
            f". Those models start from other weights than {arena.base} and were trained on {_paper()['training']}; only the "
            "order of the samplings may be set beside ours, not the figures.",
        ),
        small=True,
    )
    return [*blocks, table]


def _beside(arena: Arena, measured: Measured, rows: Sequence[Json], base: str, source: Link) -> Table:
    """Ours and the paper's in one table: the same base and sampling, full fine-tuning in the paper."""
    by_strategy = {row["strategy"]: row for row in rows}
    whats: list[What] = [*COLUMNS[:3], COLUMNS[-1]]
    lines: list[Row] = []
    for system in arena.trained:
        paper: dict[str, Any] = by_strategy.get(str(system.traits["strategy"]), {})
        row = [Cell(system.label)]
        for what, name in zip(whats, _PAPER_COLUMNS):
            value = measured.values.get((system.label, what))
            row += [Cell(score(value.mean if value else None, what[0])), Cell(score(paper.get(name), what[0]))]
        lines.append(tuple(row))
    heads = [column for what in whats for column in (Column(f"{heading(what)} ours"), Column("paper"))]
    return Table(
        f"Beside the paper's figures for {base} on {arena.benchmark}",
        (Column("system", False), *heads),
        tuple(lines),
        (
            "Source: ",
            source,
            f". The paper fine-tuned all weights on {_paper()['training']}; the training data here are others "
            f"({listed([arena.data])}).",
        ),
    )
