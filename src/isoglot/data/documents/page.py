"""What every format of documents is read as: a page is a title and a flat list of headings, texts and code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "text", "code", "licence"]

# letters of scripts without spaces between words: a line break between two of them is none of the text
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31f0-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
_BREAK = re.compile(f"(?<=[{UNSPACED}])[ \t]*\r?\n\\s*(?=[{UNSPACED}])")
# C0 controls and what moves the direction of a line; zero-width joiners are letters of Persian and Hindi words
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


@dataclass(frozen=True)
class Block:
    """A heading or a paragraph.

    Attributes:
        level: of a heading, from 1; 0 for others.
        anchor: the name by which links find a heading; "" where it has none of its own.
        linked: how many characters of the text are links.
    """

    kind: Kind
    text: str
    level: int = 0
    anchor: str = ""
    linked: int = 0


@dataclass(frozen=True)
class Page:
    """A page in one language.

    Attributes:
        name: within its file, where that holds several pages; else "".
        lang: its language as written, where the file says it; else "".
    """

    title: str
    blocks: tuple[Block, ...]
    name: str = ""
    lang: str = ""


def tidy(text: str) -> str:
    """A text on one line: white space is one space, and none where lines of Chinese or Thai are wrapped; no controls."""
    return " ".join(_BREAK.sub("", _CONTROLS.sub("", text)).split())


class PageWriter:
    """Collects the blocks of a page in the order of its text. Whatever begins a block ends the one before."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._kind: Kind = "text"
        self._level, self._anchor, self._linked = 0, "", 0
        self._texts: list[str] = []

    def text(self, text: str, *, linked: bool = False) -> None:
        """Add to the current block."""
        self._texts.append(text)
        self._linked += len(tidy(text)) if linked else 0

    def boundary(self) -> None:
        """A paragraph ends or begins; inside a heading or code that is no end."""
        if self._kind == "text":
            self.begin("text")

    def begin(self, kind: Kind, level: int = 0, anchor: str = "") -> None:
        """End the current block and begin another."""
        text = "".join(self._texts)
        text = text.strip("\n") if self._kind == "code" else tidy(text)
        if text.strip():
            self._blocks.append(Block(self._kind, text, self._level, self._anchor, min(self._linked, len(text))))
        self._kind, self._level, self._anchor, self._linked = kind, level, anchor, 0
        self._texts = []

    @property
    def in_heading(self) -> bool:
        """Whether the current block is a heading."""
        return self._kind == "heading"

    def name(self, anchor: str) -> None:
        """Give the current heading an anchor, if it has none."""
        if self._kind == "heading":
            self._anchor = self._anchor or anchor

    def page(self, title: str = "") -> Page:
        """The page; without a title that of its first heading of the highest level."""
        self.begin("text")
        headings = [block for block in self._blocks if block.kind == "heading"]
        if not title.strip() and headings:
            title = min(headings, key=lambda block: block.level).text
        return Page(tidy(title), tuple(self._blocks))
