from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from isoglot.models.debias import DEBIAS_METHODS, EVERY, Correction, DebiasMethod, Sample


@DEBIAS_METHODS.register
class LSAR(DebiasMethod):
    """project away the low-rank subspace in which the mean embeddings of the languages differ; no text's language is needed

    (Xie, Zhao, Yu and Li 2022, "Discovering Low-rank Subspaces for Language-agnostic Multilingual Representations", EMNLP 2022,
    arXiv 2401.05792, algorithm 1.) The columns of M, shape (d, L), are the mean embeddings of L languages. Minimised over mu,
    M_s with orthonormal columns and Gamma, with mu orthogonal to M_s:

        || M - mu 1^T - M_s Gamma^T ||_F,   M_s of shape (d, rank)

    What all languages share (mu) stays, what is specific to some (M_s) goes: e becomes (I - M_s M_s^T) e.
    """

    name: ClassVar[str] = "lsar"
    is_default: ClassVar[bool] = True
    rank: int = Field(10, gt=0, description="directions that are removed; at most one fewer than there are languages")

    def fit(self, samples: Mapping[str, Sample]) -> dict[str, Correction]:
        self.check_languages(samples)
        means = np.stack([sample.vectors.mean(axis=0, dtype=np.float64) for sample in samples.values()], axis=1)
        rank = min(self.rank, means.shape[1] - 1, means.shape[0])
        centre = means.mean(axis=1, keepdims=True)
        # the best approximation of that rank, about the mean of the languages
        left, singular, right = np.linalg.svd(means - centre, full_matrices=False)
        low = centre + left[:, :rank] * singular[:rank] @ right[:rank]
        # then the point of its affine hull that is nearest to 0: all differences are orthogonal to it
        shared = np.linalg.pinv(low).T.sum(axis=1, keepdims=True)
        shared /= (shared**2).sum()
        specific = np.linalg.svd(low - shared, full_matrices=False)[0][:, :rank]
        return {EVERY: Correction(specific, np.zeros(len(means)))}
