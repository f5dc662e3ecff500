from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from isoglot.training.losses import LOSSES, EmbeddedBatch, ScaledTerm, classify_parallel

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register
class Passages(ScaledTerm):
    """classify each passage's translations among the passages of the batch

    The term `queries` on the side of the passages (arXiv 2602.21543): for a passage p, the other passages T of its pair and the
    passages N of all other pairs,

        L(p) = 1/|T| sum_{t in T} -log( exp(s cos(p, t)) / (exp(s cos(p, t)) + sum_{n in N} exp(s cos(p, n))) )

    averaged over all passages; one without a translation in the batch counts as 0. Explicit negatives take no part.
    """

    name: ClassVar[str] = "passages"

    def sum(self, batch: EmbeddedBatch, queries: range, passages: range) -> Tensor:
        return classify_parallel(batch.passages, batch.pairs()[1], passages, self.scale) * batch.per_query
