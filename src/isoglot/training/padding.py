"""From token ids to the features that a model's own preprocessing gives for the same texts."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from isoglot.records import IntArray
from isoglot.training.tokens import Ids, TextTokenizer

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_MOST_TOKENS = 100_000  # a tokenizer without a limit says 1e30


@dataclass(frozen=True)
class Template:
    """What a model's features look like beside the token ids.

    Attributes:
        features: in the model's order: None for a tensor, otherwise the constant that stands there.
        pad_id: token id of padding.
    """

    features: Mapping[str, Any]
    pad_id: int

    def fill(self, ids: Ids, lengths: IntArray, *, pin: bool = False) -> dict[str, Any]:
        """Features of n texts: tensors int64, shape (n, longest), padded on the right.

        Args:
            ids: token ids of the texts one after the other.
            lengths: tokens per text, shape (n,).
            pin: in page-locked memory, from which a GPU reads without making the program wait.
        """
        mask = np.arange(int(lengths.max())) < lengths[:, None]
        padded = np.full(mask.shape, self.pad_id, dtype=np.int64)
        padded[mask] = ids
        arrays = {"input_ids": padded, "attention_mask": mask.astype(np.int64)}
        batch = dict(self.features)
        for name in [name for name, constant in batch.items() if constant is None]:
            tensor = torch.from_numpy(arrays[name] if name in arrays else np.zeros_like(padded))
            batch[name] = tensor.pin_memory() if pin else tensor
        return batch


def template_of(
    model: SentenceTransformer, tokenizer: TextTokenizer, prompt: str, options: Mapping[str, Any], sample: Sequence[str]
) -> Template | None:
    """The template with which padded token ids are all that the model's own preprocessing gives; None where there is none.

    There is none for slow tokenizers, padding on the left, models of images or chats, input modules or models with a
    preprocessing or settings of their own, and whenever the two differ on a probe: texts of the sample, an empty one, one above
    the limit.

    Args:
        prompt: put before each text.
        options: for `model.preprocess`, besides the prompt.
        sample: a few texts of the data, at least one.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer

    own = getattr(model.tokenizer, "backend_tokenizer", None)
    if (
        own is None
        or model.tokenizer.padding_side != "right"
        or type(model).preprocess is not SentenceTransformer.preprocess
        or type(model[0]).preprocess is not Transformer.preprocess
        or list(model.modalities) != ["text"]
        or model[0].processing_kwargs
    ):
        return None
    word = next((text for text in sample if text.strip()), "a")
    long = " ".join([word] * min(tokenizer.max_length or model.tokenizer.model_max_length, _MOST_TOKENS))
    template = None
    # the widths of the short probes have no factor in common: padding to a multiple of something would show
    for probe in ([*sample, "", "a", long], [""], ["a"], list(sample)):
        expected = dict(model.preprocess(probe, prompt=prompt or None, **options))
        if not {"input_ids", "attention_mask"} <= expected.keys():
            return None
        features = {name: None if isinstance(value, torch.Tensor) else value for name, value in expected.items()}
        template = Template(features, model.tokenizer.pad_token_id)
        rows = tokenizer.ids(probe, prompt)
        ids = np.array([number for row in rows for number in row], dtype=np.int32)
        if not _equal(template.fill(ids, np.array(list(map(len, rows)))), expected):
            return None
    return template


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if list(one) != list(other):
        return False
    for name, value in one.items():
        expected = other[name]
        equal = torch.equal if isinstance(value, torch.Tensor) else operator.eq
        alike = type(value) is type(expected) and getattr(value, "dtype", None) == getattr(expected, "dtype", None)
        if not alike or not equal(value, expected):
            return False
    return True
