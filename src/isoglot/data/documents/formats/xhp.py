"""The source format of LibreOffice's help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoglot.data.documents.format import FORMATS, Format
from isoglot.data.documents.markup import Walker, names, parse_xml, tag_of
from isoglot.data.documents.page import Page
from isoglot.settings import Settings

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CODE = frozenset(["code", "bascode", "logocode", "pycode", "sqlcode"])


class XhpWalker(Walker):
    inline = names(
        "ahelp br caseinline defaultinline emph image input item keycode link literal menuitem object sub sup switchinline "
        "variable widget"
    )
    skipped = names(
        "meta bookmark bookmark_value comment embed embedvar relatedtopics alt caption sort history lastedited"
    )
    code = _CODE
    links = frozenset(["link"])

    def skips(self, element: Any) -> bool:
        tag, parent = tag_of(element), element.getparent()
        # of what differs between systems the default is read
        if tag in ("case", "caseinline"):
            return any(tag_of(child).startswith("default") for child in parent)
        return super().skips(element)

    def is_code(self, element: Any) -> bool:
        parent = element.getparent()
        inside = parent is not None and tag_of(parent) in _CODE
        return not inside and (super().is_code(element) or element.get("role") in _CODE)

    def heading(self, element: Any) -> tuple[int, str] | None:
        tag = tag_of(element)
        if tag in _HEADINGS:
            return _HEADINGS[tag], element.get("id") or ""
        if tag == "paragraph" and element.get("role") == "heading":
            level = element.get("level") or "1"
            return max(1, int(level)) if level.isdecimal() and len(level) < 3 else 1, element.get("id") or ""
        return None


class Xhp(Format):
    """LibreOffice's .xhp; what other pages hold (embed) is left out."""

    name = "xhp"
    endings = (".xhp",)

    def read(self, path: Path, asked: Settings) -> Iterator[Page]:
        root = parse_xml(path)
        walker = XhpWalker()
        body = next((child for child in root if tag_of(child) == "body"), root)
        walker.walk(body)
        title = next((element for element in root.iter("{*}title")), None)
        yield walker.writer.page("" if title is None else "".join(title.itertext()))


FORMATS.register(Xhp())
