"""Charts as self-contained SVG text: a heat map and grouped bars, with escaped text, one light ground and no script."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', Arial, sans-serif"
INK, QUIET, RULE, EMPTY = "#1f2933", "#52606d", "#d9e0e7", "#eef1f4"
# on colours: no colour is so dark or light that one of these has less than 4.3 : 1 against it
_DARK, _LIGHT = "#0b0f14", "#ffffff"
SERIES = ("#0072b2", "#e69f00")
"""Blue and orange of Okabe and Ito: told apart with every kind of colour vision, and in grey."""

# light to dark blue, evenly spaced in lightness (ColorBrewer's Blues, from its second step)
_SCALE = (
    (222, 235, 247),
    (198, 219, 239),
    (158, 202, 225),
    (107, 174, 214),
    (66, 146, 198),
    (33, 113, 181),
    (8, 69, 148),
)
# a white edge around text that may stand on a grid line
_HALO = ' stroke="#ffffff" stroke-width="4" paint-order="stroke"'


@dataclass(frozen=True)
class Labels:
    """Words around a chart.

    Attributes:
        title, subtitle: the two lines on top; cut where they are too long for the picture.
        rows, columns: names of the axes.
    """

    title: str
    subtitle: str
    rows: str
    columns: str


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    labels: Labels,
    scale: tuple[float, float],
    digits: int = 2,
) -> str:
    """Rows by columns with a value in every cell and a colour scale on the right.

    Args:
        rows, columns: names of the lines and columns.
        values: one sequence per row; None is an empty cell.
        labels: title and names of the axes.
        scale: values of the lightest and the darkest colour.
        digits: decimal places.
    """
    wide = max(46.0, max(map(text_width, columns)) * 13 + 12)
    left = max(map(text_width, rows)) * 13 + 48
    top, high = 108.0, 34.0
    right, bottom = left + wide * len(columns), top + high * len(rows)
    width, height = max(right + 100, 420), max(bottom, top + 150) + 24
    parts = _frame(width, height, labels)
    middle = (left + right) / 2
    parts.append(_text(middle, top - 32, labels.columns, size=13, fill=QUIET, anchor="middle"))
    y = (top + bottom) / 2
    parts.append(
        _text(22, y, labels.rows, size=13, fill=QUIET, anchor="middle", extra=f' transform="rotate(-90 22 {y:g})"')
    )
    for c, name in enumerate(columns):
        parts.append(_text(left + wide * (c + 0.5), top - 10, name, size=13, anchor="middle"))
    for r, name in enumerate(rows):
        y = top + high * r
        parts.append(_text(left - 8, y + high / 2 + 4.5, name, size=13, anchor="end"))
        for c, value in enumerate(values[r]):
            x = left + wide * c
            fill = EMPTY if value is None else shade(value, scale)
            parts.append(_box(x + 1, y + 1, wide - 2, high - 2, fill, 3))
            shown = "–" if value is None else f"{value:.{digits}f}"
            colour = QUIET if value is None else ink_on(fill)
            parts.append(_text(x + wide / 2, y + high / 2 + 4.5, shown, size=13, fill=colour, anchor="middle"))
    parts += _legend(right + 28, top, max(bottom - top, 120), scale, digits)
    return _close(parts)


def bars(
    names: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | None]]],
    labels: Labels,
    digits: int = 0,
    last_apart: bool = False,
) -> str:
    """Horizontal bars from 0, one group per name and one bar in it per series, with the values at their ends.

    Args:
        names: of the groups.
        series: name and one value per group (at least 0; None: no bar), at most two.
        labels: title; the axis of the values is `columns`.
        digits: decimal places of the printed values.
        last_apart: draw a line above the last group, which sums up the others.
    """
    width, left, top = 720.0, max(map(text_width, names)) * 13 + 32, 84.0
    top += 26 if len(series) > 1 else 0
    thick = 15.0 if len(series) > 1 else 20.0
    step = thick * len(series) + 12
    bottom = top + step * len(names)
    parts = _frame(width, bottom + 58, labels)
    ticks = nice_ticks(max((x for _, values in series for x in values if x is not None), default=1.0))
    full = width - left - 84
    for tick in ticks:
        x = left + full * tick / ticks[-1]
        parts.append(f'<line x1="{x:g}" y1="{top:g}" x2="{x:g}" y2="{bottom:g}" stroke="{RULE}"/>')
        parts.append(_text(x, bottom + 18, f"{tick:,g}", size=12, fill=QUIET, anchor="middle"))
    parts.append(_text(left + full / 2, bottom + 42, labels.columns, size=13, fill=QUIET, anchor="middle"))
    if len(series) > 1:
        parts += _key([name for name, _ in series], left, top - 28, width - left - 16)
    drawn = []  # after all text, whose white edges would cut into the bars
    for g, name in enumerate(names):
        start = top + step * g + 6
        if last_apart and g and g == len(names) - 1:
            y = start - 6
            parts.append(f'<line x1="16" y1="{y:g}" x2="{width - 16:g}" y2="{y:g}" stroke="{QUIET}"/>')
        parts.append(_text(left - 8, start + thick * len(series) / 2 + 4.5, name, size=13, anchor="end"))
        for s, (_, values) in enumerate(series):
            y, value = start + thick * s, values[g]
            length = 0.0 if value is None else full * value / ticks[-1]
            drawn.append(_box(left, y + 1, length, thick - 2, SERIES[s], 2))
            shown = "–" if value is None else f"{value:,.{digits}f}"
            parts.append(_text(left + length + 6, y + thick / 2 + 4.2, shown, size=12, extra=_HALO))
    return _close([*parts, *drawn])


def shade(value: float, scale: tuple[float, float]) -> str:
    """The colour of a value: light at the low end of the scale, dark at the high end."""
    low, high = scale
    place = (value - low) / (high - low) if high > low else 0.5
    place = min(max(place, 0.0), 1.0) * (len(_SCALE) - 1)
    i = min(int(place), len(_SCALE) - 2)
    part = place - i
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(_SCALE[i], _SCALE[i + 1], strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def ink_on(fill: str) -> str:
    """Dark or white, whichever has the higher contrast on a colour (WCAG 2.2, relative luminance)."""
    light = luminance(fill)
    return _DARK if (light + 0.05) / (luminance(_DARK) + 0.05) >= 1.05 / (light + 0.05) else _LIGHT


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, 0 to 1 (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def nice_ticks(highest: float) -> list[float]:
    """0 and up to six equal steps of 1, 2 or 5 times a power of ten, the last not below `highest`."""
    if highest <= 0:
        return [0.0, 1.0]
    raw = highest / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    return [round(step * i, 12) for i in range(math.ceil(highest / step - 1e-9) + 1)]


def text_width(text: str) -> float:
    """About how wide a text is, in units of its font size: wide and full-width characters count double."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.58 for c in text)


