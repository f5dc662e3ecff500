"""The charts: heat map, bars, forest plot, scatter, and lines over a setting or over steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, zip_longest
from math import log2
from typing import TYPE_CHECKING, Any

import numpy as np

from isoglot.evaluation import drawing
from isoglot.evaluation.drawing import (
    BEFORE,
    COLOURS,
    EMPTY,
    GROUND,
    INK,
    QUIET,
    RULE,
    WIDTH,
    Ends,
    Titles,
    fit,
    signed,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Line = tuple[str, Sequence[Ends], Sequence[Ends | None]]
"""Name, (x, y) in order, and an interval per point; without intervals, no marks."""
_MARKS = "osD^"
_DASHED = (0, (4, 3))
# the darkest and the lightest text, on colours that light and dark screens share
_ON_LIGHT, _ON_DARK = "#0b0f14", "#fefefe"


@drawing.style()
def heat_map(
    rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]], titles: Titles, scale: Ends
) -> Figure:
    """Rows by columns, a colour and the value in hundredths in every cell; no numbers above sixteen columns.

    Args:
        rows, columns: query and passage languages.
        values: 0 to 1, one sequence per row; None is an empty cell.
        scale: values of the lightest and the darkest colour.
    """
    import matplotlib

    left = 20 + drawing.left_of(rows)
    wide = min((WIDTH - left - 10) / len(columns), 44.0)
    high = min(wide, 26.0)
    full, height = wide * len(columns), 78 + high * len(rows) + 46
    figure, axes = drawing.canvas(titles, (left, 78, WIDTH - left - full, 46), (WIDTH, height))
    blues = matplotlib.colormaps["Blues"].resampled(25).with_extremes(bad=EMPTY)
    hundredths, low, top = 100 * np.array(values, float), 100 * scale[0], 100 * scale[1]
    mesh = axes.pcolormesh(hundredths, cmap=blues, vmin=low, vmax=top, edgecolors="face")
    if wide >= 14:
        axes.vlines(range(1, len(columns)), 0, len(rows), GROUND)
        axes.hlines(range(1, len(rows)), 0, len(columns), GROUND)
    for (row, column), value in np.ndenumerate(hundredths if wide >= 20 else ()):
        colour = QUIET if np.isnan(value) else _ON_DARK if value - low > 0.68 * (top - low) else _ON_LIGHT
        shown = "–" if np.isnan(value) else f"{value:.0f}"
        axes.text(column + 0.5, row + 0.5, shown, color=colour, ha="center", va="center_baseline")
    drawing.name_rows(axes, rows if high >= 11 else [""] * len(rows), 0.5)
    heads = [fit(name, max(wide, 16)) if wide >= 14 else "" for name in columns]
    axes.set_xticks(np.arange(len(columns)) + 0.5, heads, color=INK)
    axes.tick_params(top=True, labeltop=True, labelbottom=False)
    axes.xaxis.set_label_position("top")
    axes.spines["bottom"].set_visible(False)
    key = figure.add_axes((left / WIDTH, 24 / height, min(full, 240) / WIDTH, 9 / height))
    bar = figure.colorbar(mesh, cax=key, orientation="horizontal", ticks=[low, (low + top) / 2, top], format="%.3g")
    bar.outline.set_visible(False)
    return figure


@drawing.style()
def bars(
    names: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | None]]],
    titles: Titles,
    *,
    intervals: Sequence[Ends | None] = (),
    before: int | None = None,
    highest: float = 0.0,
) -> Figure:
    """Horizontal bars from 0, a group per name and a bar in it per series, with the values at their ends.

    Args:
        names: of the groups.
        series: one or two: name and one value per group (at least 0; None: no bar); of two, the first is what was before.
        intervals: of one series, one per group.
        before: number of the group that the others are compared with: grey, with a dashed line down the chart.
        highest: the end of the axis, for charts that are to be compared.
    """
    count, colours = len(series), [BEFORE, COLOURS[0]][-len(series) :]
    top, bottom, step = 30 + 22 * count, 44 if titles.axis else 28, 8 + 13 * count
    margins = (drawing.left_of(names), top, 56, bottom)
    figure, axes = drawing.canvas(titles, margins, (WIDTH, top + step * len(names) + bottom))
    known = [value for _, values in series for value in values if value]
    limit = max([highest, *known, *(ends[1] for ends in intervals if ends)]) or 1.0
    for number, (name, values) in enumerate(series):
        lengths = np.array([value or 0.0 for value in values])
        spans = np.array([ends or (length, length) for length, ends in zip_longest(lengths, intervals)]).T
        middle = np.arange(len(names)) + (number - (count - 1) / 2) * 13 / step
        error, label = abs(spans - lengths) if intervals else None, fit(name, WIDTH / count - 40)
        drawn = axes.barh(middle, lengths, 12 / step, xerr=error, color=colours[number], ecolor=INK, label=label)
        ends = [
            "–" if value is None else signed(value, drawing.places(value, share=limit <= 1), "") for value in values
        ]
        axes.bar_label(drawn, ends, padding=4)
        if before is not None:
            drawn[before].set_color(BEFORE)
            axes.axvline(lengths[before], color=QUIET, linewidth=1, linestyle=_DASHED, zorder=0.9)
    drawing.name_rows(axes, names)
    drawing.number_axis(axes, (0.0, limit))
    if count > 1:
        drawing.colour_key(figure, count)
    return figure


@drawing.style()
def forest(rows: Sequence[tuple[str, float, Ends, bool]], titles: Titles, margin: float | None = None) -> Figure:
    """Differences with their intervals, each below its name; a line at zero and a dashed one at a margin.

    Args:
        rows: name, difference, interval, and whether it is significant (then its mark is filled).
    """
    figure, axes = drawing.canvas(titles, (8, 48, 8, 44), (WIDTH, 92 + 38.0 * len(rows)))
    spread = [end for _, _, ends, _ in rows for end in ends] + [0.0, margin or 0.0]
    drawing.number_axis(axes, (min(spread), max(spread)))
    axes.grid(False)
    low, high = axes.get_xlim()
    axes.set_xlim(low - 0.07 * (high - low), high + 0.07 * (high - low))
    levels: list[tuple[float, str, Any]] = [(tick, RULE, "-") for tick in axes.get_xticks()] + [(0.0, QUIET, "-")]
    levels += [(margin, COLOURS[1], _DASHED)] if margin is not None else []
    look: dict[str, Any] = {"va": "center_baseline", "transform": axes.get_yaxis_transform()}
    for row, (name, difference, ends, significant) in enumerate(rows):
        if row % 2 == 0:
            axes.axhspan(row - 0.5, row + 0.5, facecolor=EMPTY, zorder=0)
        shown = signed(difference, drawing.places(difference, share=high - low <= 2))
        axes.text(0.015, row - 0.24, fit(name, WIDTH - 36 - drawing.text_width(shown)), **look)
        axes.text(0.985, row - 0.24, shown, ha="right", **look)
        axes.plot(ends, (row + 0.2, row + 0.2), color=COLOURS[0], linewidth=2)
        fill = COLOURS[0] if significant else GROUND
        axes.plot(difference, row + 0.2, "o", color=COLOURS[0], markerfacecolor=fill, markersize=7, markeredgewidth=1.6)
    # not through the names
    strips = np.arange(len(rows))
    for level, colour, dashes in levels:
        axes.vlines(
            [level] * len(rows), strips - 0.02, strips + 0.42, colour, linestyles=dashes, linewidth=1.3, zorder=1
        )
    axes.set_yticks([])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    return figure


@drawing.style()
def scatter(
    points: Sequence[tuple[str, float, float, Sequence[Ends]]], titles: Titles, level: tuple[str, float] | None = None
) -> Figure:
    """Points over two numbers, each joined to its name in a column on the right, where no two names overlap.

    Args:
        points: name, x (from 0), y, and the (x, y) of its seeds.
        level: name and y of what has no x, drawn as a dashed line.
    """
    height = max(300.0, 92 + 17.0 * (len(points) + 1))
    right = min(drawing.left_of([name for name, *_ in points]) + 14, 160.0)
    figure, axes = drawing.canvas(titles, (58, 50, right, 44), (WIDTH, height))
    spread = [point for _, x, y, seeds in points for point in ((x, y), *seeds)] + ([(0.0, level[1])] if level else [])
    drawing.number_axis(axes, (0.0, max(x for x, _ in spread)))
    drawing.number_axis(axes, (min(y for _, y in spread), max(y for _, y in spread)), upright=True)
    (_, end), (low, high) = axes.get_xlim(), axes.get_ylim()
    labels: list[tuple[float, str, float, dict[str, Any]]] = []
    for number, (name, x, y, seeds) in enumerate(points):
        look: dict[str, Any] = {"color": COLOURS[number % 4], "marker": _MARKS[number // 4 % 4]}
        for seed in seeds:
            axes.plot(*zip((x, y), seed), color=look["color"], linewidth=0.8, alpha=0.6)
            axes.plot(*seed, **look, markersize=3, alpha=0.6)
        axes.plot(x, y, **look, markersize=8, markeredgecolor=GROUND)
        labels.append((y, name, x, look))
    if level:
        axes.axhline(level[1], color=QUIET, linewidth=1, linestyle=_DASHED)
        labels.append((level[1], level[0], end, {"color": QUIET}))
    # names in the order of their points, each a line above the last, with room for those that follow
    step = 16 * (high - low) / (height - 94)
    place = low - step
    for below, (y, name, x, look) in enumerate(sorted(labels, key=lambda label: label[:2])):
        place = min(max(y, place + step), high - step * (len(labels) - 1 - below))
        line = ((x, end, 1.03 * end), (y, y, place))
        axes.plot(*line, color=look["color"], linewidth=0.7, alpha=0.7, clip_on=False, zorder=1)
        axes.plot(1.06 * end, place, **look, markersize=6, clip_on=False)
        axes.text(1.1 * end, place, fit(name, right - 26), va="center_baseline", color=look["color"])
    return figure


@drawing.style()
def lines(
    series: Sequence[Line], titles: Titles, *, ticks: Sequence[float], log: bool = False, ends: Ends | None = None
) -> Figure:
    """Lines over a setting (an amount, a share), or small and from 0 over steps.

    Args:
        ticks: values of x that are named; those without room are left out.
        log: x in powers of two.
        ends: of the upright axis that small charts share; None: a chart as wide as others, around its data.
    """
    key = len(series) > 1 and not ends
    top, height = (46.0, 158.0) if ends else (50.0 + 22 * key, 270.0 + 22 * key)
    figure, axes = drawing.canvas(titles, (40 if ends else 54, top, 20, 44), (WIDTH / (2 if ends else 1), height))
    place = log2 if log else float
    spread = list(ends or ())
    for (name, points, intervals), colour, mark in zip(series, cycle(COLOURS), cycle(_MARKS)):
        label = fit(name, WIDTH / len(series) - 40)
        x, y = zip(*((place(x), y) for x, y in points))
        axes.plot(x, y, color=colour, marker=mark if intervals else "", label=label)
        for at, level, interval in zip(x, y, intervals):
            axes.plot((at, at), interval or (level, level), color=colour, alpha=0.7)
            spread += interval or (level,)
    drawing.number_axis(axes, (min(spread), max(spread)), upright=True, most=2 if ends else 4)
    kept: list[float] = []
    for tick in ticks:
        if not kept or place(tick) - place(kept[-1]) >= (place(ticks[-1]) - place(ticks[0])) / 8:
            kept.append(tick)
    axes.set_xticks([place(tick) for tick in kept], [f"{tick:,g}" for tick in kept])
    if key:
        drawing.colour_key(figure, len(series))
    return figure
