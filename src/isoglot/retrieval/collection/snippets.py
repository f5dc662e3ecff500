"""The sentence of a chunk that answers best, by the model itself: words of another language would not be found in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoglot.optional import needed
from isoglot.records import Float32Array
from isoglot.retrieval.collection.models import Encode

_MOST = 24
"""Sentences of a chunk that are compared."""

Span = tuple[int, int]


def sentences(text: str, lang: str) -> list[Span]:
    """Spans of the sentences of a text, in characters; each line is one at least. None is empty."""
    library = needed("sentencex", "sentences are told by sentencex", "index")
    spans, start = [], 0
    for line in text.splitlines(keepends=True):
        for part in library.segment(lang.partition("-")[0], line) if line.strip() else [line]:
            first = start + len(part) - len(part.lstrip())
            last = start + len(part.rstrip())
            if last > first:
                spans.append((first, last))
            start += len(part)
    return spans


def best_sentences(
    found: Sequence[tuple[int, str, str]], queries: Float32Array, encode: Encode
) -> list[tuple[int, int] | None]:
    """For each (number of its query, text, language) the span of the sentence that is nearest to the query; None for one alone.

    Args:
        queries: unit vectors, float32, shape (n, d).
        encode: encodes the sentences as passages.
    """
    spans = [sentences(text, lang)[:_MOST] for _, text, lang in found]
    several = [number for number, own in enumerate(spans) if len(own) > 1]
    texts = [found[number][1][first:last] for number in several for first, last in spans[number]]
    chosen: list[Span | None] = [None] * len(found)
    if not texts:
        return chosen
    vectors, start = encode(texts, "passage"), 0
    for number in several:
        end = start + len(spans[number])
        chosen[number] = spans[number][int(np.argmax(vectors[start:end] @ queries[found[number][0]]))]
        start = end
    return chosen
