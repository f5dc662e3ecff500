"""One model, one embedding: in training as anywhere else, with and without padding, in memory and saved.

A few texts of the run are embedded one by one, as sentence-transformers does it. What embeds texts in another way is held to
these embeddings before the first step, and the saved model is held to the one in memory after the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sentence_transformers.util import batch_to_device
from torch import Tensor

from isoglot.batching.sampler import TextBatch
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError, IsoglotError, first_line
from isoglot.models.load import compile_encoder, uncompile_encoder
from isoglot.models.precision import HALF, TOLERANCE, computing_in
from isoglot.models.precision import distance as distance_of
from isoglot.training.collate import Collator, columns_of
from isoglot.training.finite import NotFiniteError
from isoglot.training.loss import BatchLoss, take_marks
from isoglot.training.prepare import bf16
from isoglot.training.settings import TrainSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_SAME = 1e-6
_TEXTS = 4
_MOST_TOKENS = 4096


class OtherModelError(IsoglotError):
    """What was saved is not the model that was trained."""


def sample_texts(table: PairTable) -> TextBatch:
    """A few queries and passages from all over a table."""
    rows = np.unique(np.linspace(0, len(table) - 1, _TEXTS).astype(np.int64))
    return TextBatch(0, table.column("query", rows), table.column("passage", rows), [])


def embed_singly(model: SentenceTransformer, texts: TextBatch, max_length: int | None = None) -> Tensor:
    """Embeddings of queries, then passages, each forwarded alone; float, shape (n, d). The model is in eval mode then."""
    model.eval()
    options = {} if max_length is None else {"max_length": max_length}
    rows = []
    with torch.no_grad():
        for task, column in (("query", texts.queries), ("document", texts.passages)):
            for text in column:
                features = model.preprocess([text], prompt=model.prompts[task] or None, task=task, **options)
                rows.append(model(batch_to_device(features, model.device), task=task)["sentence_embedding"])
    return torch.cat(rows)[:, : model.truncate_dim]


def check_base(model: SentenceTransformer, loss: BatchLoss, settings: TrainSettings, texts: TextBatch) -> None:
    """Hold the forward passes of training to the model's own ones; with `compile`, also the compiled ones, which stay.

    Raises:
        InputError: it cannot embed texts of the run, or embeds them in another way in training.
    """
    if loss.unpadded is not None:  # a window or a table of positions shows in long texts only
        texts = TextBatch(0, [*texts.queries, _long_text(model, settings, texts)], texts.passages, [])
    with _one_line(f"{settings.base}: it cannot embed a text of the pairs"):
        alone = embed_singly(model, texts, settings.max_length)
        if not bool(alone.isfinite().all()):
            raise InputError(f"{settings.base}: its embeddings are not finite")
        queries, passages = alone.split([len(texts.queries), len(texts.passages)])
        if _all_alike(queries, texts.queries) and _all_alike(passages, texts.passages):
            raise InputError(
                f"{settings.base}: different texts cannot be told apart: all that it sees of them is alike (max_length "
                f"{settings.max_length or model.max_seq_length}, prompts included)"
            )
    how = "without padding" if loss.unpadded is not None else "in batches"
    instead = "train it without unpadded" if settings.unpadded else "this model cannot be trained"
    with _one_line(f"{settings.base}: it cannot be trained {how}"), torch.no_grad():
        batch = batch_to_device(Collator(model, settings.max_length)([texts]), model.device)
        columns, _ = take_marks(columns_of(batch))
        _hold(alone, torch.cat(loss.embed(columns)), f"{settings.base}: {how} it gives other embeddings; {instead}")
    if settings.compile:
        _compile(model, loss, columns, settings)


def check_saved(model: SentenceTransformer, path: Path, texts: TextBatch) -> None:
    """Hold a saved model, loaded as anyone loads it, to the one in memory.

    Raises:
        OtherModelError: their embeddings differ.
        NotFiniteError: those of the one in memory are not finite.
    """
    from sentence_transformers import SentenceTransformer

    uncompile_encoder(model)  # it would be compiled anew for inference
    saved = SentenceTransformer(str(path), device=str(model.device), local_files_only=True)
    in_memory = embed_singly(model, texts)
    if not bool(in_memory.isfinite().all()):
        raise NotFiniteError("the trained model's embeddings are not finite: lower the learning rate; it is not kept")
    distance = distance_of(in_memory, embed_singly(saved, texts))
    if not distance <= TOLERANCE:
        raise OtherModelError(
            f"the saved model is not the one that was trained: embeddings of the pairs' texts differ by {distance:.2g} of "
            "their length; it is not kept, the checkpoints are"
        )


def _compile(
    model: SentenceTransformer, loss: BatchLoss, columns: list[dict[str, Any]], settings: TrainSettings
) -> None:
    half = bf16(settings.precision)

    def embed() -> Tensor:
        with computing_in("bf16" if half else "fp32", model.device.type):  # compiled once, for what is trained in
            return torch.cat(loss.embed(columns)).detach().float()

    model.train()
    plain = embed()
    if not torch.equal(plain, embed()):  # dropout: what is compiled for training cannot be compared
        model.eval()
        plain = embed()
    compile_encoder(model, blocks=model.device.type == "cuda")
    with _one_line(f"{settings.base}: it cannot be compiled"):
        problem = f"{settings.base}: compiled it gives other embeddings; train it without compile"
        _hold(plain, embed(), problem, HALF if half else TOLERANCE)


def _long_text(model: SentenceTransformer, settings: TrainSettings, texts: TextBatch) -> str:
    """As many words as the model takes tokens at most."""
    words = " ".join([*texts.passages, *texts.queries]).split() or ["a"]
    limit = min(settings.max_length or model.max_seq_length or _MOST_TOKENS, _MOST_TOKENS)
    return " ".join(words[place % len(words)] for place in range(limit))


def _hold(expected: Tensor, given: Tensor, problem: str, tolerance: float = TOLERANCE) -> None:
    distance = distance_of(expected, given)
    if not distance <= tolerance:
        raise InputError(f"{problem} (they differ by {distance:.2g} of their length)")


def _all_alike(embeddings: Tensor, texts: list[str]) -> bool:
    """Whether there is only one embedding of two or more different texts."""
    return len(set(texts)) > 1 and distance_of(embeddings[:1].expand_as(embeddings), embeddings) < _SAME


@contextmanager
def _one_line(problem: str) -> Iterator[None]:
    """What a library says of a model that it cannot compute, as an InputError."""
    try:
        yield
    except InputError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{problem} ({first_line(error)})") from None
