"""A report before it has a form: sections of paragraphs, tables, figures and code, rendered as HTML or as Markdown.

Texts here are plain characters. Whatever a renderer's format takes for a sign of its own, the renderer escapes; nothing in a
document is markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Code:
    """Characters as they are typed: a name, a path, an option."""

    text: str


@dataclass(frozen=True)
class Strong:
    """Emphasis."""

    text: str


@dataclass(frozen=True)
class Link:
    """A link; `href` is an address of ours or what `relative_link` allowed."""

    text: str
    href: str


Inline: TypeAlias = str | Code | Strong | Link
Text: TypeAlias = str | tuple[Inline, ...]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph: `lead` stands first and large, `note` is small, `warning` is set apart."""

    text: Text
    kind: Literal["normal", "lead", "note", "warning"] = "normal"


@dataclass(frozen=True)
class Bullets:
    """A list without an order."""

    items: tuple[Text, ...]


@dataclass(frozen=True)
class KeyFigure:
    """One number that matters, with what it is and where it comes from."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True)
class KeyFigures:
    """A row of numbers."""

    items: tuple[KeyFigure, ...]


Tone = Literal["good", "bad", "open", "quiet"]


@dataclass(frozen=True)
class Cell:
    """One field of a table.

    Attributes:
        text: what it says.
        small: a second, smaller line (an interval).
        tone: the colour of a verdict; the words must say the same.
        strong: the best of its column.
    """

    text: Text
    small: str = ""
    tone: Tone | None = None
    strong: bool = False


@dataclass(frozen=True)
class Column:
    """A column: its head, and whether it holds numbers (set to the right, digits of one width)."""

    head: str
    numeric: bool = True


@dataclass(frozen=True)
class Group:
    """A line across the whole table that names the rows below it."""

    text: str


Row: TypeAlias = tuple[Cell, ...] | Group


@dataclass(frozen=True)
class Table:
    """A table; the first column names the rows and stays in sight where the table is wider than the screen."""

    caption: Text
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: Text = ""
    small: bool = False


@dataclass(frozen=True)
class Panel:
    """One picture: `name` is its file name without the ending, `svg` a whole SVG document, `alt` says what it shows."""

    name: str
    svg: str
    alt: str


@dataclass(frozen=True)
class Figure:
    """One or several panels under one caption; `size` is the room that a panel needs to be read."""

    caption: Text
    panels: tuple[Panel, ...]
    size: Literal["small", "medium", "large"] = "medium"


@dataclass(frozen=True)
class CodeBlock:
    """Lines as they are typed."""

    text: str


Block: TypeAlias = Paragraph | Bullets | KeyFigures | Table | Figure | CodeBlock


@dataclass(frozen=True)
class Section:
    """A heading, blocks below it, and sections inside it."""

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Document:
    """A whole report: title, what stands before the first heading, and sections."""

    title: str
    blocks: tuple[Block, ...]
    sections: tuple[Section, ...]


def inlines(text: Text) -> tuple[Inline, ...]:
    """A text as its parts."""
    return (text,) if isinstance(text, str) else text


def plain(text: Text) -> str:
    """A text without its forms."""
    return "".join(part if isinstance(part, str) else part.text for part in inlines(text))


def cells(*values: Cell | Text) -> tuple[Cell, ...]:
    """A row from cells and plain texts."""
    return tuple(value if isinstance(value, Cell) else Cell(value) for value in values)


def panels(blocks: Sequence[Block], sections: Sequence[Section]) -> list[Panel]:
    """All pictures in their order."""
    found = [panel for block in blocks if isinstance(block, Figure) for panel in block.panels]
    for section in sections:
        found += panels(section.blocks, section.sections)
    return found


class Numbers:
    """Tables and figures are numbered through the document."""

    def __init__(self) -> None:
        self.tables, self.figures = count(1), count(1)
