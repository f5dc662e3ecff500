"""HTML pages, as site generators and help systems write them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoglot.data.documents.format import FORMATS, Format
from isoglot.data.documents.markup import Walker, names, parse_html, tag_of
from isoglot.data.documents.page import Page, PageWriter, tidy
from isoglot.settings import Settings

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NAVIGATION = names(
    "breadcrumb breadcrumbs copyright edit-link footer headerlink menu nav navbar navigation pagination related "
    "relatedtopics sidebar skip-link toc"
)
_ROLES = names("navigation banner contentinfo search menu menubar complementary")


class HtmlWalker(Walker):
    """Text of a page without what leads to other pages."""

    inline = names(
        "a abbr b bdi bdo big br cite code data del dfn em font i img ins kbd label mark meta output q s samp small span strike "
        "strong sub sup time tt u var wbr"
    )
    skipped = names(
        "head script style nav footer form button select input noscript template svg math iframe object audio video "
        "canvas dialog"
    )
    code = frozenset(["pre"])
    links = frozenset(["a"])

    def skips(self, element: Any) -> bool:
        tag, get = tag_of(element), element.get
        if tag in self.skipped or get("role") in _ROLES or _is_hidden(element):
            return True
        if tag in ("header", "aside") and not any(
            above.tag in ("main", "article") for above in element.iterancestors()
        ):
            return True
        return not _NAVIGATION.isdisjoint((get("class") or "").lower().split())

    def heading(self, element: Any) -> tuple[int, str] | None:
        tag = tag_of(element)
        return (_HEADINGS[tag], _anchor(element)) if tag in _HEADINGS else None

    def starts(self, element: Any) -> None:
        if tag_of(element) == "br":
            self.writer.text(" ")


def _is_hidden(element: Any) -> bool:
    """Hidden from readers; of alternatives that are all hidden, of which a script shows one, the last one stays."""
    if not _is_marked_hidden(element):
        return False
    parent = element.getparent()
    others = [child for child in parent if isinstance(child.tag, str)] if parent is not None else []
    return not (len(others) > 1 and others[-1] is element and all(map(_is_marked_hidden, others)))


def _is_marked_hidden(element: Any) -> bool:
    style = (element.get("style") or "").replace(" ", "").lower()
    return "hidden" in element.attrib or element.get("aria-hidden") == "true" or "display:none" in style


def _anchor(heading: Any) -> str:
    """The id of a heading, of a named place in it, or of the section that begins with it."""
    inside = (place.get("id") or place.get("name") or "" for place in heading.iter("a"))
    own = heading.get("id") or next(filter(None, inside), "")
    parent = heading.getparent()
    if not own and parent is not None and parent.tag in ("section", "div", "article"):
        first = next((child for child in parent if isinstance(child.tag, str) and tag_of(child) != "span"), None)
        own = parent.get("id") or "" if first is heading else ""
    return str(own)


def _main(root: Any) -> Any:
    """The one element that says it is the page's content; the whole page where there is none, or there are several."""
    for found in (root.xpath("//main | //*[@role='main']"), root.xpath("//article")):
        if len(found) == 1:
            return found[0]
    body = root.find("body")
    return root if body is None else body


class Html(Format):
    """HTML; menus, headers and footers of the site, hidden parts and forms are left out."""

    name = "html"
    endings = (".html", ".htm", ".xhtml")

    def read(self, path: Path, asked: Settings) -> Iterator[Page]:
        root = parse_html(path)
        if root is None:
            yield PageWriter().page()
            return
        walker = HtmlWalker()
        walker.walk(_main(root))
        found = root.find(".//head/title")
        title = "" if found is None else tidy("".join(found.itertext()))
        page = walker.writer.page()
        first = next((block for block in page.blocks if block.kind == "heading" and block.level == 1), None)
        yield page if first else walker.writer.page(title)


FORMATS.register(Html())
