"""Recall."""

from isoglot.evaluation.measures import MEASURES, Measure, RankedQueries
from isoglot.records import FloatArray


@MEASURES.register
class Recall(Measure):
    """R@k = relevant documents at rank k or better, over R."""

    name = "R"
    aliases = ("recall",)
    needs_cutoff = True
    default_cutoffs = (1, 10, 100)
    mteb_name = "recall"

    def per_query(self, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
        return ranked.sum(inside) / ranked.n_relevant
