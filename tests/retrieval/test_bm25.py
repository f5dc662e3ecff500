"""Terms in all scripts, ranks from scores, and BM25 against the formula."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.errors import InputError
from isoglot.evaluation.cells import make_rows
from isoglot.evaluation.measures import parse_measure
from isoglot.evaluation.trec import export_runs
from isoglot.records import Benchmark, Float32Array, IntArray, Texts
from isoglot.retrieval import rankings
from isoglot.retrieval.rankings import (
    Ranker,
    Search,
    bounds,
    rank_benchmark,
    ranks_from_scores,
    scored_search,
    vector_search,
)
from isoglot.retrieval.terms import terms
from tests.evaluation.exports import coarse, toy
from tests.evaluation.test_trec import figures


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Straße, İstanbul: 3.5 % of_it", ["strasse", "istanbul", "3", "5", "of", "it"]),
        # vowel signs are combining marks, which \w does not match
        ("मुझे हिन्दी", ["मुझे", "हिन्दी"]),
        ("العَرَبِيّة العـربية", ["العربية", "العربية"]),
        ("中国人的 GDP２", ["中国", "国人", "人的", "gdp2"]),
        ("人 x", ["人", "x"]),
        ("ที่นี่", ["ที่นี่"]),
        ("กรุง", ["กรุ", "รุง"]),
        ("ΕΛΛΆΔΑ Việt", ["ελλάδα", "việt"]),
        ("— …!", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


class Products:
    """Scores that are the products of vectors."""

    def __init__(self, benchmark: Benchmark) -> None:
        self.benchmark = benchmark
        model = coarse(benchmark)
        self.table = (model.queries @ model.documents.T).astype(np.float32)

    def scores(self, queries: IntArray, language: str | None) -> Float32Array:
        first, end = (0, self.benchmark.n_documents) if language is None else bounds(self.benchmark, language)
        return self.table[queries, first:end]


@pytest.mark.parametrize("at_once", [1, 200, 1 << 25])
def test_ranks_from_scores_are_exact_ranks(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(rankings, "_AT_ONCE", at_once)
    benchmark = toy()
    model = coarse(benchmark)
    ours = ranks_from_scores(benchmark, Products(benchmark))
    expected = rank_benchmark(benchmark, model.queries, model.documents)
    np.testing.assert_array_equal(ours.own, expected.own)
    np.testing.assert_array_equal(ours.pooled, expected.pooled)


def test_search_by_scores_is_search_by_vectors() -> None:
    benchmark = toy()
    model = coarse(benchmark)
    one: Search = scored_search(benchmark, Products(benchmark))
    two = vector_search(benchmark, model.queries, model.documents)
    for language, k in ((None, 7), ("en", 5), ("th", 99)):
        np.testing.assert_array_equal(one(language, k)[0], two(language, k)[0])


def test_scores_that_are_wrong() -> None:
    benchmark = toy()
    products = Products(benchmark)
    products.table[3, 3] = np.nan
    with pytest.raises(InputError, match="NaN or infinite"):
        ranks_from_scores(benchmark, products)
    products.table = products.table[:, :-1]
    with pytest.raises(InputError, match="gave scores of shape"):
        ranks_from_scores(benchmark, products)


QUERIES = {"de": Texts(["q"], ["der Fluss Rhein"]), "en": Texts(["q", "r"], ["the river Rhine rhine", "zzz"])}
CORPUS = {
    "de": Texts(["d0", "d1"], ["Der Rhein ist ein Fluss", "Berlin"]),
    "en": Texts(["e0", "e1", "e2", "e3"], ["The Rhine is a river", "Berlin is a city", "Berlin is a city", "…"]),
}


@pytest.fixture
def words() -> Benchmark:
    pairs = np.array([(0, 0), (0, 2), (1, 0), (1, 2), (2, 3), (2, 5)])
    return make_benchmark("words", QUERIES, CORPUS, Judgments(pairs[:, 0], pairs[:, 1], np.ones(len(pairs))))


def test_bm25_is_the_formula(words: Benchmark) -> None:
    pytest.importorskip("bm25s", reason="bm25s is not installed (extra bm25)")
    from isoglot.retrieval.bm25 import BM25

    scores = BM25(k1=1.2, b=0.7).scorer(words).scores(np.arange(3), "en")
    corpus = [terms(text) for text in CORPUS["en"].texts]
    average = np.mean([len(text) for text in corpus])
    for q, query in enumerate([*QUERIES["de"].texts, *QUERIES["en"].texts]):
        for d, text in enumerate(corpus):
            expected = 0.0
            for term in terms(query):
                n = sum(term in other for other in corpus)
                idf = math.log(1 + (len(corpus) - n + 0.5) / (n + 0.5))
                tf = text.count(term)
                expected += idf * tf / (tf + 1.2 * (1 - 0.7 + 0.7 * len(text) / average))
            assert scores[q, d] == pytest.approx(expected, rel=1e-5)
    assert scores[1, 0] > 0
    assert not scores[2].any(), "no term is known"


def test_bm25_ranks(words: Benchmark, tmp_path: Path) -> None:
    pytest.importorskip("bm25s", reason="bm25s is not installed (extra bm25)")
    from isoglot.retrieval.bm25 import BM25

    ranker = BM25()
    assert isinstance(ranker, Ranker)
    ranks = ranker.rank(words)
    mono = make_rows("mono", words, ranks)
    assert parse_measure("AP")(mono.ranked).tolist()[:2] == [1.0, 1.0]
    # r shares no term with anything: all scores are zero and the hash decides; equal texts are told apart by it too
    pooled = ranks.pooled[4:].tolist()
    assert len(set(pooled)) == 2
    assert max(pooled) <= words.n_documents
    cells = export_runs(words, ranker.search(words), tmp_path)
    for cell in cells:
        theirs = figures(tmp_path, cell, 1000)
        rows = make_rows(cell.setting, words, ranks)
        values = parse_measure("AP")(rows.ranked)
        mine = {}
        ids = [key for _, key, _ in words.pooled_queries()]
        for place, query in enumerate(rows.query.tolist()):
            if rows.names[rows.cell[place]] == (cell.query_lang, cell.doc_lang):
                mine[ids[query], "AP@1000"] = values[place]
        assert mine == pytest.approx({key: value for key, value in theirs.items() if key[1] == "AP@1000"}, abs=1e-6)


def test_bm25_without_any_term() -> None:
    pytest.importorskip("bm25s", reason="bm25s is not installed (extra bm25)")
    from isoglot.retrieval.bm25 import BM25

    silent = {"en": Texts(["a", "b"], ["…", "!"])}
    pairs = Judgments(np.array([0]), np.array([1]), np.ones(1))
    assert BM25().rank(make_benchmark("silent", QUERIES, silent, pairs)).own[0] in (1, 2)
    with pytest.raises(InputError, match="b between 0 and 1"):
        BM25(b=2)


def test_without_bm25s(monkeypatch: pytest.MonkeyPatch) -> None:
    from isoglot.retrieval.bm25 import BM25

    monkeypatch.setitem(sys.modules, "bm25s", None)
    with pytest.raises(InputError, match=r"pip install 'isoglot\[bm25\]'"):
        BM25()
