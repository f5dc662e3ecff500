"""The charts: heat map, bars, forest plot, scatter, and lines over a setting or over steps."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import TYPE_CHECKING, Any

import numpy as np

from isoglot.evaluation.drawing import (
    BEFORE,
    COLOURS,
    EMPTY,
    GROUND,
    INK,
    QUIET,
    WIDTH,
    Ends,
    Titles,
    canvas,
    colour_key,
    fit,
    left_of,
    name_rows,
    number_axis,
    signed,
    style,
    text_width,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKS = "osD^"
_DASHED = (0, (4, 3))
# the darkest and the lightest text, on colours that light and dark screens share
_ON_LIGHT, _ON_DARK = "#0b0f14", "#fefefe"


@style()
def heat_map(
    rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]], titles: Titles, scale: Ends
) -> Figure:
    """Rows by columns, a colour and the value in hundredths in every cell; no numbers above twenty columns.

    Args:
        rows, columns: query and passage languages.
        values: 0 to 1, one sequence per row; None is an empty cell.
        scale: values of the lightest and the darkest colour.
    """
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    left = 18 + left_of(rows)
    wide = min((WIDTH - left - 10) / len(columns), 44.0)
    high = min(wide, 26.0)
    full, height = wide * len(columns), 74 + high * len(rows) + 44
    figure, axes = canvas(titles, (left, 74, WIDTH - left - full, 44), (WIDTH, height))
    blues = ListedColormap(colormaps["Blues"](np.linspace(0.08, 1, 40))).with_extremes(bad=EMPTY)
    mesh = axes.pcolormesh(np.array(values, float), cmap=blues, vmin=scale[0], vmax=scale[1], clip_on=False)
    if wide >= 11:
        axes.vlines(range(1, len(columns)), 0, len(rows), GROUND, linewidth=1)
        axes.hlines(range(1, len(rows)), 0, len(columns), GROUND, linewidth=1)
    for row, line in enumerate(values if wide >= 17 else ()):
        for column, value in enumerate(line):
            on_dark = value is not None and value - scale[0] > 0.66 * (scale[1] - scale[0])
            colour = QUIET if value is None else _ON_DARK if on_dark else _ON_LIGHT
            shown = "–" if value is None else f"{100 * value:.0f}"
            axes.text(column + 0.5, row + 0.5, shown, color=colour, ha="center", va="center_baseline")
    name_rows(axes, rows if high >= 9 else [""] * len(rows), 0.5)
    axes.set_xticks(
        np.arange(len(columns)) + 0.5, [fit(one, max(wide, 16)) if wide >= 11 else "" for one in columns], color=INK
    )
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.spines["bottom"].set_visible(False)
    key = figure.add_axes((left / WIDTH, 22 / height, min(full, 240) / WIDTH, 9 / height))
    ticks = [scale[0], sum(scale) / 2, scale[1]]
    bar = figure.colorbar(mesh, cax=key, orientation="horizontal", ticks=ticks)
    bar.ax.set_xticklabels([f"{100 * tick:.3g}" for tick in ticks])
    bar.outline.set_visible(False)
    return figure


@style()
def bars(
    names: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | None]]],
    titles: Titles,
    *,
    intervals: Sequence[Ends | None] = (),
    before: int | None = None,
    highest: float = 0.0,
    digits: int = 0,
) -> Figure:
    """Horizontal bars from 0, a group per name and a bar in it per series, with the values at their ends.

    Args:
        names: of the groups.
        series: one or two: name and one value per group (at least 0; None: no bar); of two, the first is what was before.
        intervals: of the first series, one per group.
        before: number of the group that the others are compared with: grey, with a dashed line down the chart.
        highest: the end of the axis, for charts that are to be compared.
    """
    colours = (BEFORE, COLOURS[0]) if len(series) > 1 else (COLOURS[0],)
    top, step, thick = 50 + 20 * (len(series) > 1), 8 + 12 * len(series), 12 / (8 + 12 * len(series))
    figure, axes = canvas(titles, (left_of(names), top, 50, 42), (WIDTH, top + step * len(names) + 42))
    known = [value or 0.0 for _, values in series for value in values] + [ends[1] for ends in intervals if ends]
    limit = max([highest, *known]) or 1.0
    for number, (_, values) in enumerate(series):
        for group, value in enumerate(values):
            y = group + thick * (number - (len(series) - 1) / 2)
            axes.barh(y, value or 0, 0.9 * thick, color=BEFORE if group == before else colours[number], clip_on=False)
            ends = intervals[group] if intervals and number == 0 else None
            if ends:
                axes.plot(ends, (y, y), color=INK, linewidth=1.3, clip_on=False)
            right = max(value or 0, ends[1] if ends else 0)
            shown = "–" if value is None else f"{value:,.{digits}f}"
            axes.text(right + 0.015 * limit, y, shown, va="center_baseline")
    if before is not None and (level := series[0][1][before]) is not None:
        axes.axvline(level, color=QUIET, linewidth=1, linestyle=_DASHED, zorder=0.9)
    name_rows(axes, names)
    number_axis(axes, (0.0, limit))
    if len(series) > 1:
        colour_key(figure, [name for name, _ in series], colours)
    return figure


@style()
def forest(
    rows: Sequence[tuple[str, float, Ends, bool]], titles: Titles, *, margin: float | None = None, digits: int = 3
) -> Figure:
    """Differences with their intervals, a line at zero and a dashed one at a margin.

    Args:
        rows: name, difference, interval, and whether it is significant (then its mark is filled).
    """
    figure, axes = canvas(titles, (22, 50, 22, 42), (WIDTH, 92 + 36.0 * len(rows)))
    # names stand on a piece of ground: the lines down the chart do not cross them
    look: dict[str, Any] = {"va": "center_baseline", "transform": axes.get_yaxis_transform()}
    look["bbox"] = {"facecolor": GROUND, "edgecolor": "none", "pad": 1.5}
    for row, (name, difference, ends, significant) in enumerate(rows):
        shown = signed(difference, digits)
        room = WIDTH - 56 - text_width(shown)
        axes.text(0, row - 0.4, fit(name, room), **look)
        axes.text(1, row - 0.4, shown, ha="right", **look)
        axes.plot(ends, (row, row), color=COLOURS[0], linewidth=2)
        fill = COLOURS[0] if significant else GROUND
        axes.plot(difference, row, "o", color=COLOURS[0], markerfacecolor=fill, markersize=7, markeredgewidth=1.6)
    axes.set_yticks([])
    axes.set_ylim(len(rows) - 0.6, -0.8)
    spread = [end for _, _, ends, _ in rows for end in ends] + [0.0, margin or 0.0]
    number_axis(axes, (min(spread), max(spread)))
    axes.axvline(0, color=QUIET, linewidth=1.3, zorder=0.9)
    if margin is not None:
        axes.axvline(margin, color=COLOURS[1], linewidth=1.3, linestyle=_DASHED, zorder=0.9)
    return figure


@style()
def scatter(
    points: Sequence[tuple[str, float, float, Sequence[Ends]]],
    titles: Titles,
    level: tuple[str, float] | None = None,
) -> Figure:
    """Points over two numbers, each joined to its name in a column on the right, where no two names overlap.

    Args:
        points: name, x (from 0), y, and the (x, y) of its seeds.
        level: name and y of what has no x, drawn as a dashed line.
    """
    height = max(300.0, 92 + 16.0 * (len(points) + 1))
    names = [name for name, _, _, _ in points] + ([level[0]] if level else [])
    right = min(left_of(names) + 8, 150.0)
    figure, axes = canvas(titles, (62, 50, right, 44), (WIDTH, height))
    for number, (_, x, y, seeds) in enumerate(points):
        look: dict[str, Any] = {"color": COLOURS[number % 4], "marker": _MARKS[number // 4 % 4]}
        for seed in seeds:
            axes.plot((x, seed[0]), (y, seed[1]), color=look["color"], linewidth=0.8, alpha=0.6)
            axes.plot(*seed, **look, markersize=3, alpha=0.6)
        axes.plot(x, y, **look, markersize=8, markeredgecolor=GROUND)
    if level:
        axes.axhline(level[1], color=QUIET, linewidth=1, linestyle=_DASHED)
    spread = [point for _, x, y, seeds in points for point in ((x, y), *seeds)]
    number_axis(axes, (0.0, max(x for x, _ in spread)))
    heights = [y for _, y in spread] + ([level[1]] if level else [])
    number_axis(axes, (min(heights), max(heights)), upright=True)
    # names in the order of their points, each a line above the last, with room for those that follow
    low, high = axes.get_ylim()
    step = 15 * (high - low) / (height - 94)
    marks = [(y, name, x, COLOURS[i % 4]) for i, (name, x, y, _) in enumerate(points)]
    marks += [(level[1], level[0], axes.get_xlim()[1], QUIET)] if level else []
    end, place = axes.get_xlim()[1], low - step
    for below, (y, name, x, colour) in enumerate(sorted(marks)):
        place = min(max(y, place + step), high - step * (len(marks) - 1 - below))
        axes.plot((x, end, 1.03 * end), (y, y, place), color=colour, linewidth=0.7, alpha=0.7, clip_on=False, zorder=1)
        axes.text(1.045 * end, place, fit(name, right - 14), va="center_baseline", color=colour)
    return figure


@style()
def lines(
    series: Sequence[tuple[str, Sequence[tuple[float, float]], Sequence[Ends | None]]],
    titles: Titles,
    *,
    ticks: Sequence[float],
    log: bool = False,
) -> Figure:
    """Lines over a setting (an amount, a share), with a mark and an interval at every point.

    Args:
        series: at most four: name, (x, y) in order, and an interval per point.
        ticks: values of x that are named; those without room are left out.
        log: x in powers of two.
    """
    top = 50.0 + 20 * (len(series) > 1)
    figure, axes = canvas(titles, (58, top, 18, 44), (WIDTH, top + 220))
    place = log2 if log else float
    spread: list[float] = []
    for number, (_, points, intervals) in enumerate(series):
        colour = COLOURS[number % 4]
        axes.plot([place(x) for x, _ in points], [y for _, y in points], _MARKS[number % 4] + "-", color=colour)
        for (x, y), ends in zip(points, intervals):
            axes.plot((place(x),) * 2, ends or (y, y), color=colour, linewidth=1.2, alpha=0.7)
            spread += ends or (y,)
    number_axis(axes, (min(spread), max(spread)), upright=True)
    low, high = place(ticks[0]), place(ticks[-1])
    kept: list[float] = []
    for tick in ticks:
        if not kept or place(tick) - place(kept[-1]) >= (high - low) / 8:
            kept.append(tick)
    axes.set_xticks([place(tick) for tick in kept], [f"{tick:,g}" for tick in kept])
    if len(series) > 1:
        colour_key(figure, [name for name, _, _ in series], COLOURS[: len(series)])
    return figure


@style()
def losses(runs: Sequence[Sequence[tuple[float, float]]], titles: Titles, top: float, last_step: float) -> Figure:
    """Losses of one system's seeds over steps: small, on axes from 0 that other systems' charts share.

    Args:
        runs: (step, loss) per seed; what is above `top` is drawn at the top.
    """
    figure, axes = canvas(titles, (40, 44, 14, 22), (180, 132))
    for number, points in enumerate(runs):
        steps, losses_ = np.array(points).T
        axes.plot(steps, losses_.clip(max=top), color=COLOURS[number % 4], linewidth=1.2, clip_on=False)
    axes.set_xlim(0, last_step)
    axes.set_ylim(0, top)
    axes.set_xticks([0, last_step], ["0", f"{last_step:,.0f} steps"])
    axes.get_xticklabels()[-1].set_horizontalalignment("right")
    axes.set_yticks([0, top], ["0", f"{top:.3g}"])
    axes.grid(True, axis="y")
    return figure
