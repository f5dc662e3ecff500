"""The one analysis: systems from runs, figures and contrasts that are those of `isoglot compare`, series."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from isoglot.study.analyse import Analysis, analyse
from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.reading import clean, read_study
from isoglot.study.summary import summary_lines
from tests.study.compared import assert_as_compared
from tests.study.fabricate import FULL, LORA, grid, make_cell, write_study


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    return write_study(folder, grid(folder))


@pytest.fixture(scope="module")
def analysis(home: Path) -> Analysis:
    return analyse(home, resamples=199)


def test_figures_are_those_of_compare(home: Path, analysis: Analysis) -> None:
    (experiment,) = analysis.experiments
    paths = {system.label: system.paths("xquad-r") for system in experiment.systems}
    before, after = ((label, paths[label]) for label in ("hybrid 0.5, full", "hybrid 0.5, lora"))
    assert_as_compared(experiment, home, before, after, 199)


def test_contrasts_change_one_thing_at_a_time(analysis: Analysis) -> None:
    (experiment,) = analysis.experiments
    found = {(c.name, c.before.label, c.after.label) for c in experiment.contrasts}
    tunings = {("lora − full", f"{s}, full", f"{s}, lora") for s in ("mono", "cross", "hybrid 0.5")}
    strategies = {
        (f"hybrid − {s}", f"{s}, {t}", f"hybrid 0.5, {t}") for s in ("mono", "cross") for t in ("full", "lora")
    }
    assert found == tunings | strategies


def test_without_claims_systems_that_differ_in_one_thing_are_compared(tmp_path: Path) -> None:
    write_study(tmp_path, grid(tmp_path, seeds=(0,)), name="mine")
    found = analyse(tmp_path, resamples=199)
    assert not found.claims
    # three pairs of strategies for each of two tunings, and tunings for each of three strategies, in four columns
    assert len(found.experiments[0].contrasts) == (2 * 3 + 3) * 4
    assert "instead of" not in found.answer


def test_runs_that_differ_in_their_seed_alone_are_one_system_by_its_own_name(tmp_path: Path) -> None:
    own = {"strategy": "hybrid", "mono_share": 0.5, "tuning": LORA}
    named = {"system": "turned", "label": "hybrid 0.5, lora, turned", "stages": [{"train": {}}, {"debias": {"r": 3}}]}
    # one of a study that was begun before systems had names
    later = {"system": "hybrid-0.5-lora", "label": "hybrid 0.5, lora", "stages": [{"train": {"strategy": "hybrid"}}]}
    cells = [make_cell(tmp_path, f"a{seed}", seed=seed, **own, **more) for seed, more in ((1, later), (0, {}))]
    cells += [make_cell(tmp_path, f"b{seed}", seed=seed, **own, **named) for seed in (1, 0)]
    plain, turned = analyse(write_study(tmp_path, cells), resamples=199).systems
    assert (plain.name, plain.label, plain.seeds) == ("hybrid-0.5-lora", "hybrid 0.5, lora", (0, 1))
    assert (turned.name, turned.label, turned.seeds) == ("turned", "hybrid 0.5, lora, turned", (0, 1))


def test_a_system_that_goes_on_from_another_is_compared_with_it_seed_by_seed(tmp_path: Path) -> None:
    train, lsar = {"train": {"strategy": "hybrid"}}, {"debias": {"r": 3}}
    stages = {"plain": [train], "turned": [train, lsar], "other": [{"train": {"strategy": "mono"}}, lsar]}
    cells = [
        make_cell(tmp_path, f"{name}{seed}", seed=seed, system=name, label=name, stages=own, strategy=None, tuning=None)
        for name, own in stages.items()
        for seed in (0, 1)
    ]
    comparisons = Comparisons(read_study(write_study(tmp_path, cells)), resamples=199)
    of = {system.name: system for system in comparisons.systems}
    what = ("cross", "nDCG@10")
    for before, after, by_seed in (("plain", "turned", True), ("turned", "plain", True), ("plain", "other", False)):
        pair = of[before], of[after]
        assert (pair[0].goes_on_from(pair[1]) or pair[1].goes_on_from(pair[0])) == by_seed
        rows = comparisons.rows(pair, "xquad-r", what)
        expected, otherwise = (rows.contrast(*(own.key for own in pair), by_seed=by) for by in (by_seed, not by_seed))
        found = comparisons.contrast(*pair, "xquad-r", what).interval()
        assert found == expected.interval() != otherwise.interval()


@pytest.mark.parametrize("key", ["amount", "mono_share"])
def test_series_of_a_number(tmp_path: Path, key: str) -> None:
    values = (0.25, 1.0, 0.5)
    own = {"strategy": "hybrid", "mono_share": 0.5, "tuning": FULL}
    cells = [make_cell(tmp_path, f"cell{value}", **{**own, key: value}) for value in values]
    (experiment,) = analyse(write_study(tmp_path, cells, name="mine"), resamples=199).experiments
    (series,) = experiment.series
    assert (series.key, series.x) == (key, (0.25, 0.5, 1.0))
    assert len({system.label for system in series.systems}) == 3


def test_without_rows_averages_remain_and_a_note_says_why(tmp_path: Path) -> None:
    cells = grid(tmp_path, seeds=(0,))
    write_study(tmp_path, cells)
    shutil.rmtree(tmp_path / cells[-1]["benchmarks"]["xquad-r"]["path"])
    found = analyse(tmp_path, resamples=199)
    (experiment,) = found.experiments
    figure = experiment.figure(experiment.trained[0], ("cross", "AP"))
    assert figure is not None
    assert (figure.interval, len(figure.seeds)) == (None, 1)
    assert not experiment.contrasts
    assert any("no intervals and no tests" in note and "no such folder" in note for note in found.notes)


def test_the_summary_has_a_row_per_system(home: Path) -> None:
    lines = summary_lines(home)
    assert sum(line.startswith("xquad-r ") for line in lines) == 7
    assert any(" none (base) " in line for line in lines)
    assert any("mlqa-r: mono, full" in line and line.endswith(" 2") for line in lines)
    assert any(line.startswith("Highest cross nDCG@10 on xquad-r, offline:") for line in lines)


def test_clean_keeps_every_script_and_drops_control_characters() -> None:
    assert clean({"a\x00": ["\ud800", "ก\u0301 العربية 中文", 1, None]}) == {
        "a\ufffd": ["\ufffd", "ก\u0301 العربية 中文", 1, None]
    }
