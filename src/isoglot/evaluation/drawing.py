"""How every chart is drawn and written by matplotlib: one style, titles, axes; SVG and PNG with equal bytes for equal input.

A chart is 360 points wide and shown at about as many pixels, so a font size here is one on the screen. In SVG, text stays text
(any script, in the reader's fonts) and colours are CSS variables with a light and a dark value.
"""

from __future__ import annotations

import io
import logging
import re
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from isoglot.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 360.0
SIZE = 10.0
"""Points of a chart's width and of its text."""
INK, QUIET, RULE, GROUND, EMPTY, BEFORE = "#1f2933", "#52606d", "#d9e0e7", "#fffffe", "#eef1f4", "#7b8794"
COLOURS = ("#0072b2", "#c25e00", "#007a5a", "#a3487f")
"""Blue, orange, green, purple after Okabe and Ito: told apart with every kind of colour vision, 4.5 : 1 on white."""
_THEME = {
    INK: ("--ink", "#e4e9ee"),
    QUIET: ("--quiet", "#a3b0bd"),
    RULE: ("--rule", "#3a4651"),
    GROUND: ("--ground", "#14191e"),
    EMPTY: ("--empty", "#262e36"),
    BEFORE: ("--before", "#8d99a6"),
    COLOURS[0]: ("--blue", "#4da3e0"),
    COLOURS[1]: ("--orange", "#f0913a"),
    COLOURS[2]: ("--green", "#35b58f"),
    COLOURS[3]: ("--purple", "#d384b3"),
}
"""Colour on a light ground: CSS variable, colour on a dark ground."""
DARK_CSS = f"@media (prefers-color-scheme: dark) {{ :root {{ {'; '.join(map(': '.join, _THEME.values()))} }} }}"
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', Arial, sans-serif"
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "isoglot",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib
    "font.size": SIZE,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.labelsize": SIZE,
    "axes.edgecolor": QUIET,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.grid.axis": "x",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": SIZE,
    "ytick.labelsize": SIZE,
    "grid.color": RULE,
    "figure.facecolor": GROUND,
}
# characters that no XML file may hold, halves of surrogate pairs, and signs that turn the direction of what follows
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

# ids of groups, fonts (the root names them), turns by nothing, spaces at the start of lines
_NEEDLESS = re.compile(r'(?<=<g) id="[^"]*"| font-family: \'DejaVu Sans\';| transform="rotate\(-0 [^"]*"|(?<=\n) +')

Ends = tuple[float, float]


def require_matplotlib() -> None:
    """InputError in one line where matplotlib is not installed; call it before any long work."""
    if find_spec("matplotlib") is None:
        raise InputError("pictures need matplotlib: pip install 'isoglot[plots]'")


@contextmanager
def style() -> Iterator[None]:
    """matplotlib's settings while a chart is drawn or written, whatever a matplotlibrc says."""
    require_matplotlib()
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def to_svg(figure: Figure, description: str) -> str:
    """The chart as one SVG file, light or dark as the reader's screen; `description` is for those who do not see it."""
    buffer = io.StringIO()
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's fonts have them
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    text = re.sub(_NEEDLESS, "", text[text.index("<svg") :])
    text = re.sub(r' (?:d|x|y|transform)="[^"]*"', _short, text)
    text = re.sub("#[0-9a-f]{6}", _variable, text)
    text = re.sub(r' width="([\d.]+)pt" height="([\d.]+)pt"', r' width="\1" height="\2"', text, count=1)
    names = f'<svg role="img" aria-label="{escape(printable(description))}" font-family="{_FONT}"'
    return text.replace("<svg", names, 1).replace("</style>", f"</style>\n  <style>{DARK_CSS}</style>", 1)


def _short(attribute: re.Match[str]) -> str:
    """Coordinates in one line, to a hundredth of a point."""
    return re.sub(r"(\.\d\d)\d+", r"\1", re.sub(r" ?\n", "", attribute[0]))


def _variable(colour: re.Match[str]) -> str:
    return f"var({_THEME[colour[0]][0]}, {colour[0]})" if colour[0] in _THEME else colour[0]


