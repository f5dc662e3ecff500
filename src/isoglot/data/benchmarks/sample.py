"""A smaller corpus for a quick look: all judged passages and some others. Its figures are not those of the benchmark."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isoglot.data.benchmarks.mapped import View
from isoglot.data.benchmarks.qrels import keep
from isoglot.errors import InputError
from isoglot.records import Benchmark, Texts

NOT_COMPARABLE = "no: measured on a sample of the corpus, where retrieval is easier than in all of it"


def sample_corpus(benchmark: Benchmark, n_per_language: int, seed: int = 0) -> Benchmark:
    """The benchmark with its judged passages and `n_per_language` others in every language.

    Judged are all passages that the qrels name, with whatever grade. The others are drawn without replacement, for each
    language by a generator of its own: a language's sample does not depend on which other languages are there.

    Args:
        benchmark: not changed; ids and texts of the sample read from it.
        n_per_language: how many others; a language with fewer keeps them all.
        seed: of the draw.

    Returns:
        A benchmark whose `about` has `sample` (what was kept) and `comparable` ("no: ..."); the same benchmark if every
        language is kept whole.

    Raises:
        InputError: a negative number or seed.
    """
    if n_per_language < 0 or seed < 0:
        raise InputError(f"a corpus sample takes a number and a seed of at least 0, got {n_per_language} and {seed}")
    offsets = benchmark.document_offsets()
    kept = np.zeros(benchmark.n_documents, dtype=np.bool_)
    kept[benchmark.judged] = True
    corpus: dict[str, Texts] = {}
    for number, (lang, texts) in enumerate(benchmark.corpus.items()):
        own = kept[offsets[number] : offsets[number + 1]]
        others = np.flatnonzero(~own)
        if len(others) > n_per_language:
            generator = np.random.default_rng([seed, *lang.encode()])
            others = generator.choice(others, n_per_language, replace=False)
        own[others] = True
        rows = np.flatnonzero(own)
        corpus[lang] = texts if own.all() else Texts(View(texts.ids, rows), View(texts.texts, rows))
    if kept.all():
        return benchmark
    about = {
        **benchmark.about,
        "sample": f"all judged passages and {n_per_language:,} others per language (seed {seed}): "
        f"{int(kept.sum()):,} of {len(kept):,} passages",
        "comparable": NOT_COMPARABLE,
    }
    return keep(replace(benchmark, corpus=corpus, about=about), kept)
