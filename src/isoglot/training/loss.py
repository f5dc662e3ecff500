"""The loss of a step: its texts are forwarded in length-sorted chunks, and terms are asked of their embeddings.

Under several processes each embeds its slice of the batch, gets the others' embeddings by an all-gather that passes gradients
back, and computes the terms of its own rows. The mean of the processes' losses is the loss of the whole batch, and the mean of
their gradients (what DistributedDataParallel makes) is its gradient.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from isoglot.models.unpadded import Unpadded, on_device
from isoglot.processes import processes
from isoglot.training.distributed import gather_pairs, gather_uneven
from isoglot.training.losses import EmbeddedBatch, LossTerm

Marks = Mapping[str, tuple[Any, Any]]
"""What is known of the rows of queries and of passages, by name; see `take_marks`."""
_MARKS = ("pairs", "languages", "pivot", "teachers")
MIN_ROWS = 8
"""Chunks smaller than this cost more in overhead than they save in padding."""

PASS_TOKENS: Mapping[str, int] = {"cpu": 48, "cuda": 1 << 16}
"""Tokens that a device could compute in the time that starting one more forward and backward pass takes.

Both with a 12-layer encoder of width 384 and LoRA. 48 was fitted on one CPU core (54 ms per pass, 1.1 ms per token). On an NVIDIA
H200 in bf16 a pass takes 40 ms, a token 0.7 microseconds (the fastest steps of results/speed/train_chunks_cuda.json):
a padded batch is one pass per column there, until its padding outweighs another 65,536 tokens.
"""


class BatchLoss(torch.nn.Module):
    """A weighted sum of loss terms with chunked forward passes.

    Args:
        model: maps features to `sentence_embedding`, float, shape (n, d).
        terms: of the loss.
        chunks: chunks per column; 0: chosen from the lengths, 1: one padded batch as usual.
        unpadded: forward all columns in one pass without padding instead.

    Inputs: list of feature dicts: queries, passages, optionally negatives (any number of rows). `pairs` (int64, shape (n,)) in
    both of the first two says which pairs the rows belong to; without it position i of both is one pair. `languages`, `pivot` and
    `teachers` are there where terms need them, see `EmbeddedBatch`.
    """

    def __init__(
        self, model: SentenceTransformer, terms: Sequence[LossTerm], *, chunks: int = 0, unpadded: bool = False
    ) -> None:
        super().__init__()
        self.model, self.terms, self.chunks = model, tuple(terms), chunks
        self._width = model.truncate_dim
        self.unpadded = Unpadded(model) if unpadded else None

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:
        columns, marks = take_marks(sentence_features)
        batch = gather_batch(self.embed(columns), marks)
        return self.sum(batch, batch.own_queries, batch.own_passages) / queries_per_process(batch)

    def embed(self, columns: list[dict[str, Any]]) -> list[Tensor]:
        """Embeddings of columns, each float, shape (n, d), as wide as the model gives them to its users."""
        if self.unpadded is not None:
            embeddings = self.unpadded.embed(self.model, columns)
        else:
            embeddings = [embed_in_chunks(self.model, features, self.chunks) for features in columns]
        return [column[:, : self._width] for column in embeddings]

    def sum(self, batch: EmbeddedBatch, queries: range, passages: range) -> Tensor:
        """The weighted sum of all terms over some rows, a scalar."""
        sums = [term.sum(batch, queries, passages) * term.weight for term in self.terms]
        return torch.stack(sums).sum() if len(sums) > 1 else sums[0]


def take_marks(sentence_features: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], Marks]:
    """(what the model is given, what is known of the rows: `pairs`, `languages`, `pivot`, `teachers` where they are there)."""
    columns = [dict(features) for features in sentence_features]
    queries, passages = ([column.pop(name, None) for name in _MARKS] for column in columns[:2])
    return columns, {name: (q, p) for name, q, p in zip(_MARKS, queries, passages) if q is not None}


def queries_per_process(batch: EmbeddedBatch) -> float:
    """What a process divides its sum by, so that the mean over the processes is the mean over all queries."""
    return len(batch.queries) / processes().world


def gather_batch(embeddings: list[Tensor], marks: Marks | None = None) -> EmbeddedBatch:
    """Normalise this process's embeddings (queries, passages, perhaps negatives) and add those of the other processes.

    Embeddings of half precision are continued in float32: at scale 50 a bfloat16 score is off by up to 0.2.
    """
    queries, passages, *more = (
        _unit_length(column.to(torch.promote_types(column.dtype, torch.float32))) for column in embeddings
    )
    negatives, _ = gather_uneven(torch.cat(more) if more else passages[:0])
    known = _gather_marks(marks or {})
    if "query_pairs" not in known:
        begin = processes().rank * len(queries)
        own = range(begin, begin + len(queries))
        return EmbeddedBatch(*gather_pairs(queries, passages), negatives, None, None, own, own, **known)
    (queries, own_queries), (passages, own_passages) = gather_uneven(queries), gather_uneven(passages)
    known |= {"own_queries": own_queries, "own_passages": own_passages}
    return EmbeddedBatch(queries, passages, negatives, **known)


def _gather_marks(marks: Marks) -> dict[str, Any]:
    """Fields of `EmbeddedBatch`: what is known of the rows of all processes."""
    known: dict[str, Any] = {}
    with torch.no_grad():
        for name, (queries, passages) in marks.items():
            if name == "pivot":
                known[name] = queries
            else:
                known |= {f"query_{name}": gather_uneven(queries)[0], f"passage_{name}": gather_uneven(passages)[0]}
    return known


def _unit_length(rows: Tensor) -> Tensor:
    """Rows of length 1. A row of zeros (a text without tokens) stays zero: its cosine with all is 0, and it gets no gradient."""
    unit = torch.nn.functional.normalize(rows, dim=1)
    return unit.masked_fill(rows.detach().eq(0).all(dim=1, keepdim=True), 0.0)


def embed_in_chunks(model: torch.nn.Module, features: dict[str, Any], chunks: int = 0) -> Tensor:
    """Embeddings of one column, shape (n, d), in the order of its rows.

    Rows are sorted by length, cut into chunks, and each chunk is forwarded at the width of its longest row. Mean pooling and
    attention ignore padding, so the result is that of one padded batch.

    Args:
        features: `input_ids`, `attention_mask` and the like, shape (n, width), padded on the right; `lengths`, a list of n ints
            (made by the collator, so that no device is asked for it). Without `lengths`: one padded forward pass.
    """
    if "lengths" not in features:
        output: Tensor = model(dict(features))["sentence_embedding"]
        return output
    overhead = PASS_TOKENS.get(features["input_ids"].device.type, PASS_TOKENS["cuda"])
    cut, back = length_chunks(features, lambda lengths: chunk_bounds(lengths, chunks, overhead))
    return torch.cat([model(chunk)["sentence_embedding"] for chunk in cut])[back]


def length_chunks(
    features: dict[str, Any], bounds: Callable[[list[int]], list[tuple[int, int]]]
) -> tuple[list[dict[str, Any]], Tensor]:
    """Chunks of the rows of one column, shortest first, each as wide as its longest row.

    Args:
        features: with `lengths`.
        bounds: cuts ascending lengths into chunks.

    Returns:
        The chunks, and the permutation (int64, shape (n,)) that brings their rows back into order.
    """
    columns = dict(features)
    lengths: list[int] = columns.pop("lengths")
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    take = on_device(torch.tensor(order), columns["input_ids"].device)
    cuts = bounds([lengths[row] for row in order])
    chunks = [rows_of(columns, take[begin:end], lengths[order[end - 1]], len(order)) for begin, end in cuts]
    return chunks, take.argsort()


def rows_of(features: dict[str, Any], rows: Tensor | slice, width: int, n: int) -> dict[str, Any]:
    """Some rows of every per-token tensor, cut to `width` columns; other entries as they are."""
    return {
        key: value[rows, :width] if isinstance(value, Tensor) and value.ndim == 2 and len(value) == n else value
        for key, value in features.items()
    }


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
        width = lengths[edges[right] - 1]
        costs = [best[left][0] + (edges[right] - edges[left]) * width + overhead for left in range(right)]
        best.append(min(zip(costs, range(right))))
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
