"""What a tokenizer is, by content."""

from __future__ import annotations

from typing import Any


def description(tokenizer: Any) -> str:
    """The full description of a fast tokenizer (vocabulary, normaliser, merges, special tokens) as JSON.

    Truncation and padding that the last call happened to use are left out; every call sets both anew.
    """
    backend = tokenizer.backend_tokenizer
    truncation, padding = backend.truncation, backend.padding
    forget_last_call(tokenizer)
    text: str = backend.to_str()
    if truncation:
        backend.enable_truncation(**truncation)
    if padding:
        backend.enable_padding(**padding)
    return text


def forget_last_call(tokenizer: Any) -> None:
    """Take out truncation and padding of the last call: a saved tokenizer must not depend on what happened to be tokenised."""
    if (backend := getattr(tokenizer, "backend_tokenizer", None)) is not None:
        backend.no_truncation()
        backend.no_padding()
