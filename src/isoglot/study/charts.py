"""Small charts as self-contained SVG text, drawn to be read on a phone: a compact heat map and paired bars.

Panels are 360 units wide and shown at about that many pixels, so a font size here is one on the screen. Texts are escaped,
the ground is white, there is no script and no style that a page could change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from isoglot.evaluation.svg import EMPTY, FONT, INK, QUIET, RULE, fit, ink_on, nice_ticks, shade, text_width

WIDTH = 360.0
COLOURS = ("#0072b2", "#c25e00", "#007a5a", "#a3487f")
"""Blue, dark orange, green, purple after Okabe and Ito, darkened to 4.5 : 1 on white so that text may have them too."""
HALO = ' stroke="#ffffff" stroke-width="3" stroke-linejoin="round" paint-order="stroke"'


def open_svg(width: float, height: float, title: str, description: str) -> list[str]:
    """The first lines of a picture: its size, its names for those who do not see it, and a white ground."""
    name = escape(f"{title}: {description}")
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'role="img" aria-label="{name}" font-family="{escape(FONT)}">',
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
    ]


def close_svg(parts: Sequence[str]) -> str:
    """The whole picture."""
    return "\n".join([*parts, "</svg>"]) + "\n"


def text(
    x: float, y: float, words: str, *, size: float = 12, fill: str = INK, anchor: str = "start", extra: str = ""
) -> str:
    """One line of escaped text."""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.5g}" y="{y:.5g}" font-size="{size:g}" fill="{fill}"{where}{extra}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, fill: str, radius: float = 0) -> str:
    """A filled rectangle."""
    corner = f' rx="{radius:g}"' if radius else ""
    return f'<rect x="{x:.5g}" y="{y:.5g}" width="{max(width, 0):.5g}" height="{height:.5g}" fill="{fill}"{corner}/>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str = RULE, extra: str = "") -> str:
    """A straight line."""
    return f'<line x1="{x1:.5g}" y1="{y1:.5g}" x2="{x2:.5g}" y2="{y2:.5g}" stroke="{colour}"{extra}/>'


def titles(title: str, subtitle: str, width: float = WIDTH) -> list[str]:
    """Two lines on top, shortened in their middle where they are too long."""
    lines = [text(10, 21, fit(title, width - 20, 14), size=14, extra=' font-weight="600"')]
    if subtitle:
        lines.append(text(10, 38, fit(subtitle, width - 20, 11.5), size=11.5, fill=QUIET))
    return lines


def compact_heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    names: tuple[str, str],
    scale: tuple[float, float],
) -> str:
    """Rows by columns, a colour and the value in hundredths in every cell; no numbers above twenty columns.

    Args:
        rows, columns: language codes.
        values: 0 to 1, one sequence per row; None is an empty cell.
        names: title and subtitle.
        scale: values of the lightest and the darkest colour.
    """
    left, top = 30 + max([text_width(fit(name, 60, 11)) * 11 for name in rows] or [20]), 76.0
    size = max((WIDTH - left - 8) / max(len(columns), 1), 4.0)
    size = min(size, 44.0)
    high = min(max(size, 4.0), 27.0)
    bottom = top + high * len(rows)
    width, height = max(WIDTH, left + size * len(columns) + 8), bottom + 46
    parts = [*open_svg(width, height, *names), *titles(*names, width)]
    parts.append(text(left, top - 20, "passage language →", size=10.5, fill=QUIET))
    numbers = size >= 17
    for c, name in enumerate(columns):
        if size >= 11:
            label = fit(name, max(size, 16), 11)
            parts.append(text(left + size * (c + 0.5), top - 6, label, size=11, anchor="middle"))
    for r, name in enumerate(rows):
        y = top + high * r
        if high >= 10:
            parts.append(text(left - 6, y + high / 2 + 4, fit(name, 60, 11), size=11, anchor="end"))
        for c, value in enumerate(values[r]):
            fill = EMPTY if value is None else shade(value, scale)
            x = left + size * c
            parts.append(box(x + 0.5, y + 0.5, size - 1, high - 1, fill, 2 if numbers else 0))
            if numbers:
                shown, ink = ("–", QUIET) if value is None else (f"{100 * value:.0f}", ink_on(fill))
                parts.append(text(x + size / 2, y + high / 2 + 4, shown, size=11, fill=ink, anchor="middle"))
    middle = (top + bottom) / 2
    turned = f' transform="rotate(-90 16 {middle:.5g})"'
    parts.append(text(16, middle, "query language", size=10.5, fill=QUIET, anchor="middle", extra=turned))
    return close_svg([*parts, *_colour_key(left, bottom + 12, min(width - left - 8, 260), scale)])


def _colour_key(x: float, y: float, width: float, scale: tuple[float, float]) -> list[str]:
    """A strip from the lightest to the darkest colour with values in hundredths below it."""
    low, high = scale
    steps = 30
    parts = []
    for i in range(steps):
        value = low + (high - low) * (i + 0.5) / steps
        # a little overlap: neighbours must not let the ground shine through
        parts.append(box(x + width * i / steps, y, width / steps + 0.6, 9, shade(value, scale)))
    for i, anchor in enumerate(("start", "middle", "end")):
        value = low + (high - low) * i / 2
        parts.append(text(x + width * i / 2, y + 22, f"{100 * value:.3g}", size=10.5, fill=QUIET, anchor=anchor))
    return parts


def paired_bars(
    names: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | None]]],
    titled: tuple[str, str],
    axis: str,
    highest: float | None = None,
) -> str:
    """Horizontal bars from 0, a group per name and a bar in it per series; the last group sums up the others.

    Args:
        names: of the groups.
        series: at most two, each with one value (at least 0; None: no bar) per group.
        titled: title and subtitle.
        axis: name of the values.
        highest: the end of the axis, for panels that are to be compared; from the values when None.
    """
    left, top, thick = 20 + max(text_width(fit(name, 70, 11)) * 11 for name in names), 70.0, 10.0
    step = thick * len(series) + 6
    bottom = top + step * len(names) + 4
    known = [x for _, values in series for x in values if x is not None]
    ticks = nice_ticks(max([highest or 0.0, *known]))
    full = WIDTH - left - 50
    parts = [*open_svg(WIDTH, bottom + 44, *titled), *titles(*titled)]
    for tick in ticks[:: 1 if len(ticks) <= 5 else 2]:
        x = left + full * tick / ticks[-1]
        parts.append(line(x, top, x, bottom))
        parts.append(text(x, bottom + 15, f"{tick:,g}", size=10.5, fill=QUIET, anchor="middle"))
    parts.append(text(left + full / 2, bottom + 33, fit(axis, WIDTH - 20, 11), size=11, fill=QUIET, anchor="middle"))
    parts += swatches([name for name, _ in series], left, 60, WIDTH - left - 10)
    drawn = []  # after all text, whose white edges would cut into the bars
    for g, name in enumerate(names):
        start = top + 4 + step * g
        if g == len(names) - 1 and g:
            parts.append(line(10, start - 4, WIDTH - 10, start - 4, QUIET))
        parts.append(text(left - 6, start + thick * len(series) / 2 + 4, fit(name, 70, 11), size=11, anchor="end"))
        for s, (_, values) in enumerate(series):
            value, y = values[g], start + thick * s
            length = 0.0 if value is None else full * value / ticks[-1]
            drawn.append(box(left, y + 0.5, length, thick - 1, COLOURS[s], 1.5))
            shown = "–" if value is None else f"{value:,.0f}"
            parts.append(text(left + length + 4, y + thick / 2 + 3.7, shown, size=10.5, extra=HALO))
    return close_svg([*parts, *drawn])


def swatches(names: Sequence[str], left: float, y: float, width: float) -> list[str]:
    """A key of colours in one line."""
    parts, x = [], left
    room = width / max(len(names), 1)
    for i, name in enumerate(names):
        shown = fit(name, room - 22, 11)
        parts.append(box(x, y - 9, 10, 10, COLOURS[i % len(COLOURS)], 2))
        parts.append(text(x + 14, y, shown, size=11))
        x += 14 + text_width(shown) * 11 + 14
    return parts


def axis_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values at equal steps of 1, 2 or 5 times a power of ten that enclose `low` to `high`."""
    span = high - low
    if not span > 0:
        span = abs(high) * 0.1 or 1.0
        low, high = low - span / 2, high + span / 2
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * i, 12) for i in range(first, last + 1)]
