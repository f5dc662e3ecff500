"""A strategy with several texts of a pair on both sides."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from isoglot.batching.strategies import Choice, Random, Strategy
from isoglot.records import BoolArray


class Everything(Strategy):
    """all languages of a pair, on both sides but never more than two queries"""

    name: ClassVar[str] = "everything"

    def choose(self, available: BoolArray, language: int | None, random: Random) -> tuple[Choice, Choice]:
        places, languages = np.nonzero(available)
        rank = (np.cumsum(available, axis=1) - 1)[places, languages]
        return (places[rank < 2], languages[rank < 2]), (places, languages)
