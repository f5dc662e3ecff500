"""Word documents."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoglot.data.documents.format import FORMATS, Format, library
from isoglot.data.documents.page import Page, PageWriter
from isoglot.errors import InputError, first_line
from isoglot.reading import open_file
from isoglot.settings import Settings

_MOST = 256 << 20  # bytes of all parts, unpacked
_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


class Docx(Format):
    """Word documents (.docx): headings by their styles, text of paragraphs and tables; no tables of contents."""

    name = "docx"
    endings = (".docx",)

    def read(self, path: Path, asked: Settings) -> Iterator[Page]:
        docx = library("docx")
        with open_file(path) as source:
            try:
                with zipfile.ZipFile(source) as archive:
                    if sum(part.file_size for part in archive.infolist()) > _MOST:
                        raise InputError(f"{path}: more than {_MOST >> 20} MiB unpacked; expected a page")
                source.seek(0)
                document = docx.Document(source)
                writer, title = PageWriter(), ""
                for paragraph in _paragraphs(document):
                    title = _write(writer, paragraph) or title
                page = writer.page(title)
            except InputError:
                raise
            except Exception as error:  # damage surfaces as errors of zip, XML and keys
                raise InputError(f"{path}: not a Word document, or damaged ({first_line(error)})") from None
        yield page


def _paragraphs(part: Any) -> Iterator[Any]:
    """The paragraphs of a document or cell in the order of its text, those of tables too, each once."""
    for item in part.iter_inner_content():
        if not hasattr(item, "rows"):
            yield item
            continue
        seen: set[Any] = set()
        for row in item.rows:
            for cell in row.cells:  # merged cells are there several times
                if cell._tc not in seen:
                    seen.add(cell._tc)
                    yield from _paragraphs(cell)


def _write(writer: PageWriter, paragraph: Any) -> str:
    """Write a paragraph; the text itself where it is the document's title."""
    style = (paragraph.style.name if paragraph.style is not None else "") or ""
    text, lower = paragraph.text, style.lower()
    level = _level(paragraph, style)
    if lower == "title":
        return str(text)
    if level:
        writer.begin("heading", level, _bookmark(paragraph))
        writer.text(text)
    elif "code" in lower or "preformatted" in lower or lower == "macro":
        writer.begin("code")
        writer.text(text)
    else:
        writer.text(text, linked=lower.startswith("toc "))
    writer.begin("text")
    return ""


def _level(paragraph: Any, style: str) -> int:
    """The level of a heading, by its style (or one that it is made from) or outline level; 0 for other paragraphs."""
    found, base = _HEADING.fullmatch(style), paragraph.style
    for _ in range(10):
        if found or base is None:
            break
        base = base.base_style
        found = _HEADING.fullmatch(base.name or "") if base is not None else None
    if found:
        return int(found[1])
    outline = paragraph._p.find(f"./{_W}pPr/{_W}outlineLvl")
    value = "" if outline is None else outline.get(f"{_W}val") or ""
    return int(value) + 1 if value in tuple("012345678") else 0


def _bookmark(paragraph: Any) -> str:
    """A bookmark that its author named; those of the program begin with _."""
    names = (mark.get(f"{_W}name") or "" for mark in paragraph._p.iter(f"{_W}bookmarkStart"))
    return next((name for name in names if name and not name.startswith("_")), "")


FORMATS.register(Docx())
