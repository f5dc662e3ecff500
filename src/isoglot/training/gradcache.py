"""InfoNCE for batches that do not fit into memory: gradient caching (Gao et al. 2021, arXiv 2101.06983).

1. Every column is embedded chunk by chunk without a graph; the state of the random generators is kept per chunk.
2. The loss over all embeddings gives its gradient with respect to them; no encoder is involved.
3. In the backward pass each chunk is embedded once more with a graph and the same random numbers (so that dropout draws the
   same masks), and takes its part of that gradient.

Only one chunk's activations exist at a time, for one more forward pass per step. Steps 1 and 3 are sentence-transformers'
(`CachedLossMixin`, with its care for DistributedDataParallel); the chunks here are sorted by length, each at its own width.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses.gradcache import CachedLossMixin, RandContext
from torch import Tensor

from isoglot.training.loss import (
    Columns,
    InfoNCE,
    bounded_chunks,
    gather_columns,
    info_nce,
    inverse,
    part_of,
)
from isoglot.training.unpadded import on_device

MOST_SCORES = 1 << 24
"""Scores that are held at a time: 64 MiB in float32, a few times over in the backward pass."""


class CachedInfoNCE(CachedLossMixin, InfoNCE):
    """`InfoNCE` with gradient caching: the same loss and gradients in bounded memory.

    Args:
        model, scale, symmetric: as for `InfoNCE`.
        tokens: per forward pass at most, with padding (one row may be longer).

    Inputs: as for `InfoNCE`. The returned loss has its gradients up to the embeddings already; its `backward` runs step 3.
    """

    mini_batch_size = sys.maxsize  # a column of the mixin is one of our chunks here, and is not cut further

    def __init__(self, model: SentenceTransformer, *, scale: float, symmetric: bool = False, tokens: int) -> None:
        super().__init__(model, scale=scale, symmetric=symmetric)
        self.tokens = tokens
        self._layout: list[tuple[int, Tensor | None]] = []

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:
        parts: list[dict[str, Any]] = []
        self._layout = []
        for features in sentence_features:
            cut, back = cut_column(features, self.tokens)
            parts += cut
            self._layout.append((len(cut), back))
        loss: Tensor = self.forward_cached(parts, labels)
        return loss

    def embed_minibatch(
        self,
        sentence_feature: dict[str, Any],
        begin: int,
        end: int,
        with_grad: bool,
        copy_random_state: bool,
        random_state: RandContext | None = None,
    ) -> tuple[Tensor, RandContext | None]:
        """The mixin's, for features that are one whole chunk: cutting them would ask the device for their width."""
        with nullcontext() if random_state is None else random_state, nullcontext() if with_grad else torch.no_grad():
            kept = RandContext(*sentence_feature.values()) if copy_random_state else None
            # a copy: modules put token embeddings into their features, which would keep every chunk's activations alive
            embeddings: Tensor = self.model(dict(sentence_feature))["sentence_embedding"]
        return embeddings, kept

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """The loss from the chunks' embeddings; `with_backward`: also their gradients, a block of scores at a time."""
        chunks = iter(reps)
        embeddings = []
        for count, back in self._layout:
            column = torch.cat([next(chunks)[0] for _ in range(count)])
            embeddings.append(column if back is None else column[back])
        columns = gather_columns(embeddings)
        if not with_backward:
            return self._sum(columns, backward=False)
        # the blocks share what lies below (order, all-gather): cut the graph there and go through that once
        given = columns[:3]
        leaves = [part.detach().requires_grad_() for part in given]
        loss = self._sum(Columns(leaves[0], leaves[1], leaves[2], columns.own), backward=True)
        torch.autograd.backward(list(given), [_gradient(leaf) for leaf in leaves])
        return loss

    def _sum(self, columns: Columns, *, backward: bool) -> Tensor:
        """The mean over this process's pairs, block by block."""
        size = max(1, MOST_SCORES // (len(columns.passages) + len(columns.negatives)))
        total = columns.queries.new_zeros(())
        for begin in range(columns.own.start, columns.own.stop, size):
            rows = range(begin, min(begin + size, columns.own.stop))
            part = info_nce(columns, rows, scale=self.scale, symmetric=self.symmetric) / len(columns.own)
            if backward:
                part.backward()
            total = total + part.detach()
        return total


def _gradient(leaf: Tensor) -> Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


def cut_column(features: dict[str, Any], tokens: int) -> tuple[list[dict[str, Any]], Tensor | None]:
    """Chunks of one column, and the permutation (int64, shape (n,)) that brings their rows back into order.

    Rows without `lengths` (left-padded ones) are cut as they come; None: they are in order.
    """
    features = dict(features)
    lengths: list[int] | None = features.pop("lengths", None)
    ids: Tensor = features["input_ids"]
    n, full = ids.shape
    if lengths is None:
        step = max(1, tokens // full)
        every = torch.arange(n, device=ids.device)
        return [part_of(features, every[begin : begin + step], full, n) for begin in range(0, n, step)], None
    order = sorted(range(n), key=lengths.__getitem__)
    take = on_device(torch.tensor(order), ids.device)
    bounds = bounded_chunks([lengths[row] for row in order], tokens)
    return [part_of(features, take[a:b], lengths[order[b - 1]], n) for a, b in bounds], inverse(take)
