"""Precision."""

from isoglot.evaluation.measures import MEASURES, Measure, RankedQueries
from isoglot.records import FloatArray


@MEASURES.register
class Precision(Measure):
    """P@k = relevant documents at rank k or better, over k."""

    name = "P"
    needs_cutoff = True
    mteb_name = "precision"

    def per_query(self, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
        return ranked.sum(inside) / (self.cutoff or 1)
