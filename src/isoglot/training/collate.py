"""One step -> padded token tensors under the column names that the trainer splits by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from xxhash import xxh3_128_digest

from isoglot.batching.sampler import PlanDataset, RowBatch, TextBatch
from isoglot.data.groups import components
from isoglot.errors import InputError, say
from isoglot.files import cache_dir
from isoglot.models.templates import Template, TextTokenizer, template_of
from isoglot.processes import in_each, processes
from isoglot.records import IntArray
from isoglot.training.tokens import StepTokens

Pairs = tuple[IntArray | None, IntArray | None]
_SAMPLE = 8  # texts on which a model's own preprocessing is compared with padded token ids
_TASKS = {"query": "query", "passage": "document", "negative": "document"}
_SIDES = ("query", "passage")


class Collator:
    """Gives the columns of a step as `model.preprocess` would, without tokenising what was tokenised before (`prepare`).

    Gives `query_*`, `passage_*` and, where there are explicit negatives, `negative_*`: no name is a prefix of another, because
    the trainer groups features by prefix. `*_lengths` are the rows' token counts as a plain list, where rows are padded on the
    right; `query_pairs` and `passage_pairs` (int64, shape (n,)) come where a pair has several texts on a side, and where texts of
    several pairs are the same tokens: these are one pair then (`join_same_texts`).

    Args:
        model: gives tokenizer and prompts ("query", "document").
        max_length: tokens per text; None: the model's limit.
        root: where token ids are kept; `tokens` in isoglot's cache when None.
        marks: what the loss terms need to know besides, as features of the step (`isoglot.training.teacher.Marker`).

    Attributes:
        tokens: tokens of all batches that were counted so far, see `count`.
    """

    valid_label_columns: Sequence[str] = ()

    def __init__(
        self,
        model: SentenceTransformer,
        max_length: int | None = None,
        root: Path | None = None,
        marks: Callable[[RowBatch], dict[str, Any]] | None = None,
    ) -> None:
        self._model, self._marks = model, marks
        query, passage = (model.prompts.get(name) or "" for name in ("query", "document"))
        self._prompts = {"query": query, "passage": passage, "negative": passage}
        length = {} if max_length is None else {"max_length": max_length}
        # models may have a route, a length, a template of their own for queries
        self._options = {name: {**length, "task": task} for name, task in _TASKS.items()}
        self._tokenizer = TextTokenizer(model.tokenizer, max_length)
        self._root = root
        self._prepared: WeakKeyDictionary[PlanDataset, StepTokens] = WeakKeyDictionary()
        self._templates: dict[str, Template] = {}
        self.tokens = 0

    def prepare(self, steps: PlanDataset, *, show: bool = False) -> bool:
        """Tokenise the texts of `steps`, or find them tokenised; their batches are only padded from then on.

        False where every step goes on tokenising: its texts are made for it alone, the model's features are more than padded
        token ids (`template_of`), or the token ids cannot be stored.

        Args:
            steps: batches to come; several datasets can be prepared.
            show: a progress bar on stderr.
        """
        if steps.rewrites:
            return False
        sample: list[Any] = steps.table.table.column("passage").slice(0, _SAMPLE).to_pylist()
        for column, prompt in self._prompts.items():
            template = template_of(self._model, self._tokenizer, prompt, self._options[column], sample)
            if template is None:
                return False
            self._templates[column] = template
        root = self._root if self._root is not None else cache_dir() / "tokens"
        try:
            self._prepared[steps] = StepTokens(steps, self._tokenizer, self._prompts, root, show)
        except (InputError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            say(f"{root}: cannot keep token ids here ({reason}); every step tokenises instead")
            return False
        return True

    def __call__(self, items: Sequence[RowBatch | TextBatch]) -> dict[str, Any]:
        """Features of the one step in `items`."""
        (item,) = items
        batch: dict[str, Any] = {}
        for name, features, lengths in self._features(item):
            batch |= {f"{name}_{key}": value for key, value in features.items()}
            if lengths:
                batch[f"{name}_lengths"] = lengths
        pairs = (item.query_pairs, item.passage_pairs)
        # static models have all texts in one row; a batch of texts is no step of all processes
        if "query_attention_mask" in batch and (isinstance(item, RowBatch) or processes().world == 1):
            keys = [_keys(batch[f"{name}_input_ids"], batch[f"{name}_attention_mask"]) for name in _SIDES]
            pairs = join_same_texts(pairs, keys)
        for name, numbers in zip(_SIDES, pairs):
            if numbers is not None:
                batch[f"{name}_pairs"] = torch.from_numpy(numbers)
        if self._marks is not None and isinstance(item, RowBatch):
            batch |= self._marks(item)
        return batch

    def count(self, batch: Mapping[str, Any]) -> None:
        """Add the tokens of a batch that is used now; batches are made ahead of their steps."""
        for name in _TASKS:
            if f"{name}_input_ids" in batch:
                lengths = batch.get(f"{name}_lengths")
                self.tokens += sum(lengths) if lengths else batch[f"{name}_input_ids"].numel()

    def _features(self, item: RowBatch | TextBatch) -> Iterator[tuple[str, Mapping[str, Any], list[int]]]:
        """(column, features, lengths), from token ids where they were prepared, else from texts."""
        tokens = self._prepared.get(item.dataset) if isinstance(item, RowBatch) else None
        if isinstance(item, RowBatch) and tokens is not None:
            for name, (ids, lengths) in tokens.take(item).items():
                yield name, self._templates[name].fill(ids, lengths), lengths.tolist()
            return
        for name, texts in (("query", item.queries), ("passage", item.passages), ("negative", item.negatives)):
            if texts:
                features = self._model.preprocess(texts, prompt=self._prompts[name] or None, **self._options[name])
                yield name, features, _lengths(features)


def join_same_texts(pairs: Pairs, keys: Sequence[Sequence[bytes]]) -> Pairs:
    """Pair numbers of queries and passages, where pairs with a text in common are one: neither is the other's negative.

    Texts are compared by their token ids, thus as the model sees them: in lower case where it takes them so, cut at its limit.
    Batches are drawn so that this is rare, see `isoglot.data.sameness`. Several processes compare the texts of all of them.

    Args:
        pairs: int64, shape (n,) each, numbers in the batch of all processes; None where position i of both sides is one pair.
        keys: of queries and of passages, n each; equal where the tokens are.

    Returns:
        `pairs` itself where no two pairs have a text in common.
    """
    begin = processes().rank * len(keys[0])
    numbers = [np.arange(begin, begin + len(keys[0])) if side is None else side for side in pairs]
    rows = [((name, key), pair) for name, *side in zip(_SIDES, keys, numbers) for key, pair in zip(*side)]
    first: dict[tuple[str, bytes], int] = {}
    edges = [(first.setdefault(text, pair), pair) for share in in_each(lambda: rows) for text, pair in share]
    left, right = np.array(edges, dtype=np.int64).T
    if (left == right).all():
        return pairs
    joined = components(left, right, int(right.max()) + 1)
    return joined[numbers[0]], joined[numbers[1]]


def _keys(ids: torch.Tensor, mask: torch.Tensor) -> list[bytes]:
    """Of every row a digest of its tokens, shape (n, width) each, without its padding."""
    tokens, ends = ids[mask.bool()].numpy().tobytes(), (mask.sum(dim=1) * ids.element_size()).cumsum(0).tolist()
    return [xxh3_128_digest(tokens[begin:end]) for begin, end in zip([0, *ends], ends)]


def columns_of(batch: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The features of the columns of a step: queries, passages and, where there are any, negatives."""
    columns = [
        {key[len(name) + 1 :]: value for key, value in batch.items() if key.startswith(f"{name}_")} for name in _TASKS
    ]
    return [column for column in columns if column]


def _lengths(features: Mapping[str, Any]) -> list[int]:
    """Tokens of each row; none where the rows do not end in their padding: cutting columns off would cut text off."""
    mask = features.get("attention_mask")
    if mask is None or bool((mask.diff(dim=1) > 0).any()):
        return []
    lengths: list[int] = mask.sum(dim=1).tolist()
    return lengths
