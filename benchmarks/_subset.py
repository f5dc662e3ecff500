"""A part of a benchmark that has all of its settings: the questions of some paragraphs, and as large a part of each corpus."""

from __future__ import annotations

import numpy as np

from isoglot.data.benchmarks.qrels import Judgments, judgments_of, make_benchmark
from isoglot.records import Benchmark, BoolArray, Texts


def some_paragraphs(benchmark: Benchmark, n: int, seed: int = 0) -> Benchmark:
    """The questions of `n` seeded paragraphs in every language, their answers, and others up to the same share of a corpus."""
    groups = np.array(benchmark.query_groups)
    names = np.unique(groups)
    if not 0 < n <= len(names):
        raise SystemExit(f"{benchmark.name} has {len(names)} paragraphs; expected 1 to {len(names)}, got {n}")
    generator = np.random.default_rng(seed)
    keep_query = np.isin(groups, generator.permutation(names)[:n])
    old = judgments_of(benchmark)
    keep = keep_query[old.queries]
    keep_document = np.zeros(benchmark.n_documents, dtype=np.bool_)
    keep_document[old.documents[keep]] = True
    offsets = benchmark.document_offsets().tolist()
    for first, end in zip(offsets, offsets[1:]):
        others = first + np.flatnonzero(~keep_document[first:end])
        missing = round((end - first) * n / len(names)) - int(keep_document[first:end].sum())
        keep_document[generator.permutation(others)[: max(missing, 0)]] = True
    judgments = Judgments(
        (np.cumsum(keep_query) - 1)[old.queries[keep]],
        (np.cumsum(keep_document) - 1)[old.documents[keep]],
        old.gains[keep],
    )
    return make_benchmark(
        f"{benchmark.name} ({n} of {len(names)} paragraphs)",
        _part(dict(benchmark.queries), keep_query),
        _part(dict(benchmark.corpus), keep_document),
        judgments,
        groups[keep_query].tolist(),
        benchmark.about,
    )


def _part(side: dict[str, Texts], keep: BoolArray) -> dict[str, Texts]:
    found, first = {}, 0
    for lang, texts in side.items():
        rows = np.flatnonzero(keep[first : first + len(texts)]).tolist()
        found[lang] = Texts([texts.ids[row] for row in rows], [texts.texts[row] for row in rows])
        first += len(texts)
    return found
