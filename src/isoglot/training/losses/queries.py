from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from isoglot.training.losses import LOSSES, EmbeddedBatch, ScaledTerm, classify_parallel

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register
class Queries(ScaledTerm):
    """classify each query's translations among the queries of the batch

    (Multi-way parallel contrastive learning, arXiv 2602.21543, on the side of the queries.) For a query q, the other queries T
    of its pair, which are in other languages, the queries N of all other pairs and scale s:

        L(q) = 1/|T| sum_{t in T} -log( exp(s cos(q, t)) / (exp(s cos(q, t)) + sum_{n in N} exp(s cos(q, n))) )

    A query without a translation in the batch counts as 0, so the term needs batches with several queries of a pair (`--strategy
    multiway`). Pairs that are one because they share a text (`isoglot.training.collate.join_same_texts`) are one here, too.
    """

    name: ClassVar[str] = "queries"

    def sum(self, batch: EmbeddedBatch, queries: range, passages: range) -> Tensor:
        return classify_parallel(batch.queries, batch.pairs()[0], queries, self.scale)
