from __future__ import annotations

from typing import ClassVar

import numpy as np

from isoglot.batching.strategies import STRATEGIES, Choice, Random, Strategy
from isoglot.records import BoolArray


@STRATEGIES.register
class Mono(Strategy):
    """one language for the whole batch, queries and passages both in it ("X-X-mono")"""

    name: ClassVar[str] = "mono"
    is_usual: ClassVar[bool] = True
    by_language: ClassVar[bool] = True
    data: ClassVar[tuple[str, ...]] = ("pairs by language",)

    def choose(self, available: BoolArray, language: int | None, random: Random) -> tuple[Choice, Choice]:
        assert language is not None
        texts = np.arange(len(available)), np.full(len(available), language)
        return texts, texts
