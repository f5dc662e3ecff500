"""Texts through a plain SentenceTransformer on a GPU: without padding, tokenised ahead. Imports torch, so load it late.

Many thousand tokens of many texts, laid end to end, are one pass (`isoglot.models.unpadded`), while another thread tokenises
the next texts. It is held to the model's own embeddings first, and left where they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from sentence_transformers.util import batch_to_device

from isoglot.ahead import Ahead
from isoglot.errors import InputError
from isoglot.models.precision import HALF, TOLERANCE, distance
from isoglot.models.templates import Ids, Template, TextTokenizer, template_of
from isoglot.models.unpadded import Unpadded, passes
from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.length_batches import check_tokens

_TOKENS = 1 << 17
"""Of a pass: so many that a GPU computes for longer than Python needs to start its kernels; fewer where its memory is full."""
_CHARACTERS = 1 << 19
"""Of the texts that are tokenised at once: about as many tokens as a pass has."""
_SAMPLE = 8


class Stream:
    """Passes without padding through a model, for texts behind one prompt.

    Args:
        model: one for which `length_batches.is_plain` holds, on a GPU.
        texts: a few of those to come.
        prompt: put before each text.
        task: "query" or "document"; of a model with routes behind its encoder, one of these.

    Raises:
        InputError: the model does not give its own embeddings like this, or its features are more than token ids.
    """

    def __init__(self, model: Any, texts: Sequence[str], prompt: str, task: str) -> None:
        self._model, self._prompt, self._task = model, prompt, task
        self._tokenizer = TextTokenizer(model.tokenizer, None)
        template = template_of(model, self._tokenizer, prompt, {"task": task.partition("-")[0]}, texts[:_SAMPLE])
        if template is None:
            raise InputError("its features are more than token ids")
        self._template: Template = template
        self._unpadded = Unpadded(model)
        self._tokens = _TOKENS
        self._hold([*texts[:_SAMPLE], " ".join(["word"] * min(int(model.max_seq_length or 512), 4096))])

    def embed(self, texts: Sequence[str], done: Callable[[int], Any]) -> Float32Array:
        """Sentence embeddings as the model gives them, float32, shape (n, d), in the order of the texts.

        Args:
            done: called with the number of texts of every pass.

        Raises:
            InputError: a text has no token.
        """
        self._model.eval()
        windows = Ahead(self._windows(texts))
        with torch.inference_mode():
            found = []
            for ids, lengths in windows:
                for start, end, first, last in passes(lengths.tolist(), self._tokens):
                    found += self._passes(ids[first:last], lengths[start:end])
                    done(end - start)
            vectors: Float32Array = torch.cat(found).cpu().numpy()
        return vectors

    def _windows(self, texts: Sequence[str]) -> Iterator[tuple[Ids, IntArray]]:
        """(token ids one after the other, lengths) of some texts at a time."""
        for start, end, *_ in passes([max(1, len(text)) for text in texts], _CHARACTERS):
            own = texts[start:end]
            rows = self._tokenizer.ids(own, self._prompt)
            lengths = np.array(list(map(len, rows)))
            check_tokens(lengths, own)
            yield np.concatenate([np.array(row, dtype=np.int32) for row in rows]), lengths

    def _passes(self, ids: Ids, lengths: IntArray) -> list[torch.Tensor]:
        """A pass, or two of half the texts where the GPU has no room for one; later ones are smaller then."""
        try:
            return [self._pass(ids, lengths)]
        except torch.OutOfMemoryError:
            if len(lengths) == 1:
                raise
        torch.cuda.empty_cache()
        half = len(lengths) // 2
        cut = int(lengths[:half].sum())
        self._tokens = min(self._tokens, max(1, cut))
        return [*self._passes(ids[:cut], lengths[:half]), *self._passes(ids[cut:], lengths[half:])]

    def _pass(self, ids: Ids, lengths: IntArray) -> torch.Tensor:
        flat = torch.from_numpy(ids).to(torch.int64)
        features: dict[str, Any] = dict(self._template.features)
        features |= {key: torch.zeros_like(flat) for key, constant in features.items() if constant is None}
        features |= {"input_ids": flat, "lengths": lengths.tolist()}
        vectors = self._unpadded.embed(partial(self._model, task=self._task), [features])[0]
        return vectors[:, : self._model.truncate_dim].float()

    def _hold(self, texts: Sequence[str]) -> None:
        """InputError unless texts have the model's own embeddings."""
        features = self._model.preprocess(list(texts), prompt=self._prompt or None, task=self._task.partition("-")[0])
        ids, lengths = (np.concatenate(parts) for parts in zip(*self._windows(texts)))
        weights = next(self._model.parameters()).dtype
        with torch.inference_mode(), torch.autocast(self._model.device.type, enabled=False):
            batch = batch_to_device(dict(features), self._model.device)
            own = self._model(batch, task=self._task)["sentence_embedding"].float()[:, : self._model.truncate_dim]
            away = distance(own, self._pass(ids, lengths))
        if not away < (TOLERANCE if weights == torch.float32 else HALF):
            raise InputError(f"it gives other embeddings without padding (they differ by {away:.2g})")


def stream_of(model: Any, texts: Sequence[str], prompt: str, task: str) -> Stream | None:
    """Passes without padding where the model is on a GPU and gives the same embeddings; else None."""
    if model.device.type != "cuda":
        return None
    model.eval()
    try:
        return Stream(model, texts, prompt, task)
    except (
        InputError,
        RuntimeError,
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
    ):  # whatever an encoder says to it
        return None
