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
from importlib.resources import as_file, files
from importlib.util import find_spec
from typing import TYPE_CHECKING

from isoglot.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 360.0
SIZE = 10.0
"""Points of a chart's width and of its text."""
_THEME = {
    "ink": ("#1f2933", "#e4e9ee"),
    "quiet": ("#52606d", "#a3b0bd"),
    "rule": ("#d9e0e7", "#3a4651"),
    "ground": ("#fffffe", "#14191e"),
    "empty": ("#eef1f4", "#262e36"),
    "before": ("#7b8794", "#8d99a6"),
    "blue": ("#0072b2", "#4da3e0"),
    "orange": ("#c25e00", "#f0913a"),
    "green": ("#007a5a", "#35b58f"),
    "purple": ("#a3487f", "#d384b3"),
}
"""CSS variables: colours on a light and on a dark ground (the last four after Okabe and Ito, for every kind of colour vision)."""
INK, QUIET, RULE, GROUND, EMPTY, BEFORE, *COLOURS = (light for light, _ in _THEME.values())
DARK_CSS = (
    f"@media (prefers-color-scheme: dark) {{ :root {{ {' '.join(f'--{n}: {c};' for n, (_, c) in _THEME.items())} }} }}"
)
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', Arial, sans-serif"
# characters that no XML file may hold, halves of surrogate pairs, and signs that turn the direction of what follows
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

# ids of groups, what the root says for all texts, turns by nothing
_NEEDLESS = re.compile(
    r'(?<=<g) id="[^"]*"|font-size: 10px; |font-family: \'DejaVu Sans\'; | transform="rotate\(-0 [^"]*"'
)

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

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        with as_file(files("isoglot.evaluation") / "chart.mplstyle") as path:
            matplotlib.rcParams.update(matplotlib.rc_params_from_file(path, use_default_template=False))
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a reader's fonts have them; PNG says so
        yield


@style()
def to_svg(figure: Figure) -> str:
    """The chart as one SVG file, light or dark as the reader's screen, with its titles for those who do not see it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    text = re.sub("<[^>]+>", _shorter, re.sub(r"\n +", "\n", text[text.index("<svg") :]))
    text = re.sub(r"<g>\n(<text.*</text>)\n</g>|<g/>\n", r"\1", text)
    names = f'<svg role="img" aria-label="{escape(alt_text(figure))}" font-family="{_FONT}" font-size="{SIZE}px"'
    return text.replace("<svg", names, 1).replace("</style>", f"</style>\n  <style>{DARK_CSS}</style>", 1)


def alt_text(figure: Figure) -> str:
    """What a chart shows: its titles in full, which the picture may cut."""
    return str(figure.get_label())


def _shorter(tag: re.Match[str]) -> str:
    """A tag in one line, with coordinates to a tenth of a point, pixels, and colours that the theme knows as variables."""
    text = re.sub(r" ?\n", "", _NEEDLESS.sub("", tag[0]))
    text = re.sub(r' (?:d|x|y|transform)="[^"]*"', lambda one: re.sub(r"(\.\d)\d+", r"\1", one[0]), text)
    text = re.sub(r'="([\d.]+)pt"', r'="\1"', text)
    for name, (light, _) in _THEME.items():
        text = text.replace(light, f"var(--{name}, {light})")
    return text


@style()
def to_png(figure: Figure) -> bytes:
    """The chart as PNG on a light ground, two pixels per point; what DejaVu Sans has no sign for is a box, and logged."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(record=True) as caught:
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
    figure.set_label(printable(": ".join(filter(None, (titles.title, titles.subtitle)))))
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height))
    # a name in the middle of its axis has room up to the nearer edge on both sides
    axes.set_xlabel(fit(titles.axis, width - abs(left - right) - 12))
    axes.set_ylabel(fit(titles.upright, height - abs(top - bottom) - 12))
    bold = 1.15 * SIZE if width == WIDTH else SIZE
    for text, size_, y, weight in ((titles.title, bold, 18, "bold"), (titles.subtitle, SIZE, 34, "normal")):
        shown = fit(text, (width - 14) / (1.12 if weight == "bold" else 1), size_)
        colour = INK if weight == "bold" else QUIET
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
    axis.grid(True)


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
    )
