"""All rows of a step in one forward pass without padding, laid end to end.

Attention stays within each row: it is computed by `scaled_dot_product_attention` over nested tensors, which on CUDA uses flash
attention in half precision, without a further package. Everything else in an encoder works on single tokens and does not
notice. The result is that of padded passes where attention is a plain softmax over all tokens of a row; for windows, causal masks
and biases it is not, and `agreement.check_base` refuses an encoder for which it is not.
"""

from __future__ import annotations

from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface

from isoglot.errors import InputError

ATTENTION = "isoglot_unpadded"
"""The name under which transformers' encoders find the attention function."""


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
    """Attention of each row to itself; the signature is that of transformers' attention functions.

    Args:
        query, key, value: float, shape (1, heads, tokens, width): rows one after the other.
        layout: `cu_seq_lens_q`, int64 (rows + 1,), where each row begins, and the number of tokens at the end;
            `max_length_q`, the longest row.

    Returns:
        float, shape (1, tokens, heads, width).
    """
    offsets, longest = layout["cu_seq_lens_q"], layout["max_length_q"]

    def rows(flat: Tensor) -> Tensor:
        by_token = flat[0].transpose(0, 1).contiguous()
        nested: Tensor = torch.nested.nested_tensor_from_jagged(by_token, offsets, min_seqlen=1, max_seqlen=longest)
        return nested.transpose(1, 2)

    attended = torch.nn.functional.scaled_dot_product_attention(
        rows(query), rows(key), rows(value), dropout_p=dropout, scale=scaling
    )
    return attended.transpose(1, 2).values()[None], None


class Unpadded:
    """Forward passes without padding.

    Args:
        model: with an encoder whose attention transformers lets one choose.

    Raises:
        InputError: another encoder.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        first: Any = model[0]
        encoder: Any = getattr(first, "model", None) if isinstance(first, Transformer) else None
        if not getattr(encoder, "is_backend_compatible", lambda: False)() or model.tokenizer is None:
            raise InputError("unpadded: the attention of this model cannot be chosen; train it with padding")
        self._config: Any = encoder.config
        if model.tokenizer.padding_side != "right":
            raise InputError("unpadded: this tokenizer pads on the left; train it with padding")
        AttentionInterface.register(ATTENTION, attend)
        AttentionMaskInterface.register(ATTENTION, lambda *_, **__: None)
        if first.model_forward_params is not None:  # the names of which the module hands on what it is given
            first.model_forward_params |= {"cu_seq_lens_q", "max_length_q", "position_ids"}
        # pooling that leaves the prompt out is told one prompt's length per forward pass, and columns have different prompts
        self._apart = any(getattr(module, "include_prompt", True) is False for module in model.modules())
        self._first_position: int = first._infer_flatten_position_offset()

    def embed(self, model: torch.nn.Module, columns: list[dict[str, Any]]) -> list[Tensor]:
        """Embeddings of the columns of a step, each of shape (n, d) in the order of its rows.

        Args:
            model: the one given before, or that in a wrapper of several processes.
            columns: features as the collator gives them, with `lengths`.
        """
        if self._apart and len(columns) > 1:
            return [self.embed(model, [column])[0] for column in columns]
        before = self._config._attn_implementation
        # during a forward pass only: the model is encoded with elsewhere as it was loaded
        self._config._attn_implementation = ATTENTION
        try:
            embeddings: Tensor = model(self._lay_out(columns))["sentence_embedding"]
        finally:
            self._config._attn_implementation = before
        return list(embeddings.split([len(column["lengths"]) for column in columns]))

    def _lay_out(self, columns: list[dict[str, Any]]) -> dict[str, Any]:
        """One row without padding: the tokens of all rows of all columns, and where each row begins."""
        device = columns[0]["input_ids"].device
        lengths = torch.tensor([length for column in columns for length in column["lengths"]])
        widths = torch.tensor([column["input_ids"].shape[1] for column in columns for _ in column["lengths"]])
        ends = lengths.cumsum(0)
        position = torch.arange(int(ends[-1])) - (ends - lengths).repeat_interleave(lengths)
        chosen = on_device((widths.cumsum(0) - widths).repeat_interleave(lengths) + position, device)
        layout: dict[str, Any] = {
            key: torch.cat([column[key].flatten() for column in columns])[chosen][None]
            for key in ("input_ids", "token_type_ids")
            if key in columns[0]
        }
        other = {key: value for key, value in columns[0].items() if not isinstance(value, Tensor) and key != "lengths"}
        return {
            **other,
            **layout,
            "position_ids": on_device(position + self._first_position, device)[None],
            "seq_idx": on_device(torch.arange(len(lengths)).repeat_interleave(lengths), device)[None],
            "cu_seq_lens_q": on_device(torch.cat([ends.new_zeros(1), ends]), device),
            "max_length_q": int(lengths.max()),
        }


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device, without waiting for it."""
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)
