"""Texts that were copied instead of translated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import Field

from isoglot.data.checks.registry import CHECKS, Check, Finding
from isoglot.data.langid import base
from isoglot.data.languages import spelled
from isoglot.data.sameness import passage_key
from isoglot.records import PairRow


@CHECKS.register
class Untranslated(Check):
    """Untranslated copies: a passage that the pair has in `original`, too, is dropped; other copies and queries are reported."""

    name: ClassVar[str] = "untranslated"
    order: ClassVar[int] = 50
    original: str = Field("en", description="language that texts were translated from")
    copied_letters: int = Field(
        20, ge=1, description="texts with fewer letters, such as names, may be the same in two languages"
    )

    def find(self, rows: Sequence[PairRow]) -> Iterator[Finding]:
        pairs: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            pairs[row.source, row.id].append(number)
        original = spelled(self.original)
        for numbers in pairs.values():
            for side in ("query", "passage") if len(numbers) > 1 else ():
                alike: dict[bytes, list[int]] = defaultdict(list)
                for number in numbers:
                    alike[passage_key(getattr(rows[number], side))].append(number)
                for copies in alike.values():
                    if len(copies) > 1:
                        yield from self._copies(rows, copies, side, original)

    def _copies(self, rows: Sequence[PairRow], copies: list[int], side: str, original: str) -> Iterator[Finding]:
        """Findings among rows of one pair with one text; regions and scripts of one language may well have one."""
        if sum(map(str.isalpha, getattr(rows[copies[0]], side))) < self.copied_letters:
            return
        copies = sorted(copies, key=lambda number: base(rows[number].lang) != base(original))
        first = rows[copies[0]].lang
        for number in copies[1:]:
            if base(rows[number].lang) != base(first):
                is_copy = side == "passage" and base(first) == base(original)
                text = getattr(rows[number], side)[:40]
                yield Finding(number, side, f"as in '{first}': '{text}'", "dropped" if is_copy else "reported")
