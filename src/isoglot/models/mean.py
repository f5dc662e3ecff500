"""The weighted mean of models' weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from isoglot.errors import InputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def take_mean(
    model: SentenceTransformer, weight: float, others: Iterable[tuple[str, SentenceTransformer, float]]
) -> None:
    """Put weight x its own + the sum of weight x other into a model's floating-point tensors, in place and in their precision.

    Args:
        others: (how messages call the two models, the model, its weight); taken one at a time, so that they may be loaded late.

    Raises:
        InputError: two do not have the same tensors; nothing is changed then.
    """
    import torch

    own = model.state_dict()
    mean = {name: weight * tensor for name, tensor in own.items() if tensor.is_floating_point()}
    for names, other, share in others:
        state = other.state_dict()
        for name in sorted({**own, **state}):
            shapes = [list(tensors[name].shape) if name in tensors else "no such tensor" for tensors in (own, state)]
            if shapes[0] != shapes[1]:
                raise InputError(
                    f"cannot average {names}: tensor '{name}' is {shapes[0]} in one and {shapes[1]} in the other"
                )
        for name, tensor in mean.items():
            tensor += share * state[name].to(tensor)
    with torch.no_grad():
        for name, tensor in mean.items():
            own[name].copy_(tensor)
