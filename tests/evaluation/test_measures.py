"""Measures against values computed by hand and against ir_measures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.errors import InputError
from isoglot.evaluation.bias import by_language, median_by_language, rank_distance
from isoglot.evaluation.bias_report import bias_report
from isoglot.evaluation.measures import MEASURES, RankedQueries, default_measures, parse_measure, parse_measures
from isoglot.records import Texts
from isoglot.retrieval.ranks import Ranks


def ranked(*queries: list[tuple[int, float]]) -> RankedQueries:
    """Queries given as (rank, gain) of their relevant documents."""
    indptr = np.cumsum([0, *map(len, queries)])
    flat = [pair for query in queries for pair in query]
    return RankedQueries(
        indptr.astype(np.int64),
        np.array([rank for rank, _ in flat], dtype=np.int64),
        np.array([gain for _, gain in flat], dtype=np.float64),
    )


# query 0: relevant at ranks 1, 3, 12 (gains 1); query 1: one at rank 4; query 2: gain 1 at rank 1, gain 3 at rank 2
THREE = ranked([(1, 1.0), (3, 1.0), (12, 1.0)], [(4, 1.0)], [(1, 1.0), (2, 3.0)])


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        # (1/1 + 2/3 + 3/12) / 3 = 23/36; 1/4; (1/1 + 2/2) / 2 = 1
        ("AP", [23 / 36, 0.25, 1.0]),
        # the relevant at rank 12 does not count but R stays 3: (1 + 2/3) / 3 = 5/9
        ("AP@10", [5 / 9, 0.25, 1.0]),
        ("RR", [1.0, 0.25, 1.0]),
        ("RR@3", [1.0, 0.0, 1.0]),
        ("R@1", [1 / 3, 0.0, 0.5]),
        ("R@10", [2 / 3, 1.0, 1.0]),
        ("P@10", [0.2, 0.1, 0.2]),
        ("Success@3", [1.0, 0.0, 1.0]),
        # log2(1 + rank): ranks 1, 2, 3, 4 give 1, log2 3, 2, log2 5. Query 0: (1 + 1/2) over (1 + 1/log2 3 + 1/2).
        # Query 2: (1 + 3/log2 3) over the ideal order 3, 1: (3 + 1/log2 3).
        (
            "nDCG@10",
            [
                1.5 / (1.5 + 1 / math.log2(3)),
                1 / math.log2(5),
                (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)),
            ],
        ),
        # cut at 1: query 2 finds gain 1 where the best order has 3
        ("nDCG@1", [1.0, 0.0, 1 / 3]),
    ],
)
def test_by_hand(spelling: str, expected: list[float]) -> None:
    np.testing.assert_allclose(parse_measure(spelling)(THREE), expected, rtol=1e-12)


def test_against_ir_measures() -> None:
    """Random rankings with graded judgments, every measure, to 1e-9."""
    ir_measures = pytest.importorskip("ir_measures")
    rng = np.random.default_rng(7)
    spellings = ["AP", "AP@10", "nDCG", "nDCG@1", "nDCG@10", "R@1", "R@10", "R@100", "RR", "P@5", "Success@5"]
    queries, qrels, run = [], [], []
    for q in range(60):
        n = int(rng.integers(5, 200))
        grades = rng.integers(1, 4, size=int(rng.integers(1, min(n, 15) + 1)))
        ranks = np.sort(rng.choice(n, size=len(grades), replace=False)) + 1
        queries.append([(int(rank), float(grade)) for rank, grade in zip(ranks, grades, strict=True)])
        grade_at = dict(queries[-1])
        for rank in range(1, n + 1):
            run.append(ir_measures.ScoredDoc(str(q), f"d{rank}", float(-rank)))
            if rank in grade_at:
                qrels.append(ir_measures.Qrel(str(q), f"d{rank}", int(grade_at[rank])))
    ours = {s: parse_measure(s)(ranked(*queries)) for s in spellings}
    provider = ir_measures.providers.registry["pytrec_eval"]
    measures = [ir_measures.parse_measure(s) for s in spellings]
    compared = 0
    for metric in provider.iter_calc(measures, qrels, run):
        assert ours[str(metric.measure)][int(metric.query_id)] == pytest.approx(metric.value, abs=1e-9)
        compared += 1
    assert compared == 60 * len(spellings)


@pytest.mark.parametrize(
    ("spelling", "printed"),
    [("mAP", "AP"), ("AP", "AP"), ("ndcg@10", "nDCG@10"), ("MRR@10", "RR@10"), ("recall@100", "R@100"), ("P@5", "P@5")],
)
def test_spelling(spelling: str, printed: str) -> None:
    assert str(parse_measure(spelling)) == printed
    assert parse_measure(printed) == parse_measure(spelling)


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        ("nDGC@10", "unknown measure 'nDGC@10' .did you mean 'nDCG@10'"),
        ("R", "measure 'R' needs a cutoff, such as R@10"),
        ("R@0", "'0' is no cutoff"),
        ("nDCG@ten", "'ten' is no cutoff"),
        ("nDCG@", "'' is no cutoff"),
    ],
)
def test_bad_spelling(spelling: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_measure(spelling)


def test_measures_come_once_and_in_order() -> None:
    assert parse_measures(["R@1", "mAP", "AP"]) == (MEASURES["R"](1), MEASURES["AP"]())
    with pytest.raises(InputError, match="no measure given"):
        parse_measures([])


def test_what_is_measured_without_being_asked_for() -> None:
    assert default_measures() == ("AP", "nDCG@10", "R@1", "R@10", "R@100")


def test_rank_distance_by_hand() -> None:
    # query 0: 12 - 1; query 1 has one relevant document, so no distance; query 2: 2 - 1
    np.testing.assert_array_equal(rank_distance(THREE, np.array([3, 1, 2])), [11.0, np.nan, 1.0])
    # two relevant documents of one language say nothing about languages
    np.testing.assert_array_equal(rank_distance(THREE, np.array([2, 1, 1])), [11.0, np.nan, np.nan])


def test_bias_is_averaged_by_language_first() -> None:
    # a: mean 20, median 10 (of 0, 10, 50); b: 100 (its NaN is left out); c has nothing
    distance = np.array([0.0, 10.0, 50.0, 100.0, np.nan, np.nan])
    language, names = np.array([0, 0, 0, 1, 1, 2]), ["a", "b", "c"]
    assert by_language(distance, language, names) == {"a": 20.0, "b": 100.0}
    assert median_by_language(distance, language, names) == {"a": 10.0, "b": 100.0}
    # macro: (20 + 100) / 2 and (10 + 100) / 2
    texts = {lang: Texts(["q1", "q2", "q3"], ["x", "y", "z"]) for lang in ("a", "b")}
    answers = Judgments(np.repeat(np.arange(6), 2), np.array([0, 3, 1, 4, 2, 5] * 2), np.ones(12))
    benchmark = make_benchmark("two", texts, texts, answers)
    pooled = np.array([1, 1, 1, 11, 1, 51, 1, 101, 1, 101, 1, 101])
    report = bias_report(benchmark, Ranks(np.ones(12, dtype=np.int64), pooled), None, np.arange(6))
    assert (report["rank_distance"], report["rank_distance_median"]) == (60.0, 55.0)
    assert report["per_language"]["a"]["rank_distance_median"] == 10.0
