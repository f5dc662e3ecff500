"""The analysis of a study against `compare` on the same result files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from isoglot.evaluation.compare import compare
from isoglot.evaluation.matching import load_systems
from isoglot.study.analysis.contrasts import Experiment


def assert_as_compared(
    experiment: Experiment,
    folder: Path,
    before: tuple[str, Sequence[str]],
    after: tuple[str, Sequence[str]],
    resamples: int,
) -> None:
    """Two systems, each a label and the folders of its two seeds' results: same differences, intervals, tests and means."""
    words = [
        f"{label.rpartition(' ')[2]}=" + ",".join(f"{folder}/{path}" for path in paths)
        for label, paths in (before, after)
    ]
    reference = compare(load_systems(words), resamples=resamples)
    labels = (before[0], after[0])
    ours = {c.setting: c for c in experiment.contrasts if (c.before.label, c.after.label) == labels}
    assert len(ours) == len(reference.differences) == 4
    for theirs in reference.differences:
        mine = ours[theirs.setting]
        assert mine.difference == pytest.approx(theirs.difference, abs=1e-12)
        assert mine.interval() == pytest.approx(theirs.interval, abs=1e-12)
        assert mine.p == theirs.p_group
        assert mine.p_holm is not None
        assert mine.p_holm >= mine.p
        figure = experiment.figure(mine.after, (theirs.setting, theirs.measure))
        assert figure is not None
        assert figure.mean == pytest.approx(theirs.value, abs=1e-12)
        assert len(figure.seeds) == 2
        assert figure.interval is not None
        assert figure.interval[0] < figure.mean < figure.interval[1]
