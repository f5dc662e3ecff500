"""Contrasts of paired rows: the figures of `significance`, put together by hand here."""

from __future__ import annotations

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.evaluation import significance
from isoglot.evaluation.compare import compare
from isoglot.evaluation.contrasts import PairedRows, pooled
from isoglot.evaluation.matching import System, match
from isoglot.evaluation.significance import holm
from tests.evaluation.test_compare import make_result, system


def systems() -> list[System]:
    a = [make_result(seed=n, model=f"a{n}") for n in range(3)]
    b = [make_result(seed=n + 3, shift=0.01, model=f"b{n}") for n in range(2)]
    return [system("a", *a), system("b", *b), system("c", make_result(seed=9, shift=0.05, model="c0"))]


@pytest.mark.parametrize("setting", ["mono", "cross", "multi", "rank_distance"])
def test_contrast_is_what_significance_says(setting: str) -> None:
    measure = "rank_distance" if setting == "rank_distance" else "nDCG@10"
    pair = systems()[:2]
    cells, (before, after) = (matched := match(pair, setting, measure)).cells, matched.values
    averages = significance.bootstrap_averages(cells, np.concatenate([before, after]), 199, 7)
    expected = significance.bootstrap_difference(averages[:, :3], averages[:, 3:], 7)
    rows = after.mean(axis=0) - before.mean(axis=0)
    parts = significance.contributions(cells, rows, by_group=True)[:, :1]
    contrast = PairedRows(systems(), setting, measure, resamples=199, seed=7).contrast("a", "b")
    assert contrast.distribution.tolist() == expected.tolist()
    assert contrast.difference == significance.macro_average(cells, rows)
    assert contrast.p_group == float(significance.sign_flip(parts, 199, 7)[0])
    for level in (0.9, 0.95, 0.99):
        assert contrast.interval(level) == significance.percentile_interval(expected, level)
    assert contrast.models == (3, 2)


def test_comparison_and_contrasts_agree() -> None:
    comparison = compare(systems(), settings=["cross"], resamples=199)
    rows = PairedRows(systems(), "cross", "nDCG@10", resamples=199)
    for item in comparison.differences:
        contrast = rows.contrast("a", item.system)
        assert (item.interval, item.p_group, item.p) == (contrast.interval(), contrast.p_group, contrast.p_id[0])
        assert item.interval_90 == contrast.interval(0.9)
        assert item.difference == pytest.approx(contrast.difference, abs=1e-15)
        assert item.value == pytest.approx(rows.average(item.system).mean, abs=1e-15)
    assert holm([item.p for item in comparison.differences]).tolist() == [d.p_holm for d in comparison.differences]


def test_average_has_the_interval_of_its_own_seeds() -> None:
    several = systems()
    average = PairedRows(several, "mono", "AP", resamples=199).average("a")
    stated = [result.summary["settings"]["mono"]["AP"] for result in several[0].results]
    assert average.seeds == pytest.approx(stated, abs=1e-15)
    low, high = average.interval()
    assert average.mean == pytest.approx(np.mean(stated))
    assert low < average.mean < high
    alone = PairedRows(several[:1], "mono", "AP", resamples=199).average("a")
    assert alone.distribution.tolist() == average.distribution.tolist()


def test_some_cells_only() -> None:
    rows = PairedRows(systems(), "cross", "nDCG@10", resamples=199).only(lambda query, document: query == "de")
    assert rows.matched.names == [("de", "en"), ("de", "sw")]
    whole = compare(systems(), settings=["cross"], resamples=199).differences[0]
    cells = [cell.difference for cell in whole.cells if cell.query_lang == "de"]
    assert rows.contrast("a", "b").difference == pytest.approx(np.mean(cells), abs=1e-15)
    with pytest.raises(InputError, match="no language pair is left to compare"):
        rows.only(lambda query, document: False)


def test_bounds_and_margins() -> None:
    rows = PairedRows(systems(), "multi", "nDCG@10", resamples=199)
    contrast = rows.contrast("a", "c")
    low, high = contrast.interval()
    assert 0 < low < high < 0.1
    assert contrast.non_inferior(0.001)
    back = rows.contrast("c", "a")
    bound = -back.interval(0.9)[0]
    assert back.non_inferior(bound * 1.01)
    assert not back.non_inferior(bound * 0.99)
    assert contrast.equivalent(0.1)
    assert not contrast.equivalent(low)
    nearer = PairedRows(systems(), "rank_distance", "", resamples=199).contrast("a", "c")
    assert nearer.interval()[1] < 0  # lower is better
    assert nearer.non_inferior(0.1)


def test_pooled_keeps_what_contrasts_have_in_common() -> None:
    rows = PairedRows(systems(), "multi", "nDCG@10", resamples=199)
    pair = [rows.contrast("a", "b"), rows.contrast("a", "c")]
    together = pooled(pair)
    assert together.mean == pytest.approx(np.mean([item.difference for item in pair]))
    assert together.distribution.tolist() == np.mean([item.distribution for item in pair], axis=0).tolist()
    assert pooled(pair[:1]).interval() == pair[0].interval()
