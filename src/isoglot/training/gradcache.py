"""Losses of batches that do not fit into memory: gradient caching (Gao et al. 2021, arXiv 2101.06983).

1. Every column is embedded chunk by chunk without a graph; the state of the random generators is kept per chunk.
2. The loss over all embeddings gives its gradient with respect to them; no encoder is involved.
3. In the backward pass each chunk is embedded once more with a graph and the same random numbers (so that dropout draws the
   same masks), and takes its part of that gradient.

Only one chunk's activations exist at a time, for one more forward pass per step. Steps 1 and 3 are sentence-transformers'
(`CachedLossMixin`, with its care for DistributedDataParallel); the chunks here are sorted by length, each at its own width,
or laid end to end without padding.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses.gradcache import CachedLossMixin, RandContext
from torch import Tensor

from isoglot.models.unpadded import passes
from isoglot.training.loss import (
    BatchLoss,
    Marks,
    bounded_chunks,
    gather_batch,
    length_chunks,
    queries_per_process,
    rows_of,
    take_marks,
)
from isoglot.training.losses import EmbeddedBatch, LossTerm

MOST_SCORES = 1 << 24
"""Scores that are held at a time: 64 MiB in float32, a few times over in the backward pass."""


class CachedBatchLoss(CachedLossMixin, BatchLoss):
    """`BatchLoss` with gradient caching: the same loss and gradients in bounded memory.

    Args:
        model, terms, unpadded: as for `BatchLoss`.
        tokens: per forward pass at most, with padding where there is any (one row may be longer).

    Inputs: as for `BatchLoss`. The returned loss has its gradients up to the embeddings already; its `backward` runs step 3.
    """

    mini_batch_size = sys.maxsize  # a column of the mixin is one of our chunks here, and is not cut further

    def __init__(
        self, model: SentenceTransformer, terms: Sequence[LossTerm], *, tokens: int, unpadded: bool = False
    ) -> None:
        super().__init__(model, terms, unpadded=unpadded)
        self.tokens = tokens
        self._layout: list[tuple[int, Tensor | None]] = []
        self._marks: Marks = {}

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:
        columns, self._marks = take_marks(sentence_features)
        cut_one = cut_column if self.unpadded is None else cut_stream
        cut = [cut_one(features, self.tokens) for features in columns]
        self._layout = [(len(chunks), back) for chunks, back in cut]
        loss: Tensor = self.forward_cached([chunk for chunks, _ in cut for chunk in chunks], labels)
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
            if self.unpadded is not None:
                return self.unpadded.embed(self.model, [sentence_feature])[0], kept
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
            column = torch.cat([next(chunks)[0] for _ in range(count)])[:, : self._width]
            embeddings.append(column if back is None else column[back])
        batch = gather_batch(embeddings, self._marks)
        if not with_backward:
            return self._mean(batch, backward=False)
        # the blocks share what lies below (order, all-gather): cut the graph there and go through that once
        given = batch[:3]
        leaves = [column.detach().requires_grad_() for column in given]
        queries, passages, negatives = leaves
        loss = self._mean(batch._replace(queries=queries, passages=passages, negatives=negatives), backward=True)
        gradients = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
        torch.autograd.backward(list(given), gradients)
        return loss

    def _mean(self, batch: EmbeddedBatch, *, backward: bool) -> Tensor:
        """The loss over this process's rows, block by block."""
        size = max(1, MOST_SCORES // max(1, len(batch.passages) + len(batch.negatives)))
        n_blocks = max(1, -(-max(len(batch.own_queries), len(batch.own_passages)) // size))
        total = batch.queries.new_zeros(())
        for block in range(n_blocks):
            queries, passages = (
                rows[len(rows) * block // n_blocks : len(rows) * (block + 1) // n_blocks]
                for rows in (batch.own_queries, batch.own_passages)
            )
            loss = self.sum(batch, queries, passages) / queries_per_process(batch)
            if backward:
                loss.backward()
            total = total + loss.detach()
        return total


def cut_column(features: dict[str, Any], tokens: int) -> tuple[list[dict[str, Any]], Tensor | None]:
    """Chunks of one column, and the permutation (int64, shape (n,)) that brings their rows back into order.

    Rows without `lengths` (left-padded ones) are cut as they come; None: they are in order.
    """
    if "lengths" in features:
        return length_chunks(features, lambda lengths: bounded_chunks(lengths, tokens))
    ids: Tensor = features["input_ids"]
    if ids.ndim == 1:  # texts laid end to end, which are read from a table: nothing to save
        return [features], None
    n, width = ids.shape
    step = max(1, tokens // width)
    rows = torch.arange(n, device=ids.device)
    return [rows_of(features, rows[begin : begin + step], width, n) for begin in range(0, n, step)], None


def cut_stream(features: dict[str, Any], tokens: int) -> tuple[list[dict[str, Any]], None]:
    """Chunks of one column for passes without padding, in the order of its rows, each with its `lengths`."""
    columns = dict(features)
    lengths: list[int] = columns.pop("lengths")
    width = columns["input_ids"].shape[1]
    return [
        {**rows_of(columns, slice(begin, end), width, len(lengths)), "lengths": lengths[begin:end]}
        for begin, end, *_ in passes(lengths, tokens)
    ], None
