"""Plain text with headings that anyone would see as such."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from isoglot.data.documents.format import FORMATS, Format
from isoglot.data.documents.page import Page, PageWriter
from isoglot.reading import read_text
from isoglot.settings import Settings

_UNDERLINE = re.compile(r"(=|-|~|\^|\*|#)\1{2,}\s*")
_NUMBERED = re.compile(r"\s{0,3}((?:\d{1,3}\.)+\d{0,3}|\d{1,3})\s+\S.{0,100}")
_ENDS = (".", ",", ";", "。", "、", "，", "।", "؛", "؟")


class Text(Format):
    """Plain text: headings are underlined lines and numbered lines (`2.1 Printing`) that stand alone."""

    name = "text"
    endings = (".txt",)

    def read(self, path: Path, asked: Settings) -> Iterator[Page]:
        writer = PageWriter()
        signs: list[str] = []
        for paragraph in re.split(r"\n[ \t\r]*\n", read_text(path)):
            lines = [line.rstrip() for line in paragraph.splitlines() if line.strip()]
            while len(lines) > 1 and _UNDERLINE.fullmatch(lines[1]):
                sign = lines[1].strip()[0]
                signs += [sign] * (sign not in signs)  # the first kind of line is the highest
                writer.begin("heading", 1 + signs.index(sign))
                writer.text(lines[0])
                writer.begin("text")
                lines = lines[2:]
            if len(lines) == 1 and (number := _NUMBERED.fullmatch(lines[0])) and not lines[0].endswith(_ENDS):
                writer.begin(
                    "heading", 1 + len(signs) + number[1].strip(".").count("."), f"number {number[1].strip('.')}"
                )
                writer.text(lines[0].strip()[len(number[1]) :])
            elif not all(_UNDERLINE.fullmatch(line) for line in lines):
                writer.text("\n".join(lines))
            writer.begin("text")
        yield writer.page()


FORMATS.register(Text())
