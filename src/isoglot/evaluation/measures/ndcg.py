"""Normalised discounted cumulative gain."""

import numpy as np

from isoglot.evaluation.measures import MEASURES, Measure, RankedQueries
from isoglot.records import FloatArray


@MEASURES.register
class NDCG(Measure):
    """nDCG = sum_i gain_i / log2(1 + r_i) over that of the best order (Järvelin and Kekäläinen 2002; linear gains)."""

    name = "nDCG"
    default_cutoffs = (10,)
    mteb_name = "ndcg"

    def per_query(self, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
        order = np.lexsort((-ranked.gains, ranked.query))
        ideal_rank = ranked.number
        ideal_inside = 1.0 if self.cutoff is None else ideal_rank <= self.cutoff
        ideal = ranked.sum(ideal_inside * ranked.gains[order] / np.log2(1 + ideal_rank))
        return ranked.sum(inside * ranked.gains / np.log2(1 + ranked.ranks)) / ideal
