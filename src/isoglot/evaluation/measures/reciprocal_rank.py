"""Reciprocal rank."""

from isoglot.evaluation.measures import MEASURES, Measure, RankedQueries
from isoglot.records import FloatArray


@MEASURES.register
class ReciprocalRank(Measure):
    """RR = 1 / r_1, and 0 where r_1 > k (Kantor and Voorhees 2000)."""

    name = "RR"
    aliases = ("mrr",)
    mteb_name = "mrr"

    def per_query(self, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
        return inside[ranked.indptr[:-1]] / ranked.best
