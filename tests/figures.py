"""Figures of the pages, and where each is found in results/.

A comment before a table, a paragraph or a list says where its figures come from, in a line per row of the table or in lines
for all of it:

    <!-- figures
    results/recipe/report.md "MLQA-R" "isoglot"
    results/speed/tuning_cost.json figures/*/full/cpu_seconds; results/debias.json base/mono/AP - base/cross/AP
    given the paper's own
    -->

- A text file: words that all stand on a line, or, with `#`, in the heading above it; the line's numbers count.
- A JSON file: paths with `/` between keys, `*` and `?` as in a shell, `{a,b}` for both, `[key=value,...]` for members of a list,
  and before a path `mean:`, `min:`, `max:`, `sum:` over all that it finds; `A - B` and `A / B` of two paths.
- `given WORDS`: the figures of this row are not ours.

A figure agrees with a value that rounds to it at the places that are printed; % and units (ms, GB, minutes, ...) are reckoned
with. In a table that has a line per row, figures stand in the order of the values.

What is no figure from results/ (limits, defaults, sizes of data sets, other people's figures) stands in figures.yaml, by page.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

ROOT = Path(__file__).parents[1]
NUMBER = re.compile(
    r"(?<![\w.,@/#-])(?P<sign>[-+−])?(?P<number>(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\.\d+|\d+)(?:e-?\d+)?)"
    r"(?![\w]*\d)(?:\*\*)?\s?(?P<unit>%|[a-zA-Z/]+)?"
)
UNITS = {
    "%": (1, 100),
    **dict.fromkeys(("s", "seconds"), (1, 1e-3)),
    "ms": (1, 1e3),
    **dict.fromkeys(("min", "minutes"), (1, 1 / 60)),
    **dict.fromkeys(("h", "hours"), (1, 1 / 3600)),
    **{f"{letter}B": (1, 10.0 ** (-3 * n), 2.0 ** (-10 * n)) for n, letter in enumerate("KMG", start=1)},
    **dict.fromkeys(("million", "millions"), (1, 1e-6)),
    **dict.fromkeys(("times", "TFLOP/s", "GFLOP/s", "pairs/s", "texts/s", "ranks", "kernels", "microseconds"), (1,)),
    "points": (1, 100),
}
"""What a value is multiplied by to be printed with this unit. Numbers with a unit are figures."""
NOT_TEXT = re.compile(
    r"<!--.*?-->|`[^`]*`|(?<=\])\([^)]*\)|<[^>]+>|\d{4}\.\d{5}|\d{4}-\d\d(?:-\d\d)?|\\\||95%|CC [A-Z-]+ \d\.\d"
    r"|\d+\.\d+\.\d+|(?:Python|torch|transformers|faiss|Babel|Firefox|Safari|sentence-transformers) \d+(?:\.\d+)+",
    re.DOTALL,
)
"""Code, links, comments, dates, versions and the level of all intervals are no figures."""
MANY = 400  # values of a line, of which one might agree by chance


@dataclass(frozen=True)
class Figure:
    """A number as it is printed."""

    text: str
    sign: str
    unit: str

    def agrees(self, value: float) -> bool:
        """Whether the value is printed like this."""
        plain = self.text.replace(",", "")
        places = len(plain.partition("e")[0].partition(".")[2])
        step = 10.0**-places * (10.0 ** int(plain.partition("e")[2]) if "e" in plain else 1)
        if zeros := re.fullmatch(r"[\d,]*[1-9]([0,]*000)", self.text):
            step = 10.0 ** zeros[1].count("0")  # 597,000: the zeros are no digits
        printed = float(plain) * (-1 if self.sign in "-−" and self.sign else 1)
        scales = UNITS.get(self.unit, (1,))
        values = [value * scale for scale in scales]
        if not self.sign:
            values = [abs(v) for v in values]
        return any(abs(v - printed) <= step * 0.5001 + 1e-9 for v in values)


@dataclass(frozen=True)
class Block:
    """A table, a paragraph or a list, with the lines of the comment before it (None: there is none)."""

    line: int
    rows: list[list[Figure]]
    sources: list[str] | None


def numbers(text: str, everything: bool) -> list[Figure]:
    """The numbers of a text: all of them, or those that look measured (places, thousands, exponents, units)."""
    found = []
    for match in NUMBER.finditer(NOT_TEXT.sub(" ", text)):
        number, unit = match["number"], match["unit"] or ""
        if not number or number in ".,":
            continue
        if everything or re.search(r"[.,e]", number) or unit in UNITS:
            found.append(Figure(number, match["sign"] or "", unit))
    return found


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page that hold figures or have a comment."""
    text = re.sub(r"^```.*?^```$", lambda code: re.sub(r"[^\n]", "", code[0]), text, flags=re.MULTILINE | re.DOTALL)
    sources, line = None, 1
    for chunk in re.split(r"(\n\s*\n)", text):
        body = chunk
        if comment := re.match(r"\s*<!-- figures\s(.*?)-->\n?", chunk, re.DOTALL):
            sources, body = [row for row in map(str.strip, comment[1].splitlines()) if row], chunk[comment.end() :]
        if body.strip():
            rows = table_rows(body) if body.lstrip().startswith("|") else [numbers(body, everything=False)]
            if sources is not None or any(rows):
                yield Block(line, rows, sources)
            sources = None
        line += chunk.count("\n")


