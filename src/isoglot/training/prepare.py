"""A base made ready for training: its weights in float32, those that the tuning trains trainable, and no others."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import torch

from isoglot.errors import InputError
from isoglot.models.facts import describe
from isoglot.models.load import load_model
from isoglot.processes import on_cpu, processes
from isoglot.training.optimizer import word_embeddings
from isoglot.training.settings import TrainSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SIMILARITY = "cosine"
"""What all loss terms see: they are given normalised embeddings."""
_HALF = (torch.float16, torch.bfloat16)


def prepare(settings: TrainSettings) -> tuple[SentenceTransformer, dict[str, Any]]:
    """(the base with its trainable weights, what run.json says of it).

    Raises:
        InputError: no such base, or one that cannot be trained like this.
    """
    from transformers import set_seed

    if settings.threads:
        torch.set_num_threads(settings.threads)
    _check_precision(settings.precision)
    set_seed(settings.plan.seed)  # the adapters' first values
    model = load_model(
        settings.base,
        query_prompt=settings.query_prompt,
        passage_prompt=settings.passage_prompt,
        dropout=settings.dropout,
        device="cpu" if processes().world > 1 and on_cpu() else None,
    )
    notes = [_to_float32(model), _to_cosine(model)]
    if processes().first:
        print(*(f"{settings.base}: {note}" for note in notes if note), sep="\n", end="\n" * any(notes), file=sys.stderr)
    settings.tuning.prepare(model)
    if settings.freeze_embeddings:
        _freeze_embeddings(model)
    if not any(weights.requires_grad for weights in model.parameters()):
        raise InputError(f"{settings.base}: nothing of this model is trained with these settings")
    return model, _describe(model, settings)


def load_again(settings: TrainSettings) -> SentenceTransformer:
    """The base as it was before training, in float32, for a tuning that puts what it trained into it."""
    model = load_model(settings.base)
    _to_float32(model)
    return model


def bf16(precision: str) -> bool:
    """Whether forward and backward passes are computed in bfloat16; weights are float32 either way."""
    from transformers.utils import is_torch_bf16_gpu_available

    available: bool = is_torch_bf16_gpu_available()
    return precision == "bf16" or (precision == "auto" and torch.cuda.is_available() and available)


def _check_precision(precision: str) -> None:
    from transformers.utils import is_torch_bf16_gpu_available

    if precision == "bf16" and not is_torch_bf16_gpu_available():
        raise InputError("precision bf16 needs a GPU that computes in it, and there is none here: take precision=fp32")


def _to_float32(model: SentenceTransformer) -> str:
    """Weights of half precision become float32, in place: small steps would be rounded away in them. Returns what was done."""
    halves = [tensor for tensor in (*model.parameters(), *model.buffers()) if tensor.dtype in _HALF]
    for tensor in halves:
        tensor.data = tensor.data.float()
    return "stored in half precision; trained and saved in float32" if halves else ""


def _to_cosine(model: SentenceTransformer) -> str:
    """The similarity that is trained becomes the model's, in place. Returns what was done."""
    before = model.similarity_fn_name
    model.similarity_fn_name = SIMILARITY
    if before == SIMILARITY:
        return ""
    return f"its similarity is '{before}'; it is trained for cosine similarity, and the trained model says so"


def _freeze_embeddings(model: SentenceTransformer) -> None:
    frozen = word_embeddings(model)
    if not frozen:
        raise InputError("freeze_embeddings: this model has no word embeddings that could be left out")
    for embeddings in frozen:
        embeddings.weight.requires_grad_(False)


def _describe(model: SentenceTransformer, settings: TrainSettings) -> dict[str, Any]:
    """The base in run.json."""
    parameters = list(model.parameters())
    limit = settings.max_length or model.max_seq_length
    return {
        "name": settings.base,
        "parameters": sum(weights.numel() for weights in parameters),
        "trainable_parameters": sum(weights.numel() for weights in parameters if weights.requires_grad),
        "prompts": {"query": model.prompts["query"], "passage": model.prompts["document"]},
        "max_length": limit if limit is not None and math.isfinite(limit) else None,
        "facts": describe(model),
    }
