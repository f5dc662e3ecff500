"""A base made ready for training: its weights in float32, those that the tuning trains trainable, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from isoglot.errors import InputError, say
from isoglot.models.facts import describe
from isoglot.models.limits import check_length
from isoglot.models.load import load_model
from isoglot.models.precision import check_bf16, computes_in_bf16
from isoglot.models.tunings import Tuning
from isoglot.processes import best_device, on_cpu, processes
from isoglot.training.fused_lora import fuse
from isoglot.training.optimizer import word_embeddings
from isoglot.training.settings import TrainSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SIMILARITY = "cosine"
"""What all loss terms see: they are given normalised embeddings."""


def prepare(settings: TrainSettings) -> tuple[SentenceTransformer, dict[str, Any]]:
    """(the base with its trainable weights, what run.json says of it).

    Raises:
        InputError: no such base, or one that cannot be trained like this.
    """
    from transformers import set_seed

    if settings.threads:
        torch.set_num_threads(settings.threads)
    bf16(settings.precision)
    set_seed(settings.plan.seed)  # the adapters' first values
    model = load_model(
        settings.base,
        query_prompt=settings.query_prompt,
        passage_prompt=settings.passage_prompt,
        dropout=settings.dropout,
        device="cpu" if processes().world > 1 and on_cpu() else None,
        dtype="float32",  # small steps would be rounded away in half precision
        trainable=True,
    )
    check_length(model, settings.max_length, "max_length")
    about = describe(model)
    _to_cosine(model, settings.base)
    own = sum(weights.numel() for weights in model.parameters())
    names = model.state_dict().keys()
    if settings.average < 1:
        settings.tuning.check_average()
    settings.tuning.prepare(model)
    if model.device.type == "cuda" and not settings.compile:
        fuse(model)
    if settings.average < 1 and type(settings.tuning).average is Tuning.average and model.state_dict().keys() != names:
        raise InputError(
            f"average: the tuning '{settings.tuning.name}' adds weights and cannot average them; leave it out"
        )
    if settings.freeze_embeddings:
        _freeze_embeddings(model)
    if not any(weights.requires_grad for weights in model.parameters()):
        raise InputError(f"{settings.base}: nothing of this model is trained with these settings")
    return model, _describe(model, settings, about, own)


def load_again(settings: TrainSettings) -> SentenceTransformer:
    """The base as it was before training, for a tuning that puts what it trained into it."""
    return load_model(settings.base, dtype="float32")


def bf16(precision: str) -> bool:
    """Whether forward and backward passes are computed in bfloat16; weights are float32 either way.

    Raises:
        InputError: that is asked for, and the device that is trained on does not compute in it.
    """
    device = best_device()
    if precision == "bf16":
        check_bf16(device)
    return precision == "bf16" or (precision == "auto" and device == "cuda" and computes_in_bf16(device))


def _to_cosine(model: SentenceTransformer, base: str) -> None:
    """The similarity that is trained becomes the model's, in place."""
    before = model.similarity_fn_name
    model.similarity_fn_name = SIMILARITY
    if before != SIMILARITY and processes().first:
        say(f"{base}: its similarity is '{before}'; it is trained for cosine similarity, and the trained model says so")


def _freeze_embeddings(model: SentenceTransformer) -> None:
    frozen = word_embeddings(model)
    if not frozen:
        raise InputError("freeze_embeddings: this model has no word embeddings that could be left out")
    for embeddings in frozen:
        embeddings.weight.requires_grad_(False)


def _describe(model: SentenceTransformer, settings: TrainSettings, about: dict[str, Any], own: int) -> dict[str, Any]:
    """The base in run.json; `about`: what it was when it was loaded; `own`: how many parameters it had before the tuning's."""
    parameters = list(model.parameters())
    tables = {embeddings.weight for embeddings in word_embeddings(model)}
    return {
        **about,
        "name": settings.base,
        "parameters": (every := sum(weights.numel() for weights in parameters)),
        "embedding_parameters": sum(weights.numel() for weights in tables),
        "added_parameters": every - own,
        "trainable_parameters": sum(weights.numel() for weights in parameters if weights.requires_grad),
        **({"max_length": settings.max_length} if settings.max_length else {}),
    }
