"""Tables as aligned text for a terminal, as Markdown and as HTML."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from html import escape as escape_html
from typing import NamedTuple

from isoglot.errors import printable

MARKS = re.compile(r"([\\`*_{}\[\]|~$^])")
"""Signs that mean something anywhere in a line of Markdown."""


class Table(NamedTuple):
    """A header and the rows under it; the first `text_columns` hold text, the others numbers."""

    rows: Sequence[Sequence[str]]
    text_columns: int = 1


def as_text(blocks: Iterable[str | Table]) -> str:
    """Lines and tables for a terminal, printable."""
    lines = ([printable(block, keep="\n")] if isinstance(block, str) else text_table(*block) for block in blocks)
    return "\n".join(line for block in lines for line in block)


def as_html(blocks: Iterable[str | Table]) -> str:
    """The same for a notebook; empty lines are left out."""
    return "\n".join(_html_text(block) if isinstance(block, str) else _html_table(*block) for block in blocks if block)


def _html_text(text: str) -> str:
    shown = escape_html(printable(text, keep="\n"))
    return f"<p>{shown}</p>"


def _html_table(rows: Sequence[Sequence[str]], text_columns: int) -> str:
    from tabulate import tabulate

    header, *body = [[printable(cell) for cell in row] for row in rows]
    align = ["left"] * text_columns + ["right"] * (len(header) - text_columns)
    return str(tabulate(body, headers=header, tablefmt="html", disable_numparse=True, colalign=align if body else None))


def exact(value: float) -> str:
    """A number in the shortest form that is this number and no other: `0.5`, `300`, `0.9000001`. Names are made of it."""
    text = f"{value:g}"
    return text if float(text) == value else repr(value)


def text_table(rows: Sequence[Sequence[str]], text_columns: int = 1, rules: Collection[int] = (1,)) -> list[str]:
    """Aligned lines: the first columns to the left, numbers to the right.

    Args:
        rows: the header, then the body.
        text_columns: how many columns hold text.
        rules: numbers of the rows that a rule stands above; by default one under the header, row 0.
    """
    from tabulate import SEPARATING_LINE, tabulate

    lines: list[object] = []
    for number, row in enumerate(rows):
        cells = [printable(cell) for cell in row]
        lines += [SEPARATING_LINE, cells] if number in rules else [cells]
    align = ["left"] * text_columns + ["right"] * (len(rows[0]) - text_columns)
    # given as a row, the header makes its column no wider than itself; then there are rules around the table
    printed = tabulate(lines, tablefmt="simple", disable_numparse=True, colalign=align).split("\n")[1:-1]
    return [line.rstrip() for line in printed]


def markdown_table(rows: Sequence[Sequence[str]], text_columns: int = 1) -> list[str]:
    """A pipe table; cells stand as they are, see `escape`."""
    header, *body = rows
    rule = [":--"] * text_columns + ["--:"] * (len(header) - text_columns)
    return [f"| {' | '.join(map(printable, row))} |" for row in (header, rule, *body)]


def escape(text: str) -> str:
    """A text that Markdown shows as it is inside a table, in one line: no mark-up, no HTML, nothing that turns its direction."""
    return escape_html(MARKS.sub(r"\\\1", printable(" ".join(text.split()))), quote=False)


def code_span(text: str) -> str:
    """A text as a code span of Markdown (outside tables), with a fence longer than any run of backticks in it."""
    text = printable(" ".join(text.splitlines()))
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    return f"{fence} {text} {fence}" if "`" in text or not text else f"`{text}`"
