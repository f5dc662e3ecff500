from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval.fusions import ANY, FUSIONS, Background, Fusion, Scale


class Scaled(Fusion):
    """Scores are turned by what a background tells of each pair of languages."""

    needs_background: ClassVar[bool] = True
    labels: ClassVar[str] = "of queries and passages"

    def keys(
        self, scores: Float32Array, language: IntArray, names: Sequence[str], query: str | None, scale: Scale | None
    ) -> FloatArray:
        assert scale is not None
        a, b = scale.row(query, names)
        keys: FloatArray = a[language] * scores + b[language]
        return keys

    def fit(self, background: Background) -> Scale:
        queries, passages = tuple(background.queries), tuple(background.passages)
        cells = np.array([[self.cell(background, query, passage) for passage in passages] for query in queries])
        every = cells.mean(axis=0, keepdims=True)  # where the query's language is not known
        a, b = np.moveaxis(np.concatenate([cells, every]), -1, 0)
        return Scale((*queries, ANY), passages, a, b)

    def cell(self, background: Background, query: str, passage: str) -> tuple[float, float]:
        """a and b of a pair of languages."""
        raise NotImplementedError


@FUSIONS.register
class Standardised(Scaled):
    """scores less the mean of their pair of languages, over its deviation (z scores)

    Mean and deviation are those of background queries in the query's language against background passages in the document's: what
    a passage in that language scores when it has nothing to do with the question.
    """

    name: ClassVar[str] = "standardised"
    strength: float = Field(
        1.0, ge=0, le=1, description="0: scores as they are; 1: means and deviations are made equal"
    )

    def cell(self, background: Background, query: str, passage: str) -> tuple[float, float]:
        scores, related = background.scores(query, passage)
        unrelated = scores[~related].astype(np.float64)
        return self.line(float(unrelated.mean()), float(unrelated.std()))

    def line(self, mean: float, deviation: float) -> tuple[float, float]:
        """a and b that turn unrelated scores of this mean and deviation."""
        a = (1 / max(deviation, np.finfo(np.float32).tiny)) ** self.strength
        return a, -self.strength * mean * a
