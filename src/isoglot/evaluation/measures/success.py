"""Success."""

from isoglot.evaluation.measures import MEASURES, Measure, RankedQueries
from isoglot.records import FloatArray


@MEASURES.register
class Success(Measure):
    """Success@k = 1 where r_1 <= k, else 0."""

    name = "Success"
    needs_cutoff = True
    mteb_name = "hit_rate"

    def per_query(self, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
        return inside[ranked.indptr[:-1]]
