"""Texts that change on their way from a pair's row into a batch: what a strategy says of it, and what a batch does.

Like everything in a plan it is a pure function of the seed and the step: each text has a private generator, so that neither the
order of the texts nor the number of processes matter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoglot.batching.permutation import generator
from isoglot.records import Column, IntArray

_INTO, _TEXT = 25, 26
_COLUMNS: tuple[Column, ...] = ("query", "passage", "negative")
AS_IS = -1
"""The target of a text that stays as it is."""


class Rewriting(ABC):
    """How the texts of the batches of one language change.

    Attributes:
        languages: that texts go into, by the numbers that are their targets.
    """

    languages: tuple[str, ...]

    @abstractmethod
    def targets(self, n: int, random: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Of n pairs the targets of the query and of the passage, shape (n,) each; `AS_IS` for texts that stay."""

    @abstractmethod
    def rewrite(self, text: str, target: int, random: np.random.Generator) -> str:
        """A text on its way to a target, which is not `AS_IS`.

        Args:
            random: of this text alone.
        """


@dataclass(frozen=True)
class RewrittenStep:
    """What happens to the texts of one step.

    Attributes:
        rewriting: of the step's language.
        seed: of the plan.
        step: number.
    """

    rewriting: Rewriting
    seed: int
    step: int

    @property
    def languages(self) -> tuple[str, ...]:
        """That texts go into."""
        return self.rewriting.languages

    def targets(self, n: int) -> tuple[IntArray, IntArray]:
        """Of the queries and passages of the n pairs of the whole batch."""
        return self.rewriting.targets(n, generator(self.seed, _INTO, self.step))

    def texts(self, column: Column, keys: IntArray, texts: Sequence[str], targets: IntArray | None) -> list[str]:
        """The texts of some rows (or, of negatives, of their numbers in their pool), as they are trained on.

        Args:
            keys: int64, shape (n,): the rows or numbers.
            targets: shape (n,). None: of each one is drawn, as of a passage.
        """
        found = []
        for place, (key, text) in enumerate(zip(keys.tolist(), texts)):
            random = generator(self.seed, _TEXT, self.step, _COLUMNS.index(column), key)
            target = int(self.rewriting.targets(1, random)[1][0] if targets is None else targets[place])
            found.append(text if target == AS_IS else self.rewriting.rewrite(text, target, random))
        return found
