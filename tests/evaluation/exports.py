"""A benchmark for the tests of exports: parallel questions with holes, equal texts, and vectors with equal scores."""

from __future__ import annotations

import numpy as np

from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.records import Benchmark, Float32Array, Texts
from isoglot.retrieval.encode import Embeddings

LANGUAGES = ("de", "en", "th")
N = 12


def toy() -> Benchmark:
    """12 questions in de, in en all but the first two, in th the even ones; one answer per language and 8 other documents."""
    queries, corpus, pairs = {}, {}, []
    asked = {"de": range(N), "en": range(2, N), "th": range(0, N, 2)}
    for lang in LANGUAGES:
        queries[lang] = Texts([f"q{i}" for i in asked[lang]], [f"{lang} question {i}" for i in asked[lang]])
        # the last two documents of a language have one text, so one vector
        texts = [f"{lang} document {min(i, N + 6)}" for i in range(N + 8)]
        corpus[lang] = Texts([f"{lang}:{i}" for i in range(N + 8)], texts)
    number = 0
    for numbers in asked.values():
        for i in numbers:
            # q3 is answered in de only, q5 also by the two equal documents of en
            answers = [i] if i == 3 else [i, N + 8 + i, 2 * (N + 8) + i]
            answers += [2 * N + 14, 2 * N + 15] if i == 5 else []
            pairs += [(number, document) for document in answers]
            number += 1
    array = np.array(pairs)
    return make_benchmark("toy", queries, corpus, Judgments(array[:, 0], array[:, 1], np.ones(len(array))))


def vectors(texts: list[str], seed: int = 0) -> Float32Array:
    """A fixed coarse vector per text: small whole numbers, so that many products are equal."""
    rows = [np.random.default_rng([seed, *text.encode()]).integers(-1, 2, size=8) for text in texts]
    return np.array(rows, dtype=np.float32) + np.float32(0.25)


def coarse(benchmark: Benchmark) -> Embeddings:
    """Vectors whose scores tie often."""
    return Embeddings(
        vectors([text for _, _, text in benchmark.pooled_queries()]),
        vectors([text for _, _, text in benchmark.pooled_documents()]),
    )
