from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from isoglot.batching.strategies import STRATEGIES, Choice, Random, Strategy
from isoglot.records import BoolArray, FloatArray

Number = Annotated[int, Field(ge=1)] | Literal["all"]


@STRATEGIES.register
class Multiway(Strategy):
    """every pair comes with queries and passages in several languages, each passage an answer to each of its queries

    (After the multi-way parallel batches of arXiv 2602.21543.) The languages are drawn for each pair and side by
    themselves, without replacement and uniformly among those that the pair has; so a query may meet its own language, too.
    """

    name: ClassVar[str] = "multiway"
    query_languages: Number = Field(2, description="queries per pair, each in another language: a number, or all")
    passage_languages: Number = Field(4, description="passages per pair, likewise")

    def choose(self, available: BoolArray, language: int | None, random: Random) -> tuple[Choice, Choice]:
        """As many languages as are asked for, or all that a pair has."""
        generator = random()
        first, second = (generator.random(available.shape) for _ in range(2))
        return _drawn(first, available, self.query_languages), _drawn(second, available, self.passage_languages)


def _drawn(order: FloatArray, available: BoolArray, number: Number) -> Choice:
    """(pairs, columns) of the first `number` available columns of every row in the order of the numbers drawn for them."""
    order[~available] = 2.0
    place = order.argsort(axis=1).argsort(axis=1)
    most = available.shape[1] if number == "all" else number
    pairs, columns = np.nonzero(available & (place < most))
    return pairs, columns
