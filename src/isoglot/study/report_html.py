"""A document as one HTML file that needs nothing else: style and pictures inside, no script, no network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

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
    plain,
)

# nothing may be loaded or run, even if a text should slip through unescaped
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_ONE_PAGE = 16
"""Tables with at most so many rows are not broken over pages."""
_LONG = 24
"""Fields with more signs keep some width on a small screen, where the table then scrolls."""


def render_html(document: Document) -> str:
    """The document as HTML5, UTF-8; every text is escaped."""
    style = files("isoglot.study").joinpath("report.css").read_text(encoding="utf-8")
    numbers = Numbers()
    body = [f"<h1>{escape(document.title)}</h1>", *_blocks(document.blocks, numbers), _contents(document.sections)]
    for section, slug in zip(document.sections, _slugs(document.sections)):
        body += _section(section, slug, 2, numbers)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(document.title)}</title>",
            f"<style>\n{style}</style>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _slugs(sections: Sequence[Section]) -> list[str]:
    return [f"s{i}-{re.sub(r'[^a-z0-9]+', '-', part.title.lower()).strip('-')}" for i, part in enumerate(sections, 1)]


def _contents(sections: Sequence[Section]) -> str:
    links = (f'<li><a href="#{slug}">{escape(part.title)}</a></li>' for part, slug in zip(sections, _slugs(sections)))
    return f'<nav aria-label="Contents"><ul>{"".join(links)}</ul></nav>'


def _section(section: Section, slug: str | None, level: int, numbers: Numbers) -> Iterator[str]:
    yield f'<section id="{slug}">' if slug else "<section>"
    yield f"<h{level}>{escape(section.title)}</h{level}>"
    yield from _blocks(section.blocks, numbers)
    for part in section.sections:
        yield from _section(part, None, min(level + 1, 6), numbers)
    yield "</section>"


def _blocks(blocks: Sequence[Block], numbers: Numbers) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Paragraph):
            kind = "" if block.kind == "normal" else f' class="{block.kind}"'
            yield f"<p{kind}>{_text(block.text)}</p>"
        elif isinstance(block, Bullets):
            yield "<ul>" + "".join(f"<li>{_text(item)}</li>" for item in block.items) + "</ul>"
        elif isinstance(block, KeyFigures):
            yield from _key_figures(block)
        elif isinstance(block, Table):
            yield from _table(block, next(numbers.tables))
        elif isinstance(block, Figure):
            yield from _figure(block, next(numbers.figures))
        elif isinstance(block, CodeBlock):
            yield f'<pre tabindex="0"><code>{escape(block.text)}</code></pre>'


def _key_figures(block: KeyFigures) -> Iterator[str]:
    yield '<dl class="key">'
    for item in block.items:
        note = f"<dd>{escape(item.note)}</dd>" if item.note else ""
        yield f'<div><dt>{escape(item.label)}</dt><dd class="value">{escape(item.value)}</dd>{note}</div>'
    yield "</dl>"


def _table(table: Table, number: int) -> Iterator[str]:
    caption = f"<b>Table {number}.</b> {_text(table.caption)}"
    kind = "scroll" + (" small" if table.small else "") + (" short" if len(table.rows) <= _ONE_PAGE else "")
    label = escape(f"Table {number}: {plain(table.caption)}")
    yield f'<div class="{kind}" role="region" tabindex="0" aria-label="{label}">'
    yield f"<table><caption><span>{caption}</span></caption>"
    heads = (f'<th scope="col"{_align(c.numeric)}>{escape(c.head)}</th>' for c in table.columns)
    yield f"<thead><tr>{''.join(heads)}</tr></thead>"
    yield "<tbody>"
    for row in table.rows:
        if isinstance(row, Group):
            head = f'<th scope="colgroup" colspan="{len(table.columns)}"><span>{escape(row.text)}</span></th>'
            yield f'<tr class="group">{head}</tr>'
        else:
            yield f"<tr>{''.join(_cell(cell, i, table) for i, cell in enumerate(row))}</tr>"
    yield "</tbody></table></div>"
    if table.note:
        yield f'<p class="note">{_text(table.note)}</p>'


def _cell(cell: Cell, place: int, table: Table) -> str:
    inner = _text(cell.text)
    inner = f"<strong>{inner}</strong>" if cell.strong else inner
    inner = f'<span class="{cell.tone}">{inner}</span>' if cell.tone else inner
    inner += f"<small>{escape(cell.small)}</small>" if cell.small else ""
    if place == 0:
        return f'<th scope="row">{inner}</th>'
    if table.columns[place].numeric:
        return f'<td class="n">{inner}</td>'
    return f'<td class="long">{inner}</td>' if len(plain(cell.text)) > _LONG else f"<td>{inner}</td>"


def _align(numeric: bool) -> str:
    return ' class="n"' if numeric else ""


def _figure(figure: Figure, number: int) -> Iterator[str]:
    yield "<figure>"
    yield f'<div class="panels {figure.size}">'
    for panel in figure.panels:
        yield f'<div class="panel">{panel.svg.strip()}</div>'
    yield "</div>"
    yield f"<figcaption><b>Figure {number}.</b> {_text(figure.caption)}</figcaption></figure>"


def _text(text: Text) -> str:
    return "".join(map(_inline, inlines(text)))


def _inline(part: Inline) -> str:
    if isinstance(part, Code):
        return f"<code>{escape(part.text)}</code>"
    if isinstance(part, Strong):
        return f"<strong>{escape(part.text)}</strong>"
    if isinstance(part, Link):
        return f'<a href="{escape(part.href)}">{escape(part.text)}</a>'
    return escape(part)
