from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from isoglot.errors import InputError
from isoglot.models.debias import DEBIAS_METHODS, Correction, DebiasMethod, Sample


@DEBIAS_METHODS.register
class Shift(DebiasMethod):
    """subtract the mean difference between translations in the text's language and in one source language

    (Jang, Hong, Moon and Lim 2026, "SHIFT: Semantic Harmonization via Index-side Feature Transformation for Multilingual
    Information Retrieval", arXiv 2606.18801.) Over the n pairs that language l has in common with the source language s:

        V_l = 1/n sum_i (f(x_i in l) - f(x_i in s)),   e becomes e - a V_l

    with a the strength; V_s = 0. The paper corrects documents alone, in the index: `sides: passages`.
    """

    name: ClassVar[str] = "shift"
    per_language: ClassVar[bool] = True
    data: ClassVar[tuple[str, ...]] = ("parallel texts",)
    source: str = Field("en", description="language that all others are shifted to")

    @field_validator("source", mode="after")
    @classmethod
    def _is_a_code(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("expected a language code")
        return value

    def fit(self, samples: Mapping[str, Sample]) -> dict[str, Correction]:
        self.check_languages(samples)
        if self.source not in samples:
            raise InputError(
                f"{self.name}: no texts in the source language {self.source} (languages there: {', '.join(samples)})"
            )
        source, corrections = samples[self.source], {}
        for lang, sample in samples.items():
            _, own, theirs = np.intersect1d(sample.pairs, source.pairs, return_indices=True)
            if not len(own):
                raise InputError(f"{self.name}: no text in {lang} is a translation of one in {self.source}")
            difference = sample.vectors[own].astype(np.float64) - source.vectors[theirs]
            offset = difference.mean(axis=0)
            corrections[lang] = Correction(np.empty((len(offset), 0)), offset)
        return corrections
