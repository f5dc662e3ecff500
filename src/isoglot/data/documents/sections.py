"""Blocks of a page as sections: a heading with its own text, up to the next heading of any level."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from isoglot.data.documents.page import Block, Page

_LICENCE = re.compile(
    r"GNU (?:Free Documentation|(?:Lesser |Affero )?General Public)|Creative Commons|\bCC[ -]BY|"
    r"\b(?:Mozilla Public|Apache|MIT|BSD)"
    r" Licen[cs]e|Permission is (?:hereby )?granted|All rights reserved",
    re.IGNORECASE,
)
_LICENCE_HEADING = re.compile(
    r"(?:the )?(?:licen[cs]es?|licen[cs]ing|copyrights?|legal (?:notices?|information))", re.IGNORECASE
)
_LINKED = 0.9  # of its characters: such a paragraph leads elsewhere


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: of the page.
        heading: its own, without a colon at the end; the title for text before the first heading.
        level: of the heading; 0 for text before the first one.
        paragraphs: its text without links that stand alone, code and licences.
        n_code: blocks of code in it.
        problem: why it can be no passage: "menu", "code", "licence", "no text"; "" where it can.
    """

    title: str
    heading: str
    level: int
    anchor: str
    paragraphs: tuple[str, ...]
    n_code: int
    problem: str


def sections_of(page: Page) -> list[Section]:
    """The sections of a page, in order."""
    return [section for section in _sections(page) if section.level or section.problem != "no text"]


def _sections(page: Page) -> Iterator[Section]:
    number = 0
    numbered = []
    for block in page.blocks:
        number += block.kind == "heading"
        numbered.append((number, block))
    for _, group in groupby(numbered, key=lambda item: item[0]):
        blocks = [block for _, block in group]
        head = blocks.pop(0) if blocks[0].kind == "heading" else Block("heading", page.title)
        yield _section(page.title, head, blocks)


def _section(title: str, head: Block, blocks: list[Block]) -> Section:
    texts = [block for block in blocks if block.kind == "text"]
    prose = [block.text for block in texts if block.linked < _LINKED * len(block.text)]
    n_code = sum(block.kind == "code" for block in blocks)
    licensed = sum(len(text) for text in prose if _LICENCE.search(text))
    heading = head.text.strip(" :：¶").strip()
    problem = ""
    if _LICENCE_HEADING.fullmatch(heading) or 2 * licensed > sum(map(len, prose)):
        problem = "licence"
    elif not prose:
        problem = "menu" if texts else "code" if n_code else "no text"
    return Section(title.strip(" :："), heading, head.level, head.anchor, tuple(prose), n_code, problem)
