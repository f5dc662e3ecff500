"""Average precision."""

from isoglot.evaluation.measures import MEASURES, Measure, RankedQueries
from isoglot.records import FloatArray


@MEASURES.register
class AveragePrecision(Measure):
    """AP = 1/R sum_i i / r_i, the sum over r_i <= k (Buckley and Voorhees 2000; trec_eval's map and map_cut)."""

    name = "AP"
    aliases = ("map",)
    default_cutoffs = (None,)
    mteb_name = "map"

    def per_query(self, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
        return ranked.sum(inside * ranked.number / ranked.ranks) / ranked.n_relevant
