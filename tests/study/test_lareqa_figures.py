"""What the analysis finds in the committed study `lareqa`, from its rows per query: verdicts, figures, answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from isoglot.files import read_json
from isoglot.study.analyse import answer_of
from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.reading import read_study
from isoglot.study.claims.judge import claims_of, judge_claims

STUDY = Path(__file__).parents[2] / "results" / "lareqa"
EXPECTED = Path(__file__).with_name("lareqa_figures.json")


@pytest.mark.slow
@pytest.mark.skipif(not (STUDY / "results.json").is_file(), reason="results/lareqa is not in this tree")
def test_figures_of_the_committed_study() -> None:
    comparisons, expected = Comparisons(read_study(STUDY)), read_json(EXPECTED)
    verdicts = judge_claims(comparisons, claims_of(comparisons.study))
    assert {verdict.name: [verdict.outcome, verdict.effect] for verdict in verdicts} == expected["claims"]
    assert answer_of(comparisons) == expected["answer"]
