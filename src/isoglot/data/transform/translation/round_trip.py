"""There and back: a translation that lost what the text said does not come back as the text."""

from __future__ import annotations

import numpy as np

from isoglot.data.transform.translation.filters import Filter, Texts
from isoglot.data.transform.translation.library import Library
from isoglot.data.transform.translators import Failure
from isoglot.optional import needed
from isoglot.records import BoolArray


def round_trip_filter(library: Library, source: str, least: float) -> Filter:
    """A filter that translates back and keeps texts that come back with at least so much chrF (0 to 100, by sacrebleu).

    chrF: Popović 2015 (doi 10.18653/v1/W15-3049), the F-score of runs of 1 to 6 characters.

    Raises:
        InputError: no sacrebleu here.
    """
    chrf = needed("sacrebleu.metrics.chrf", "round_trip needs the package sacrebleu", "translate").CHRF()

    def keeps(texts: Texts, target: str) -> BoolArray:
        direction = (target, source)
        library.translate({direction: [made for _, made in texts]})

        def comes_back(text: str, made: str) -> bool:
            back = library.translation(made, direction)
            return not isinstance(back, Failure) and chrf.sentence_score(back, [text]).score >= least

        return np.array([comes_back(text, made) for text, made in texts], dtype=bool)

    return keeps
