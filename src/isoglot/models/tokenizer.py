"""What a tokenizer is, by content."""

from __future__ import annotations

from typing import Any


def description(tokenizer: Any) -> str:
    """The full description of a fast tokenizer (vocabulary, normaliser, merges, special tokens) as JSON.

    Truncation and padding that the last call happened to use are left out; every call sets both anew.
    """
    backend = tokenizer.backend_tokenizer
    truncation, padding = backend.truncation, backend.padding
    backend.no_truncation()
    backend.no_padding()
    text: str = backend.to_str()
    if truncation:
        backend.enable_truncation(**truncation)
    if padding:
        backend.enable_padding(**padding)
    return text
