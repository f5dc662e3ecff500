"""Samples of a corpus: every judged passage, N others per language, the same ones every time, and marked."""

from __future__ import annotations

import numpy as np
import pytest

from isoglot.data.benchmarks.qrels import Judgments, make_benchmark, restrict
from isoglot.data.benchmarks.sample import sample_corpus
from isoglot.errors import InputError
from isoglot.evaluation.evaluate import evaluate
from isoglot.records import Benchmark, Texts
from isoglot.retrieval.encode import Embeddings


def texts(lang: str, n: int) -> Texts:
    return Texts([f"{lang}{i}" for i in range(n)], [f"text {lang} {i}" for i in range(n)])


@pytest.fixture
def benchmark() -> Benchmark:
    """100 passages in de and 40 in en; relevant are de5, de50 and en0, judged not relevant is en39."""
    judgments = Judgments(np.array([0, 1, 1]), np.array([50, 5, 100]), np.array([2.0, 1.0, 1.0]))
    queries = {"de": texts("q", 1), "en": texts("q", 1)}
    corpus = {"de": texts("de", 100), "en": texts("en", 40)}
    return make_benchmark(
        "toy", queries, corpus, judgments, ["a", "b"], {"license": "CC0-1.0"}, np.array([139, 5, 50, 100])
    )


def kept(benchmark: Benchmark) -> dict[str, list[str]]:
    return {lang: list(part.ids) for lang, part in benchmark.corpus.items()}


def test_judged_and_others(benchmark: Benchmark) -> None:
    small = sample_corpus(benchmark, 10, seed=3)
    ids = kept(small)
    assert {lang: len(part) for lang, part in ids.items()} == {"de": 12, "en": 12}
    assert {"de5", "de50"} <= set(ids["de"])
    assert {"en0", "en39"} <= set(ids["en"])  # en39 is judged not relevant, and stays
    assert list(small.corpus["en"].texts) == [f"text en {key[2:]}" for key in ids["en"]]
    # the judgments point to the same passages as before
    pooled = [key for _, key, _ in small.pooled_documents()]
    assert [pooled[d] for d in small.relevant] == ["de50", "de5", "en0"]
    assert small.gains.tolist() == [2.0, 1.0, 1.0]
    assert [pooled[d] for d in small.judged] == ["de5", "de50", "en0", "en39"]
    assert small.query_groups == ["a", "b"]


def test_marked(benchmark: Benchmark) -> None:
    about = sample_corpus(benchmark, 10, seed=3).about
    assert about["license"] == "CC0-1.0"
    assert about["sample"] == "all judged passages and 10 others per language (seed 3): 24 of 140 passages"
    assert about["comparable"].startswith("no: ")
    small = sample_corpus(benchmark, 0)
    vectors = Embeddings(np.eye(2, 4, dtype=np.float32), np.eye(4, dtype=np.float32))
    assert evaluate(vectors, small, settings=["mono"]).summary["about"]["comparable"].startswith("no: ")


def test_deterministic_per_language(benchmark: Benchmark) -> None:
    assert kept(sample_corpus(benchmark, 10)) == kept(sample_corpus(benchmark, 10))
    assert kept(sample_corpus(benchmark, 10)) != kept(sample_corpus(benchmark, 10, seed=1))
    alone = sample_corpus(restrict(benchmark, ["en"]), 10)
    assert kept(alone)["en"] == kept(sample_corpus(benchmark, 10))["en"]
    assert [alone.corpus["en"].ids[d] for d in alone.judged] == ["en0", "en39"]


def test_everything_fits(benchmark: Benchmark) -> None:
    assert sample_corpus(benchmark, 98) is benchmark
    part = sample_corpus(benchmark, 38)
    assert part.corpus["en"] is benchmark.corpus["en"]
    assert len(part.corpus["de"]) == 40


def test_refused(benchmark: Benchmark) -> None:
    with pytest.raises(InputError, match="at least 0, got -1 and 0"):
        sample_corpus(benchmark, -1)
