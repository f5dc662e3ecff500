"""From templates to Markdown, and from that Markdown to one HTML page: nothing of the data is markup in either form."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from html import escape as escape_html
from itertools import count
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from isoglot.evaluation.drawing import DARK_CSS, printable
from isoglot.study import report_facts, report_figures, report_format
from isoglot.study.report_figures import CROSS, DISTANCE

if TYPE_CHECKING:
    from jinja2 import Environment
    from markdown_it.token import Token
    from markupsafe import Markup

_ANYWHERE = re.compile(r"([\\`*_{}\[\]|~$^])")
"""Signs that mean something anywhere in a line of Markdown."""
_AT_START = re.compile(r"^(?:([#+=-])(?=\1|\s|$)|(\d+)([.)])(?=\s|$))")
"""What would begin a heading, a list or a line across at the start of a line."""
_TONES = {"✓": "good", "✗": "bad", "?": "open"}
_OPEN_TABLE = '<div class="scroll" role="region" tabindex="0" aria-label="{}"><table>\n'
_LONG = 24
"""Texts of table cells with more signs keep some width on a small screen, where the table then scrolls."""


def escape(value: Any) -> Markup:
    """Any value as Markdown that shows exactly its characters, in one line; what is marked up already stays."""
    from markupsafe import Markup

    if isinstance(value, Markup):
        return value
    text = _ANYWHERE.sub(r"\\\1", re.sub(r"\s+", " ", printable(report_format.value_text(value))))
    text = _AT_START.sub(lambda match: f"\\{match[1]}" if match[1] else f"{match[2]}\\{match[3]}", text)
    return Markup(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def code(value: Any) -> Markup:
    """A code span whose fence is longer than any run of backticks in it; a pipe would end a table's cell even there."""
    from markupsafe import Markup

    text = re.sub(r"\s+", " ", printable(report_format.value_text(value))).replace("|", "¦")
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return Markup(f"{fence}{room}{text}{room}{fence}" if text else "")


def link(path: str, directory: Path) -> Markup:
    """A link to something inside a directory; text alone for anything else."""
    from markupsafe import Markup

    inside = not (set(PurePosixPath(path).parts) & {"..", "/", "~"}) and (directory / path).exists()
    return Markup(f"[{escape(path)}]({quote(path, safe='/')})") if path and inside else escape(path)


def shell(word: str) -> Markup:
    """A word of a command, in a code block."""
    from markupsafe import Markup

    return Markup(shlex.quote(" ".join(printable(word).split())))


def strong(value: Any, wanted: bool) -> Markup:
    """A value in bold, if `wanted`."""
    return escape(value) if not wanted else type(escape(value))(f"**{escape(value)}**")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("isoglot.study"),
        autoescape=True,
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for module in (report_format, report_facts, report_figures):
        own = {
            name: value for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__
        }
        environment.filters |= own
        environment.globals |= own
    environment.globals |= {"strong": strong, "CROSS": CROSS, "DISTANCE": DISTANCE}
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
    from jinja2 import Environment, PackageLoader
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule(
        "table_open", lambda _, tokens, i, *rest: _OPEN_TABLE.format(escape_html(tokens[i].meta["label"]))
    )
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    parser.add_render_rule("image", lambda _, tokens, i, *rest: _inline_svg(pictures[str(tokens[i].attrs["src"])]))
    tokens = parser.parse(markdown)
    contents: list[tuple[str, str, str]] = []
    for i, token in enumerate(tokens):
        if token.type == "heading_open":
            name = re.sub(r"\W+", "-", tokens[i + 1].content.lower()).strip("-")
            token.attrSet("id", f"s{len(contents)}-{name}")
            contents.append((token.tag, _plain(tokens[i + 1]), str(token.attrs["id"])))
        elif token.type == "paragraph_open":
            _mark_paragraph(token, tokens[i + 1], tokens[i + 2])
        elif token.type == "table_open":
            caption = tokens[i - 2]
            token.meta["label"] = _plain(caption) if caption.type == "inline" else "table"
        elif token.type == "tr_open" and tokens[i + 1].type == "td_open":
            _mark_row(tokens, i)
    body = parser.renderer.render(tokens, parser.options, {})
    answer, heading, rest = body.partition("<h2")
    page = Environment(loader=PackageLoader("isoglot.study"), autoescape=True).get_template("report.html.jinja")
    return page.render(title=contents[0][1], contents=contents[1:], answer=answer, rest=heading + rest, dark=DARK_CSS)


def _plain(inline: Token) -> str:
    return "".join(child.content for child in inline.children or ())


def _inline_svg(svg: str) -> str:
    """A picture inside a page, which has its own dark colours."""
    return f'<span class="panel">{svg.replace(f"<style>{DARK_CSS}</style>", "")}</span>'


def _mark_paragraph(opening: Token, inline: Token, closing: Token) -> None:
    """Pictures stand side by side; captions are known by their first word."""
    kinds = {child.type for child in inline.children or ()}
    if "image" in kinds and kinds <= {"image", "softbreak"}:
        opening.tag = closing.tag = "div"
        opening.attrSet("class", "panels small" if "figures/loss" in inline.content else "panels")
    elif inline.content.startswith(("**Table", "**Figure")):
        opening.attrSet("class", "caption")


def _mark_row(tokens: list[Token], start: int) -> None:
    """The first cell names its row; a row with nothing else spans the table; verdicts have colours."""
    end = next(i for i in range(start, len(tokens)) if tokens[i].type == "tr_close")
    cells = range(start + 1, end, 3)
    tokens[start + 1].tag = tokens[start + 3].tag = "th"
    tokens[start + 1].attrSet("scope", "row")
    if len(cells) > 1 and not any(tokens[i + 1].content for i in cells[1:]):
        tokens[start].attrSet("class", "group")
        tokens[start + 1].attrSet("colspan", str(len(cells)))
        for i in range(start + 4, end):
            tokens[i].hidden = True
    for i in cells[1:]:
        text = _plain(tokens[i + 1])
        tone = _TONES.get(text[:1], "long" if len(text) > _LONG else "")
        if tone:
            tokens[i].attrSet("class", tone)
