"""The layers of an encoder: its blocks by number, and what each makes of a text. Imports torch when called.

Layer 0 is the embeddings that go into the first block, layer n what the n-th block gives. Settings of LoRA count the blocks
themselves, from 0: layer n is made by blocks 0 to n - 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from isoglot.errors import InputError
from isoglot.models.limits import transformers_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor


def count_blocks(encoder: Any) -> int:
    """How many blocks an encoder says that it has; 0 where it does not."""
    count = getattr(encoder.config, "num_hidden_layers", None)
    return count if isinstance(count, int) else 0


def blocks_of(encoder: Any) -> tuple[str, Any]:
    """(name inside the encoder, the list of its blocks). InputError where they are no list: ALBERT has one block for all."""
    import torch

    count = count_blocks(encoder)
    for name, module in encoder.named_modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == count:
            return name, module
    raise InputError(f"this encoder ({encoder.config.model_type}) has no list of blocks of which some could be chosen")


@contextmanager
def only_first(encoder: Any, count: int) -> Iterator[None]:
    """The encoder without the blocks from number `count` on: what they would compute is not needed."""
    name, blocks = blocks_of(encoder)
    owner, _, own = name.rpartition(".")
    holder = encoder.get_submodule(owner)
    setattr(holder, own, blocks[:count])
    try:
        yield
    finally:
        setattr(holder, own, blocks)


def layered_module(model: SentenceTransformer) -> Any:
    """The `Transformer` module of a model with one encoder. InputError for a model with none or several."""
    modules = transformers_of(model)
    if len(modules) != 1 or modules[0] is not next(iter(model.children())):
        number = (
            "no encoder" if not modules else "several encoders" if len(modules) > 1 else "routes around its encoder"
        )
        raise InputError(f"this model has {number}, and layers are those of one")
    return modules[0]


def pooling_note(model: SentenceTransformer) -> str:
    """What is to be said where the model itself pools otherwise than by the mean, by which layers are pooled; "" for nothing."""
    modes = {str(module.pooling_mode) for module in _poolings(model)}
    if modes == {"mean"}:
        return ""
    how = ", ".join(sorted(modes)) or "no pooling of its own"
    return f"layers are pooled by the mean over tokens; the model itself has {how}, which its output keeps"


def layer_vectors(model: SentenceTransformer, features: dict[str, Any], task: str) -> tuple[list[Tensor], Tensor]:
    """The layers of a batch of texts, each the mean over tokens, and the model's own embedding.

    Args:
        model: with one encoder.
        features: what its `preprocess` gives, on its device.
        task: "query" or "document".

    Returns:
        Of every layer from 0 a tensor of shape (n, d), and one of shape (n, dimensions of the model's vectors).
    """
    from sentence_transformers.sentence_transformer.modules import Pooling

    config = layered_module(model).model.config
    # its other modes tell nothing of early layers: a first or last token is the same in all texts there
    counts_prompt = all(module.include_prompt for module in _poolings(model))
    before = config.output_hidden_states
    config.output_hidden_states = True
    try:
        out = model(features, task=task)
    finally:
        config.output_hidden_states = before
    states = out["all_layer_embeddings"]
    pool = Pooling(states[0].shape[-1], "mean", include_prompt=counts_prompt)
    layers = [pool({**out, "token_embeddings": state})["sentence_embedding"] for state in states]
    return layers, out["sentence_embedding"][:, : model.truncate_dim]


def _poolings(model: SentenceTransformer) -> list[Any]:
    from sentence_transformers.sentence_transformer.modules import Pooling

    return [module for module in model.modules() if isinstance(module, Pooling)]