def table_rows(body: str) -> list[list[Figure]]:
    """The figures of every row below the header, without its first column; in cells without words all numbers count."""
    rows = []
    for row in body.strip().splitlines()[2:]:
        cells = NOT_TEXT.sub(" ", row.strip().strip("|")).split("|")
        figures: list[Figure] = []
        for cell in cells[1:]:
            words = [
                word for word in re.findall(r"[A-Za-z/]+", cell) if word not in ("to", "e", "s") and word not in UNITS
            ]
            figures += numbers(cell, everything=not words)
        rows.append(figures)
    return rows


def values(source: str) -> list[float] | None:
    """The values that a line of a comment names, in its order; None: given."""
    if source.startswith("given"):
        return None
    found: list[float] = []
    for part in source.split(";"):
        file, *terms = shlex.split(part)
        if not file.endswith(".json"):
            found += _of_lines(file, terms)
            continue
        while terms:
            if terms[1:2] in (["-"], ["/"]):
                one, sign, two = terms.pop(0), terms.pop(0), terms.pop(0)
                left, right = _of_path(file, one), _of_path(file, two)
                assert len(left) == len(right), f"{one} has {len(left)} values, {two} {len(right)}"
                found += [a - b if sign == "-" else a / b for a, b in zip(left, right)]
            else:
                found += _of_path(file, terms.pop(0))
    assert 0 < len(found) <= MANY, f"{source}: {len(found)} values"
    return found


def _of_lines(file: str, words: list[str]) -> list[float]:
    text = (ROOT / file).read_text(encoding="utf-8")
    found, heading = [], ""
    for line in text.splitlines():
        heading = line if line.startswith("#") else heading
        if all(w[1:].strip() in heading if w.startswith("#") else w in line for w in words):
            for figure in numbers(line.replace("\\[", " ").replace("\\]", " ").replace("|", " | "), everything=True):
                scale = 0.01 if figure.unit == "%" else 1
                sign = -1 if figure.sign in ("-", "−") else 1
                found.append(sign * scale * float(figure.text.replace(",", "")))
    assert found, f"{file}: no line has {words}"
    return found


@cache
def _json(file: str) -> Any:
    return json.loads((ROOT / file).read_text(encoding="utf-8"))


def _of_path(file: str, path: str) -> list[float]:
    over, colon, rest = path.partition(":")
    reduce = {"mean": mean, "min": min, "max": max, "sum": sum}.get(over) if colon else None
    found: list[float] = []
    for one in _braces(rest if reduce else path):
        leaves = [
            number for leaf in _leaves(_json(file), re.findall(r"\[[^\]]*\]|[^/]+", one)) for number in _numbers(leaf)
        ]
        assert leaves, f"{file}: nothing at {one}"
        found += [reduce(leaves)] if reduce else leaves
    return found


def _braces(path: str) -> list[str]:
    choice = re.search(r"\{([^{}]*)\}", path)
    if not choice:
        return [path]
    return [p for one in choice[1].split(",") for p in _braces(path[: choice.start()] + one + path[choice.end() :])]


def _leaves(node: Any, keys: list[str]) -> Iterator[Any]:
    if not keys:
        yield node
    elif keys[0].startswith("["):
        wanted = dict(part.split("=", 1) for part in keys[0][1:-1].split(","))
        for member in node:
            if all(fnmatchcase(str(member.get(key)), value) for key, value in wanted.items()):
                yield from _leaves(member, keys[1:])
    elif isinstance(node, (dict, list)):
        items = node.items() if isinstance(node, dict) else ((str(n), member) for n, member in enumerate(node))
        for key, member in items:
            if fnmatchcase(key, keys[0]):
                yield from _leaves(member, keys[1:])


def _numbers(leaf: Any) -> list[float]:
    if isinstance(leaf, str):
        return [float(figure.text.replace(",", "")) for figure in numbers(leaf, everything=True)]
    leaves = leaf if isinstance(leaf, list) else [leaf]
    return [float(one) for one in leaves if isinstance(one, (int, float)) and not isinstance(one, bool)]


def disagreements(block: Block, excused: frozenset[str]) -> list[str]:
    """What of a block is not found where its comment says; all figures where there is no comment."""
    wrong = []
    lines = block.sources or []
    by_row = len(lines) == len(block.rows) > 1
    every = [] if by_row else [value for line in lines for value in values(line) or ()]
    for number, row in enumerate(block.rows):
        found = values(lines[number]) if by_row else every
        if found is None:
            continue
        for figure in row:
            if figure.text in excused:
                continue
            place = next((n for n, value in enumerate(found) if figure.agrees(value)), None)
            if place is None:
                wrong.append(f"{figure.sign}{figure.text}{figure.unit and ' '}{figure.unit}")
            elif by_row:
                found = found[place + 1 :]
    return wrong
