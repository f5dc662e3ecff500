from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from isoglot.training.losses import LOSSES, EmbeddedBatch, LossTerm

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register
class InfoNCE(LossTerm):
    """classify each query's passages among all passages of the batch (in-batch negatives)

    (van den Oord, Li and Vinyals 2018, arXiv 1807.03748.) For a query q with passages P of its own pair, the passages N of all
    other pairs and the explicit negatives, cosine similarity and scale s:

        L(q) = 1/|P| sum_{p in P} -log( exp(s cos(q, p)) / (exp(s cos(q, p)) + sum_{n in N} exp(s cos(q, n))) )

    so that every parallel passage is a positive and none is a negative. With one passage per pair that is the usual
    cross-entropy over the batch. If symmetric: the mean of this and the same with queries and passages exchanged.
    """

    name: ClassVar[str] = "infonce"
    is_default: ClassVar[bool] = True
    scale: float = Field(50.0, gt=0, description="inverse temperature of the cosine similarities")
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
        forth = _classify(scores, batch.query_pairs[queries.start : queries.stop], batch.passage_pairs)
        if back is None:
            return forth
        per_query = len(batch.query_pairs) / len(batch.passage_pairs)
        returned = _classify(back, batch.passage_pairs[passages.start : passages.stop], batch.query_pairs)
        return (forth + returned * per_query) / 2


def _classify(scores: Tensor, pairs: Tensor, candidate_pairs: Tensor) -> Tensor:
    """Sum over the rows of the formula; candidates beyond `candidate_pairs` are negatives of all."""
    import torch

    positive = torch.zeros_like(scores, dtype=torch.bool)
    positive[:, : len(candidate_pairs)] = pairs[:, None] == candidate_pairs[None, :]
    negatives = torch.logsumexp(scores.masked_fill(positive, -torch.inf), dim=1)
    row = positive.nonzero()[:, 0]
    hits = scores[positive]
    return ((torch.logaddexp(hits, negatives[row]) - hits) / positive.sum(dim=1)[row]).sum()
