"""Pairs, and programs that translate them well and badly."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from isoglot.data.pairs.table import PairTable
from isoglot.records import PairRow

GOOD = """
import sys
for line in sys.stdin.buffer.read().decode().removesuffix("\\n").split("\\n"):
    print(" ".join(word + sys.argv[1] for word in line.split(" ")))
"""
"""Puts its argument behind every word."""


def program(folder: Path, code: str = GOOD, name: str = "program.py") -> str:
    """A Python program as a command, {to} its argument."""
    path = folder / name
    path.write_text(code, encoding="utf-8")
    return f"command:{shlex.quote(sys.executable)} {shlex.quote(str(path))} {{to}}"


def english(n: int = 6) -> list[PairRow]:
    """Rows of n pairs in English; two pairs share a passage, one row has two lines."""
    return [
        PairRow(
            "made",
            str(number),
            "en",
            f"what is thing {number}",
            f"thing {number // 2} is\n\n  this one" if number == 5 else f"thing {number // 2} is this",
            passage_id=f"p{number // 2}",
            negatives=(f"not {number}",),
            document_id="d",
        )
        for number in range(n)
    ]


def table(rows: list[PairRow]) -> PairTable:
    return PairTable.from_rows(rows)
