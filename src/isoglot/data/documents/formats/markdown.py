"""Markdown by CommonMark, with tables, front matter and the anchors that site generators know."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoglot.data.documents.format import FORMATS, Format
from isoglot.data.documents.page import Page, PageWriter
from isoglot.reading import read_text
from isoglot.settings import Settings

_FRONT = re.compile(r"\A(---|\+\+\+)[ \t]*\r?\n(.*?)\r?\n\1[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(.+?)[ \t]*$", re.MULTILINE)
_ANCHOR = re.compile(r"[ \t]*\{[^{}]*?#([^\s{}]+)[^{}]*\}[ \t]*$")  # {#name .class} behind a heading
_PLACE = re.compile(r"<[a-z]+\s[^<>]*\b(?:id|name)\s*=\s*[\"']([^\"'<>]+)[\"']", re.IGNORECASE)
_TAGS = re.compile(r"\s*(?:<[^<>]+>\s*)+")
# marks of site generators that CommonMark takes for text: on lines of their own, or before an indented block
_MARKS = re.compile(
    r"^[ \t]*(?::::+[^\n]*|(?:>[ \t]*)?\[![A-Za-z]+\][^\n]*|\{%[^\n]*%\}|\{\{[<%][^\n]*[>%]\}\}|(?:import|export)[ ][^\n]*"
    r"[ ]from[ ][^\n]*)$",
    re.MULTILINE,
)
_INDENTED = re.compile(
    r"^(?:!!!|\?\?\?\+?|===(?=[ \t]+[\"']))[^\n]*\n((?:(?: {4}|\t)[^\n]*(?:\n|\Z)|[ \t]*\n)*)", re.MULTILINE
)


class Markdown(Format):
    """Markdown (CommonMark with tables); HTML inside is left out."""

    name = "markdown"
    endings = (".md", ".markdown", ".mdx")

    def read(self, path: Path, asked: Settings) -> Iterator[Page]:
        yield read_markdown(read_text(path))


def read_markdown(text: str) -> Page:
    """The page of a Markdown text."""
    from markdown_it import MarkdownIt

    front = _FRONT.match(text)
    title = _TITLE.search(front[2]) if front else None
    text = _MARKS.sub("", text[front.end() :] if front else text)
    text = _INDENTED.sub(lambda match: f"\n{textwrap.dedent(match[1])}", text)
    writer, place = PageWriter(), ""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("fence", "code_block"):
            writer.begin("code")
            writer.text(token.content)
            writer.begin("text")
        elif token.type == "heading_open":
            writer.begin("heading", int(token.tag[1:]), place)
            place = ""
        elif token.type == "html_block" or (token.type == "inline" and _TAGS.fullmatch(token.content)):
            found = _PLACE.search(token.content)
            place = found[1] if found else ""
        elif token.type == "inline":
            _inline(writer, token, is_heading=writer.in_heading)
        else:
            if token.nesting >= 0 and token.type != "paragraph_open":  # of another block than the next heading
                place = ""
            if token.type == "heading_close":
                writer.begin("text")
            writer.boundary()
    return writer.page(title[1].strip("\"'") if title else "")


def _inline(writer: PageWriter, token: Any, *, is_heading: bool) -> None:
    """The text of a paragraph or heading; a heading may end with its anchor, or hold a named place."""
    depth, texts = 0, []
    for child in token.children or ():
        if child.type in ("link_open", "link_close"):
            depth += child.nesting
        elif child.type in ("text", "code_inline", "softbreak", "hardbreak"):
            texts.append((child.content or "\n", depth > 0))
        elif child.type == "html_inline" and is_heading and (found := _PLACE.search(child.content)):
            writer.name(found[1])
    if is_heading and texts:
        last, linked = texts[-1]
        if found := _ANCHOR.search(last):
            writer.name(found[1])
            texts[-1] = last[: found.start()], linked
    for text, linked in texts:
        writer.text(text, linked=linked)


FORMATS.register(Markdown())
