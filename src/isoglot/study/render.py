"""From templates to Markdown, and from that Markdown to one HTML page: nothing of the data is markup in either form."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, fromstring, tostring

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from isoglot.batching.strategies import STRATEGIES
from isoglot.evaluation.drawing import DARK_CSS, WIDTH, for_xml
from isoglot.models.tunings import TUNINGS
from isoglot.registry import one_line_help
from isoglot.study import report_facts, report_figures
from isoglot.study.analysis.contrasts import COLUMNS
from isoglot.study.analysis.overview import BIAS, bias_of, overview, takes
from isoglot.tables import MARKS, code_span

_AT_START = re.compile(r"^(?:([#+=-])(?=\1|\s|$)|(\d+)([.)])(?=\s|$))")
"""What would begin a heading, a list or a rule at the start of a line."""
_TONES = {"✓": "good", "✗": "bad", "?": "open"}
"""Classes of cells that begin with such a sign."""


def escape(value: Any) -> Markup:
    """Any value as Markdown that shows exactly its characters, in one line; what is marked up already stays."""
    if isinstance(value, Markup):
        return value
    text = MARKS.sub(r"\\\1", re.sub(r"\s+", " ", for_xml(report_facts.value_text(value))))
    text = _AT_START.sub(lambda match: f"\\{match[1]}" if match[1] else f"{match[2]}\\{match[3]}", text)
    return Markup(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def code(value: Any) -> Markup:
    """A code span (outside tables), with a fence longer than any run of backticks in it."""
    return Markup(code_span(" ".join(for_xml(report_facts.value_text(value)).split())))


def link(path: str, directory: Path) -> Markup:
    """A link to something inside a directory; text alone for anything else."""
    inside = not {"..", "/", "~"} & {*PurePosixPath(path).parts} and (directory / path).exists()
    return Markup(f"[{escape(path)}]({quote(path)})") if path and inside else escape(path)


def shell(word: str) -> Markup:
    """A word of a command in a code block."""
    return Markup(shlex.quote(" ".join(for_xml(word).split())))


def markdown_templates(package: str) -> Environment:
    """The templates of a package that give Markdown, in which no value is markup."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def tidy(markdown: str) -> str:
    """Without the empty lines that parts of a template leave where they say nothing."""
    return re.sub(r"\n{3,}", "\n\n", markdown).strip() + "\n"


@cache
def _environment() -> Environment:
    environment = markdown_templates("isoglot.study")
    environment.globals |= {**vars(report_facts), **vars(report_figures)}
    environment.globals.update(APPENDIX="Appendix: checks", BIAS=BIAS, bias_of=bias_of, overview=overview, takes=takes)
    environment.globals.update(COLUMNS=COLUMNS, STRATEGIES=STRATEGIES, TUNINGS=TUNINGS, one_line_help=one_line_help)
    environment.filters |= {**vars(report_facts), **vars(report_figures), "code": code, "shell": shell, "link": link}
    environment.filters["anchor"] = anchor
    return environment


def to_markdown(context: Mapping[str, Any]) -> str:
    """The report as GitHub-flavoured Markdown; its pictures are added to `context["pictures"]`, which it links to."""
    numbers = {"Table": count(1), "Figure": count(1)}
    template = _environment().get_template("report.md.jinja", globals={"number": lambda kind: next(numbers[kind])})
    return tidy(template.render(context))


def to_page(markdown: str, pictures: Mapping[str, str]) -> str:
    """A report in Markdown as one HTML file that needs nothing else: style and pictures inside, no script, no network.

    Args:
        markdown: of `to_markdown`.
        pictures: {address in the Markdown: SVG}.
    """
    body = fromstring(f"<main>{MarkdownIt('commonmark', {'html': False}).enable('table').render(markdown)}</main>")
    contents: list[tuple[str, str, str]] = []
    caption = ""
    for place, block in enumerate(list(body)):
        text = "".join(block.itertext())
        if block.tag in ("h1", "h2", "h3"):
            name = anchor(text)
            again = sum(address == name or address.startswith(f"{name}-") for *_, address in contents)
            block.set("id", f"{name}-{again}" if again or not name else name)
            contents.append((block.tag, text, block.get("id", "")))
        elif block.tag == "table":
            body[place] = _scrolling(block, caption)
        elif re.match(r"(Table|Figure) \d+\. ", text) and block[0].tag == "strong":
            block.set("class", "caption")
            caption = text
        elif block.find("img") is not None:
            small = f'width="{WIDTH:g}"' not in pictures[block[0].get("src", "")]
            block.set(
                "class", f"panels {'small ' if small else ''}by{_columns(len(block), _SMALL if small else _LARGE)}"
            )
        elif block.tag == "ul" and body[0].tag == "h1" and all(other.tag != "h2" for other in list(body)[:place]):
            block.set("class", f"tiles by{_columns(len(block), _TILES)}")
    html = "".join(tostring(block, encoding="unicode", method="html") for block in body)
    # texts have no < here: what looks like a picture is one; the page has the dark colours of all
    panel = '<span class="panel">{}</span>'.format
    html = re.sub('<img src="(.*?)".*?>', lambda one: panel(pictures[one[1]].replace(DARK_CSS, "")), html)
    answer, rule, rest = html.partition("<h2")
    page = Environment(loader=PackageLoader("isoglot.study"), autoescape=True).get_template("report.html.jinja")
    return page.render(contents=contents, answer=Markup(answer), rest=Markup(rule + rest), dark=Markup(DARK_CSS))


def anchor(title: str) -> str:
    """The address of a heading, as GitHub makes it."""
    return re.sub(r"[^\w-]", "", title.strip().lower().replace(" ", "-"))


_LARGE, _SMALL, _TILES = (2, 3, 4), (4, 3, 5), (3, 4, 5)
"""Columns of panels and tiles on a wide screen, the best first."""


def _columns(panels: int, wanted: Sequence[int]) -> int:
    """How many of the columns that are wanted it takes so that no panel stands alone in a row."""
    return next((n for n in wanted if panels <= n or panels % n != 1), wanted[0])


def _scrolling(table: Element, caption: str) -> Element:
    """A table in a box that it scrolls in and that its caption names, the first cell of every row as its head."""
    names = ["".join(cell.itertext()) for cell in table.iterfind("thead/tr/th")]
    for row in table.iterfind("tbody/tr"):
        head, *cells = row
        for cell, name in zip(cells, names[1:]):
            cell.set("data-name", name)
        head.tag = "th"
        head.set("scope", "row")
        if not any("".join(cell.itertext()) for cell in cells):  # it names the rows below it
            for cell in cells:
                row.remove(cell)
            head.set("colspan", str(1 + len(cells)))
            row.set("class", "group")
        for cell in row:
            text = "".join(cell.itertext())
            if "right" not in cell.get("style", "") and len(text) > (60 if cell is head else 30):
                cell.set("class", "long")
            elif text[:2].strip() in _TONES and cell is not head:
                cell.set("class", _TONES[text[0]])
    # of tables of sentences a narrow screen shows a row as a card
    kind = "scroll cards" if names[:2] == ["claim", "verdict"] or names[:2] == ["comparison", "verdict"] else "scroll"
    box = Element("div", {"class": kind, "role": "region", "tabindex": "0", "aria-label": caption})
    box.append(table)
    return box
