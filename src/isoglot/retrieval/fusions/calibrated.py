from __future__ import annotations

from typing import ClassVar

import numpy as np

from isoglot.errors import InputError
from isoglot.retrieval.fusions import FUSIONS, Background
from isoglot.retrieval.fusions.standardised import Scaled


@FUSIONS.register
class Calibrated(Scaled):
    """log-odds of being relevant, by logistic regression per pair of languages

    Fitted on background queries: passages of the same group are relevant, all others are not. (Platt 1999, Probabilistic Outputs
    for Support Vector Machines.) Log-odds of different languages are on one scale by construction, near the scores they were
    fitted on: slopes differ between pairs of languages, so that far down a list a flat pair's passages may crowd out others.
    """

    name: ClassVar[str] = "calibrated"

    def cell(self, background: Background, query: str, passage: str) -> tuple[float, float]:
        from sklearn.linear_model import LogisticRegression

        scores, related = background.scores(query, passage)
        both = scores.ravel().astype(np.float64)
        centre, width = both.mean(), max(both.std(), np.finfo(np.float32).tiny)
        model = LogisticRegression(C=1e3).fit((both[:, None] - centre) / width, related.ravel())
        a, b = float(model.coef_[0, 0]) / width, float(model.intercept_[0])
        if a <= 0:
            raise InputError(
                f"queries in {query} score passages of their own pair in {passage} no higher than others: nothing to calibrate on"
            )
        return a, b - a * centre
