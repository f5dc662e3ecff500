from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from isoglot.models.debias import DEBIAS_METHODS, Correction, DebiasMethod, Sample


@DEBIAS_METHODS.register
class Centring(DebiasMethod):
    """subtract the mean embedding of the text's language

    (Libovicky, Rosa and Fraser 2020, "On the Language Neutrality of Pre-trained Multilingual Representations", Findings of EMNLP
    2020, arXiv 2004.05160, section 4.) e becomes e - m_l, m_l the mean embedding of the texts of its language l.
    """

    name: ClassVar[str] = "centring"
    per_language: ClassVar[bool] = True

    def fit(self, samples: Mapping[str, Sample]) -> dict[str, Correction]:
        self.check_languages(samples)
        means = {lang: sample.vectors.mean(axis=0, dtype=np.float64) for lang, sample in samples.items()}
        return {lang: Correction(np.empty((len(mean), 0)), mean) for lang, mean in means.items()}
