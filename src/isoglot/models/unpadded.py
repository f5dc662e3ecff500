"""Texts through an encoder in one forward pass without padding, laid end to end as one stream of tokens.

Attention stays within each text; everything else in an encoder works on single tokens and does not notice. The result is that of
padded passes where attention is a plain softmax over all tokens of a text; for windows, causal masks and biases it is not, so
whoever embeds like this must hold a few texts to the model's own embeddings first.

On CUDA attention is computed by the kernels that `scaled_dot_product_attention` has for nested tensors, called directly
(FlashAttention-2, Dao 2023, arXiv 2307.08691, in half precision; the memory-efficient kernel in float32): they read where texts
begin from the device, so that a pass over any texts of one `Shape` is one CUDA graph (`isoglot.models.graphs`).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface

from isoglot.errors import InputError
from isoglot.models.graphs import Graphs
from isoglot.models.limits import most_tokens

ATTENTION = "isoglot_unpadded"
"""The name under which transformers' encoders find the attention function."""
_KEYS = ("input_ids", "token_type_ids")
_NAMED = {"cu_seq_lens_q", "max_length_q", "position_ids", "inputs_embeds"}


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **layout: Any,
) -> tuple[Tensor, None]:
    """Attention of each text to itself; the signature is that of transformers' attention functions.

    Args:
        query, key, value: float, shape (1, heads, tokens, width): texts one after the other.
        layout: `cu_seq_lens_q`, shape (texts + 1,), where each text begins, and the number of tokens at the end; int32 on CUDA.
            `max_length_q`, at least the longest text.

    Returns:
        float, shape (1, tokens, heads, width).
    """
    offsets, longest = layout["cu_seq_lens_q"], layout["max_length_q"]
    states = [flat[0].transpose(0, 1).contiguous() for flat in (query, key, value)]
    ends = (offsets, offsets, longest, longest)
    kernel = _kernel(states[0])
    if kernel == "flash":
        attended = torch.ops.aten._flash_attention_forward(*states, *ends, dropout, False, False, scale=scaling)[0]
    elif kernel == "efficient":
        rows = [flat[None] for flat in states]
        attended = torch.ops.aten._efficient_attention_forward(
            *rows, None, *ends, dropout, 0, torch.is_grad_enabled(), scale=scaling
        )[0][0]
    else:
        nested = [
            torch.nested.nested_tensor_from_jagged(flat, offsets, min_seqlen=1, max_seqlen=longest).transpose(1, 2)
            for flat in states
        ]
        mixed = torch.nn.functional.scaled_dot_product_attention(*nested, dropout_p=dropout, scale=scaling)
        attended = mixed.transpose(1, 2).values()
    return attended[None], None


def _kernel(states: Tensor) -> str:
    """Which kernel computes attention; the nested tensors' own choice where it cannot be called directly."""
    if states.device.type != "cuda" or states.shape[-1] % 8 or states.dtype not in _KERNELS:
        return "nested"
    return _KERNELS[states.dtype]


_KERNELS = {torch.bfloat16: "flash", torch.float16: "flash", torch.float32: "efficient"}


class Shape(NamedTuple):
    """What a forward pass over a stream of tokens is fixed by.

    Attributes:
        tokens: of the stream.
        texts: places for texts, some of them perhaps empty.
        longest: no text is longer.
    """

    tokens: int
    texts: int
    longest: int