def fit(text: str, width: float, size: float) -> str:
    """The text, with its middle left out where it is wider than `width`."""
    if text_width(text) * size <= width:
        return text
    keep = len(text) - 1
    while keep > 2 and text_width(text[: keep - keep // 2] + "…" + text[-(keep // 2) :]) * size > width:
        keep -= 1
    return text[: keep - keep // 2] + "…" + text[-(keep // 2) :]


def _frame(width: float, height: float, labels: Labels) -> list[str]:
    title, subtitle = escape(labels.title), escape(labels.subtitle)
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'role="img" aria-label="{title}: {subtitle}" font-family="{FONT}">',
        f"<title>{title}</title>",
        f"<desc>{subtitle}</desc>",
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
        _text(16, 30, fit(labels.title, width - 32, 18), size=18, extra=' font-weight="600"'),
        _text(16, 52, fit(labels.subtitle, width - 32, 13), size=13, fill=QUIET),
    ]


def _close(parts: Sequence[str]) -> str:
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(x: float, top: float, height: float, scale: tuple[float, float], digits: int) -> list[str]:
    """A column of colours from high (above) to low, with values beside it."""
    steps = 40
    low, high = scale
    parts = []
    for i in range(steps):
        value = high - (high - low) * (i + 0.5) / steps
        # a little overlap: neighbours must not let the ground shine through
        parts.append(_box(x, top + height * i / steps, 16, height / steps + 0.6, shade(value, scale)))
    for i in range(5):
        value, y = high - (high - low) * i / 4, top + height * i / 4
        parts.append(_text(x + 22, y + 4, f"{value:.{digits}f}", size=12, fill=QUIET))
    return parts


def _key(names: Sequence[str], left: float, y: float, width: float) -> list[str]:
    parts, each = [], width / len(names)
    for i, name in enumerate(names):
        x = left + each * i
        parts.append(_box(x, y - 11, 14, 14, SERIES[i], 2))
        parts.append(_text(x + 20, y, fit(name, each - 32, 13), size=13))
    return parts


def _box(x: float, y: float, width: float, height: float, fill: str, radius: float = 0) -> str:
    corner = f' rx="{radius:g}"' if radius else ""
    return f'<rect x="{x:g}" y="{y:g}" width="{max(width, 0):g}" height="{height:g}" fill="{fill}"{corner}/>'


def _text(
    x: float, y: float, text: str, *, size: float, fill: str = INK, anchor: str = "start", extra: str = ""
) -> str:
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{fill}"{where}{extra}>{escape(text)}</text>'
