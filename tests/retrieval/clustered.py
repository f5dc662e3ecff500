"""Vectors that lie as those of real models do: topics, an offset for each language, most of the spread in few dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoglot.records import Float32Array, IntArray

LANGUAGES = ("de", "en", "fr", "ru", "sw", "th", "zh")


@dataclass(frozen=True)
class Space:
    """Where topics and languages lie; fitted to what multilingual-e5-small makes of MLQA-R's passages.

    Half the spread is in a ninth of the dimensions, all vectors share a direction, and passages of a language are nearer to each
    other than translations are unless they are on one topic.
    """

    common: Float32Array
    offsets: Float32Array
    topics: Float32Array
    spread: Float32Array

    @classmethod
    def make(cls, documents: int, width: int, seed: int = 0, per_topic: int = 50) -> Space:
        """For so many documents in all languages."""
        random = np.random.default_rng(seed)
        spread = (np.arange(1, width + 1) ** -0.375).astype(np.float32)

        def points(n: int) -> Float32Array:
            return random.standard_normal((n, width), dtype=np.float32) * spread

        return cls(3 * points(1)[0], 0.7 * points(len(LANGUAGES)), points(max(1, documents // per_topic)), spread)

    def draw(self, n: int, seed: int, languages: int = len(LANGUAGES)) -> tuple[Float32Array, IntArray]:
        """Unit vectors, float32, shape (n, d), and numbers of their languages, among the first so many."""
        random = np.random.default_rng(seed)
        language = random.integers(0, languages, n)
        noise = random.standard_normal((n, len(self.spread)), dtype=np.float32) * self.spread
        rows = self.common + self.offsets[language] + self.topics[random.integers(0, len(self.topics), n)] + 0.7 * noise
        return rows / np.linalg.norm(rows, axis=1, keepdims=True), language
