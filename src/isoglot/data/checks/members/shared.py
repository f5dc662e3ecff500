"""Passages that answer everything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import Field

from isoglot.data.checks.registry import CHECKS, Check, Finding
from isoglot.data.sameness import passage_key
from isoglot.records import PairRow


@CHECKS.register
class Shared(Check):
    """Passages that are shared by the queries of many pairs: reported (such pairs never share a batch)."""

    name: ClassVar[str] = "shared"
    order: ClassVar[int] = 80
    max_pairs: int = Field(20, ge=1, description="a passage may answer the queries of so many pairs")

    def find(self, rows: Sequence[PairRow]) -> Iterator[Finding]:
        owners: dict[bytes, set[tuple[str, str]]] = defaultdict(set)
        for row in rows:
            owners[passage_key(row.passage)].add((row.source, row.id))
        for number, row in enumerate(rows):
            if (pairs := len(owners[passage_key(row.passage)])) > self.max_pairs:
                yield Finding(number, "passage", f"the passage of {pairs} pairs: '{row.passage[:40]}'", "reported")
