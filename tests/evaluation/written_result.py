"""A result that is written down, not measured."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from isoglot.evaluation.results import Result


def result(model: str = "base", add: float = 0.0, distance: float = 100.0, **changes: Any) -> Result:
    """de and en; mono .8 and .6, cross .5 and .3, multi .4 and .2 in AP, plus `add`; other measures the same."""
    measures = ("AP", "R@1", "R@10", "nDCG@10", "R@100")

    def scores(value: float) -> dict[str, float]:
        return dict.fromkeys(measures, value + add)

    cross = {"de": scores(0.5), "en": scores(0.3)}
    summary: dict[str, Any] = {
        "model": model,
        "benchmark": "toy",
        "context": "sentence",
        "settings": {"mono": scores(0.7), "cross": scores(0.4), "multi": scores(0.3)},
        "bias": {
            "rank_distance": distance,
            "rank_distance_median": 10.0,
            "per_language": {"de": {"rank_distance": distance - 50}, "en": {"rank_distance": distance + 50}},
        },
        "per_language": {
            "mono": {"de": scores(0.8), "en": scores(0.6)},
            "cross": {
                "by_query": cross,
                "by_document": cross,
                "matrix": {"de": {"en": cross["de"]}, "en": {"de": cross["en"]}},
            },
            "multi": {"de": scores(0.4), "en": scores(0.2)},
        },
        "counts": {"languages": 2, "queries": {"de": 1, "en": 1}, "documents": {"de": 1, "en": 1}},
        "about": {},
        "notes": [],
        "digests": {"benchmark": "d1", "model": None},
    }
    return Result({**summary, **changes}, pa.table({}))
