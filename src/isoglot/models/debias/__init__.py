"""Debiasing: take out of embeddings what tells their language, by one linear map, without training.

A new method is one file here (or in a plugin, see `isoglot.registry`): a registered subclass of `DebiasMethod`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from isoglot.models.weights import sentence_vector
from isoglot.records import Float32Array, FloatArray
from isoglot.registry import Registry
from isoglot.settings import Member

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class DebiasMethod(Member):
    """A linear map of embeddings that is fitted on texts of several languages and then used for all texts alike."""

    def fit(self, vectors: Mapping[str, Float32Array]) -> FloatArray:
        """The map as a matrix W, float64, shape (d, d): an embedding v becomes W v.

        Args:
            vectors: by language, float32, shape (n, d) each, n > 0: embeddings as the model gives them.

        Raises:
            InputError: too few languages.
        """
        raise NotImplementedError


DEBIAS_METHODS: Registry[type[DebiasMethod]] = Registry("debiasing method", "isoglot.models.debias")


def append_map(model: SentenceTransformer, matrix: FloatArray) -> SentenceTransformer:
    """A model with a linear map (float64, shape (d, d)) after its modules, in place.

    The length of the result is set to 1, unless vectors are compared by their inner product and had lengths of their own. A model
    whose vectors were cut to their first d dimensions (Matryoshka) gives d dimensions then without being told.
    """
    import torch
    from sentence_transformers.base.modules import Dense, Normalize

    width, whole = len(matrix), sentence_vector(model, "query").shape[1]
    weight = torch.zeros((width, whole), dtype=torch.float32, device=model.device)
    weight[:, :width] = torch.tensor(matrix, dtype=torch.float32)
    modules = list(model.children())
    unit = model.similarity_fn_name != "dot" or isinstance(modules[-1], Normalize)
    appended = [Dense(whole, width, bias=False, activation_function=torch.nn.Identity(), init_weight=weight)]
    model.truncate_dim = None
    for number, module in enumerate([*appended, *([Normalize()] if unit else [])], len(modules)):
        model.add_module(str(number), module)
    return model