def to_png(figure: Figure) -> bytes:
    """The chart as PNG on a light ground, two pixels per point; what DejaVu Sans has no sign for is a box, and logged."""
    buffer = io.BytesIO()
    with style(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(buffer, format="png", dpi=144, metadata={"Software": None})
    if caught:
        logging.getLogger(__name__).warning("PNG: %s Choose svg to see it.", str(caught[0].message).strip())
    return buffer.getvalue()


def printable(text: str) -> str:
    """The text with U+FFFD for characters that no file may hold or that would turn the direction of others."""
    return _FORBIDDEN.sub("\ufffd", text)


def text_width(text: str, size: float = SIZE) -> float:
    """About how wide a text is, in points: wide and full-width characters count more."""
    return size * sum(1.25 if unicodedata.east_asian_width(c) in "WF" else 0.6 for c in text)


def fit(text: str, width: float, size: float = SIZE) -> str:
    """The text, with its middle left out where it is wider than `width` points."""
    text = " ".join(printable(text).split())
    keep, short = len(text), text
    while keep > 3 and text_width(short, size) > width:
        keep -= 1
        short = text[: keep - keep // 2] + "…" + text[-(keep // 2) :]
    return short


@dataclass(frozen=True)
class Titles:
    """Words around a chart: two lines on top and the names of its axes, cut where they are too long."""

    title: str
    subtitle: str = ""
    axis: str = ""
    upright: str = ""


def canvas(titles: Titles, margins: tuple[float, float, float, float], size: Ends) -> tuple[Figure, Axes]:
    """A figure of `size` points with its titles, and axes that are `margins` (left, top, right, bottom) from its edges."""
    from matplotlib.figure import Figure

    (left, top, right, bottom), (width, height) = margins, size
    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height))
    axes.tick_params(length=0)
    # a name in the middle of its axis has room up to the nearer edge on both sides
    axes.set_xlabel(fit(titles.axis, width - abs(left - right) - 12), labelpad=6)
    axes.set_ylabel(fit(titles.upright, height - abs(top - bottom) - 12), labelpad=6)
    bold = 1.15 * SIZE if width == WIDTH else SIZE
    for text, size_, y, weight, colour in (
        (titles.title, bold, 18, "bold", INK),
        (titles.subtitle, SIZE, 34, "normal", QUIET),
    ):
        shown = fit(text, (width - 14) / (1.12 if weight == "bold" else 1), size_)
        figure.text(8 / width, 1 - y / height, shown, size=size_, weight=weight, color=colour)
    return figure, axes


def left_of(names: Sequence[str]) -> float:
    """The margin in points that names on the left need; longer ones are cut."""
    return 16 + min(max(map(text_width, names), default=0.0), 132.0)


def name_rows(axes: Axes, names: Sequence[str], offset: float = 0.0) -> None:
    """Names on the left, the first on top."""
    axes.set_yticks([row + offset for row in range(len(names))], [fit(name, 132) for name in names], color=INK)
    axes.set_ylim(len(names) - 0.5 + offset, -0.5 + offset)


def number_axis(axes: Axes, ends: Ends, *, upright: bool = False) -> None:
    """Round ticks that enclose `ends`, with lines across the chart."""
    from matplotlib.ticker import MaxNLocator

    axis = axes.yaxis if upright else axes.xaxis
    ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(*ends)
    digits = min(max(len(f"{tick:.10g}".partition(".")[2]) for tick in ticks), 4)
    axis.set_ticks(ticks, [signed(tick, digits, "") for tick in ticks])
    (axes.set_ylim if upright else axes.set_xlim)(min(ends[0], ticks[0]), max(ends[1], ticks[-1]))
    axis.grid(True, linewidth=0.8)


def signed(value: float, digits: int, sign: str = "+") -> str:
    """A number with a true minus sign, as wide as a plus, and thousands separated."""
    return f"{value:{sign},.{digits}f}".replace("-", "−")


def colour_key(figure: Figure, names: Sequence[str], colours: Sequence[str]) -> None:
    """What the colours mean, in one line below the titles."""
    from matplotlib.patches import Patch

    room = (WIDTH - 20) / len(names) - 28
    figure.legend(
        [Patch(color=colour) for colour in colours],
        [fit(name, room) for name in names],
        loc="upper left",
        bbox_to_anchor=(8 / WIDTH, 1 - 44 / 72 / figure.get_figheight()),
        ncols=len(names),
        frameon=False,
        handlelength=1,
        handletextpad=0.4,
        columnspacing=1.2,
        borderpad=0,
        borderaxespad=0,
    )
