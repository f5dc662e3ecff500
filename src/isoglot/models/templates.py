"""Token ids of texts, and what a model's features of texts are beside them. Imports torch and sentence-transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer

from isoglot.files import digest_json, digest_strings, package_versions
from isoglot.models.tokenizer import description
from isoglot.records import IntArray

Ids = npt.NDArray[np.int32]
_LETTERS = 8


@dataclass(frozen=True)
class TextTokenizer:
    """A fast tokenizer with its token limit.

    Attributes:
        tokenizer: of transformers, with a `backend_tokenizer`.
        max_length: tokens per text, special tokens included; None: the tokenizer's `model_max_length`.
    """

    tokenizer: Any
    max_length: int | None

    def ids(self, texts: Sequence[str], prompt: str) -> list[list[int]]:
        """Token ids of each text behind the prompt, truncated, not padded.

        By all cores, without the record that transformers makes of every text, which one core makes. The first text's ids are
        held to it.
        """
        if not texts:
            return []
        given = [prompt + text for text in texts]
        first = self._own(given[:1])  # which also sets the limit
        found: list[list[int]] = [row.ids for row in self.tokenizer.backend_tokenizer.encode_batch_fast(given)]
        return found if found[:1] == first else self._own(given)

    def _own(self, texts: list[str]) -> list[list[int]]:
        """As transformers gives them."""
        token_ids: list[list[int]] = self.tokenizer(
            texts,
            truncation="longest_first",
            max_length=self.max_length,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
        return token_ids

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that decides the ids: the backend's full description, the limit, the library's version."""
        settings = {
            "class": type(self.tokenizer).__name__,
            "max_length": self.max_length or self.tokenizer.model_max_length,
            "truncation_side": self.tokenizer.truncation_side,
            "split_special_tokens": bool(getattr(self.tokenizer, "split_special_tokens", False)),
            "version": package_versions(["tokenizers"]),
        }
        return digest_strings([description(self.tokenizer), digest_json(settings)])


@dataclass(frozen=True)
class Template:
    """What a model's features look like beside the token ids.

    Attributes:
        features: in the model's order: None for a tensor, otherwise the constant that stands there.
        pad_id: token id of padding.
    """

    features: Mapping[str, Any]
    pad_id: int

    def fill(self, ids: Ids, lengths: IntArray) -> dict[str, Any]:
        """Features of n texts: tensors int64, shape (n, longest), padded on the right.

        Args:
            ids: token ids of the texts one after the other.
            lengths: tokens per text, shape (n,).
        """
        mask = np.arange(int(lengths.max())) < lengths[:, None]
        padded = np.full(mask.shape, self.pad_id, dtype=np.int64)
        padded[mask] = ids
        arrays = {"input_ids": padded, "attention_mask": mask.astype(np.int64)}
        batch = dict(self.features)
        for name in [name for name, constant in batch.items() if constant is None]:
            batch[name] = torch.from_numpy(arrays[name] if name in arrays else np.zeros_like(padded))
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
    # a few letters of the data: a text above the limit that is not long
    word = next((text.strip()[:_LETTERS] for text in sample if text.strip()), "a")
    # a tokenizer without a limit says 1e30
    long = " ".join([word] * min(tokenizer.max_length or model.tokenizer.model_max_length, 100_000))
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


def _equal(given: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether features are the same in order, names, types and values."""
    kinds = [
        [(name, type(x), getattr(x, "dtype", None)) for name, x in features.items()] for features in (given, expected)
    ]
    return kinds[0] == kinds[1] and all(
        torch.equal(value, expected[name]) if isinstance(value, torch.Tensor) else value == expected[name]
        for name, value in given.items()
    )
