"""`analyse`: everything that a study found, for whoever prints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isoglot.study.analysis.contrasts import Experiment
from isoglot.study.analysis.reading import Study
from isoglot.study.analysis.systems import System
from isoglot.study.claims.verdicts import Verdict


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a study found.

    Attributes:
        study: its files: name, question, spec, runs (records), costs, audit, `missing` files.
        systems: bases first, then trained systems by name.
        experiments: per base, training set and benchmark.
        claims: a verdict per claim that the study states, in its order.
        answer: the question answered in a paragraph, or why it is not.
        notes: what could not be computed, and why; each once.
    """

    study: Study
    systems: Sequence[System]
    experiments: Sequence[Experiment]
    claims: Sequence[Verdict]
    answer: str
    notes: Sequence[str] = ()
