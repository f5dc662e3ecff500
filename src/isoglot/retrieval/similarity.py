"""How alike two texts are to a model: of a text and its translation, and of texts that may be translations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from pydantic import Field

from isoglot.data.transform.translation.filters import Filter, Texts
from isoglot.records import BoolArray, FloatArray
from isoglot.retrieval.encode import encode_texts, unit
from isoglot.retrieval.scoring import pair_scores
from isoglot.settings import Settings


class Similarity(Settings):
    """A filter of translations by an embedding model; transforms know of no models, so it stands here."""

    similarity_model: str | None = Field(
        None,
        description="embedding model that compares texts with their translations: hub id, directory, run, or offline:NAME",
    )
    min_similarity: float = Field(
        0.7,
        ge=-1,
        le=1,
        description="with --similarity-model: drop rows whose texts have a lower cosine; models differ",
    )
    similarity_device: str | None = Field(None, description="cpu, cuda, ... of that model (default: the best)")

    def filters(self) -> dict[str, Filter]:
        """The filter by its name; none where no model is asked for. InputError: no such model."""
        if self.similarity_model is None:
            return {}
        from isoglot.models.load import load_model

        model = load_model(self.similarity_model, device=self.similarity_device)

        def keeps(texts: Texts, target: str) -> BoolArray:
            if not texts:
                return np.zeros(0, dtype=bool)
            # both as passages: a translation is no answer to its text
            vectors = [unit(encode_texts(model, [pair[side] for pair in texts], "passage")) for side in (0, 1)]
            rows = np.arange(len(texts))
            kept: BoolArray = pair_scores(vectors[0], rows, vectors[1], rows) >= self.min_similarity
            return kept

        return {"similarity": keeps}


def similarity_by(model: str, device: str | None = None) -> Callable[[Sequence[str], Sequence[str]], FloatArray]:
    """A function that gives the cosines of n texts with m others, float64, shape (n, m). Both are encoded as queries.

    Args:
        model: hub id, directory, run, or offline:NAME.
    """
    from isoglot.models.load import load_model

    loaded = load_model(model, device=device)

    def similar(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        vectors = unit(encode_texts(loaded, [*left, *right], "query", progress=False)).astype(np.float64)
        products: FloatArray = vectors[: len(left)] @ vectors[len(left) :].T
        return products

    return similar
