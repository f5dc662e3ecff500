from __future__ import annotations

from typing import ClassVar

import numpy as np

from isoglot.batching.strategies import STRATEGIES, Choice, Random, Strategy
from isoglot.records import BoolArray


@STRATEGIES.register
class Cross(Strategy):
    """in every pair, query and passage are in two different languages ("X-Y")"""

    name: ClassVar[str] = "cross"
    is_usual: ClassVar[bool] = True

    def choose(self, available: BoolArray, language: int | None, random: Random) -> tuple[Choice, Choice]:
        """Two different languages that the pair has, ordered, uniformly."""
        order = random().random(available.shape)
        order[~available] = 2.0
        pairs = np.arange(len(available))
        query_languages = order.argmin(axis=1)
        order[pairs, query_languages] = 3.0
        return (pairs, query_languages), (pairs, order.argmin(axis=1))
