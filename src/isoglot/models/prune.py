"""A model with a smaller vocabulary: rows of its word embeddings are taken out, everything else stays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isoglot.errors import InputError, IsoglotError
from isoglot.files import read_json, write_json, write_text
from isoglot.models.limits import transformers_of
from isoglot.models.vocabulary import Vocabulary

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

TOLERANCE = 1e-5
"""The largest distance between two vectors of a text that counts as rounding, in lengths of the vector; float32."""
_STALE = ("vocab.txt", "sentencepiece.bpe.model", "spiece.model", "spm.model")
"""Vocabularies in other formats, which nothing reads beside `tokenizer.json`."""


class OtherVectorsError(IsoglotError):
    """The smaller model is not the one that it was made from."""


def vocabulary_of(model: SentenceTransformer, name: str) -> Vocabulary:
    """The vocabulary of the model's only encoder.

    Raises:
        InputError: it has none, or several, or one that cannot be made smaller.
    """
    modules = transformers_of(model)
    if len(modules) != 1:
        raise InputError(f"{name}: {len(modules) or 'no'} transformers encoders; the vocabulary of one can be pruned")
    try:
        return Vocabulary(modules[0].tokenizer)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def kept_ids(model: SentenceTransformer, vocabulary: Vocabulary, ids: Collection[int]) -> set[int]:
    """The ids with those that the model itself needs: of its prompts, and of what it counts positions by.

    XLM-R's kind numbers positions from behind the padding's id, which therefore stays what it is: ids up to it are kept.
    """
    prompts = [text for text in (model.prompts or {}).values() if text]
    kept = {*ids, *(number for encoding in vocabulary.encode(prompts) for number in encoding.ids)}
    for module in transformers_of(model)[0].model.modules():
        padding = getattr(module, "padding_idx", None)
        if hasattr(module, "position_embeddings") and isinstance(padding, int):
            kept |= set(range(padding + 1))
    return kept


def save_pruned(
    model: SentenceTransformer, vocabulary: Vocabulary, kept: Collection[int], texts: Sequence[str], path: Path
) -> None:
    """Write the model with the kept ids alone into an empty directory; `model` itself is of no use afterwards.

    Args:
        kept: see `Vocabulary.choose` and `kept_ids`.
        texts: some of those whose pieces are kept; what was saved must give their vectors.

    Raises:
        OtherVectorsError: it does not.
    """
    before = _embed(model, texts)
    text, rows = vocabulary.shrink(kept)
    new = {number: place for place, number in enumerate(rows)}
    _cut(transformers_of(model)[0].model, rows, new)
    model.save_pretrained(str(path), create_model_card=False)
    (saved,) = path.rglob("tokenizer.json")
    write_text(saved, text)
    for name in _STALE:
        (saved.parent / name).unlink(missing_ok=True)
    settings = saved.with_name("tokenizer_config.json")
    config = read_json(settings, strict=False)
    if tokens := config.get("added_tokens_decoder"):
        config["added_tokens_decoder"] = {str(new[int(number)]): token for number, token in tokens.items()}
        write_json(settings, config)
    _check(path, texts, before, vocabulary, rows)


def _cut(encoder: Any, rows: list[int], new: Mapping[int, int]) -> None:
    """Keep these rows of the word embeddings, in place; ids in the configuration become the new ones."""
    import torch

    table, config = encoder.get_input_embeddings(), encoder.config.get_text_config()
    table.weight = torch.nn.Parameter(table.weight.detach()[rows].clone())
    table.num_embeddings = config.vocab_size = len(rows)
    table.padding_idx = new.get(table.padding_idx)
    for key, value in config.to_dict().items():
        if key.endswith("_token_id") and value is not None:
            ids = [new.get(number) for number in (value if isinstance(value, list) else [value])]
            setattr(config, key, ids if isinstance(value, list) else ids[0])


def _embed(model: SentenceTransformer, texts: Sequence[str]) -> Any:
    if not texts:
        return np.zeros((0, 1))
    return np.concatenate([model.encode_query(list(texts)), model.encode_document(list(texts))])


def _check(path: Path, texts: Sequence[str], before: Any, vocabulary: Vocabulary, rows: list[int]) -> None:
    """Hold the saved model, loaded as anyone loads it, to what the texts were before."""
    from sentence_transformers import SentenceTransformer

    saved = SentenceTransformer(str(path), device="cpu", local_files_only=True)
    encode = saved.tokenizer.backend_tokenizer.encode
    for text, encoding in zip(texts, vocabulary.encode(list(texts))):
        if [rows[number] for number in encode(text, add_special_tokens=False).ids] != encoding.ids:
            raise OtherVectorsError(
                f"the smaller tokenizer cuts a text into other pieces; it is not kept: {text[:80]!r}"
            )
    distance = np.linalg.norm(_embed(saved, texts) - before, axis=1) / np.maximum(np.linalg.norm(before, axis=1), 1e-30)
    if not distance.max(initial=0.0) <= TOLERANCE:
        raise OtherVectorsError(f"the smaller model gives other vectors (by {distance.max():.2g}); it is not kept")
