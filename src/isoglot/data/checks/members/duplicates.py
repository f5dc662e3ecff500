"""Pairs that are there twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from isoglot.data.checks.registry import CHECKS, Check, Finding
from isoglot.data.sameness import passage_key, text_key
from isoglot.records import PairRow


@CHECKS.register
class Duplicates(Check):
    """Duplicates: a row whose query and passage another pair had before, in any language, is dropped."""

    name: ClassVar[str] = "duplicates"
    order: ClassVar[int] = 60

    def find(self, rows: Sequence[PairRow]) -> Iterator[Finding]:
        seen: dict[tuple[bytes, bytes], tuple[str, str]] = {}
        for number, row in enumerate(rows):
            first = seen.setdefault((text_key(row.query), passage_key(row.passage)), (row.source, row.id))
            if first != (row.source, row.id):
                yield Finding(number, "", f"as in pair '{first[1]}' of '{first[0]}'", "dropped")
