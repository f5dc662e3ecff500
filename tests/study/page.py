"""A report's page as a browser would take it apart."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """Tags, attributes and texts of a page, and whether its tags nest."""

    void = frozenset({"meta"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.headings: list[tuple[str, str]] = []
        self.contents: list[tuple[str, str]] = []
        self.captions: list[str] = []
        self.rows: list[list[str]] = []
        self._classes: list[str] = []
        self.feed(source)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name == "id":
                self.ids.add(value or "")
            if name in ("href", "src", "xlink:href"):
                self.links.append(value or "")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in self.void:
            self.open.append(tag)
            self._classes.append(dict(attrs).get("class") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.void:
            self.open.pop()
            self._classes.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._classes.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if {"td", "th"} & {*self.open}:
            self.rows[-1][-1] += data
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings.append((self.open[-1], data))
        elif self.open[-2:] == ["li", "a"] and "nav" in self.open:
            self.contents.append((self._classes[-2], data))
        elif self.open[-1:] == ["strong"] and self._classes[-2] == "caption":
            self.captions.append(data)


def page(home: Path) -> Page:
    return Page((home / "report.html").read_text(encoding="utf-8"))
