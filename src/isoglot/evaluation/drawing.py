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
from hashlib import sha256
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from isoglot.data.readers import yaml_data
from isoglot.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 360.0
SIZE = 12.0
"""Points of a chart's width and, as in chart.mplstyle, of its text."""
_THEME: dict[str, tuple[str, str]] = yaml_data(Path(__file__).with_name("chart_colours.yaml"))
INK, QUIET, RULE, GROUND, EMPTY, BEFORE, *COLOURS = (light for light, _ in _THEME.values())
DARK_CSS = (
    f"@media (prefers-color-scheme: dark) {{:root {{{' '.join(f'--{n}: {c};' for n, (_, c) in _THEME.items())}}}}}"
)
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', Arial, sans-serif"
# characters that no XML file may hold, halves of surrogate pairs, and signs that turn the direction of what follows
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_KEPT = ("id", "{http://www.w3.org/1999/xlink}href", "d", "x", "y", "transform")
# what the root says for all, or what is so anyway
_NEEDLESS = re.compile(
    rf"font-size: {SIZE}px|font-family: .*|text-anchor: start|stroke-dashoffset: 0|stroke-linejoin: .*|"
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
    import matplotlib.style

    with warnings.catch_warnings(), matplotlib.style.context("isoglot.evaluation.chart", after_reset=True):
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a reader's fonts have them; PNG says so
        yield


@style()
def to_svg(figure: Figure) -> str:
    """The chart as one small SVG file, light or dark as the reader's screen, with its titles for those who do not see it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    root = ElementTree.fromstring(buffer.getvalue())
    rules: dict[str, str] = {}
    shapes = [("", "")]
    for element in root.iter():
        look = _look(element.get("style", ""))
        if not (tag := re.search("path$|text$|use$", element.tag)) or look == "fill: none":
            continue
        # a class of the same name has the same look in all pictures of a page
        name = "c" + sha256(look.encode()).hexdigest()[:7]
        rules[name] = look
        words = {key.rpartition("}")[2]: _short(value) for key, value in element.items() if key in _KEPT}
        shown = "".join(f' {key}="{value}"' for key, value in words.items() if value)
        drawn = f'<{tag[0]} class="{name}"{shown}>{escape(element.text or "", quote=False)}</{tag[0]}>'
        if list(words) != ["d"]:  # what has an id is a mark, for the elements that use it
            shapes.append(("", f"<defs>{drawn}</defs>" if "id" in words else drawn))
        elif shapes[-1][0] == name:
            shapes[-1] = (name, shapes[-1][1].replace('"></path>', words["d"] + '"></path>'))
        else:
            shapes.append((name, drawn))
    css = "".join(f".{name}{{{look}}}" for name, look in rules.items())
    size = " ".join(f'{key}="{root.get(key, "").removesuffix("pt")}"' for key in ("viewBox", "width", "height"))
    names = f'role="img" aria-label="{escape(str(figure.get_label()))}" font-family="{_FONT}" font-size="{SIZE}"'
    body = f"<style>{css}{DARK_CSS}</style>" + "\n".join(drawn for _, drawn in shapes).replace("></path>", "/>")
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {names} stroke-linejoin="round">\n{body}\n</svg>\n'


def _look(declarations: str) -> str:
    """CSS without what needs not be said, colours that the theme knows as variables."""
    look = "; ".join(item for item in declarations.split("; ") if not _NEEDLESS.fullmatch(item))
    for name, (light, _) in _THEME.items():
        look = look.replace(light, f"var(--{name}, {light})")
    return look


def _short(value: str) -> str:
    """Coordinates to a tenth of a point, without needless spaces; nothing where it turns by nothing."""
    value = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), value)
    return "" if value.startswith("rotate(-0") else re.sub(r"\s*([A-Za-z])\s*(?=[-\d]|$)", r"\1", value).strip()


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


def for_xml(text: str) -> str:
    """The text with U+FFFD for characters that no file may hold or that would turn the direction of others."""
    return _FORBIDDEN.sub("\ufffd", text)


def text_width(text: str, size: float = SIZE) -> float:
    """About how wide a text is, in points: wide and full-width characters count more."""
    return size * sum(1.25 if unicodedata.east_asian_width(c) in "WF" else 0.6 for c in text)


def fit(text: str, width: float, size: float = SIZE) -> str:
    """The text, with its middle left out where it is wider than `width` points."""
    text = " ".join(for_xml(text).split())
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
    """A figure of `size` points with its titles, which its label has in full, and axes in `margins`: left, top, right, bottom."""
    from matplotlib.figure import Figure

    (left, top, right, bottom), (width, height) = margins, size
    figure = Figure(figsize=(width / 72, height / 72))
    figure.set_label(for_xml(": ".join(filter(None, (titles.title, titles.subtitle)))))
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height))
    # a name in the middle of its axis has room up to the nearer edge on both sides
    axes.set_xlabel(fit(titles.axis, width - abs(left - right) - 12))
    axes.set_ylabel(fit(titles.upright, height - abs(top - bottom) - 12))
    title = fit(titles.title, (width - 14) / 1.12)
    figure.text(8 / width, 1 - 19 / height, title, weight="bold")
    figure.text(8 / width, 1 - 36 / height, fit(titles.subtitle, width - 14), color=QUIET)
    return figure, axes


def left_of(names: Sequence[str]) -> float:
    """The margin in points that names on the left need; longer ones are cut."""
    return 16 + min(max(map(text_width, names), default=0.0), 132.0)


def name_rows(axes: Axes, names: Sequence[str], offset: float = 0.0) -> None:
    """Names on the left, the first on top."""
    axes.set_yticks([row + offset for row in range(len(names))], [fit(name, 132) for name in names], color=INK)
    axes.set_ylim(len(names) - 0.5 + offset, -0.5 + offset)


def number_axis(axes: Axes, ends: Ends, *, upright: bool = False, most: int = 4) -> None:
    """Round ticks that enclose `ends`, with lines across the chart."""
    from matplotlib.ticker import MaxNLocator

    axis = axes.yaxis if upright else axes.xaxis
    ticks = MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(*ends)
    axis.set_ticks(ticks, [f"{round(tick, 9):,.9g}".replace("-", "−") for tick in ticks])
    (axes.set_ylim if upright else axes.set_xlim)(min(ends[0], ticks[0]), max(ends[1], ticks[-1]))
    axis.grid(True)


def signed(value: float, digits: int, sign: str = "+") -> str:
    """A number with a true minus sign, as wide as a plus, and thousands separated."""
    return f"{value:{sign},.{digits}f}".replace("-", "−")


def places(value: float, *, share: bool = False) -> int:
    """Decimal places that a number is shown with: three for shares of 1, else three digits in all, so 2.20 is not 1.65."""
    return 3 if share else 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2


def colour_key(figure: Figure, columns: int) -> None:
    """What the colours mean, by the labels of what was drawn, in one line below the titles."""
    figure.legend(bbox_to_anchor=(8 / WIDTH, 1 - 46 / 72 / figure.get_figheight()), ncols=columns)
