from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from isoglot.training.losses import LOSSES, EmbeddedBatch, ScaledTerm, divergence

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register
class Rankings(ScaledTerm):
    """parallel queries rank the passages of the batch alike: the pivot-language query teaches its translations

    (After the abstract of Yang, Jiang and Baldwin 2024, arXiv 2509.06195, whose loss aligns by KL divergence how parallel
    queries rank; the paper's own formula was not at hand.) A query r ranks the passages C of the batch by

        p_r(c) = exp(s cos(r, c)) / sum_{c' in C} exp(s cos(r, c'))

    and learns from the query of its pair in the pivot language (`teacher.language`), or where the batch has none from the mean
    over all queries of its pair: L(r) = KL(p_pivot || p_r), or KL(mean p || p_r). What teaches gets no gradient; a query in the
    pivot language and one without a translation in the batch count as 0. Explicit negatives take no part. No teacher is loaded.
    """

    name: ClassVar[str] = "rankings"
    needs: ClassVar[frozenset[str]] = frozenset({"languages"})

    def sum(self, batch: EmbeddedBatch, queries: range, passages: range) -> Tensor:
        import torch

        languages, _, pivot = batch.languages()
        pairs, own = batch.pairs()[0], slice(queries.start, queries.stop)
        same = pairs[own, None] == pairs[None, :]
        in_pivot = same & (languages == pivot)[None, :]
        teaches = torch.where(in_pivot.any(dim=1, keepdim=True), in_pivot, same)
        rows = teaches.any(dim=0).nonzero()[:, 0]
        fixed = batch.queries.detach()[rows] @ batch.passages.detach().T * self.scale
        shares = teaches[:, rows].to(fixed.dtype) / teaches.sum(dim=1, keepdim=True)
        student = torch.log_softmax(batch.queries[own] @ batch.passages.T * self.scale, dim=1)
        learns = (same.sum(dim=1) > 1) & (languages[own] != pivot)
        return divergence(shares @ torch.softmax(fixed, dim=1), student)[learns].sum()
