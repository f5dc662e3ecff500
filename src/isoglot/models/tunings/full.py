from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from isoglot.models.tunings import TUNINGS, Tuning

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@TUNINGS.register
class Full(Tuning):
    """all weights are trained"""

    name: ClassVar[str] = "full"
    title: ClassVar[str] = "full fine-tuning"
    learning_rate: ClassVar[float] = 3e-5

    def prepare(self, model: SentenceTransformer) -> None:
        """A loaded model is trainable as it is."""

    def finish(
        self, model: SentenceTransformer, base: str, load: Callable[[], SentenceTransformer], adapter: Path
    ) -> SentenceTransformer:
        return model
