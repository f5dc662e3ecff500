"""One step -> padded token tensors under the column names that the trainer splits by."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch

from isoglot.batching.sampler import PlanDataset, RowBatch, TextBatch
from isoglot.files import cache_dir
from isoglot.training.padding import Template, template_of
from isoglot.training.step_tokens import StepTokens
from isoglot.training.tokens import TextTokenizer

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_SAMPLE = 8  # texts on which a model's own preprocessing is compared with padded token ids


class Collator:
    """Gives the columns of a step as `model.preprocess` would, without tokenising what was tokenised before (`prepare`).

    Gives `query_*`, `passage_*` and, where there are explicit negatives, `negative_*`: no name is a prefix of another, because
    the trainer groups features by prefix. `*_lengths` are the rows' token counts as a plain list;
    `query_pairs` and `passage_pairs` (int64, shape (n,)) come where a pair has several texts on a side.

    Args:
        model: gives tokenizer and prompts ("query", "document").
        max_length: tokens per text; None: the model's limit.
        root: where token ids are kept; `tokens` in isoglot's cache when None.

    Attributes:
        tokens: tokens of all batches so far, validation included.
    """

    valid_label_columns: Sequence[str] = ()

    def __init__(self, model: SentenceTransformer, max_length: int | None = None, root: Path | None = None) -> None:
        self._model = model
        query, passage = (model.prompts.get(name) or "" for name in ("query", "document"))
        self._prompts = {"query": query, "passage": passage, "negative": passage}
        self._options = {} if max_length is None else {"max_length": max_length}
        self._tokenizer = TextTokenizer(model.tokenizer, max_length)
        self._root = root
        self._prepared: WeakKeyDictionary[PlanDataset, StepTokens] = WeakKeyDictionary()
        self._templates: dict[str, Template] = {}
        self._pin = torch.cuda.is_available()
        # cutting columns off a left-padded batch would cut text off
        self._sortable = getattr(model.tokenizer, "padding_side", "right") == "right"
        self.tokens = 0

    def prepare(self, steps: PlanDataset, *, show: bool = False) -> bool:
        """Tokenise the texts of `steps`, or find them tokenised; their batches are only padded from then on.

        False where every step goes on tokenising: the model's features are more than padded token ids (`template_of`), or the
        token ids cannot be stored.

        Args:
            steps: batches to come; several datasets can be prepared.
            show: a progress bar on stderr.
        """
        sample: list[Any] = steps.table.table.column("passage").slice(0, _SAMPLE).to_pylist()
        for column, prompt in self._prompts.items():
            template = template_of(self._model, self._tokenizer, prompt, self._options, sample)
            if template is None:
                return False
            self._templates[column] = template
        root = self._root if self._root is not None else cache_dir() / "tokens"
        try:
            self._prepared[steps] = StepTokens(steps, self._tokenizer, self._prompts, root, show)
        except OSError as error:
            reason = error.strerror or error
            print(f"{root}: cannot keep token ids here ({reason}); every step tokenises instead", file=sys.stderr)
            return False
        return True

    def __call__(self, items: Sequence[RowBatch | TextBatch]) -> dict[str, Any]:
        """Features of the one step in `items`."""
        (item,) = items
        tokens = self._prepared.get(item.dataset) if isinstance(item, RowBatch) else None
        batch: dict[str, Any] = {}
        for name, (features, lengths) in (self._read(tokens, item) if tokens else self._tokenize(item)).items():
            self.tokens += sum(lengths)
            batch |= {f"{name}_{key}": value for key, value in features.items()}
            if self._sortable:
                batch[f"{name}_lengths"] = lengths
        if item.query_pairs is not None and item.passage_pairs is not None:
            batch["query_pairs"] = torch.from_numpy(item.query_pairs)
            batch["passage_pairs"] = torch.from_numpy(item.passage_pairs)
        return batch

    def _read(self, tokens: StepTokens, item: Any) -> dict[str, tuple[dict[str, Any], list[int]]]:
        """(features, lengths) per column, from token ids."""
        return {
            name: (self._templates[name].fill(ids, lengths, pin=self._pin), lengths.tolist())
            for name, (ids, lengths) in tokens.take(item).items()
        }

    def _tokenize(self, item: RowBatch | TextBatch) -> dict[str, tuple[dict[str, Any], list[int]]]:
        """(features, lengths) per column, from texts."""
        columns = {}
        for name, texts in (("query", item.queries), ("passage", item.passages), ("negative", item.negatives)):
            if texts:
                features = self._model.preprocess(texts, prompt=self._prompts[name] or None, **self._options)
                columns[name] = dict(features), features["attention_mask"].sum(dim=1).tolist()
        return columns
