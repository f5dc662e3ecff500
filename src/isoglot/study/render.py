"""From templates to Markdown, and from that Markdown to one HTML page: nothing of the data is markup in either form."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from html import unescape
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from isoglot.evaluation.drawing import DARK_CSS, printable
from isoglot.study import report_facts, report_figures, report_format

_ANYWHERE = re.compile(r"([\\`*_{}\[\]|~$^])")
"""Signs that mean something anywhere in a line of Markdown."""
_AT_START = re.compile(r"^(?:([#+=-])(?=\1|\s|$)|(\d+)([.)])(?=\s|$))")
"""What would begin a heading, a list or a rule at the start of a line."""


def escape(value: Any) -> Markup:
    """Any value as Markdown that shows exactly its characters, in one line; what is marked up already stays."""
    if isinstance(value, Markup):
        return value
    text = _ANYWHERE.sub(r"\\\1", re.sub(r"\s+", " ", printable(report_format.value_text(value))))
    text = _AT_START.sub(lambda match: f"\\{match[1]}" if match[1] else f"{match[2]}\\{match[3]}", text)
    return Markup(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def code(value: Any) -> Markup:
    """A code span (outside tables), with a fence longer than any run of backticks in it."""
    text = " ".join(printable(report_format.value_text(value)).split())
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    return Markup(f"{fence} {text} {fence}" if "`" in text else f"`{text}`")


def link(path: str, directory: Path) -> Markup:
    """A link to something inside a directory; text alone for anything else."""
    inside = not {"..", "/", "~"} & {*PurePosixPath(path).parts} and (directory / path).exists()
    return Markup(f"[{escape(path)}]({quote(path)})") if path and inside else escape(path)


def shell(word: str) -> Markup:
    """A word of a command in a code block."""
    return Markup(shlex.quote(" ".join(printable(word).split())))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("isoglot.study"),
        autoescape=True,
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for module in (report_format, report_facts, report_figures):
        own = {name: one for name, one in vars(module).items() if getattr(one, "__module__", "") == module.__name__}
        environment.filters |= own
        environment.globals |= own
    environment.globals |= {"CROSS": report_figures.CROSS, "DISTANCE": report_figures.DISTANCE}
    environment.filters |= {"code": code, "shell": shell, "link": link}
    return environment


def to_markdown(context: Mapping[str, Any]) -> str:
    """The report as GitHub-flavoured Markdown, its pictures as links to `figures/<name>.svg`."""
    numbers = {"Table": count(1), "Figure": count(1)}
    template = _environment().get_template("report.md.jinja", globals={"number": lambda kind: next(numbers[kind])})
    return re.sub(r"\n{3,}", "\n\n", template.render(context)).strip() + "\n"


def to_page(markdown: str, pictures: Mapping[str, str]) -> str:
    """A report in Markdown as one HTML file that needs nothing else: style and pictures inside, no script, no network.

    Args:
        markdown: of `to_markdown`.
        pictures: {address in the Markdown: SVG}.
    """
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    contents: list[tuple[Markup, Markup, str]] = []

    def heading(match: re.Match[str]) -> str:
        address = f"s{len(contents)}-" + re.sub(r"\W+", "-", unescape(match[2]).lower()).strip("-")
        contents.append((Markup(match[1]), Markup(match[2]), address))
        return f'<{match[1]} id="{address}">{match[2]}</{match[1]}>'

    # texts of the data have no < here: what looks like a tag is one
    body = re.sub("<(h[123])>(.*?)</h[123]>", heading, body)
    body = re.sub('<p>(?=<img src="figures/loss)', '<p class="panels small">', body)
    body = re.sub("<p>(?=<img )", '<p class="panels">', body)
    body = re.sub('<img src="(.*?)".*?>', lambda match: _inline(pictures[match[1]]), body)
    body = re.sub("<p>(?=<strong>(Table|Figure) )", '<p class="caption">', body)
    body = re.sub('(?<=<p class="caption">)(.*)</p>\n<table>', _scrolling, body).replace("</table>", "</table></div>")
    body = re.sub(r"<tr>\n<td.*?>(.*)</td>((?:\n<td.*?></td>)+)\n</tr>", _group, body)
    body = re.sub(r"<tr>\n<td.*?>(.*)</td>", r'<tr>\n<th scope="row">\1</th>', body)
    body = re.sub('<th scope="row">(?=.{60,}</th>)', '<th scope="row" class="long">', body)
    body = re.sub('<td style="text-align:left">(?=([✓✗?]) )', lambda match: f'<td class="{_TONES[match[1]]}">', body)
    body = re.sub('<td style="text-align:left">(?=.{30,}</td>)', '<td class="long">', body)
    answer, rule, rest = body.partition("<h2")
    page = Environment(loader=PackageLoader("isoglot.study"), autoescape=True).get_template("report.html.jinja")
    return page.render(contents=contents, answer=Markup(answer), rest=Markup(rule + rest), dark=Markup(DARK_CSS))


_TONES = {"✓": "good", "✗": "bad", "?": "open"}


def _inline(svg: str) -> str:
    """A picture inside a page, which has its own dark colours."""
    return f'<span class="panel">{svg.replace(f"<style>{DARK_CSS}</style>", "")}</span>'


def _scrolling(match: re.Match[str]) -> str:
    """A wide table scrolls inside a box that its caption names."""
    name = re.sub("<.*?>", "", match[1])
    return f'{match[1]}</p>\n<div class="scroll" role="region" tabindex="0" aria-label="{name}"><table>'


def _group(match: re.Match[str]) -> str:
    """A row with a first cell only names the rows below it."""
    return f'<tr class="group">\n<th colspan="{1 + match[2].count("<td")}">{match[1]}</th>\n</tr>'
