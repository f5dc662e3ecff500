"""DocBook, versions 4 and 5."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from isoglot.data.documents.format import FORMATS, Format
from isoglot.data.documents.markup import Walker, attribute, names, parse_xml, tag_of
from isoglot.data.documents.page import Page
from isoglot.settings import Settings

_SECTIONS = names(
    "set book part chapter article appendix preface section sect1 sect2 sect3 sect4 sect5 simplesect refentry refsection "
    "refsect1 refsect2 refsect3 glossary topic"
)

_PAGES = names("chapter article appendix preface refentry partintro glossary dedication")


class DocBookWalker(Walker):
    inline = names(
        "abbrev acronym application citetitle classname command computeroutput constant email emphasis envar errorname "
        "filename firstterm foreignphrase function guibutton guiicon guilabel guimenu guimenuitem guisubmenu interface "
        "keycap keycode keycombo keysym lineannotation link literal menuchoice mousebutton option optional package parameter "
        "phrase productname prompt property quote replaceable returnvalue subscript superscript symbol systemitem tag "
        "trademark type ulink uri userinput varname wordasword xref"
    )
    skipped = names(
        "indexterm index toc remark footnote annotation alt textobject bibliography colophon revhistory titleabbrev "
        "articleinfo bookinfo chapterinfo sectioninfo sect1info sect2info sect3info partinfo prefaceinfo appendixinfo info "
        "legalnotice copyright"
    )
    code = names(
        "programlisting screen literallayout synopsis cmdsynopsis funcsynopsis classsynopsis programlistingco screenco"
    )
    links = frozenset(["link", "ulink", "xref"])

    def heading(self, element: Any) -> tuple[int, str] | None:
        parent = element.getparent()
        if tag_of(element) not in ("title", "refname") or parent is None:
            return None
        if tag_of(parent) in ("info", "articleinfo", "refnamediv"):
            parent = parent.getparent()
        if parent is None or tag_of(parent) not in _SECTIONS:
            return None
        level = 1 + sum(tag_of(above) in _SECTIONS for above in parent.iterancestors())
        return level, attribute(parent, "id")

    def skips(self, element: Any) -> bool:
        # what says who wrote a section holds its title as well
        if tag_of(element) == "info" or tag_of(element).endswith("info"):
            return not any(tag_of(child) == "title" for child in element)
        parent = element.getparent()
        about = parent is not None and tag_of(parent).endswith("info")
        return super().skips(element) or (about and tag_of(element) != "title")


class DocBook(Format):
    """DocBook XML; legal notices, indexes and what says who wrote it are left out; a book's chapters are pages."""

    name = "docbook"
    endings = (".xml", ".dbk", ".docbook")

    def read(self, path: Path, asked: Settings) -> Iterator[Page]:
        root = parse_xml(path)
        parts = [root]
        if tag_of(root) in ("set", "book", "part"):
            found = (element for element in root.iter("{*}*") if tag_of(element) in _PAGES)
            parts = [part for part in found if not any(tag_of(above) in _PAGES for above in part.iterancestors())]
        for number, part in enumerate(parts or [root], 1):
            walker = DocBookWalker()
            walker.walk(part)
            name = "" if part is root else attribute(part, "id") or str(number)
            yield replace(walker.writer.page(), name=name)


FORMATS.register(DocBook())
