from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval.fusions import FUSIONS, Fusion, Scale


@FUSIONS.register
class WithBM25(Fusion):
    """the model's ranking and BM25's as one, by reciprocal rank; within a language, too

    (Reciprocal rank fusion: Cormack, Clarke and Buettcher 2009, SIGIR.) With r the rank of a document among those that are ranked
    (the pooled ones, or those of one language), 1 = the best,

        score(d) = 1 / (c + r_model(d)) + 1 / (c + r_BM25(d))

    where a document that shares no word with the query has no second part. See `isoglot.retrieval.bm25`.
    """

    name: ClassVar[str] = "bm25"
    needs_texts: ClassVar[bool] = True
    labels: ClassVar[str] = "no"
    rank_constant: float = Field(
        60.0, gt=0, description="the c of reciprocal rank fusion: the greater, the less the first places count"
    )

    def keys(
        self, scores: Float32Array, language: IntArray, names: Sequence[str], query: str | None, scale: Scale | None
    ) -> FloatArray:
        raise NotImplementedError("BM25 ranks texts: there is nothing to mix by scores alone")
