"""Tests and intervals against enumeration, scipy, closed forms and simulations with a known truth."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

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
    non_inferior,
    percentile_interval,
    resolvable,
    sign_flip,
)
from isoglot.records import FloatArray

# three ids in two groups and two cells: id 0 in both cells, id 1 in cell 0 only, id 2 in cell 1 only
UNEVEN = Cells(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 2]), np.array([0, 0, 0, 1]))


def full_cells(n_ids: int, n_cells: int, per_group: int = 1) -> Cells:
    """Every id in every cell, rows by cell; consecutive ids share a group."""
    unit = np.tile(np.arange(n_ids), n_cells)
    return Cells(np.repeat(np.arange(n_cells), n_ids), unit, unit // per_group)


def test_macro_average_counts_cells_the_same() -> None:
    cells = Cells(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0]), np.array([0, 1, 2, 0]))
    values = np.array([1.0, 2.0, 3.0, 10.0])
    assert cell_means(cells, values).tolist() == [2.0, 10.0]
    assert macro_average(cells, values) == 6.0


def test_contributions_by_hand() -> None:
    parts = contributions(UNEVEN, np.array([1.0, 2.0, 3.0, 4.0]))
    # columns: macro, cell 0, cell 1; a cell of two rows gives each of them a half
    assert parts.tolist() == [[1.0, 0.5, 1.5], [0.5, 1.0, 0.0], [1.0, 0.0, 2.0]]
    assert contributions(UNEVEN, np.array([1.0, 2.0, 3.0, 4.0]), by_group=True).tolist() == [
        [1.5, 1.5, 1.5],
        [1.0, 0, 2],
    ]


def test_contributions_sum_to_the_statistics() -> None:
    random = np.random.default_rng(1)
    cells = Cells(random.permutation(np.arange(200) % 7), np.arange(200) % 31, np.arange(200) % 31 // 3)
    values = random.normal(size=200)
    for by_group in (False, True):
        total = contributions(cells, values, by_group=by_group).sum(axis=0)
        assert total[0] == pytest.approx(macro_average(cells, values), abs=1e-14)
        assert total[1:] == pytest.approx(cell_means(cells, values), abs=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_exact_permutation_is_enumeration_and_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    # coarse values, so that sums tie
    parts = random.integers(-3, 6, size=(9, 2)) / 10
    found = sign_flip(parts, 9999, 0)
    for column, p in zip(parts.T, found):
        sums = [abs(float(np.dot(signs, column))) for signs in product((-1, 1), repeat=9)]
        assert p == np.mean(np.array(sums) >= abs(column.sum()) - 1e-9)
        scipys = stats.permutation_test((column,), np.sum, permutation_type="samples", n_resamples=np.inf)
        assert p == pytest.approx(scipys.pvalue, abs=1e-12)


def test_random_permutation_is_near_scipy() -> None:
    column = np.random.default_rng(3).normal(0.3, 1, size=40)
    p = float(sign_flip(column[:, None], 9999, 0)[0])
    scipys = stats.permutation_test(
        (column,),
        lambda x, axis: x.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        rng=np.random.default_rng(5),
    )
    # both are estimates from 9,999 draws: four standard errors of their difference
    assert abs(p - scipys.pvalue) < 4 * np.sqrt(2 * p * (1 - p) / 9999)


def test_smallest_p_and_equal_systems() -> None:
    parts = np.stack([np.full(100, 0.5), np.zeros(100)], axis=1)
    assert sign_flip(parts, 999, 0).tolist() == [1 / 1000, 1.0]


def test_blocks_of_resamples_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = full_cells(60, 3, 4)
    values = np.random.default_rng(0).normal(0.1, 1, size=(2, 180))
    parts = contributions(cells, values[0])
    whole = bootstrap_averages(cells, values, 500, 0), sign_flip(parts, 500, 0)
    monkeypatch.setattr("isoglot.evaluation.significance._CHUNK", 6000)
    assert bootstrap_averages(cells, values, 500, 0) == pytest.approx(whole[0], abs=1e-12)
    # the bits of random signs are drawn in blocks, so that other blocks give other signs
    assert sign_flip(parts, 500, 0) == pytest.approx(whole[1], abs=0.1)


def test_translations_of_a_query_are_one_query() -> None:
    one = np.linspace(-1.4, 1.9, 30)
    alone = sign_flip(contributions(full_cells(30, 1), one)[:, :1], 999, 7)
    translated = sign_flip(contributions(full_cells(30, 11), np.tile(one, 11))[:, :1], 999, 7)
    assert translated.tolist() == alone.tolist()
    as_if_independent = Cells(np.repeat(np.arange(11), 30), np.arange(330), np.arange(330))
    assert sign_flip(contributions(as_if_independent, np.tile(one, 11))[:, :1], 999, 7) < alone / 5


def test_false_positives_are_as_rare_as_promised() -> None:
    random = np.random.default_rng(11)
    cells = full_cells(25, 4)
    p = []
    for number in range(400):
        # an id is easy or hard in all languages: rows of an id are alike
        values = np.tile(random.normal(size=25), 4) + 0.5 * random.normal(size=100)
        p.append(float(sign_flip(contributions(cells, values)[:, :1], 199, number)[0]))
    # 400 draws at 5%: standard error 1.1%
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.085


def clustered(random: np.random.Generator, n_groups: int, truth: float) -> FloatArray:
    """Differences of 5 ids per paragraph in 3 languages that have their paragraph and their id in common."""
    paragraph = np.repeat(random.normal(0, 1, n_groups), 5)
    query = random.normal(0, 0.5, n_groups * 5)
    return truth + np.tile(paragraph + query, 3) + random.normal(0, 0.5, n_groups * 15)


def test_interval_covers_what_it_promises_over_paragraphs_only() -> None:
    random = np.random.default_rng(2)
    paragraphs, ids = full_cells(200, 3, 5), full_cells(200, 3, 1)
    covered = {"paragraphs": 0, "ids": 0}
    for number in range(300):
        values = clustered(random, 40, 0.3)[None]
        for name, cells in (("paragraphs", paragraphs), ("ids", ids)):
            low, high = percentile_interval(bootstrap_averages(cells, values, 399, number)[:, 0], 0.95)
            covered[name] += low <= 0.3 <= high
    # 300 intervals: standard error 1.3%; 40 paragraphs cost the percentile interval about 1%
    assert 0.90 <= covered["paragraphs"] / 300 <= 0.98
    # five questions over one paragraph are not five paragraphs
    assert covered["ids"] / 300 < 0.80


def test_bootstrap_standard_error_in_closed_form() -> None:
    values = np.random.default_rng(6).normal(size=50)
    found = bootstrap_averages(full_cells(50, 1), values[None], 20_000, 0)[:, 0]
    assert found.std() == pytest.approx(values.std() / np.sqrt(50), rel=0.03)
    assert found.mean() == pytest.approx(values.mean(), abs=0.005)


def test_a_group_is_drawn_for_all_cells_and_systems_together() -> None:
    one = np.random.default_rng(6).normal(size=40)
    opposite = bootstrap_averages(full_cells(40, 2, 4), np.concatenate([one, -one])[None], 200, 0)
    assert opposite == pytest.approx(0.0, abs=1e-14)
    shifted = bootstrap_averages(full_cells(40, 1, 4), np.stack([one, one + 0.5]), 200, 0)
    assert shifted[:, 1] - shifted[:, 0] == pytest.approx(0.5, abs=1e-14)


def test_bootstrap_against_a_plain_loop() -> None:
    random = np.random.default_rng(8)
    cells = Cells(np.arange(90) % 4, np.arange(90) % 18, np.arange(90) % 18 // 3)
    values = random.normal(size=90)
    found = bootstrap_averages(cells, values[None], 40, 9)[:, 0]
    draws = np.random.default_rng(np.random.SeedSequence((9, 0))).integers(0, 6, size=(40, 6))
    for drawn, average in zip(draws, found):
        rows = np.concatenate([np.flatnonzero(cells.group == group) for group in drawn])
        means = [values[rows][cells.cell[rows] == cell].mean() for cell in np.unique(cells.cell[rows])]
        assert average == pytest.approx(np.mean(means), abs=1e-12)


def test_a_cell_that_a_resample_leaves_empty_does_not_count() -> None:
    averages = bootstrap_averages(UNEVEN, np.array([[1.0, 1.0, 1.0, 1.0]]), 400, 0)
    assert np.unique(averages).tolist() == [1.0]
    only_second = Cells(np.array([0, 1]), np.array([0, 1]), np.array([0, 1]))
    assert np.unique(bootstrap_averages(only_second, np.array([[2.0, 4.0]]), 400, 0)).tolist() == [2.0, 3.0, 4.0]


def test_training_seeds_widen_the_interval() -> None:
    random = np.random.default_rng(5)
    cells = full_cells(100, 2)
    query = np.tile(random.normal(size=100), 2)
    a = np.stack([query + shift + random.normal(0, 0.1, 200) for shift in (-0.3, 0.0, 0.3)])
    b = np.stack([query + shift + random.normal(0, 0.1, 200) for shift in (0.2, 0.5, 0.8)])
    averages = bootstrap_averages(cells, np.concatenate([a, b]), 2000, 0)
    two_way = bootstrap_difference(averages[:, :3], averages[:, 3:], 0)
    one_way = averages[:, 3:].mean(axis=1) - averages[:, :3].mean(axis=1)
    assert two_way.std() > 3 * one_way.std()
    # and where all seeds give the same model, they change nothing
    same = averages[:, [0, 0, 0]], averages[:, [3, 3, 3]]
    assert bootstrap_difference(*same, 0) == pytest.approx(averages[:, 3] - averages[:, 0], abs=1e-12)


def test_what_goes_on_from_the_same_training_shares_its_seeds() -> None:
    """Seeds far apart, and what is done to each adds .01, .02 and .03: only the latter says how sure the difference is."""
    reference = np.tile([0.2, 0.5, 0.8], (40_000, 1))
    system = reference + np.array([0.01, 0.02, 0.03])
    found = bootstrap_difference(reference, system, 0, by_seed=True)
    assert found.mean() == pytest.approx(0.02, abs=1e-4)
    assert found.var() == pytest.approx(np.var([0.01, 0.02, 0.03], ddof=1) / 3, rel=0.03)
    assert bootstrap_difference(reference, system, 0).std() > 20 * found.std()


@pytest.mark.parametrize("seeds", [[0.0, 1.0], [0.0, 1.0, 5.0]])
def test_variance_by_seeds_is_unbiased(seeds: list[float]) -> None:
    averages = np.tile(np.array(seeds), (40_000, 1))
    found = bootstrap_difference(np.zeros((40_000, 1)), averages, 0)
    assert found.var() == pytest.approx(np.var(seeds, ddof=1) / len(seeds), rel=0.03)


def test_effect_size_by_hand() -> None:
    # differences 1, 2, 3: mean 2, standard deviation 1, on whatever scale
    assert effect_size(np.array([1.0, 2.0, 3.0]) / 3) == pytest.approx(2.0)
    assert effect_size(np.array([0.1, 0.1, 0.1])) is None
    assert effect_size(np.zeros(3)) is None
    assert effect_size(np.array([1.0])) is None


def test_resolvable_difference_is_found_with_its_power() -> None:
    assert resolvable(1.0) == pytest.approx(2.8016, abs=1e-4)
    assert resolvable(2.0, alpha=0.01, power=0.9) == pytest.approx(2 * (2.5758 + 1.2816), abs=1e-3)
    random = np.random.default_rng(9)
    cells, truth = full_cells(80, 1), resolvable(1 / np.sqrt(80))
    found = 0
    for number in range(300):
        values = random.normal(truth, 1, size=80)
        found += bool(sign_flip(contributions(cells, values)[:, :1], 399, number)[0] <= 0.05)
    assert 0.72 <= found / 300 <= 0.87  # 0.8, standard error 2.3%


def test_non_inferior() -> None:
    assert non_inferior((-0.009, 0.02), 0.01)
    assert not non_inferior((-0.011, 0.02), 0.01)
    assert non_inferior((-30.0, 4.0), 5.0, higher_is_better=False)
    assert not non_inferior((-30.0, 6.0), 5.0, higher_is_better=False)
    with pytest.raises(ValueError, match="positive"):
        non_inferior((0.0, 1.0), 0.0)


def test_holm_by_hand() -> None:
    # 0.01 x 4, 0.02 x 3, 0.03 x 2 (not below the one before), 0.04 x 1 (neither)
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert holm([0.03]).tolist() == [0.03]


def test_benjamini_hochberg_by_hand_and_scipy() -> None:
    # 0.001 x 4, then 0.02 x 4/2 = 0.04, 0.03 x 4/3 = 0.04, and 0.9
    assert benjamini_hochberg([0.9, 0.02, 0.001, 0.03]) == pytest.approx([0.9, 0.04, 0.004, 0.04])
    p = np.random.default_rng(0).uniform(size=110) ** 3
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p), abs=1e-15)