def bucket(lengths: Sequence[int], most: int | None) -> Shape:
    """The shape that texts are filled up to, so that the steps of a run have a few shapes.

    The number of tokens of n random texts varies from step to step by some sqrt(n) lengths. It is rounded up to a multiple of a
    power of two from 4 sqrt(tokens) on: a filling of some 4% at 6,000 tokens, .7% at 300,000, and about five shapes in a run.

    Args:
        lengths: tokens of each text.
        most: tokens that the encoder has positions for; None: any number.
    """
    total = sum(lengths)
    step = 1 << max(4, math.ceil(math.log2(4 * math.sqrt(max(1, total)))))
    tokens = -(-total // step) * step
    # attention's kernels want it within the stream, embeddings of positions within their table
    longest = max(max(lengths), min(1 << max(6, (max(lengths) - 1).bit_length()), tokens, most or tokens))
    return Shape(tokens, len(lengths) + -(-step // longest), longest)


def passes(lengths: Sequence[int], tokens: int) -> Iterator[tuple[int, int, int, int]]:
    """(first, end, first token, end of its tokens) of consecutive texts with at most so many tokens together, or of one text."""
    ends, start = [0, *accumulate(lengths)], 0
    while start < len(lengths):
        end = max(start + 1, bisect_right(ends, ends[start] + tokens) - 1)
        yield start, end, ends[start], ends[end]
        start = end


class Unpadded:
    """Forward passes without padding.

    Args:
        model: with an encoder whose attention transformers lets one choose.

    Attributes:
        graphs: of its passes.

    Raises:
        InputError: another encoder.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        first: Any = model[0]
        encoder: Any = getattr(first, "model", None) if isinstance(first, Transformer) else None
        if not getattr(encoder, "is_backend_compatible", lambda: False)() or model.tokenizer is None:
            raise InputError("unpadded: the attention of this model cannot be chosen; train it with padding")
        self._encoder: Any = encoder
        if model.tokenizer.padding_side != "right":
            raise InputError("unpadded: this tokenizer pads on the left; train it with padding")
        AttentionInterface.register(ATTENTION, attend)
        AttentionMaskInterface.register(ATTENTION, lambda *_, **__: None)
        if first.model_forward_params is not None:  # the names of which the module hands on what it is given
            first.model_forward_params |= _NAMED
        # pooling that leaves the prompt out is told one prompt's length per forward pass, and columns have different prompts
        self._apart = any(getattr(module, "include_prompt", True) is False for module in model.modules())
        self._first_position: int = first._infer_flatten_position_offset()
        self._most = most_tokens(encoder)
        self._padding: int = model.tokenizer.pad_token_id
        self.graphs = Graphs(encoder.get_input_embeddings())

    def embed(self, model: torch.nn.Module, columns: list[dict[str, Any]]) -> list[Tensor]:
        """Embeddings of columns of texts, each of shape (n, d) in the order of its rows.

        While `graphs` are recording, a pass in training is one of its `bucket`, filled up with texts of padding.

        Args:
            model: the one given before, or that in a wrapper of mixed precision or of several processes.
            columns: features with `lengths`, a list of n ints; tensors of shape (n, width), padded on the right, or of shape
                (tokens,), laid end to end already; on any device.
        """
        if self._apart and len(columns) > 1:
            return [self.embed(model, [column])[0] for column in columns]
        device = self._encoder.device
        lengths = [length for column in columns for length in column["lengths"]]
        captured = not self._apart and self.graphs.usable(model, device)
        shape = bucket(lengths, self._most) if captured else Shape(sum(lengths), len(lengths), max(lengths))
        before = self._encoder.config._attn_implementation
        # during a forward pass only: the model is encoded with elsewhere as it was loaded
        self._encoder.config._attn_implementation = ATTENTION
        try:
            tensors, other = self._lay_out(columns, lengths, shape, device)
            run = self.graphs.run if captured else _run
            embeddings = run(model, tensors, other)[: len(lengths)]
        finally:
            self._encoder.config._attn_implementation = before
        return list(embeddings.split([len(column["lengths"]) for column in columns]))

    def _lay_out(
        self, columns: list[dict[str, Any]], lengths: list[int], shape: Shape, device: torch.device
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """(tensors on the device, other features): the tokens of all rows of all columns, and where each text begins."""
        sizes = torch.tensor(filled_up(lengths, shape))
        ends = sizes.cumsum(0)
        place = torch.arange(shape.tokens) - (ends - sizes).repeat_interleave(sizes)
        fill = {"input_ids": self._padding, "token_type_ids": 0}
        flat = [_laid_flat(column) for column in columns]
        tensors = {
            key: torch.nn.functional.pad(
                on_device(torch.cat([part[key] for part in flat]), device),
                (0, shape.tokens - sum(lengths)),
                value=fill[key],
            )[None]
            for key in _KEYS
            if key in flat[0]
        }
        tensors |= {
            "position_ids": on_device(place + self._first_position, device)[None],
            "seq_idx": on_device(torch.arange(len(sizes)).repeat_interleave(sizes), device)[None],
            "cu_seq_lens_q": on_device(
                torch.cat([ends.new_zeros(1), ends]).to(torch.int32 if device.type == "cuda" else torch.int64), device
            ),
        }
        other = {key: value for key, value in columns[0].items() if not isinstance(value, Tensor) and key != "lengths"}
        return tensors, {**other, "max_length_q": shape.longest}


def filled_up(lengths: Sequence[int], shape: Shape) -> list[int]:
    """Tokens of all texts of a stream: its own, then texts of padding, then empty ones."""
    rest, longest = shape.tokens - sum(lengths), shape.longest
    padding = [longest] * (rest // longest) + [rest % longest] * (rest % longest > 0)
    return [*lengths, *padding, *[0] * (shape.texts - len(lengths) - len(padding))]


def _laid_flat(column: dict[str, Any]) -> dict[str, Tensor]:
    """The tokens of the rows of a column one after the other, without their padding."""
    tensors = {key: column[key] for key in _KEYS if key in column}
    ids = tensors["input_ids"]
    if ids.ndim == 1:
        return tensors
    lengths = torch.tensor(column["lengths"])
    begins = (torch.arange(len(lengths)) * ids.shape[1]).repeat_interleave(lengths)
    places = torch.arange(len(begins)) - (lengths.cumsum(0) - lengths).repeat_interleave(lengths)
    chosen = on_device(begins + places, ids.device)
    return {key: value.flatten()[chosen] for key, value in tensors.items()}


def _run(model: torch.nn.Module, tensors: dict[str, Tensor], other: dict[str, Any]) -> Tensor:
    embeddings: Tensor = model({**other, **tensors})["sentence_embedding"]
    return embeddings


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device; from the CPU without waiting for it."""
    if tensor.device == device or device.type == "cpu":
        return tensor.to(device)
    return (tensor.pin_memory() if tensor.device.type == "cpu" else tensor).to(device, non_blocking=True)
