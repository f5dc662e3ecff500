"""Texts of one step -> padded token tensors under the column names that the trainer splits by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from isoglot.batching.sampler import TextBatch

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class Collator:
    """Tokenises the columns of a step.

    Gives `query_*`, `passage_*` and, where there are explicit negatives, `negative_*`: no name is a prefix of another, because
    the trainer groups features by prefix. `*_lengths` are the rows' token counts as a plain list.

    Args:
        model: gives tokenizer and prompts ("query", "document").
        max_length: tokens per text; None: the model's limit.
    """

    valid_label_columns: Sequence[str] = ()

    def __init__(self, model: SentenceTransformer, max_length: int | None = None) -> None:
        self._preprocess = model.preprocess
        self._query_prompt = model.prompts.get("query") or None
        self._passage_prompt = model.prompts.get("document") or None
        self._extra = {} if max_length is None else {"max_length": max_length}
        # cutting columns off a left-padded batch would cut text off
        self._sortable = getattr(model.tokenizer, "padding_side", "right") == "right"
        self.tokens = 0

    def __call__(self, items: Sequence[TextBatch]) -> dict[str, Any]:
        """Features of the one step in `items`."""
        (item,) = items
        batch: dict[str, Any] = {}
        columns = (("query", item.queries, self._query_prompt), ("passage", item.passages, self._passage_prompt))
        for name, texts, prompt in (*columns, ("negative", item.negatives, self._passage_prompt)):
            if not texts:
                continue
            features = self._preprocess(texts, prompt=prompt, **self._extra)
            lengths = features["attention_mask"].sum(dim=1).tolist()
            self.tokens += sum(lengths)
            batch |= {f"{name}_{key}": value for key, value in features.items()}
            if self._sortable:
                batch[f"{name}_lengths"] = lengths
        return batch
