"""How similar texts in two languages are to a model: what alignment of translations asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from isoglot.records import FloatArray
from isoglot.retrieval.encode import encode_texts


def similarity_by(model: str, device: str | None = None) -> Callable[[Sequence[str], Sequence[str]], FloatArray]:
    """A function that gives the similarity of n texts to m others, float64, shape (n, m). Both are encoded as queries.

    Args:
        model: hub id, directory, run, or offline:NAME.
    """
    from isoglot.models.load import load_model
    from isoglot.processes import check_device

    check_device(device)
    loaded = load_model(model, device=device)

    def similar(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        vectors = encode_texts(loaded, [*left, *right], "query", progress=False).astype(np.float64)
        products: FloatArray = vectors[: len(left)] @ vectors[len(left) :].T
        return products

    return similar
