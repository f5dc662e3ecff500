"""Texts through a plain SentenceTransformer, in batches of texts with equally many tokens. Imports torch, so load it late.

`SentenceTransformer.encode` sorts by characters, tokenises batch by batch and pads every batch to its longest text. Here a
window of texts is tokenised at once and sorted by tokens, and a batch is cut by its padded tokens and its padding, not by
rows. On a GPU see `isoglot.retrieval.streams`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Router, Transformer

from isoglot.errors import InputError
from isoglot.records import Float32Array, IntArray

TOKENS_PER_ROW = 64
"""Padded tokens of a batch, per row that was asked for: 64 rows of 64 tokens, 16 of 256, 256 of 16."""
# the share of a batch that padding may take, unless the batch would be smaller than a quarter of the rows asked for
_PADDING = 0.04
_KEYS = {"input_ids", "attention_mask", "token_type_ids"}
_NOTES = {"modality", "prompt_length"}


def is_plain(model: Any) -> bool:
    """Whether `forward` gives what `encode_query` and `encode_document` give: a known class with known modules, in one place.

    Not so where a subclass or an instance has its own `encode`, texts are packed without padding (flash attention), queries are
    filled up to a length, or several devices share the work.
    """
    own = {"encode", "encode_query", "encode_document", "preprocess"}
    if type(model) is not SentenceTransformer or own & vars(model).keys():
        return False
    kinds = [type(module) for module in model.children()]
    routed = [module.sub_modules.values() for module in list(model.children())[1:] if isinstance(module, Router)]
    kinds += [type(module) for routes in routed for route in routes for module in route]
    if len(kinds) < 2 or kinds[0] is not Transformer or not set(kinds[1:]) <= {Pooling, Dense, Normalize, Router}:
        return False
    first: Any = model[0]
    return (
        model.get_backend() in ("torch", "onnx")
        and set(first.modality_config) == {"text"}
        and not first.can_flatten_inputs
        and first.query_expansion is None
        and getattr(model, "_distributed_inference", None) is None
        and getattr(first.model, "hf_device_map", None) is None
        and model.device.type in ("cpu", "cuda", "mps")
        and all(parameter.device == model.device for parameter in model.parameters())
    )


def forward(
    model: Any, texts: Sequence[str], prompt: str, task: str, batch_size: int, done: Callable[[int], Any]
) -> Float32Array | None:
    """Sentence embeddings as the model gives them, float32, shape (n, d); None if its tokenizer does something unusual.

    Args:
        model: one for which `is_plain` holds.
        texts: one window, of about one length.
        prompt: put before each text.
        task: "query" or "document": whose length is used; of a model with routes behind its encoder, one of these.
        batch_size: the tokens of a batch are 64 times as many.
        done: called with the number of texts of every batch that was computed.

    Raises:
        InputError: a text has no token.
    """
    features = dict(model.preprocess(list(texts), prompt=prompt, task=task.partition("-")[0]))
    padded = _lengths(features, len(texts))
    if padded is None:
        return None
    lengths, left = padded
    check_tokens(lengths, texts)
    order = np.argsort(-lengths, kind="stable")
    embeddings = []
    model.eval()
    with torch.inference_mode():
        # padding on the left can move the positions of a text's tokens: its vector would depend on the batch
        for start, end in batches(lengths[order], batch_size, padding=0.0 if left else _PADDING):
            rows = torch.from_numpy(order[start:end])
            width = int(lengths[order[start]])
            columns = slice(-width, None) if left else slice(width)
            batch = {key: features[key][rows, columns].to(model.device) for key in _KEYS & features.keys()}
            out = model({**batch, **{key: features[key] for key in _NOTES & features.keys()}}, task=task)
            embeddings.append(out["sentence_embedding"][:, : model.truncate_dim].float())
            done(end - start)
        vectors: Float32Array = torch.cat(embeddings).cpu().numpy()
    return vectors[np.argsort(order)]


def check_tokens(lengths: IntArray, texts: Sequence[str]) -> None:
    """InputError for a text without a token."""
    if not lengths.all():
        raise InputError(f"the model's tokenizer makes no token of the text {texts[int(lengths.argmin())][:80]!r}")


def batches(lengths: IntArray, batch_size: int, padding: float = _PADDING) -> Iterator[tuple[int, int]]:
    """(first, end) of batches of texts with so many tokens (descending), shape (n,).

    A batch has at most `batch_size` x 64 padded tokens (or one text), and ends early rather than pad more than that share of
    them, once it has a quarter of its rows; where nothing may be padded, all of its texts are equally long.
    """
    start, n = 0, len(lengths)
    while start < n:
        width = max(1, int(lengths[start]))
        most = min(n - start, max(1, batch_size * TOKENS_PER_ROW // width))
        tokens = np.cumsum(lengths[start : start + most])
        padded = width * np.arange(1, most + 1)
        fits = np.flatnonzero(tokens >= (1 - padding) * padded)
        rows = max(int(fits[-1]) + 1, min(most, max(1, most // 4)) if padding else 1)
        yield start, start + rows
        start += rows


def _lengths(features: dict[str, Any], n: int) -> tuple[IntArray, bool] | None:
    """Tokens of every text, shape (n,), and whether padding is on the left; None where the features are not padded texts."""
    if not {"input_ids", "attention_mask"} <= features.keys() or features.keys() - _KEYS - _NOTES:
        return None
    mask = features["attention_mask"]
    tensors = [features[key] for key in _KEYS & features.keys()]
    if not all(isinstance(tensor, torch.Tensor) and tensor.shape == mask.shape for tensor in tensors):
        return None
    if mask.shape[:-1] != (n,):
        return None
    steps = mask.diff(dim=1)
    right, left = bool((steps <= 0).all()), bool((steps >= 0).all())
    lengths: IntArray = mask.sum(dim=1).numpy().astype(np.int64)
    return (lengths, not right) if right or left else None
