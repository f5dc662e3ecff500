"""InfoNCE over a batch whose columns are forwarded in length-sorted chunks.

The loss is sentence-transformers' `MultipleNegativesRankingLoss` (van den Oord, Li and Vinyals 2018, arXiv 1807.03748, with
in-batch negatives): for queries q_i, passages p_j (the batch's passages, then its explicit negatives) and scale s,

    L = -1/B sum_i log( exp(s cos(q_i, p_i)) / sum_j exp(s cos(q_i, p_j)) )

and, if symmetric, the mean of this and the same with queries and passages exchanged (no negatives there).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch import Tensor

MIN_ROWS = 8
"""Chunks smaller than this cost more in overhead than they save in padding."""


class InfoNCE(MultipleNegativesRankingLoss):
    """In-batch negatives with chunked forward passes.

    Args:
        model: maps features to `sentence_embedding`, float, shape (n, d).
        scale: inverse temperature.
        symmetric: average with the loss of the other direction.
        chunks: chunks per column; 0: chosen from the lengths, 1: one padded batch as usual.

    Inputs: list of feature dicts: queries (B rows), passages (B rows), optionally negatives (any number of rows).
    """

    def __init__(self, model: SentenceTransformer, *, scale: float, symmetric: bool = False, chunks: int = 0) -> None:
        directions: Any = ("query_to_doc", "doc_to_query") if symmetric else ("query_to_doc",)
        super().__init__(
            model, scale=scale, directions=directions, partition_mode="per_direction" if symmetric else "joint"
        )
        self.chunks = chunks

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None) -> Tensor:
        embeddings = [embed_in_chunks(self.model, features, self.chunks) for features in sentence_features]
        loss: Tensor = self.compute_loss_from_embeddings(embeddings, labels)
        return loss


def embed_in_chunks(model: torch.nn.Module, features: dict[str, Any], chunks: int = 0) -> Tensor:
    """Embeddings of one column, shape (n, d), in the order of its rows.

    Rows are sorted by length, cut into chunks, and each chunk is forwarded at the width of its longest row. Mean pooling and
    attention ignore padding, so the result is that of one padded batch.

    Args:
        features: `input_ids`, `attention_mask` and the like, shape (n, width), padded on the right; `lengths`, a list of n ints
            (made by the collator, so that no device is asked for it). Without `lengths`: one padded forward pass.
    """
    features = dict(features)
    lengths: list[int] | None = features.pop("lengths", None)
    if lengths is None:
        output: Tensor = model(features)["sentence_embedding"]
        return output
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    bounds = chunk_bounds([lengths[row] for row in order], chunks)
    device = features["input_ids"].device
    take = torch.tensor(order, device=device)
    parts = []
    for begin, end in bounds:
        width = lengths[order[end - 1]]
        parts.append(model(_part(features, take[begin:end], width, len(lengths)))["sentence_embedding"])
    back = torch.empty_like(take)
    back[take] = torch.arange(len(order), device=device)
    return torch.cat(parts)[back]


def _part(features: dict[str, Any], rows: Tensor, width: int, n: int) -> dict[str, Any]:
    """Some rows of every per-token tensor, cut to `width` columns; other entries as they are."""
    return {
        key: value[rows, :width] if isinstance(value, Tensor) and value.ndim == 2 and len(value) == n else value
        for key, value in features.items()
    }


def chunk_bounds(lengths: list[int], chunks: int = 0) -> list[tuple[int, int]]:
    """Cut ascending `lengths` into consecutive chunks: [(begin, end), ...].

    With `chunks` = 0 the cuts minimise rows x width summed over chunks, plus a fixed cost per chunk that stands for the
    overhead of a forward pass (dynamic programming over multiples of `MIN_ROWS` rows).
    """
    n = len(lengths)
    if chunks > 0:
        edges = [round(number * n / chunks) for number in range(chunks + 1)]
        return [(begin, end) for begin, end in zip(edges, edges[1:]) if end > begin]
    edges = [*range(0, n, MIN_ROWS), n]
    overhead = MIN_ROWS * 6
    best: list[tuple[float, int]] = [(0.0, 0)]
    for right in range(1, len(edges)):
        best.append(
            min(
                (best[left][0] + (edges[right] - edges[left]) * lengths[edges[right] - 1] + overhead, left)
                for left in range(right)
            )
        )
    bounds = []
    right = len(edges) - 1
    while right > 0:
        left = best[right][1]
        bounds.append((edges[left], edges[right]))
        right = left
    return bounds[::-1]
