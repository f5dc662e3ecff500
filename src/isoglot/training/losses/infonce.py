from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from isoglot.training.losses import LOSSES, EmbeddedBatch, ScaledTerm, classify

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register
class InfoNCE(ScaledTerm):
    """classify each query's passages among all passages of the batch (in-batch negatives)

    (van den Oord, Li and Vinyals 2018, arXiv 1807.03748.) For a query q with passages P of its own pair, the passages N of all
    other pairs and the explicit negatives, cosine similarity and scale s:

        L(q) = 1/|P| sum_{p in P} -log( exp(s cos(q, p)) / (exp(s cos(q, p)) + sum_{n in N} exp(s cos(q, n))) )

    so that every parallel passage is a positive and none is a negative. With one passage per pair that is the usual
    cross-entropy over the batch. If symmetric: the mean of this and the same with queries and passages exchanged.
    """

    name: ClassVar[str] = "infonce"
    is_default: ClassVar[bool] = True
    symmetric: bool = Field(False, description="also classify queries given passages, and average both losses")

    def sum(self, batch: EmbeddedBatch, queries: range, passages: range) -> Tensor:
        import torch

        candidates = torch.cat([batch.passages, batch.negatives])
        scores = batch.queries[queries.start : queries.stop] @ candidates.T * self.scale
        back = batch.passages[passages.start : passages.stop] @ batch.queries.T * self.scale if self.symmetric else None
        if batch.query_pairs is None or batch.passage_pairs is None:
            own = torch.arange(queries.start, queries.stop, device=scores.device)
            normaliser = torch.logsumexp(scores, dim=1)
            if back is not None:
                normaliser = (normaliser + torch.logsumexp(back, dim=1)) / 2
            return (normaliser - scores.gather(1, own[:, None])[:, 0]).sum()
        positive = torch.zeros_like(scores, dtype=torch.bool)  # explicit negatives are negatives of all
        own_pairs = batch.query_pairs[queries.start : queries.stop]
        positive[:, : len(batch.passages)] = own_pairs[:, None] == batch.passage_pairs[None, :]
        forth = classify(scores, positive)
        if back is None:
            return forth
        passage_pairs = batch.passage_pairs[passages.start : passages.stop]
        returned = classify(back, passage_pairs[:, None] == batch.query_pairs[None, :])
        return (forth + returned * batch.per_query) / 2
