"""Mallard, the format of GNOME's help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoglot.data.documents.format import FORMATS, Format
from isoglot.data.documents.markup import Walker, attribute, names, parse_xml, tag_of
from isoglot.data.documents.page import Page
from isoglot.settings import Settings

_BLOCKS = names("page section example listing note quote synopsis item td th figure div")


class MallardWalker(Walker):
    inline = names("app cmd code email em file gui guiseq hi input key keyseq link output span sys var")
    skipped = names("info links media comment cite desc")
    code = frozenset(["screen"])
    links = frozenset(["link"])

    def is_code(self, element: Any) -> bool:
        parent = element.getparent()
        return super().is_code(element) or (
            tag_of(element) == "code" and parent is not None and tag_of(parent) in _BLOCKS
        )

    def heading(self, element: Any) -> tuple[int, str] | None:
        parent = element.getparent()
        if tag_of(element) != "title" or parent is None or tag_of(parent) not in ("page", "section"):
            return None
        return 1 + sum(1 for _ in parent.iterancestors()), attribute(parent, "id")


class Mallard(Format):
    """Mallard XML; credits, licences and lists of links are left out."""

    name = "mallard"
    endings = (".page",)

    def read(self, path: Path, asked: Settings) -> Iterator[Page]:
        walker = MallardWalker()
        walker.walk(parse_xml(path))
        yield walker.writer.page()


FORMATS.register(Mallard())
