"""reStructuredText, as Sphinx and docutils read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoglot.data.documents.format import FORMATS, Format, library
from isoglot.data.documents.markup import names
from isoglot.data.documents.page import Page, PageWriter
from isoglot.errors import LineError, first_line
from isoglot.reading import read_text
from isoglot.settings import Settings

# roles that only Sphinx knows: their text is what readers see, `~a.b.c` shows c
_ROLE = re.compile(r":[a-zA-Z][\w:.+-]*:`(?:([^`<]*[^`<\s])\s*<[^`>]*>|~[\w.]*?(\w+)|([^`]+))`")
_SKIPPED = names(
    "comment system_message docinfo substitution_definition target footnote citation image figure raw topic sidebar "
    "decoration meta pending problematic"
)
_CODE = frozenset(["literal_block", "doctest_block", "math_block"])
_BLOCKS = names(
    "paragraph list_item bullet_list enumerated_list definition_list term definition entry row field_name field_body "
    "line block_quote note warning tip important hint caution danger attention error admonition rubric section"
)
# nothing but the text itself is read
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "report_level": 5,
    "halt_level": 5,
    "input_encoding": "unicode",
    "doctitle_xform": False,
    "line_length_limit": 1 << 20,
    "syntax_highlight": "none",
}


class Rst(Format):
    """reStructuredText; `include` and `raw` do nothing, directives that only Sphinx knows are left out."""

    name = "rst"
    endings = (".rst",)

    def read(self, path: Path, asked: Settings) -> Iterator[Page]:
        text = _ROLE.sub(lambda match: match[1] or match[2] or match[3], read_text(path))
        publish = library("docutils.core").publish_doctree
        writer = PageWriter()
        try:
            _walk(publish(text, settings_overrides=dict(_SETTINGS)), writer, 0)
        except (Exception, SystemExit) as error:  # directives raise whatever they like
            raise LineError(path, 1, f"not readable as reStructuredText ({first_line(error)})") from None
        yield writer.page()


def _walk(node: Any, writer: PageWriter, level: int, linked: bool = False) -> None:
    name = node.tagname
    if name == "#text":
        writer.text(node.astext(), linked=linked)
    elif name in _CODE:
        writer.begin("code")
        writer.text(node.astext())
        writer.begin("text")
    elif name == "title" and node.parent.tagname in ("section", "document"):
        writer.begin("heading", max(1, level), _anchor(node.parent))
        _inside(node, writer, level, linked)
        writer.begin("text")
    elif name not in _SKIPPED:
        if name in _BLOCKS:
            writer.boundary()
        _inside(node, writer, level + (name == "section"), linked or name == "reference")
        if name in _BLOCKS:
            writer.boundary()


def _inside(node: Any, writer: PageWriter, level: int, linked: bool) -> None:
    for child in node.children:
        _walk(child, writer, level, linked)


def _anchor(section: Any) -> str:
    """The label that stands before a section (`.. _name:`); ids that docutils makes of the title are translated with it."""
    own = section.children[0].astext().lower() if section.children else ""
    return next((name for name in section["names"] if " ".join(name.split()) != " ".join(own.split())), "")


FORMATS.register(Rst())
