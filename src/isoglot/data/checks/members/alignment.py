"""Translations that are much longer or shorter than others of their languages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from isoglot.data.checks.registry import CHECKS, Check, Finding
from isoglot.data.pairs.index import build_index
from isoglot.records import BoolArray, FloatArray, PairRow

_SHORT = 20  # characters added to every length: in short texts each weighs less
_MAD = 1.4826  # standard deviations of a normal distribution per median absolute deviation


@CHECKS.register
class Alignment(Check):
    """Misaligned translations, by length: passages and queries whose ratio to most of their translations is far off are dropped.

    Ratios of lengths in characters are compared with all of the two languages: median and median absolute deviation of their
    logarithm. Of a pair in two languages nothing says which side is wrong: both rows are dropped.
    """

    name: ClassVar[str] = "alignment"
    order: ClassVar[int] = 70
    length_factor: float = Field(
        3.0, gt=1, description="at least so many times longer or shorter than is usual between two languages"
    )
    length_deviations: float = Field(6.0, gt=0, description="and at least so many (robust) standard deviations off")
    length_pairs: int = Field(30, ge=2, description="parallel pairs from which two languages are compared")

    def find(self, rows: Sequence[PairRow]) -> Iterator[Finding]:
        index = build_index(rows)
        place = np.where(index.rows >= 0, index.rows, 0)
        for side in ("query", "passage"):
            sizes = np.log(_SHORT + np.array([len(getattr(row, side)) for row in rows], dtype=np.float64))
            lengths = np.where(index.rows >= 0, sizes[place] if len(rows) else 0.0, np.nan)
            for pair, column in np.argwhere(self._odd(lengths)).tolist():
                number = int(index.rows[pair, column])
                others = [rows[other] for other in index.rows[pair] if other not in (-1, number)]
                lengths_there = ", ".join(f"{len(getattr(other, side))} in {other.lang}" for other in others[:3])
                what = f"{len(getattr(rows[number], side))} characters, and {lengths_there}"
                yield Finding(number, side, what, "dropped")

    def _odd(self, lengths: FloatArray) -> BoolArray:
        """Which texts are off in more than half of the comparisons with their translations.

        Args:
            lengths: log of characters, shape (n_pairs, n_languages); NaN: no text.

        Returns:
            Shape (n_pairs, n_languages).
        """
        off, compared = np.zeros((2, *lengths.shape), dtype=np.int64)
        for left in range(lengths.shape[1]):
            for right in range(left):
                ratio = lengths[:, left] - lengths[:, right]
                both = ~np.isnan(ratio)
                if both.sum() < self.length_pairs:
                    continue
                away = np.abs(ratio[both] - np.median(ratio[both]))
                limit = max(self.length_deviations * _MAD * float(np.median(away)), float(np.log(self.length_factor)))
                for column in (left, right):
                    off[both, column] += away > limit
                    compared[both, column] += 1
        odd: BoolArray = (off * 2 > compared) & (compared > 0)
        return odd
