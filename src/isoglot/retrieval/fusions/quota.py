from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval.fusions import FUSIONS, Fusion, Scale
from isoglot.settings import Weights


class Shares(Fusion):
    """Places are shared out among languages by weights, whatever the scores are.

    The next place goes to the language that is furthest behind its share: with n places so far, to the greatest w / (2 n + 1)
    (the method of Webster and Sainte-Lague). So document r of a language (1 = its best) has the key -(r - 1/2) / w. Equal keys
    go by score: every round of equal shares begins with the language that has the best document.
    """

    def weights(self, sizes: IntArray, names: Sequence[str], query: str | None) -> FloatArray:
        """Weight of every language, not negative, shape (len(names),); `sizes`: documents of each that were found."""
        raise NotImplementedError

    def keys(
        self, scores: Float32Array, language: IntArray, names: Sequence[str], query: str | None, scale: Scale | None
    ) -> FloatArray:
        sizes = np.bincount(language, minlength=len(names))
        place = np.arange(1, len(language) + 1) - (np.cumsum(sizes) - sizes)[language]
        weight = self.weights(sizes, names, query)[language]
        with np.errstate(divide="ignore"):  # a language of weight 0 comes last
            keys: FloatArray = -(place - 0.5) / weight
        return keys


@FUSIONS.register
class RoundRobin(Shares):
    """the best document of every language, then the second of every language, and so on"""

    name: ClassVar[str] = "round-robin"

    def weights(self, sizes: IntArray, names: Sequence[str], query: str | None) -> FloatArray:
        return np.ones(len(names))


@FUSIONS.register
class Quota(Shares):
    """every language has its share of the places"""

    name: ClassVar[str] = "quota"
    shares: Weights = Field(
        {}, description="weights of the languages (0: last of all); by their numbers of documents where none is given"
    )
    own_share: float = Field(1.0, ge=0, description="times the share of the query's own language: above 1 prefers it")

    def weights(self, sizes: IntArray, names: Sequence[str], query: str | None) -> FloatArray:
        given = np.array([self.shares.get(lang, 0.0) for lang in names])
        return np.asarray((given if self.shares else sizes) * np.where(np.array(names) == query, self.own_share, 1.0))
