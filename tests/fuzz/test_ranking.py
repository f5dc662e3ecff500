"""Ranks, measures, mixtures of languages and statistics, against what their definitions say, counted out."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from hypothesis import assume, example, given
from hypothesis import strategies as st

from isoglot.errors import InputError
from isoglot.evaluation.measures import MEASURES, Measure, RankedQueries, parse_measure, parse_measures
from isoglot.evaluation.significance import (
    Cells,
    benjamini_hochberg,
    bootstrap_averages,
    bootstrap_difference,
    cell_means,
    contributions,
    effect_size,
    holm,
    macro_average,
    percentile_interval,
    sign_flip,
)
from isoglot.retrieval.fair import Fair
from isoglot.retrieval.fusions.quota import Quota, RoundRobin
from isoglot.retrieval.ranks import exact_ranks
from isoglot.retrieval.scoring import pair_scores
from isoglot.retrieval.ties import tie_positions
from isoglot.retrieval.topk import top_k
from tests.fuzz.trying import ANY_TEXTS, TEXTS, outcome, tried

# --- ranks

FLOATS = st.floats(-2, 2, width=32) | st.sampled_from([0.0, -0.0, 1.0, 0.5, 2**-60, 2**-126, 2**-149, -1.0, 1 + 2**-23])


@st.composite
def vectors(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    """Queries and documents, many of them equal or nearly so, of any length."""
    width = draw(st.integers(1, 5))
    some = draw(st.lists(st.lists(FLOATS, min_size=width, max_size=width), min_size=1, max_size=6))
    scale = np.float32(draw(st.sampled_from([1, 1, 1, 1e-20, 1e-38, 1e10, 1e18])))

    def matrix(most: int) -> np.ndarray:
        rows = draw(st.lists(st.integers(0, len(some) - 1), min_size=1, max_size=most))
        made = np.array([some[row] for row in rows], dtype=np.float32)
        nudged = draw(st.integers(0, len(made) - 1))
        made[nudged] = np.nextafter(made[nudged], np.float32(9))
        return made

    return matrix(5), matrix(25) * scale


@tried(120)
@given(vectors(), st.data())
def test_ranks_and_the_best_are_those_of_a_sort(given_: tuple[np.ndarray, np.ndarray], data: st.DataObject) -> None:
    queries, documents = given_
    n = len(documents)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=2)))
    offsets = np.array([0, *cuts, n])
    ties = np.array(data.draw(st.permutations(range(n))))
    judged = [sorted(data.draw(st.sets(st.integers(0, n - 1), max_size=4))) for _ in queries]
    indptr, relevant = np.cumsum([0, *map(len, judged)]), np.array([d for ds in judged for d in ds], dtype=np.int64)
    chunks = {"query_chunk": data.draw(st.integers(1, 6)), "document_chunk": data.draw(st.integers(1, 30))}
    rows, columns = (axis.ravel() for axis in np.mgrid[: len(queries), :n])
    scores = pair_scores(queries, rows, documents, columns).reshape(len(queries), n)
    ranks = exact_ranks(queries, documents, indptr, relevant, ties, offsets, **chunks)
    k = data.draw(st.integers(1, n + 3))
    within = data.draw(st.none() | st.tuples(st.integers(0, n - 1), st.integers(1, n)).filter(lambda w: w[0] < w[1]))
    found, values = top_k(queries, documents, k, ties, within=within, **chunks)
    first, end = within or (0, n)
    for query, own in enumerate(judged):
        order = np.lexsort((ties, -scores[query])).tolist()
        for number, document in enumerate(own, int(indptr[query])):
            language = int(np.searchsorted(offsets, document, side="right")) - 1
            inside = [d for d in order if offsets[language] <= d < offsets[language + 1]]
            assert ranks.pooled[number] == order.index(document) + 1
            assert ranks.own[number] == inside.index(document) + 1
        best = [d for d in order if first <= d < end][:k]
        assert found[query].tolist() == best
        np.testing.assert_array_equal(values[query], scores[query, best])


@tried(100)
@given(st.lists(ANY_TEXTS, min_size=1, max_size=12), st.data())
def test_ties_have_one_order_whatever_order_they_come_in(ids: list[str], data: st.DataObject) -> None:
    languages = data.draw(st.lists(st.sampled_from(["de", "en"]), min_size=len(ids), max_size=len(ids)))
    places = tie_positions(ids, languages)
    assert sorted(places.tolist()) == list(range(len(ids)))
    order = data.draw(st.permutations(range(len(ids))))
    shuffled = tie_positions([ids[i] for i in order], [languages[i] for i in order])
    keys = [(ids[i], languages[i]) for i in np.argsort(places)]
    assert [(ids[order[i]], languages[order[i]]) for i in np.argsort(shuffled)] == keys


# --- measures


def by_hand(measure: Measure, ranks: list[int], gains: list[float]) -> float:
    """A measure of one query from its definition, over the list of its first documents."""
    last = max(ranks) if measure.cutoff is None else min(measure.cutoff, max(ranks))
    listed = [gains[ranks.index(rank)] if rank in ranks else 0.0 for rank in range(1, last + 1)]
    hits = [rank for rank, gain in enumerate(listed, 1) if gain > 0]
    if measure.name == "AP":
        return sum(sum(h <= rank for h in hits) / rank for rank in hits) / len(ranks)
    if measure.name == "nDCG":
        ideal = sorted(gains, reverse=True)[: measure.cutoff]
        dcg = sum(gain / math.log2(rank + 1) for rank, gain in enumerate(listed, 1))
        return dcg / sum(gain / math.log2(rank + 1) for rank, gain in enumerate(ideal, 1))
    if measure.name == "RR":
        return 1 / hits[0] if hits else 0.0
    over = {"P": measure.cutoff, "R": len(ranks)}.get(measure.name)
    return len(hits) / over if over else float(bool(hits))


QUERIES = st.lists(
    st.dictionaries(st.integers(1, 60), st.sampled_from([1.0, 2.0, 3.0, 0.5]), min_size=1, max_size=8),
    min_size=1,
    max_size=4,
)


@tried(150)
@given(QUERIES, st.integers(1, 70))
def test_measures_are_their_definitions(queries: list[dict[int, float]], cutoff: int) -> None:
    ranks = [sorted(query) for query in queries]
    ranked = RankedQueries(
        np.cumsum([0, *map(len, ranks)]),
        np.array([rank for own in ranks for rank in own]),
        np.array([query[rank] for query, own in zip(queries, ranks) for rank in own]),
    )
    for kind in MEASURES:
        for measure in (kind(cutoff), *([] if kind.needs_cutoff else [kind()])):
            found = measure(ranked)
            assert ((found >= 0) & (found <= 1 + 1e-12)).all()
            expected = [by_hand(measure, own, [query[rank] for rank in own]) for query, own in zip(queries, ranks)]
            np.testing.assert_allclose(found, expected, rtol=1e-12, err_msg=str(measure))


SPELLINGS = ANY_TEXTS | st.tuples(
    st.sampled_from(["AP", "ndcg", "nDCG", "R", "recall", "P", "RR", "MRR", "map", "Success", "x"]),
    st.sampled_from(["", "@"]),
    st.integers(-1, 10**30).map(str) | st.sampled_from(["", "0", "010", "1e3", "٣", "9" * 5000, " 5"]),
).map("".join)


@tried(250)
@example("R@" + "9" * 5000)
@given(SPELLINGS)
def test_a_measure_is_its_spelling(spelling: str) -> None:
    measure = outcome(lambda: parse_measure(spelling))
    if isinstance(measure, InputError):
        return
    assert parse_measure(str(measure)) == measure
    assert parse_measures([measure, str(measure)]) == (measure,)
    value = measure(RankedQueries(np.array([0, 1]), np.array([3]), np.array([1.0])))
    assert 0 <= value[0] <= 1


# --- languages mixed


@tried(120)
@given(
    st.lists(st.lists(st.floats(-1, 1, width=32), max_size=6), min_size=1, max_size=4),
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=4, max_size=4),
    st.data(),
)
def test_mixtures_keep_the_order_within_a_language(
    lists: list[list[float]], weights: list[float], data: st.DataObject
) -> None:
    names = ["de", "en", "th", "zh"][: len(lists)]
    scores = np.array([score for own in lists for score in own], dtype=np.float32)
    language = np.repeat(np.arange(len(lists)), [len(own) for own in lists])
    assume(len(scores))
    ties = np.array(data.draw(st.permutations(range(len(scores)))))
    shares = dict(zip(names, weights))
    for fusion in (RoundRobin(), Quota(), Quota(shares=shares)):
        order = Fair(fusion, None, {}).order(scores, language, ties, names, "de").tolist()
        assert sorted(order) == list(range(len(scores)))
        for number in range(len(lists)):
            inside = [scores[i] for i in order if language[i] == number]
            assert inside == sorted(inside, reverse=True)
        weight = fusion.weights(np.bincount(language, minlength=len(names)), names, "de")
        taken, left = [0] * len(names), [len(own) for own in lists]
        for i in order:  # the next place goes to the language that is furthest behind its share
            claims = [weight[n] / (2 * taken[n] + 1) if left[n] else -1.0 for n in range(len(names))]
            assert claims[language[i]] >= max(claims) * (1 - 1e-12)
            taken[language[i]] += 1
            left[language[i]] -= 1


# --- statistics

P_VALUES = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 1.0, 0.05]), max_size=8)


@tried(150)
@given(P_VALUES)
def test_adjusted_p_values_are_their_definitions(p: list[float]) -> None:
    order = sorted(range(len(p)), key=lambda i: p[i])
    m = len(p)
    expected_holm, expected_bh = [0.0] * m, [0.0] * m
    for place, i in enumerate(order):
        expected_holm[i] = max(min(1, (m - j) * p[order[j]]) for j in range(place + 1))
        expected_bh[i] = min(min(1, m * p[order[j]] / (j + 1)) for j in range(place, m))
    np.testing.assert_allclose(holm(p), expected_holm, rtol=1e-12)
    np.testing.assert_allclose(benjamini_hochberg(p), expected_bh, rtol=1e-12)
    assert (holm(p) >= np.array(p) * (1 - 1e-12)).all()


@st.composite
def cells(draw: Any) -> tuple[Cells, np.ndarray]:
    """Rows of cells, query ids and paragraphs, all of which occur, with a difference each."""
    units = draw(st.integers(1, 6))
    group_of = [draw(st.integers(0, 2)) for _ in range(units)]
    rows = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, units - 1)), min_size=1, max_size=15, unique=True))
    columns = [[c for c, _ in rows], [u for _, u in rows], [group_of[u] for _, u in rows]]
    numbered = [np.unique(column, return_inverse=True)[1] for column in columns]
    values = st.floats(-1, 1) | st.sampled_from([0.0, 0.25, 1e-300, -0.25])
    return Cells(*numbered), np.array(draw(st.lists(values, min_size=len(rows), max_size=len(rows))))


@tried(120)
@given(cells(), st.integers(0, 99))
def test_what_ids_add_is_the_average_and_its_test_is_an_enumeration(
    given_: tuple[Cells, np.ndarray], seed: int
) -> None:
    rows, values = given_
    per_cell = [np.mean([v for v, c in zip(values, rows.cell) if c == cell]) for cell in range(rows.n_cells)]
    np.testing.assert_allclose(cell_means(rows, values), per_cell, atol=1e-14)
    for by_group in (False, True):
        shares = contributions(rows, values, by_group=by_group)
        np.testing.assert_allclose(shares.sum(axis=0), [macro_average(rows, values), *per_cell], atol=1e-14)
    shares = contributions(rows, values)
    p = sign_flip(shares, 1 << 10, seed)
    for column in range(shares.shape[1]):
        own = shares[:, column]
        sums = [
            abs(math.fsum(s * x for s, x in zip(signs, own))) for signs in itertools.product((-1, 1), repeat=len(own))
        ]
        bound = abs(math.fsum(own)) - 1e-11 * float(np.abs(own).sum())
        at_least = sum(s >= bound for s in sums) / len(sums)
        assert p[column] <= at_least + 1e-12
        assert p[column] >= sum(s >= bound + 2e-11 * float(np.abs(own).sum()) for s in sums) / len(sums) - 1e-12
        assert 2 / 2 ** len(own) <= p[column] * (1 + 1e-12) or len(own) == 0
        assert sign_flip(-shares, 1 << 10, seed)[column] == p[column]
    assert (sign_flip(shares, 1, seed) > 0).all(), "never 0, however few"
    size = effect_size(shares[:, 0])
    assert size is None or math.isfinite(size)


@tried(80)
@given(cells(), st.integers(0, 99), st.floats(-5, 5))
def test_bootstraps_of_any_cells(given_: tuple[Cells, np.ndarray], seed: int, constant: float) -> None:
    rows, values = given_
    drawn = bootstrap_averages(rows, np.stack([values, values + constant, np.full(len(values), constant)]), 50, seed)
    assert np.isfinite(drawn).all()
    assert (drawn[:, 0] >= values.min() - 1e-12).all()
    assert (drawn[:, 0] <= values.max() + 1e-12).all()
    np.testing.assert_allclose(drawn[:, 1] - drawn[:, 0], constant, atol=1e-12)  # the same draws for both
    np.testing.assert_allclose(drawn[:, 2], constant, atol=1e-12)
    difference = bootstrap_difference(drawn[:, :1], drawn[:, 1:2], seed)
    low, high = percentile_interval(difference, 0.95)
    assert low <= high
    np.testing.assert_allclose([low, high], constant, atol=1e-11)
    narrow, wide = percentile_interval(drawn[:, 0], 0.9), percentile_interval(drawn[:, 0], 0.99)
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


@tried(60)
@given(TEXTS, TEXTS)
def test_the_same_texts_are_the_same_key_and_others_are_others(one: str, other: str) -> None:
    from isoglot.data.sameness import normalise, text_key

    assert normalise(normalise(one)) == normalise(one)
    assert text_key(f" {one}\n") == text_key(one)
    if text_key(one) == text_key(other):
        assert normalise(one) == normalise(other)
