"""Batch strategies: which kinds of batch there are, how often each comes, and in which languages its texts are.

(Elmahdy, Lin and Ahmad 2024, arXiv 2408.10536, section 3; the baselines from Roy et al. 2020, arXiv 2004.05484.)

A new strategy is one file here (or in a plugin, see `isoglot.registry`): a registered subclass of `Strategy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from isoglot.batching.rewriting import Rewriting
from isoglot.records import BoolArray, IntArray
from isoglot.registry import Registry
from isoglot.settings import Member
from isoglot.tables import exact

if TYPE_CHECKING:
    from isoglot.data.pairs.table import PairTable

Random = Callable[[], np.random.Generator]
Choice = tuple[IntArray, IntArray]
"""The texts of one side of a batch: (places of their pairs in the batch, ascending; columns of their languages), both (n,)."""


class Strategy(Member):
    """One kind of batch (`choose`), or a mixture of several (`parts`).

    Attributes:
        by_language: a batch is drawn from the pairs of one language; else from the pairs that have two languages or more.
        is_usual: a study that names no strategy compares those that are.
        data: what it takes to train with it.
    """

    by_language: ClassVar[bool] = False
    data: ClassVar[tuple[str, ...]] = ("parallel pairs",)
    is_usual: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """The name and the values of the settings, `hybrid 0.5`; ids are made of it, so that it must tell settings apart."""
        values = (getattr(self, key) for key in type(self).model_fields)
        return " ".join(
            [self.name, *(exact(value) if isinstance(value, (int, float)) else str(value) for value in values)]
        )

    def parts(self) -> Sequence[tuple[Strategy, float]]:
        """The kinds of batch, each with its probability per step; their sum is 1."""
        return [(self, 1.0)]

    def rewriting(self, language: str) -> Rewriting | None:
        """How the texts of batches of a language change on their way; None: not at all. Of kinds that are `by_language` only.

        Raises:
            InputError: texts of this language cannot change as they should.
        """
        return None

    def content(self) -> dict[str, Any]:
        """What decides batches beside the settings, by the settings that name it: digests of files in the place of paths."""
        return {}

    def notes(self, table: PairTable, drawn: Mapping[str, Sequence[int]]) -> list[str]:
        """What is worth saying of the strategy on these pairs before training, a line each.

        Args:
            drawn: the languages of batches of one language, each with the numbers of the sources that they are drawn from.
        """
        return []

    def choose(self, available: BoolArray, language: int | None, random: Random) -> tuple[Choice, Choice]:
        """The languages of a batch's queries and of its passages: at least one of each for every pair.

        Args:
            available: shape (batch_size, n_languages): whether the pair exists in the language.
            language: column of the batch's language where the strategy is `by_language`; None otherwise.
            random: makes the private generator of this step.

        Returns:
            (queries, passages). Several passages of one pair are positives of each of its queries, and no negatives.
        """
        raise NotImplementedError


STRATEGIES: Registry[type[Strategy]] = Registry("strategy", "isoglot.batching.strategies")
