"""Every measure of language bias on cases small enough to compute by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.evaluation.bias import (
    JudgedRanks,
    by_language,
    normalised_worst_rank,
    peer,
    rank_distance_log2,
    recall_gap,
    recall_matrix,
    relevant_share,
    share_distance,
    target_language_recall,
    topk_share,
)
from isoglot.evaluation.bias_preference import language_ndcg, language_preference
from isoglot.evaluation.bias_report import bias_report
from isoglot.evaluation.bias_vectors import _best_first, language_classifier_accuracy, rank_consistency
from isoglot.evaluation.cells import micro
from isoglot.evaluation.measures import RankedQueries
from isoglot.records import Benchmark, Texts
from isoglot.retrieval.encode import Embeddings
from isoglot.retrieval.rankings import rank_benchmark

NAN = math.nan
# query 0: relevant at ranks 2, 8; query 1: at rank 4 only; query 2: the first three of all; query 3: first and last of 64
RANKED = RankedQueries(np.array([0, 2, 3, 6, 8]), np.array([2, 8, 4, 1, 2, 3, 1, 64]), np.ones(8))
LANGUAGES = np.array([2, 1, 3, 2])


def judged(query_language: list[int], *rows: tuple[int, int, int, float]) -> JudgedRanks:
    """Rows of (query, rank, document language, gain) over the languages a, b, c."""
    query, rank, language, gain = (np.array(column) for column in zip(*rows, strict=True))
    return JudgedRanks(("a", "b", "c"), np.array(query_language), query, rank, language, gain.astype(float))


# query 0 in a: answers in a at rank 1, b at 3, c at 30; query 1 in b: a at 12, b at 2; query 2 in a: only a, at rank 50
SMALL = judged([0, 1, 0], (0, 1, 0, 1), (0, 3, 1, 1), (0, 30, 2, 1), (1, 12, 0, 1), (1, 2, 1, 1), (2, 50, 0, 1))


def test_log_rank_distance() -> None:
    # log2 8 - log2 2 = 2; one answer; log2 3 - log2 1; log2 64 - log2 1 = 6
    np.testing.assert_allclose(rank_distance_log2(RANKED, LANGUAGES), [2, NAN, math.log2(3), 6])


def test_normalised_worst_rank() -> None:
    # |D| = 64: 100 (6 - 3) / (6 - 1) = 60; one answer; the three first of three: 100; the last of all: 0
    np.testing.assert_allclose(normalised_worst_rank(RANKED, LANGUAGES, 64), [60, NAN, 100, 0], atol=1e-12)
    # every document is relevant: there is only one ranking of them
    everything = RankedQueries(np.array([0, 2]), np.array([1, 2]), np.ones(2))
    assert np.isnan(normalised_worst_rank(everything, np.array([2]), 2)).all()


def test_by_language_leaves_out_what_is_missing() -> None:
    assert by_language(np.array([1.0, NAN, 5.0, NAN]), np.array([0, 0, 0, 1]), ["a", "b"]) == {"a": 3.0}


def test_micro_is_the_mean_over_rows() -> None:
    assert micro({"AP": np.array([1.0, 0.5, 0.0])}) == {"AP": 0.5}


def test_target_language_recall() -> None:
    # query 0: of b (3) and c (30) one within 10; query 1: a stands at 12; query 2 has no other language
    np.testing.assert_allclose(target_language_recall(SMALL, 10), [0.5, 0, NAN])
    np.testing.assert_allclose(target_language_recall(SMALL, 12), [0.5, 1, NAN])


def test_language_preference() -> None:
    # query 0 in a: its a at 1 before b and c; query 1 in b: its b at 2 before a; query 2 has nothing but a
    np.testing.assert_array_equal(language_preference(SMALL), [1, 1, NAN])
    # asked in c, query 0 has c last; asked in a, query 1 has a last
    other = JudgedRanks(
        SMALL.languages, np.array([2, 0, 1]), SMALL.query, SMALL.rank, SMALL.document_language, SMALL.gain
    )
    np.testing.assert_array_equal(language_preference(other), [0, 0, NAN])


def test_language_ndcg() -> None:
    # query 0: a (gain 1) at 1, b (1/2) at 3, c beyond 10; best: 1, then the halves. query 1: b at 2 only. query 2: at 50
    half = 0.5 / math.log2(3)
    ideal = 1 + half + 0.5 / math.log2(4)
    expected = [(1 + 0.5 / math.log2(4)) / ideal, (1 / math.log2(3)) / (1 + half), 0]
    np.testing.assert_allclose(language_ndcg(SMALL, 10), expected)
    # a model that puts another language's answer first loses what one that puts the query's own first does not
    first, second = (0, 1, 0, 1), (0, 2, 1, 1)
    assert language_ndcg(judged([0], first, second), 10) == 1 > language_ndcg(judged([1], first, second), 10)
    # with equal weights it is plain nDCG, and unsorted ranks and grades are no matter
    plain = judged([0], (0, 3, 1, 1), (0, 1, 0, 3), (0, 2, 2, 2))
    np.testing.assert_allclose(language_ndcg(plain, 10, other=1), [1])


def test_recall_gap() -> None:
    matrix = recall_matrix(SMALL, 10)
    # a -> a: query 0 finds it (1), query 2 does not (50); a -> b: 3; a -> c: 30; b -> a: 12; b -> b: 2; nobody asks in c
    np.testing.assert_allclose(matrix, [[0.5, 1, 0], [0, 1, NAN], [NAN, NAN, NAN]])
    same, other, gap = recall_gap(matrix)
    np.testing.assert_allclose(same, [0.5, 1, NAN])
    np.testing.assert_allclose(other, [0, 1, 0])
    np.testing.assert_allclose(gap, [0.5, 0, NAN])


def test_shares() -> None:
    # documents 0 1 in a, 2 3 in b; queries 0 and 1 ask in a, query 2 in b
    top = np.array([[0, 1], [0, 2], [3, 2]])
    share = topk_share(top, np.array([0, 0, 1, 1]), np.array([0, 0, 1]), 3)
    np.testing.assert_allclose(share, [[0.75, 0.25, 0], [0, 1, 0], [NAN, NAN, NAN]])
    # relevant: a: (1/3 + 1) / 2 of a, 1/3 / 2 of b and of c; b: halves
    fair = relevant_share(SMALL)
    np.testing.assert_allclose(fair, [[2 / 3, 1 / 6, 1 / 6], [0.5, 0.5, 0], [NAN, NAN, NAN]])
    # (1/12 + 1/12 + 1/6) / 2 = 1/6; (1/2 + 1/2) / 2
    np.testing.assert_allclose(share_distance(share, fair), [1 / 6, 0.5, NAN])


def test_peer_by_hand() -> None:
    # a stands at 1 2, b at 3 4 among themselves: H = 3 (2 (1.5 - 2.5)^2 + 2 (3.5 - 2.5)^2) / (1.5^2 + .5^2 + .5^2 + 1.5^2)
    # = 12 / 5; chi2 with one degree of freedom: p = erfc(sqrt(H / 2))
    case = judged([0], (0, 1, 0, 1), (0, 5, 0, 1), (0, 9, 1, 1), (0, 70, 1, 1))
    np.testing.assert_allclose(peer(case), [math.erfc(math.sqrt(1.2))])
    # a at 1 4, b at 2 3: equal mean ranks, H = 0
    equal = judged([0], (0, 1, 0, 1), (0, 70, 0, 1), (0, 2, 1, 1), (0, 3, 1, 1))
    np.testing.assert_allclose(peer(equal), [1])
    # nothing above the cutoff: all are tied
    np.testing.assert_allclose(peer(judged([0], (0, 7, 0, 1), (0, 8, 0, 1), (0, 9, 1, 1), (0, 10, 1, 1)), 5), [1])


def test_peer_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    for cutoff in (None, 40):
        ranks = rng.choice(np.arange(1, 100), size=15, replace=False)
        language = np.array([0] * 6 + [1] * 5 + [2] * 4)
        case = judged([0], *((0, int(r), int(c), 1) for r, c in zip(ranks, language, strict=True)))
        cut = ranks if cutoff is None else np.minimum(ranks, cutoff + 1)
        expected = stats.kruskal(*(cut[language == code] for code in range(3))).pvalue
        np.testing.assert_allclose(peer(case, cutoff), [expected])


def test_peer_is_left_out_where_it_says_nothing() -> None:
    # one relevant document per language: H = L - 1 whatever the ranking
    assert np.isnan(peer(SMALL)).all()
    # one language has two, the other one
    assert np.isnan(peer(judged([0], (0, 1, 0, 1), (0, 2, 0, 1), (0, 9, 1, 1)))).all()


def test_peer_weighs_grades() -> None:
    # grade 1 as in the case by hand, grade 2 with equal means; query 1 has nothing to test
    rows = [
        (0, 1, 0, 1),
        (0, 5, 0, 1),
        (0, 9, 1, 1),
        (0, 70, 1, 1),
        (0, 2, 0, 2),
        (0, 8, 0, 2),
        (0, 3, 1, 2),
        (0, 4, 1, 2),
    ]
    case = judged([0, 0], *rows, (1, 1, 0, 1))
    p = math.erfc(math.sqrt(1.2))
    np.testing.assert_allclose(peer(case), [(p + 1) / 2, NAN])
    np.testing.assert_allclose(peer(case, weights={1.0: 0.25, 2.0: 0.75}), [0.25 * p + 0.75, NAN])


def test_rank_consistency_by_hand() -> None:
    # documents are unit vectors, so a query's numbers are its scores. 0 and 1 rank alike, 2 the other way round;
    # 3 and 4: places 0 1 2 and 1 0 2, d = 1 1 0: 1 - 6 * 2 / (3 * 8) = 0.5; 5 is alone.
    queries = np.array([[3, 2, 1], [9, 5, 1], [1, 2, 3], [3, 2, 1], [2, 3, 1], [1, 2, 3]], dtype=np.float32)
    values = rank_consistency(queries, np.eye(3, dtype=np.float32), np.arange(3), np.array([7, 7, 7, 4, 4, 5]))
    # query 0: (1 - 1) / 2; query 1 alike; query 2: (-1 - 1) / 2
    np.testing.assert_allclose(values, [0, 0, -1, 0.5, 0.5, NAN], atol=1e-12)


def test_rank_consistency_agrees_with_scipy_on_many_blocks() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(300, 4)).astype(np.float32)
    documents = rng.normal(size=(50, 4)).astype(np.float32)
    group = np.tile(np.arange(100), 3)
    values = rank_consistency(queries, documents, np.arange(50), group)
    scores = queries @ documents.T
    expected = (stats.spearmanr(scores[7], scores[107])[0] + stats.spearmanr(scores[7], scores[207])[0]) / 2
    assert values[7] == pytest.approx(expected)
    assert not np.isnan(values).any()
    sampled = [rank_consistency(queries, documents, np.arange(50), group, sample=20, seed=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(sampled[0], sampled[1])
    assert (sampled[0] != sampled[2]).any()


def test_places_are_those_of_a_stable_sort() -> None:
    draw = np.random.default_rng(1)
    for _ in range(30):
        scores = (draw.normal(size=(5, 40)) * 10.0 ** draw.integers(-40, 30)).astype(np.float32)
        scores[draw.random(scores.shape) < 0.3] = scores[0, 0]
        scores[draw.random(scores.shape) < 0.3] = draw.choice([0.0, -0.0])
        np.testing.assert_array_equal(_best_first(scores), np.argsort(-scores, axis=1, kind="stable"))


def test_language_classifier() -> None:
    rng = np.random.default_rng(0)
    group, language = np.tile(np.arange(100), 2), np.repeat([0, 1], 100)
    noise = rng.normal(size=(200, 8)).astype(np.float32)
    told = noise.copy()
    told[:, 0] = language * 10
    np.testing.assert_array_equal(language_classifier_accuracy(told, language, group, 3), [1, 1, NAN])
    # translations with the same vector: 0.5 of 30 + 30 tests are right, on whichever side each pair falls
    twins = np.concatenate([noise[:100], noise[:100]])
    assert language_classifier_accuracy(twins, language, group, 2).mean() == pytest.approx(0.5)
    # the scale of the vectors changes nothing
    one, two = (language_classifier_accuracy(noise * f, language, group, 2) for f in (1, 1000))
    np.testing.assert_array_equal(one, two)
    assert np.isnan(language_classifier_accuracy(told[:1], language[:1], group[:1], 2)).all()
    # a single language cannot be told from another
    assert np.isnan(language_classifier_accuracy(told[:100], language[:100], group[:100], 2)).all()


def test_language_classifier_agrees_with_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    from isoglot.evaluation.bias_vectors import _RIDGE, _split

    rng = np.random.default_rng(1)
    group, language = np.tile(np.arange(200), 3), np.repeat([0, 1, 2], 200)
    vectors = rng.normal(size=(600, 6)) + rng.normal(size=(3, 6))[language]
    train, test = _split(group, 0.3, 6000, np.random.default_rng(0))
    assert not set(group[train]) & set(group[test])
    assert (len(train), len(test)) == (420, 180)
    centred = vectors[train] - vectors[train].mean(axis=0)
    model = linear.RidgeClassifier(alpha=_RIDGE * (centred**2).sum() / 6).fit(vectors[train], language[train])
    right = model.predict(vectors[test]) == language[test]
    expected = [right[language[test] == code].mean() for code in range(3)]
    np.testing.assert_allclose(language_classifier_accuracy(vectors, language, group, 3), expected)


def parallel_benchmark() -> Benchmark:
    """Twelve questions in de and en with one answer each in both; documents de-0..11, en-0..11."""
    ids = [f"q{i}" for i in range(12)]
    queries = {lang: Texts(ids, [f"{lang} {key}" for key in ids]) for lang in ("de", "en")}
    corpus = {
        lang: Texts([f"{lang}-{i}" for i in range(12)], [f"{lang} d{i}" for i in range(12)]) for lang in ("de", "en")
    }
    number = np.arange(24)
    pairs = Judgments(np.repeat(number, 2), np.stack([number % 12, number % 12 + 12], axis=1).ravel(), np.ones(48))
    return make_benchmark("twelve", queries, corpus, pairs)


def test_bias_report_of_a_model_that_sees_only_meaning_and_language() -> None:
    benchmark = parallel_benchmark()
    # meaning in 12 dimensions, language in two: a document in the query's language scores 1 more than its translation.
    # Scores: own answer 1 + 1, own language 1, translation 1, the rest 0. Ties are broken by number here.
    side = np.repeat([[1.0, 0.0], [0.0, 1.0]], 12, axis=0)
    vectors = np.concatenate([np.tile(np.eye(12), (2, 1)), side], axis=1).astype(np.float32)
    ranks = rank_benchmark(benchmark, vectors, vectors)
    own = vectors @ vectors.T
    top = np.argsort(-own, axis=1, kind="stable")[:, :2]
    report = bias_report(benchmark, ranks, Embeddings(vectors, vectors), np.arange(24), top, cutoffs=(1, 13), k=2)
    json.dumps(report, allow_nan=False)
    assert list(report) == [
        *("rank_distance", "rank_distance_median", "rank_distance_log2", "normalised_worst_rank", "TLR@1", "TLR@13"),
        *(
            "language_preference",
            "Lang-nDCG@10",
            "recall_gap",
            "topk_share",
            "first_result",
            "rank_consistency",
            "language_classifier_accuracy",
            "language_classifier",
        ),
        *("PEER", "per_language"),
    ]
    # the translation stands anywhere from 2 to 13, never first
    assert (report["TLR@1"], report["TLR@13"]) == (0.0, 1.0)
    assert 1 <= report["rank_distance"] <= 12
    assert report["recall_gap"]["by_document_language"]["en"]["same"] == 1.0
    assert report["language_classifier_accuracy"] == 1.0
    assert report["language_classifier"]["passages"]["chance"] == 0.5
    assert report["topk_share"]["corpus"] == {"de": 0.5, "en": 0.5}
    assert report["topk_share"]["relevant"] == {"de": {"de": 0.5, "en": 0.5}, "en": {"de": 0.5, "en": 0.5}}
    assert report["language_preference"] == report["first_result"]["right_own"] == 1.0
    assert report["first_result"]["right_other"] == report["first_result"]["wrong_own"] == 0.0
    top[:3, 0], top[3, 0] = (
        np.arange(12, 15),
        4,
    )  # three questions in de find their answers in en, one a wrong answer in de
    moved = bias_report(benchmark, ranks, None, np.arange(24), top)["first_result"]
    assert moved == {"right_own": (8 / 12 + 1) / 2, "right_other": 3 / 24, "wrong_own": 1 / 24, "wrong_other": 0.0}
    assert report["PEER"]["undefined"].startswith("PEER tests whether")
    assert list(report["per_language"]) == ["de", "en"]
    assert "PEER" not in report["per_language"]["de"]


def test_bias_report_without_two_languages() -> None:
    texts = {"de": Texts(["1", "2"], ["x", "y"])}
    benchmark = make_benchmark("mono", texts, texts, Judgments(np.array([0]), np.array([0]), np.ones(1)))
    vectors = np.eye(2, dtype=np.float32)
    assert (
        bias_report(benchmark, rank_benchmark(benchmark, vectors, vectors), Embeddings(vectors, vectors), np.arange(2))
        == {}
    )


def test_what_is_not_defined_says_why() -> None:
    """Two languages with nothing in common: every query is answered in its own."""
    texts = {lang: Texts([f"{lang}1", f"{lang}2"], ["x", "y"]) for lang in ("de", "en")}
    judgments = Judgments(np.arange(4), np.arange(4), np.ones(4))
    benchmark = make_benchmark("apart", texts, texts, judgments)
    vectors = np.eye(4, dtype=np.float32)
    report = bias_report(
        benchmark, rank_benchmark(benchmark, vectors, vectors), Embeddings(vectors, vectors), np.arange(4)
    )
    for key in ("rank_distance", "normalised_worst_rank", "TLR@10", "recall_gap", "rank_consistency", "PEER"):
        assert set(report[key]) == {"undefined"}, key
