"""Texts that stages are fitted on besides the training pairs, known by their content."""

from __future__ import annotations

from functools import lru_cache

from isoglot.data.fit_texts import read_sources


@lru_cache(maxsize=16)
def content_of_sources(names: tuple[str, ...]) -> list[str]:
    """Digests of what sources hold (`isoglot.data.fit_texts.read_sources`), read once in a study. InputError: no such thing."""
    sources = read_sources(names)
    return [*([sources.pairs.digest] if sources.pairs else []), sources.texts.digest]
