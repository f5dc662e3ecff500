"""The training of an injection: triplets of words at one layer. Imports torch, so load it late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from sentence_transformers.util import batch_to_device
from torch import Tensor

from isoglot.bars import tqdm
from isoglot.data.lexicons.word_pairs import WordPairs
from isoglot.models.hidden import layer_vectors, layered_module, only_first
from isoglot.records import IntArray
from isoglot.retrieval.layers import prompt_and_task
from isoglot.training.finite import NotFiniteError
from isoglot.training.injection.settings import InjectSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_MAX_GRADIENT_NORM = 1.0


def train_layer(
    model: SentenceTransformer, every: Sequence[WordPairs], layer: int, asked: InjectSettings, *, show: bool
) -> list[float]:
    """Train what of a model is trainable on triplets (word, its translation, that of another word) at a layer, in place.

    The blocks above the layer are left out of the forward pass. Losses are those of the steps, in their order.

    Raises:
        NotFiniteError: a loss that is not finite.
    """
    random = np.random.default_rng(asked.seed)
    steps = [step for _ in range(asked.epochs) for step in _epoch(every, asked.batch_size, random)]
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=asked.learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=len(steps))
    losses: list[float] = []
    model.train()
    with only_first(layered_module(model).model, layer + 1), tqdm(steps, desc="inject", disable=not show) as bar:
        for pairs in bar:
            loss = triplet_loss(*_embed(model, pairs, layer, asked), _negatives(pairs).to(model.device), asked.margin)
            losses.append(float(loss.detach()))
            if not np.isfinite(losses[-1]):
                raise NotFiniteError(
                    f"the loss of step {len(losses)} is not finite: lower the learning rate; nothing is kept"
                )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, _MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            bar.set_postfix(loss=f"{losses[-1]:.4f}", refresh=False)
    model.eval()
    return losses


def triplet_loss(words: Tensor, translations: Tensor, negatives: Tensor, margin: float) -> Tensor:
    """The mean over words of max(0, margin - cos(word, translation) + cos(word, negative)), a scalar.

    (Schroff, Kalenichenko and Philbin 2015, arXiv 1503.03832, equation 3, there with squared distances, which are 2 - 2 cos.)

    Args:
        words, translations: float, shape (n, d).
        negatives: int64, shape (n,): the row of the translation that is to be farther away.
    """
    right = torch.cosine_similarity(words, translations)
    wrong = torch.cosine_similarity(words, translations[negatives])
    return torch.relu(margin - right + wrong).mean()


def _epoch(every: Sequence[WordPairs], size: int, random: np.random.Generator) -> Iterator[WordPairs]:
    """All pairs once, in batches of one pair of languages and of about equal size."""
    batches = [
        pairs.take(rows)
        for pairs in every
        for rows in np.array_split(random.permutation(len(pairs)), max(1, len(pairs) // size))
    ]
    return (batches[number] for number in random.permutation(len(batches)))


def _negatives(pairs: WordPairs) -> Tensor:
    """For every pair the next one of the batch whose translation is none of the word's own, shape (n,); batches are shuffled."""
    keys, n = pairs.keys(), len(pairs)
    rows: IntArray = np.arange(n)
    for row in range(n):
        others = ((row + step) % n for step in range(1, n))
        rows[row] = next((other for other in others if keys[other] not in pairs.accepted[row]), (row + 1) % n)
    return torch.from_numpy(rows)


def _embed(model: SentenceTransformer, pairs: WordPairs, layer: int, asked: InjectSettings) -> tuple[Tensor, Tensor]:
    """The words and the translations of a batch at the layer, shape (n, d) each."""
    prompt, task = prompt_and_task(model, asked.prompt)
    features = batch_to_device(
        model.preprocess([*pairs.words, *pairs.translations], prompt=prompt, task=task), model.device
    )
    vectors = layer_vectors(model, features, task)[0][layer]
    return vectors[: len(pairs)], vectors[len(pairs) :]
