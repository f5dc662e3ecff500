"""InfoNCE over a batch whose columns are forwarded in length-sorted chunks.

In-batch negatives (van den Oord, Li and Vinyals 2018, arXiv 1807.03748): for queries q_i, passages p_j (the batch's passages,
then its explicit negatives) and scale s,

    L = -1/B sum_i log( exp(s cos(q_i, p_i)) / sum_j exp(s cos(q_i, p_j)) )

and, if symmetric, the mean of this and the same with queries and passages exchanged (no negatives there).

Under several processes B counts the rows of all of them: each process embeds its slice of the batch, gets the others'
embeddings by an all-gather that passes gradients back, and computes the terms of its own rows. The mean of the processes'
losses is L, and the mean of their gradients (what DistributedDataParallel makes) is the gradient of L.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from isoglot.processes import processes
from isoglot.training.distributed import gather_pairs, gather_uneven
from isoglot.training.unpadded import Unpadded, on_device

MIN_ROWS = 8
"""Chunks smaller than this cost more in overhead than they save in padding."""

PASS_TOKENS: Mapping[str, int] = {"cpu": 48, "cuda": 1 << 16}
"""Tokens that a device could compute in the time that starting one more forward and backward pass takes.

Both with a 12-layer encoder of width 384 and LoRA. 48 was fitted on one CPU core (54 ms per pass, 1.1 ms per token). On an NVIDIA
H200 in bf16 a pass takes 40 ms, a token 0.7 microseconds (the fastest steps of results/speed/train_chunks_cuda.json):
a batch is one pass per column, until its padding outweighs another 65,536 tokens.
"""


class Columns(NamedTuple):
    """Normalised embeddings of one step, of all processes.

    Attributes:
        queries, passages: float, shape (B, d); position i of both is one pair.
        negatives: float, shape (n, d); n may be 0.
        own: which of the B pairs are this process's.
    """

    queries: Tensor
    passages: Tensor
    negatives: Tensor
    own: range


class InfoNCE(torch.nn.Module):
    """In-batch negatives with chunked forward passes.

    Args:
        model: maps features to `sentence_embedding`, float, shape (n, d).
        scale: inverse temperature.
        symmetric: average with the loss of the other direction.
        chunks: chunks per column; 0: chosen from the lengths, 1: one padded batch as usual.
        unpadded: forward all columns in one pass without padding instead.

    Inputs: list of feature dicts: queries (B rows), passages (B rows), optionally negatives (any number of rows).
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        scale: float,
        symmetric: bool = False,
        chunks: int = 0,
        unpadded: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.scale = scale
        self.symmetric = symmetric
        self.chunks = chunks
        self._unpadded = Unpadded(model) if unpadded else None

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:
        given = list(sentence_features)
        if self._unpadded is not None:
            embeddings = self._unpadded.embed(self.model, given)
        else:
            embeddings = [embed_in_chunks(self.model, features, self.chunks) for features in given]
        columns = gather_columns(embeddings)
        return info_nce(columns, columns.own, scale=self.scale, symmetric=self.symmetric) / len(columns.own)


def gather_columns(embeddings: list[Tensor]) -> Columns:
    """Normalise this process's embeddings (queries, passages, perhaps negatives) and add those of the other processes.

    Embeddings of half precision are continued in float32: at scale 50 a bfloat16 score is off by up to 0.2.
    """
    queries, passages, *more = (
        torch.nn.functional.normalize(part.to(torch.promote_types(part.dtype, torch.float32)), dim=1)
        for part in embeddings
    )
    negatives = torch.cat(more) if more else passages[:0]
    begin = processes().rank * len(queries)
    own = range(begin, begin + len(queries))
    return Columns(*gather_pairs(queries, passages), gather_uneven(negatives), own)


def info_nce(columns: Columns, rows: range, *, scale: float, symmetric: bool) -> Tensor:
    """Sum over the pairs `rows` of the terms of the module's formula, a scalar."""
    begin, end = rows.start, rows.stop
    own = torch.arange(begin, end, device=columns.queries.device)
    candidates = torch.cat([columns.passages, columns.negatives])
    scores = columns.queries[begin:end] @ candidates.T * scale
    normaliser = torch.logsumexp(scores, dim=1)
    if symmetric:
        back = columns.passages[begin:end] @ columns.queries.T * scale
        normaliser = (normaliser + torch.logsumexp(back, dim=1)) / 2
    total: Tensor = (normaliser - scores.gather(1, own[:, None])[:, 0]).sum()
    return total


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
    device = features["input_ids"].device
    bounds = chunk_bounds([lengths[row] for row in order], chunks, PASS_TOKENS.get(device.type, PASS_TOKENS["cuda"]))
    take = on_device(torch.tensor(order), device)
    parts = [
        model(part_of(features, take[begin:end], lengths[order[end - 1]], len(lengths)))["sentence_embedding"]
        for begin, end in bounds
    ]
    return torch.cat(parts)[inverse(take)]


def part_of(features: dict[str, Any], rows: Tensor, width: int, n: int) -> dict[str, Any]:
    """Some rows of every per-token tensor, cut to `width` columns; other entries as they are."""
    return {
        key: value[rows, :width] if isinstance(value, Tensor) and value.ndim == 2 and len(value) == n else value
        for key, value in features.items()
    }


def inverse(order: Tensor) -> Tensor:
    """The permutation that undoes `order`: int64, shape (n,)."""
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order), device=order.device)
    return back


def chunk_bounds(lengths: list[int], chunks: int = 0, overhead: int = PASS_TOKENS["cpu"]) -> list[tuple[int, int]]:
    """Cut ascending `lengths` into consecutive chunks: [(begin, end), ...].

    With `chunks` = 0 the cuts minimise rows x width summed over chunks, plus a fixed cost per chunk that stands for the
    overhead of a forward pass (dynamic programming over about 50 places, every `MIN_ROWS` rows in large batches).

    Args:
        overhead: that cost, in tokens; see `PASS_TOKENS`.
    """
    n = len(lengths)
    if chunks > 0:
        edges = [round(number * n / chunks) for number in range(chunks + 1)]
        return [(begin, end) for begin, end in zip(edges, edges[1:]) if end > begin]
    edges = [*range(0, n, min(MIN_ROWS, max(1, n // 50))), n]
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


def bounded_chunks(lengths: list[int], tokens: int) -> list[tuple[int, int]]:
    """Cut ascending `lengths` into consecutive chunks of at most `tokens` tokens with padding: [(begin, end), ...].

    A single row may be longer than `tokens`. Rows of less than half a chunk's width are left to the next chunk, as long as
    this one keeps `MIN_ROWS` rows.
    """
    bounds = []
    end = len(lengths)
    while end > 0:
        width = max(1, lengths[end - 1])
        begin = max(0, end - max(1, tokens // width))
        begin = max(begin, min(end - MIN_ROWS, bisect_left(lengths, (width + 1) // 2)))
        bounds.append((begin, end))
        end = begin
    return bounds[::-1]
