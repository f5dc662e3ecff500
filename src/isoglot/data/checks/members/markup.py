"""What is left of the pages that texts were taken from."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import ClassVar

from isoglot.data.checks.registry import CHECKS, Action, TextCheck

_TAGS = (
    "a|abbr|b|big|blockquote|br|code|dd|div|dl|dt|em|font|h[1-6]|hr|i|img|li|ol|p|pre|q|s|small|span|strong|sub|sup"
    "|table|td|th|tr|tt|u|ul"
)
_BLOCKS = re.compile(r"(?:blockquote|br|d[dlt]|div|h[1-6r]|li|ol|p|pre|table|t[dhr]|ul)", re.IGNORECASE)
# an element with its end, or one that has none; a lone tag may be what the text is about
_ELEMENT = re.compile(rf"<({_TAGS})(?:\s[^<>]*)?>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL)
_EMPTY = re.compile(r"<(br|hr|img)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_LONE = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]*=[^<>]*)?/?>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#[0-9]{2,6}|#x[0-9a-f]{2,5}|[a-z][a-z0-9]{1,20});", re.IGNORECASE)
Repair = Callable[["re.Match[str]"], str]


def _inside(match: re.Match[str]) -> str:
    space = " " if _BLOCKS.fullmatch(match[1]) else ""
    return f"{space}{match[2]}{space}"


_REPAIRS: tuple[tuple[str, re.Pattern[str], Repair], ...] = (
    ("an HTML element", _ELEMENT, _inside),
    ("an HTML tag", _EMPTY, lambda match: " "),
    ("an HTML entity", _ENTITY, lambda match: html.unescape(match[0])),
    ("a Markdown link", re.compile(r"!?\[([^\[\]\n]+)\]\((?:https?://|/|#|mailto:)[^()\s]*\)"), lambda match: match[1]),
    (
        "a wiki link",
        re.compile(r"\[\[(?:[^\[\]|\n\s][^\[\]|\n]*\|)?([^\[\]|\s](?:[^\[\]|\n]*[^\[\]|\s])?)\]\]"),
        lambda m: m[1],
    ),
    ("wiki emphasis", re.compile(r"'''(?=\S)([^'\n]+?)(?<=\S)'''(?!')"), lambda match: match[1]),
    (
        "Markdown emphasis",
        re.compile(r"(?<![\w*])\*\*(?=[^\W\d_])([^*\n]+?)(?<=\S)\*\*(?![\w*])"),
        lambda match: match[1],
    ),
)
_REPORTS = (
    ("a lone HTML tag", _LONE),
    ("a wiki template", re.compile(r"\{\{[A-Za-z][^{}\n]*\}\}")),
    ("a wiki heading", re.compile(r"^(={2,4})\s*[^=\n]+?\s*\1\s*$", re.MULTILINE)),
    ("a Markdown heading", re.compile(r"^#{1,6} \S", re.MULTILINE)),
    ("a Markdown fence", re.compile(r"^```", re.MULTILINE)),
)
_ANY = re.compile(r"<|&|\]|''|\*\*|\{\{|==|^#|```", re.MULTILINE)


@CHECKS.register
class Markup(TextCheck):
    """Leftover HTML, Markdown and wiki syntax: whole elements, entities, links and emphasis are repaired, lone signs reported."""

    name: ClassVar[str] = "markup"
    order: ClassVar[int] = 20

    def look(self, text: str) -> Iterator[tuple[str, Action, str]]:
        if not _ANY.search(text):
            return
        for what, pattern, repair in _REPAIRS:
            match = pattern.search(text)
            if match is None:
                continue
            better = pattern.sub(repair, text)
            while better != text and pattern is _ELEMENT and pattern.search(better):  # elements in elements
                better = pattern.sub(repair, better)
            better = better if "\n" in better else " ".join(better.split())
            if better != text:
                yield f"{what} '{match[0][:40]}'", "repaired", better
                text = better
        for what, pattern in _REPORTS:
            if match := pattern.search(text):
                yield f"{what} '{match[0][:40]}'", "reported", text
