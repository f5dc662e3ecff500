from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from isoglot.errors import InputError
from isoglot.models.debias import DEBIAS_METHODS, Correction, DebiasMethod, Sample, Sides


@DEBIAS_METHODS.register
class LIR(DebiasMethod):
    """project away the first principal directions of the embeddings of the text's language

    (Yang, Yang, Cer and Darve 2021, "A Simple and Effective Method To Eliminate the Self Language Bias in Multilingual
    Representations", EMNLP 2021, arXiv 2109.04727, section 3.) The columns of M_l, shape (d, n), are embeddings of language l,
    not centred. With M_l = U S V^T, singular values descending, and U_r the first r columns of U, e becomes

        e - U_r U_r^T e
    """

    name: ClassVar[str] = "lir"
    per_language: ClassVar[bool] = True
    sides: ClassVar[Sides] = "together"
    directions: int = Field(1, gt=0, description="that are removed from each language (the r of LIR)")

    def fit(self, samples: Mapping[str, Sample]) -> dict[str, Correction]:
        self.check_languages(samples)
        corrections = {}
        for lang, sample in samples.items():
            columns = sample.vectors.astype(np.float64).T
            if self.directions >= min(columns.shape):
                of = f"{columns.shape[1]} texts in {lang} with {columns.shape[0]} dimensions"
                raise InputError(f"{self.name}: {self.directions} directions of {of}: give fewer, or more texts")
            left = np.linalg.svd(columns, full_matrices=False)[0]
            corrections[lang] = Correction(left[:, : self.directions], np.zeros(len(columns)))
        return corrections
