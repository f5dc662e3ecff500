"""Weight averaging: one model of several, such as runs with other seeds or batches, or a trained model and its base."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.data.audit.trained import TrainedTexts, trained_of
from isoglot.errors import InputError
from isoglot.files import atomic_directory
from isoglot.models.card import write_card_of
from isoglot.models.facts import ADAPTER_OF, Loaded, describe
from isoglot.models.limits import transformers_of
from isoglot.models.mean import take_mean
from isoglot.models.tokenizer import description
from isoglot.tables import code_span

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_SAME = ("modules", "encoder", "pooling", "normalized", "similarity", "max_length", "padding_side", "inputs", "routes")
_SIDES = ("query", "document")


def average_weights(names: Sequence[str], weights: Sequence[float], output: Path, *, alike: bool = True) -> None:
    """Write the model whose weights are the weighted mean of several models' weights, computed in float32.

    (Of a model and its base: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv 2109.01903, equation 1; of
    several that were trained from one base: Wortsman et al. 2022, "Model soups", arXiv 2203.05482.)

    Args:
        names: two or more models as `load_model` takes them. Adapters are merged into their bases first: the mean is that of
            what they add to the weights. A mean of their factors A and B would be another model, as B A is no linear function.
        weights: one of each, not negative, with the sum 1.
        output: directory of the sentence-transformers model; modules, tokenizer and prompts are those of the first.
        alike: refuse models that do not embed in the same way. False: of a model and the base that it was trained from, where
            training may have set prompts and similarity.

    Raises:
        InputError: weights that are none; models that do not have the same tensors, or (see `alike`) not the same tokenizer,
            prompts, similarity, pooling or length.
    """
    check_weights(names, weights)
    model = _load(names[0])
    trained: list[TrainedTexts] = [trained_of(model)]
    merged = _is_adapter(model)

    def others() -> Iterator[tuple[str, SentenceTransformer, float]]:
        nonlocal merged
        for name, weight in zip(names[1:], weights[1:]):
            other = _load(name)
            if alike and (what := _difference(model, other)):
                raise InputError(f"cannot average {names[0]} and {name}: {what}")
            trained.append(trained_of(other))
            merged = merged or _is_adapter(other)
            yield f"{names[0]} and {name}", other, weight

    take_mean(model, weights[0], others())
    with atomic_directory(output) as path:
        model.save_pretrained(str(path), create_model_card=False)
        texts = trained[0]
        for more in trained[1:]:
            texts = texts | more
        texts.save(path)
        parts = " + ".join(f"{weight:.4g} x {code_span(name)}" for name, weight in zip(names, weights))
        how = f"The mean of the weights of several models: {parts}."
        how += " Adapters were merged into their bases first; it is no mean of their factors." if merged else ""
        write_card_of(path / "README.md", how, model.prompts)


def _load(name: str) -> SentenceTransformer:
    from isoglot.models.language_maps import record_of
    from isoglot.models.load import load_model

    model = load_model(name, device="cpu", trainable=True).float()
    if record_of(model) is not None:
        raise InputError(
            f"{name}: debiased, and a mean of corrections is none; average the models before isoglot debias"
        )
    return model


def check_weights(names: Sequence[str], weights: Sequence[float]) -> None:
    """InputError where models cannot be averaged by these weights."""
    if len(names) < 2:
        raise InputError(f"an average needs two models or more, got {len(names)}")
    if len(weights) != len(names):
        raise InputError(f"{len(weights)} weights for {len(names)} models; give one of each, in their order")
    if not all(weight >= 0 for weight in weights) or not math.isclose(sum(weights), 1.0, abs_tol=1e-6):
        shown = " ".join(f"{weight:g}" for weight in weights)
        raise InputError(
            f"weights {shown}: expected numbers that are not negative and have the sum 1, got {sum(weights):g}"
        )


def _is_adapter(model: SentenceTransformer) -> bool:
    loaded = Loaded.of(model)
    return loaded is not None and any(note.startswith(ADAPTER_OF) for note in loaded.notes)


def _difference(model: SentenceTransformer, other: SentenceTransformer) -> str:
    """What of two models gives a text other embeddings by the same weights, in words; "" for nothing."""
    about, there = describe(model), describe(other)
    for key in _SAME:
        if about.get(key) != there.get(key):
            return f"{key.replace('_', ' ')} {about.get(key)} in one and {there.get(key)} in the other"
    for side in _SIDES:
        if (prompt := model.prompts.get(side)) != (own := other.prompts.get(side)):
            return f"the prompt of a {side} is {prompt!r} in one and {own!r} in the other"
    if _tokenizers(model) != _tokenizers(other):
        return "they have other tokenizers"
    return ""


def _tokenizers(model: SentenceTransformer) -> list[Any]:
    tokenizers = (module.tokenizer for module in transformers_of(model))
    return [description(one) if hasattr(one, "backend_tokenizer") else one.get_vocab() for one in tokenizers]
