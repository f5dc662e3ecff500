"""Words at every layer of a model, as vectors of length 1. Imports torch, so load it late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from sentence_transformers.util import batch_to_device

from isoglot.bars import tqdm
from isoglot.errors import InputError
from isoglot.models.hidden import layer_vectors
from isoglot.records import Float32Array
from isoglot.retrieval.encode import Kind, Prompt, prompt_of, unit

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_WORDS = 256  # per forward pass


def prompt_and_task(model: SentenceTransformer, prompt: Prompt) -> tuple[str | None, str]:
    """(what stands before a word, the task that `preprocess` is told)."""
    kind: Kind = "query" if prompt == "query" else "passage"
    text = "" if prompt == "none" else prompt_of(model, kind)
    return text or None, "query" if prompt == "query" else "document"


def embed_layers(
    model: SentenceTransformer, words: Sequence[str], prompt: Prompt, *, show: bool = True
) -> list[Float32Array]:
    """Every layer's vectors of words, then those that the model itself gives.

    A batch has words of equally many tokens: nothing is padded, so that a word's vectors do not depend on its neighbours.

    Args:
        model: with one encoder; it is in eval mode then.
        words: n texts.
        prompt: the one of the model that stands before each.
        show: a progress bar on stderr.

    Returns:
        float32, shape (n, d) each, rows of length 1.

    Raises:
        InputError: a model with several encoders or none; numbers that are not finite.
    """
    text, task = prompt_and_task(model, prompt)
    tokens = model.preprocess(list(words), prompt=text, task=task)["attention_mask"].sum(dim=1).numpy()
    chunks: list[list[Float32Array]] = []
    order = np.argsort(tokens, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(tokens[order])) + 1)
    model.eval()
    with (
        torch.inference_mode(),
        tqdm(total=len(words), desc="embed words", unit="word", leave=False, disable=not show) as bar,
    ):
        for group in groups:
            for start in range(0, len(group), _WORDS):
                part = [words[number] for number in group[start : start + _WORDS]]
                features = batch_to_device(model.preprocess(part, prompt=text, task=task), model.device)
                layers, output = layer_vectors(model, features, task)
                chunks.append([unit(layer.float().cpu().numpy()) for layer in (*layers, output)])
                bar.update(len(part))
    back = np.argsort(order)
    vectors = [np.concatenate(layer)[back] for layer in zip(*chunks)]
    if not all(np.isfinite(layer).all() for layer in vectors):
        raise InputError("the model gave a vector with NaN or infinity for a word")
    return vectors
