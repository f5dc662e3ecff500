"""Weight averaging: a model between a trained one and the base that it was trained from."""

from __future__ import annotations

from pathlib import Path

from isoglot.data.audit.trained import trained_of
from isoglot.errors import InputError
from isoglot.files import atomic_directory


def average_weights(trained: str, base: str, share: float, output: Path) -> None:
    """Write the model whose weights are share x trained + (1 - share) x base, computed in float32.

    (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv 2109.01903, equation 1, there as alpha.)

    Args:
        trained, base: models as `load_model` takes them; adapters are merged first.
        share: of the trained weights, 0 to 1.
        output: directory of the sentence-transformers model; modules, tokenizer and prompts are those of `trained`.

    Raises:
        InputError: the two do not have the same tensors.
    """
    import torch

    from isoglot.models.load import load_model

    model, other = (load_model(name, device="cpu").float() for name in (trained, base))
    weights, start = model.state_dict(), other.state_dict()
    for name in sorted({**weights, **start}):
        shapes = [list(state[name].shape) if name in state else "no such tensor" for state in (weights, start)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"cannot average {trained} and {base}: tensor '{name}' is {shapes[0]} in one and {shapes[1]} in the other"
            )
    with torch.no_grad():
        for name, tensor in weights.items():
            if tensor.is_floating_point():
                tensor.copy_(share * tensor + (1.0 - share) * start[name])
    with atomic_directory(output) as path:
        model.save_pretrained(str(path), create_model_card=False)
        (trained_of(model) | trained_of(other)).save(path)
