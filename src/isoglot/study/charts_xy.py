"""Charts over two axes as SVG text: quality against cost, curves over a setting, and losses over steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from isoglot.evaluation.svg import QUIET, fit, text_width
from isoglot.study.charts import (
    COLOURS,
    HALO,
    WIDTH,
    axis_ticks,
    close_svg,
    line,
    open_svg,
    swatches,
    text,
    titles,
)


@dataclass(frozen=True)
class Point:
    """One system: its name, its mean, its seeds, and the numbers of its colour and shape."""

    name: str
    x: float
    y: float
    seeds: tuple[tuple[float, float], ...]
    colour: int
    shape: int


@dataclass(frozen=True)
class Series:
    """One line of a curve: x, the mean there and the values of the seeds."""

    name: str
    points: tuple[tuple[float, float, tuple[float, ...]], ...]


@dataclass(frozen=True)
class _Frame:
    """From values to places in the picture; `log` for x in powers of two."""

    left: float
    top: float
    right: float
    bottom: float
    x: tuple[float, float]
    y: tuple[float, float]
    log: bool = False

    def px(self, value: float) -> float:
        low, high = self.x
        if self.log:
            value, low, high = (math.log2(v) for v in (value, low, high))
        return self.left + (self.right - self.left) * (0.5 if high == low else (value - low) / (high - low))

    def py(self, value: float) -> float:
        low, high = self.y
        return self.bottom - (self.bottom - self.top) * (0.5 if high == low else (value - low) / (high - low))


Area = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class _Placed:
    """A label, the number of its point, and where it stands."""

    number: int
    words: str
    area: Area


def scatter(
    points: Sequence[Point],
    level: tuple[str, float] | None,
    titled: tuple[str, str],
    axes: tuple[str, str],
) -> str:
    """Systems by cost (x, from 0) and quality (y): a large mark per system, a small one per seed, and a name.

    Where the names have no room beside their marks, the marks are numbered and the names stand below.

    Args:
        points: at least one.
        level: name and y of a system without cost, drawn as a dashed line; None: there is none.
        titled: title and subtitle.
        axes: names of x and y.
    """
    ys = [y for p in points for _, y in ((p.x, p.y), *p.seeds)] + ([level[1]] if level else [])
    # room for names on the right of the last marks
    x_ticks = axis_ticks(0.0, 1.25 * max([x for p in points for x, _ in ((p.x, p.y), *p.seeds)] + [1e-9]), 4)
    y_ticks = axis_ticks(min(ys), max(ys), 5)
    frame = _Frame(52, 62, WIDTH - 14, 250, (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]))
    parts = _axes(frame, x_ticks, y_ticks, axes)
    if level:
        y = frame.py(level[1])
        parts.append(line(frame.left, y, frame.right, y, QUIET, ' stroke-dasharray="5 4"'))
    for p in points:
        at = frame.px(p.x), frame.py(p.y)
        for x, y in p.seeds:
            parts.append(line(*at, frame.px(x), frame.py(y), COLOURS[p.colour % 4], ' stroke-opacity="0.5"'))
            parts.append(_mark(frame.px(x), frame.py(y), p.colour, p.shape, 2.6))
        parts.append(_mark(*at, p.colour, p.shape, 5.6))
    names = [p.name for p in points]
    placed = _place(frame, points, names, level)
    below: list[str] = []
    height = 300.0
    if placed is None:
        numbers = [str(i) for i in range(1, len(points) + 1)]
        placed = _place(frame, points, numbers, level, partly=True) or []
        for i, name in enumerate(names):
            below.append(text(14, height + 6 + 15 * i, fit(f"{i + 1}  {name}", WIDTH - 28, 11), size=11))
        height += 15 * len(names)
    if level:
        words = fit(level[0], 150, 11)
        spot = _free_end(frame, frame.py(level[1]), words, [item.area for item in placed] + _marks(frame, points))
        parts.append(text(spot[0], spot[1], words, size=11, fill=QUIET, anchor=spot[2], extra=HALO))
    for item in placed:
        colour = COLOURS[points[item.number].colour % len(COLOURS)]
        parts.append(text(item.area[0], item.area[3] - 2.5, item.words, size=11, fill=colour, extra=HALO))
    return close_svg([*open_svg(WIDTH, height, *titled), *titles(*titled), *parts, *below])


def curve(series: Sequence[Series], titled: tuple[str, str], axes: tuple[str, str], *, log: bool = False) -> str:
    """Lines through the means over seeds, with a mark for every seed.

    Args:
        series: at most four.
        titled: title and subtitle.
        axes: names of x and y.
        log: x in powers of two.
    """
    xs = sorted({x for s in series for x, _, _ in s.points})
    ys = [y for s in series for _, mean, seeds in s.points for y in (mean, *seeds)]
    y_ticks = axis_ticks(min(ys), max(ys), 5)
    frame = _Frame(56, 68, WIDTH - 22, 226, (xs[0], xs[-1]), (y_ticks[0], y_ticks[-1]), log)
    parts = _axes(frame, _apart(frame, xs), y_ticks, axes)
    parts += swatches([s.name for s in series], frame.left, 56, WIDTH - frame.left - 10)
    for number, s in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{frame.px(x):.5g},{frame.py(y):.5g}" for x, y, _ in s.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, mean, seeds in s.points:
            for y in seeds:
                parts.append(_mark(frame.px(x), frame.py(y), number, number, 2.4))
            parts.append(_mark(frame.px(x), frame.py(mean), number, number, 4.2))
    return close_svg([*open_svg(WIDTH, 272, *titled), *titles(*titled), *parts])


def losses(name: str, subtitle: str, points: Sequence[tuple[float, float]], top: float, last_step: float) -> str:
    """The loss of one run over its steps, on axes from 0 that other runs share; the curve alone, the ends as numbers.

    Args:
        name, subtitle: of the run.
        points: (step, loss), in order.
        top: the highest loss on the axis.
        last_step: the end of the x axis.
    """
    width, height = 180.0, 128.0
    frame = _Frame(32, 44, width - 10, height - 18, (0, max(last_step, 1)), (0, max(top, 1e-9)))
    parts = [*open_svg(width, height, name, subtitle)]
    parts.append(text(8, 16, fit(name, width - 14, 11), size=11, extra=' font-weight="600"'))
    parts.append(text(8, 31, fit(subtitle, width - 14, 10), size=10, fill=QUIET))
    for value in (0.0, top):
        parts.append(line(frame.left, frame.py(value), frame.right, frame.py(value)))
        parts.append(text(frame.left - 3, frame.py(value) + 3.5, f"{value:.3g}", size=10, fill=QUIET, anchor="end"))
    parts.append(text(frame.left, height - 5, "0", size=10, fill=QUIET))
    parts.append(text(frame.right, height - 5, f"{last_step:,g} steps", size=10, fill=QUIET, anchor="end"))
    path = " ".join(f"{frame.px(x):.4g},{frame.py(min(y, top)):.4g}" for x, y in points)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[0]}" stroke-width="1.4"/>')
    return close_svg(parts)


def _axes(frame: _Frame, x_ticks: Sequence[float], y_ticks: Sequence[float], names: tuple[str, str]) -> list[str]:
    parts = []
    for tick in y_ticks:
        y = frame.py(tick)
        parts.append(line(frame.left, y, frame.right, y))
        parts.append(text(frame.left - 6, y + 4, _number(tick, y_ticks), size=10.5, fill=QUIET, anchor="end"))
    for tick in x_ticks:
        x = frame.px(tick)
        parts.append(line(x, frame.bottom, x, frame.bottom + 4, QUIET))
        parts.append(text(x, frame.bottom + 17, _number(tick, x_ticks), size=10.5, fill=QUIET, anchor="middle"))
    parts.append(line(frame.left, frame.bottom, frame.right, frame.bottom, QUIET))
    middle = (frame.left + frame.right) / 2
    parts.append(text(middle, frame.bottom + 36, fit(names[0], WIDTH - 20, 11), size=11, fill=QUIET, anchor="middle"))
    y = (frame.top + frame.bottom) / 2
    turned = f' transform="rotate(-90 13 {y:.5g})"'
    room = frame.bottom - frame.top + 20
    return [*parts, text(13, y, fit(names[1], room, 11), size=11, fill=QUIET, anchor="middle", extra=turned)]


def _number(value: float, ticks: Sequence[float]) -> str:
    """With as many decimal places as the axis needs anywhere."""
    digits = max((len(f"{tick:.10g}".partition(".")[2]) for tick in ticks), default=0)
    return f"{value:,.{digits}f}" if digits <= 4 else f"{value:.3g}"


def _mark(x: float, y: float, colour: int, shape: int, size: float) -> str:
    """A circle, square, diamond or triangle with a white edge."""
    fill = f'fill="{COLOURS[colour % len(COLOURS)]}" stroke="#ffffff" stroke-width="1"'
    if shape % 4 == 0:
        return f'<circle cx="{x:.5g}" cy="{y:.5g}" r="{size:g}" {fill}/>'
    if shape % 4 == 1:
        s = size * 0.9
        return f'<rect x="{x - s:.5g}" y="{y - s:.5g}" width="{2 * s:.4g}" height="{2 * s:.4g}" {fill}/>'
    s = size * 1.25
    corners = [(0, -s), (s, 0), (0, s), (-s, 0)] if shape % 4 == 2 else [(0, -s), (s, s * 0.8), (-s, s * 0.8)]
    path = " ".join(f"{x + dx:.5g},{y + dy:.5g}" for dx, dy in corners)
    return f'<polygon points="{path}" {fill}/>'


def _place(
    frame: _Frame,
    points: Sequence[Point],
    names: Sequence[str],
    level: tuple[str, float] | None,
    partly: bool = False,
) -> list[_Placed] | None:
    """A place for every name beside its mark that covers no mark and no other name.

    None where there is none for one of them; `partly` leaves those out instead.
    """
    taken = _marks(frame, points)
    if level:
        y = frame.py(level[1])
        taken.append((frame.left, y - 1, frame.right, y + 1))
    placed = []
    for number, (p, name) in enumerate(zip(points, names)):
        area = next((a for a in _around(frame.px(p.x), frame.py(p.y), name) if _fits(a, frame, taken)), None)
        if area is not None:
            taken.append(area)
            placed.append(_Placed(number, name, area))
        elif not partly:
            return None
    return placed


def _marks(frame: _Frame, points: Sequence[Point]) -> list[Area]:
    found = []
    for p in points:
        for size, x, y in ((6.0, p.x, p.y), *((2.6, x, y) for x, y in p.seeds)):
            px, py = frame.px(x), frame.py(y)
            found.append((px - size, py - size, px + size, py + size))
    return found


def _around(x: float, y: float, name: str) -> list[Area]:
    """Areas for a name beside a mark, the best first."""
    width, high = text_width(name) * 11 + 2, 13.0
    areas = []
    for gap in (8.0, 13.0):
        for dy in (0, -9, 9, -16, 16):
            areas.append((x + gap, y - high / 2 + dy, x + gap + width, y + high / 2 + dy))
            areas.append((x - gap - width, y - high / 2 + dy, x - gap, y + high / 2 + dy))
        for shift in (0.5, 0.3, 0.7):
            areas.append((x - width * shift, y - gap - high, x + width * (1 - shift), y - gap))
            areas.append((x - width * shift, y + gap, x + width * (1 - shift), y + gap + high))
    return areas


def _fits(area: Area, frame: _Frame, taken: Sequence[Area]) -> bool:
    left, top, right, bottom = area
    if left < frame.left + 1 or right > frame.right + 12 or top < frame.top - 14 or bottom > frame.bottom - 1:
        return False
    return not any(left < b[2] and right > b[0] and top < b[3] and bottom > b[1] for b in taken)


def _free_end(frame: _Frame, y: float, words: str, taken: Sequence[Area]) -> tuple[float, float, str]:
    """Where the name of a level has room: at the right or left end, above or below its line."""
    width = text_width(words) * 11 + 4
    for x, anchor in ((frame.right, "end"), (frame.left + 4, "start")):
        for baseline in (y - 5, y + 14):
            left = x - width if anchor == "end" else x
            area = (left, baseline - 11, left + width, baseline + 2)
            if _fits(area, frame, taken):
                return x, baseline, anchor
    return frame.right, y - 5, "end"


def _apart(frame: _Frame, values: Sequence[float]) -> list[float]:
    """Those values whose labels do not touch the one before."""
    kept: list[float] = []
    for value in values:
        if not kept or frame.px(value) - frame.px(kept[-1]) >= 26:
            kept.append(value)
    return kept
