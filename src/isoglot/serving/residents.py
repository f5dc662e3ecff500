"""Models in memory, with what they have in common held once: an adapter's or a debiased model's base is there already."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isoglot.errors import InputError
from isoglot.models.limits import transformers_of
from isoglot.models.load import load_model
from isoglot.models.tokenizer import description
from isoglot.records import Kind
from isoglot.retrieval.encode import encode_texts, prompt_of
from isoglot.retrieval.length_batches import TOKENS_PER_ROW
from isoglot.serving.batcher import Encoded, Key

_SETTINGS = (
    "model_max_length",
    "padding_side",
    "truncation_side",
    "pad_token",
    "split_special_tokens",
    "chat_template",
)


class Unencodable(Exception):
    """A text that a model has no vector for. The message is for the client."""


@dataclass(frozen=True)
class Resident:
    """A model that is served.

    Attributes:
        name: clients call it.
        source: where it was loaded from.
        width: dimensions of its vectors.
        model: a SentenceTransformer.
    """

    name: str
    source: str
    width: int
    model: Any

    def longest(self, kind: Kind) -> float:
        """Tokens at which a text is cut, its prompt and special tokens among them; infinite where it is not."""
        module = _reader(self.model, kind)
        own = getattr(module, f"{'query' if kind == 'query' else 'document'}_length", None)
        limits = [limit for limit in (own, getattr(module, "max_seq_length", None)) if limit]
        return float(min(limits, default=float("inf")))

    def count(self, texts: Sequence[str], kind: Kind) -> tuple[list[int], list[bool]]:
        """How many tokens the model reads of each text, and whether that is less than all; for one thread at a time."""
        tokenizer, prompt, longest = (
            _reader(self.model, kind).tokenizer,
            prompt_of(self.model, kind),
            self.longest(kind),
        )
        whole = [prompt + text for text in texts]
        if hasattr(tokenizer, "encode_batch"):  # of a model without an encoder: it adds no special tokens
            lengths = [len(encoding) for encoding in tokenizer.encode_batch(whole, add_special_tokens=False)]
        else:
            lengths = list(map(len, tokenizer(whole, truncation=False, padding=False, verbose=False)["input_ids"]))
        return [int(min(length, longest)) for length in lengths], [length > longest for length in lengths]


class Residents(Mapping[str, Resident]):
    """Models by the names that clients call them; the first is the default.

    Args:
        sources: by name, what `load_model` takes.
        device: None: the best there is.

    Raises:
        InputError: a model cannot be loaded.
    """

    def __init__(self, sources: Mapping[str, str], device: str | None = None) -> None:
        self._models: dict[str, Resident] = {}
        for name, source in sources.items():
            model = load_model(source, device=device).eval()
            share([resident.model for resident in self._models.values()], model)
            width = model.truncate_dim or model.get_embedding_dimension()
            self._models[name] = Resident(name, source, int(width), model)

    def __getitem__(self, name: str) -> Resident:
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def encode(self, key: Key, texts: list[str], counted: bool, batch_tokens: int) -> Encoded:
        """Vectors of texts as an index has them; for one thread at a time.

        Args:
            counted: tokens are counted, too.
            batch_tokens: of one forward pass, padding included.

        Raises:
            Unencodable: the model has no vector for one of them.
        """
        resident, kind = self._models[key[0]], key[1]
        try:
            vectors = encode_texts(resident.model, texts, kind, max(1, batch_tokens // TOKENS_PER_ROW), progress=False)
        except InputError as error:
            raise Unencodable(str(error)) from None
        tokens, cut = resident.count(texts, kind) if counted else ([0] * len(texts), [False] * len(texts))
        return Encoded(vectors, tokens, cut)


def share(residents: Sequence[Any], model: Any) -> int:
    """Let a model use weights and tokenizers of others where its own are the same; none of them may be changed any more.

    Args:
        residents: models that are in memory already.
        model: weights that are the same bit for bit are given back, tokenizers too.

    Returns:
        Bytes of weights that were given back.
    """
    there: dict[Any, Any] = {}
    for tensor in (tensor for resident in residents for tensor in _tensors(resident)):
        there.setdefault(_content(tensor), tensor)
    saved = 0
    for tensor in _tensors(model):
        same = there.get(_content(tensor)) if there else None
        if same is not None and same.data_ptr() != tensor.data_ptr():
            saved += tensor.numel() * tensor.element_size()
            tensor.data = same.data
    known = [module.processor for resident in residents for module in transformers_of(resident)]
    for module in transformers_of(model):
        module.processor = next((own for own in known if _is_same(own, module.processor)), module.processor)
    return saved


def _tensors(model: Any) -> Iterator[Any]:
    """Parameters and buffers with any content."""
    yield from (tensor for tensor in (*model.parameters(), *model.buffers()) if tensor.numel())


def _content(tensor: Any) -> tuple[Any, ...]:
    """What a tensor is: layout, type, device and a digest of its bytes."""
    import torch

    flat = tensor.detach().contiguous().flatten().view(torch.uint8).cpu().numpy()
    layout = (tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device)
    return (*layout, hashlib.sha256(flat).digest())


def _is_same(one: Any, other: Any) -> bool:
    """Whether two tokenizers do the same to every text."""
    if type(one) is not type(other) or getattr(one, "backend_tokenizer", None) is None:
        return False
    if any(getattr(one, name, None) != getattr(other, name, None) for name in _SETTINGS):
        return False
    return description(one) == description(other)


def _reader(model: Any, kind: Kind) -> Any:
    """The module that reads texts: the first one, or that of the route of a side."""
    from sentence_transformers.base.modules import Router

    first = model[0]
    if isinstance(first, Router):
        route = first._resolve_route_name(task="query" if kind == "query" else "document") or first.default_route
        return first.sub_modules[route][0]
    return first
