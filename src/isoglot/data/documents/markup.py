"""XML and HTML as trees, and a walk through them that writes blocks.

Nothing outside a file is read and no file can grow in memory: external entities and document types are not loaded, libxml2 stops
entities that multiply (its limit of amplification) and documents that nest deeper than 256 elements, and both are errors here.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from isoglot.data.documents.format import library
from isoglot.data.documents.page import PageWriter
from isoglot.errors import InputError, LineError, printable
from isoglot.reading import not_utf8, open_file

_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_MOST = 64 << 20
"""Bytes of a file: pages are smaller by three orders of magnitude."""


def names(text: str) -> frozenset[str]:
    """Names of elements from a list of words."""
    return frozenset(text.split())


def read_bytes(path: Path) -> bytes:
    """A file of at most 64 MiB. InputError where it is larger, or none."""
    with open_file(path) as source:
        data = source.read(_MOST + 1)
    if len(data) > _MOST:
        raise InputError(f"{path}: more than {_MOST >> 20} MiB; expected a page")
    return data


def parse_xml(path: Path) -> Any:
    """The root element of an XML file. LineError for what is not well-formed, entities of other files included."""
    etree = library("lxml.etree")
    parser = etree.XMLParser(resolve_entities="internal", no_network=True, load_dtd=False, huge_tree=False)
    return _parsed(path, read_bytes(path), parser, "XML")


def parse_html(path: Path) -> Any:
    """The root element of an HTML file, read as browsers do: tags that do not fit are mended. None for an empty file."""
    etree = library("lxml.etree")
    data = read_bytes(path)
    found = _CHARSET.search(data[:4096])
    charset = found[1].decode() if found else "utf-8"
    if charset.lower().startswith(("utf-16", "utf-32")):  # where the words can be read, it is neither
        charset = "utf-8"
    try:
        text = data.decode("utf-8-sig" if codecs.lookup(charset).name == "utf-8" else charset)
    except UnicodeDecodeError as error:
        problem = (
            not_utf8(data, error)
            if error.encoding.startswith("utf-8")
            else f"not {charset} as it says ({error.reason})"
        )
        raise LineError(path, 1 + data.count(10, 0, error.start), problem) from None
    except (LookupError, ValueError):  # codecs that are none of texts, such as `hex`
        raise LineError(path, 1, f"unknown charset '{printable(charset[:40])}'; save the file as UTF-8") from None
    if not text.strip("\0 \t\r\n"):
        return None
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
    root = _parsed(path, text.encode("utf-8", "replace"), parser, "HTML")
    fatal = next((entry for entry in parser.error_log if entry.level_name == "FATAL"), None)
    if fatal:  # what stands behind such a place would be missing
        raise LineError(path, fatal.line, f"not readable as HTML ({printable(fatal.message.strip())[:200]})")
    return root


def _parsed(path: Path, data: bytes, parser: Any, kind: str) -> Any:
    etree = library("lxml.etree")
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        problem = re.sub(r", line \d+, column \d+.*", "", error.msg or "empty")
        raise LineError(
            path, max(1, error.lineno or 1), f"not well-formed {kind} ({printable(problem)[:200]})"
        ) from None
    except ValueError as error:
        raise InputError(f"{path}: not readable as {kind} ({printable(str(error))[:200]})") from None


def tag_of(element: Any) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def attribute(element: Any, name: str) -> str:
    """An attribute, with or without a namespace; "" where there is none."""
    found = (value for key, value in element.attrib.items() if key.rpartition("}")[2] == name)
    return str(next(found, ""))


class Walker:
    """Writes the blocks of a tree. Subclasses say what their elements are; by default every element ends a paragraph.

    Attributes:
        inline: elements inside a paragraph.
        skipped: elements that are left out with all that is in them.
        code, links: elements that hold code, links.
    """

    inline: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    code: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.writer = PageWriter()
        self._linked = 0

    def walk(self, root: Any) -> None:
        """Go through a tree."""
        for event, element, text in _events(root, self.skips):
            if event == "text":
                self.writer.text(text, linked=self._linked > 0)
                continue
            tag, starts = tag_of(element), event == "start"
            if tag in self.links:
                self._linked += 1 if starts else -1
            if self.is_code(element):
                self.writer.begin("code" if starts else "text")
            elif heading := self.heading(element):
                self.writer.begin("heading", *heading) if starts else self.writer.begin("text")
            elif tag not in self.inline:
                self.writer.boundary()
            if starts:
                self.starts(element)

    def skips(self, element: Any) -> bool:
        """Whether an element is left out."""
        return tag_of(element) in self.skipped

    def is_code(self, element: Any) -> bool:
        """Whether an element is a block of code."""
        return tag_of(element) in self.code

    def heading(self, element: Any) -> tuple[int, str] | None:
        """The level and anchor of a heading; None for other elements."""
        return None

    def starts(self, element: Any) -> None:
        """Called after an element has begun."""


def _events(root: Any, skips: Any) -> Iterator[tuple[Literal["start", "end", "text"], Any, str]]:
    walker = library("lxml.etree").iterwalk(root, events=("start", "end", "comment", "pi"))
    skipped = None
    for event, element in walker:
        if event == "start":
            if element is not root and skips(element):
                walker.skip_subtree()
                skipped = element
                continue
            yield "start", element, ""
            if element.text:
                yield "text", element, element.text
            continue
        if event == "end" and element is not skipped:
            yield "end", element, ""
        if element is not root and element.tail:
            yield "text", element, element.tail
