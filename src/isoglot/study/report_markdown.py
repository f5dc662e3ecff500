"""A document as GitHub-flavoured Markdown; pictures are files beside it, named as `figures/<panel>.svg`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from isoglot.study.document import (
    Block,
    Bullets,
    Cell,
    Code,
    CodeBlock,
    Document,
    Figure,
    Group,
    Inline,
    KeyFigures,
    Link,
    Numbers,
    Paragraph,
    Section,
    Strong,
    Table,
    Text,
    inlines,
)

FIGURES = "figures"
# signs that mean something anywhere in a line
_SIGNS = re.compile(r"([\\`*_{}\[\]|~$^])")


def render_markdown(document: Document) -> str:
    """The document as Markdown, UTF-8; every text is escaped."""
    numbers = Numbers()
    parts = [f"# {_escape(document.title)}", *_blocks(document.blocks, numbers)]
    for section in document.sections:
        parts += _section(section, 2, numbers)
    return "\n\n".join(parts) + "\n"


def _section(section: Section, level: int, numbers: Numbers) -> Iterator[str]:
    yield f"{'#' * level} {_escape(section.title)}"
    yield from _blocks(section.blocks, numbers)
    for part in section.sections:
        yield from _section(part, min(level + 1, 6), numbers)


def _blocks(blocks: Sequence[Block], numbers: Numbers) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Paragraph):
            text = _line(block.text)
            yield f"> {text}" if block.kind == "warning" else text
        elif isinstance(block, Bullets):
            yield "\n".join(f"- {_line(item)}" for item in block.items)
        elif isinstance(block, KeyFigures):
            yield "\n".join(
                f"- **{_escape(item.value)}** {_escape(item.label)}" + (f" ({_escape(item.note)})" if item.note else "")
                for item in block.items
            )
        elif isinstance(block, Table):
            yield from _table(block, next(numbers.tables))
        elif isinstance(block, Figure):
            yield "\n".join(f"![{_escape(panel.alt)}]({FIGURES}/{panel.name}.svg)" for panel in block.panels)
            yield f"**Figure {next(numbers.figures)}.** {_text(block.caption)}"
        elif isinstance(block, CodeBlock):
            fence = "`" * (_longest_ticks(block.text, 2) + 1)
            yield f"{fence}sh\n{block.text.rstrip()}\n{fence}"


def _table(table: Table, number: int) -> Iterator[str]:
    yield f"**Table {number}.** {_text(table.caption)}"
    lines = [
        _pipes([_escape(column.head) for column in table.columns]),
        _pipes([":--" if i == 0 or not c.numeric else "--:" for i, c in enumerate(table.columns)]),
    ]
    for row in table.rows:
        if isinstance(row, Group):
            lines.append(_pipes([f"**{_escape(row.text)}**", *[""] * (len(table.columns) - 1)]))
        else:
            lines.append(_pipes([_cell(cell) for cell in row]))
    yield "\n".join(lines)
    if table.note:
        yield _line(table.note)


def _cell(cell: Cell) -> str:
    text = _text(cell.text, table=True)
    text = f"**{text}**" if cell.strong and text else text
    return f"{text} {_escape(cell.small)}".strip() if cell.small else text


def _pipes(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def _line(text: Text) -> str:
    """A text that stands at the start of a line, where a number, a dash or a hash would begin a list or a heading."""
    line = re.sub(r"^(\s*)([#+=-])", r"\1\\\2", _text(text))
    return re.sub(r"^(\s*\d+)([.)])(?=\s|$)", r"\1\\\2", line)


def _text(text: Text, table: bool = False) -> str:
    return "".join(_inline(part, table) for part in inlines(text))


def _inline(part: Inline, table: bool) -> str:
    if isinstance(part, Code):
        return _code(part.text, table)
    if isinstance(part, Strong):
        return f"**{_escape(part.text)}**"
    if isinstance(part, Link):
        return f"[{_escape(part.text)}]({part.href.replace('(', '%28').replace(')', '%29')})"
    return _escape(part)


def _code(text: str, table: bool) -> str:
    """A code span whose fence is longer than any run of backticks in it; a pipe would end a table's field even there."""
    text = _one_line(text)
    if not text:
        return ""
    fence = "`" * (_longest_ticks(text, 0) + 1)
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{room}{text.replace('|', chr(92) + '|') if table else text}{room}{fence}"


def _escape(text: str) -> str:
    text = _SIGNS.sub(r"\\\1", _one_line(text))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _longest_ticks(text: str, least: int) -> int:
    return max([least, *map(len, re.findall("`+", text))])
