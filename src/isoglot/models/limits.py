"""How long a text may be: what the positions of an encoder allow, and what its tokenizer was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isoglot.errors import InputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def transformers_of(model: SentenceTransformer) -> list[Any]:
    """All `Transformer` modules inside, those of routes too."""
    from sentence_transformers.base.modules import Transformer

    return [module for module in model.modules() if isinstance(module, Transformer)]


def most_tokens(encoder: Any) -> int | None:
    """The longest text that an encoder has positions for, in tokens; None where it has no limit.

    Models of RoBERTa's kind count positions from behind the padding's: XLM-R has 514 and takes 512 tokens.
    """
    import torch

    stated = getattr(encoder.config, "max_position_embeddings", None)
    limits = [stated] if isinstance(stated, int) and stated > 0 else []
    for module in encoder.modules():
        table = getattr(module, "position_embeddings", None)
        if isinstance(table, torch.nn.Embedding):
            padding = getattr(module, "padding_idx", None)
            limits.append(table.num_embeddings - (padding + 1 if isinstance(padding, int) else 0))
    return min(limits, default=None)


def check_length(model: SentenceTransformer, length: float | None, place: str) -> None:
    """Refuse a limit in tokens that the model cannot keep.

    Args:
        model: any.
        length: None for the model's own.
        place: opens the message: the name of the option.

    Raises:
        InputError: not positive, or more than the model has positions for.
    """
    if length is None:
        return
    if not length >= 1:
        raise InputError(f"{place} must be at least 1 token, got {length}")
    for module in transformers_of(model):
        most = most_tokens(module.model)
        if most is not None and length > most:
            raise InputError(f"{place} is {length}, but this model has positions for {most} tokens")


def settle(model: SentenceTransformer) -> list[str]:
    """Make every tokenizer inside usable: a padding token, and a limit that the encoder has positions for, in place.

    Returns:
        Notes on what was changed, in words.

    Raises:
        InputError: a limit below 1, no token that could pad, tokens without an embedding.
    """
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    notes = []
    for static in (module for module in model.modules() if isinstance(module, StaticEmbedding)):
        _check_rows(static.tokenizer.get_vocab_size(), static.embedding)
    for module in transformers_of(model):
        tokenizer = module.tokenizer
        if tokenizer is None:
            raise InputError("it has no tokenizer")
        if tokenizer.pad_token is None:
            if tokenizer.eos_token is None:
                raise InputError(
                    "its tokenizer has neither a padding token nor an end token: set pad_token and save it"
                )
            tokenizer.pad_token = tokenizer.eos_token
            notes.append(f"no padding token: {tokenizer.eos_token} pads")
        _check_rows(len(tokenizer), module.model.get_input_embeddings())
        most, length = most_tokens(module.model), tokenizer.model_max_length
        if isinstance(length, bool) or not length >= 1:
            raise InputError(f"its max_seq_length is {length}; expected at least 1 token")
        if most is not None and length > most:
            tokenizer.model_max_length = most
            stated = "" if length > 1e9 else f", not {length}"
            notes.append(f"texts are cut at {most} tokens{stated}: it has no more positions")
    return notes


def _check_rows(tokens: int, table: Any) -> None:
    rows = getattr(table, "num_embeddings", tokens)
    if rows < tokens:
        raise InputError(f"its tokenizer has {tokens} tokens, but there are embeddings of the first {rows} only")
