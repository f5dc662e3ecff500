from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval.fusions import FUSIONS, Fusion, Scale


@FUSIONS.register
class Raw(Fusion):
    """scores as the model gives them: one list over all languages, as without a fusion"""

    name: ClassVar[str] = "raw"
    is_default: ClassVar[bool] = True
    labels: ClassVar[str] = "no"

    def keys(
        self, scores: Float32Array, language: IntArray, names: Sequence[str], query: str | None, scale: Scale | None
    ) -> FloatArray:
        return scores.astype(float)
