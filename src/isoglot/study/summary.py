"""What the terminal shows of a study: question and answer, a table of its systems, what is highest, and where the rest is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.study.analysis.analyse import answer_of
from isoglot.study.analysis.contrasts import MAIN_MEASURE, Comparisons
from isoglot.study.analysis.reading import read_study
from isoglot.study.analysis.systems import System
from isoglot.tables import text_table

_SETTINGS = ("mono", "cross", "multi")
_WIDTH = 110  # columns of prose


def summary_lines(directory: Path) -> list[str]:
    """The lines that `isoglot study run` prints in the end.

    Raises:
        InputError: no study there, or a damaged file.
    """
    comparisons = Comparisons(read_study(directory))
    study = comparisons.study
    if not study.done:
        return [f"{study.question} No cell is done.", str(directory)]
    opening = textwrap.wrap(f"{study.question} {answer_of(comparisons)}", _WIDTH, break_on_hyphens=False)
    setting, measure = _main_figure(comparisons.systems[0])
    rows = [["benchmark", "base", "training", *_SETTINGS, "rank distance", "cells"]]
    highest = []
    for benchmark, base in dict.fromkeys((benchmark, base) for _, base, benchmark in comparisons.groups):
        systems = [s for s in comparisons.systems if s.base == base and benchmark in s.benchmarks()]
        for system in systems:
            figures = [_shown(system, benchmark, shown, measure) for shown in _SETTINGS]
            distance = _shown(system, benchmark, RANK_DISTANCE, RANK_DISTANCE, 1)
            rows.append([benchmark, base, _training(system), *figures, distance, str(len(system.runs))])
        highest.append(_highest(systems, benchmark, setting, measure))
    lines = [*opening, "", f"{measure}, means over seeds", *text_table(rows, text_columns=3), "", *highest]
    if failed := sum(run["status"] == "failed" for run in study.runs):
        lines += ["", f"{failed} of {len(study.runs)} cells failed; the same command tries them again"]
    return [*lines, "", str(directory / "report.html")]


def _main_figure(system: System) -> tuple[str, str]:
    """(setting, measure) of the last lines: cross and nDCG@10 where they were measured."""
    scores = next(iter(system.runs[0]["benchmarks"].values()))["settings"]
    setting = "cross" if "cross" in scores else next(iter(scores))
    return setting, MAIN_MEASURE if MAIN_MEASURE in scores[setting] else next(iter(scores[setting]))


def _training(system: System) -> str:
    return "none (base)" if system.is_base else f"{system.data}: {system.label}"


def _shown(system: System, benchmark: str, setting: str, measure: str, digits: int = 4) -> str:
    figures = system.stated(benchmark, setting, measure)
    return f"{fmean(figures):.{digits}f}" if figures else "-"


def _highest(systems: Sequence[System], benchmark: str, setting: str, measure: str) -> str:
    stated = ((system, system.stated(benchmark, setting, measure)) for system in systems)
    known = {system: fmean(figures) for system, figures in stated if figures}
    if not known:
        return f"{benchmark}: nothing measured."
    best = max(known, key=lambda system: known[system])
    before = next((value for system, value in known.items() if system.is_base), None)
    than = "" if before is None or best.is_base else f" (base {before:.4f})"
    return f"Highest {setting} {measure} on {benchmark}, {best.base}: {_training(best)}, {known[best]:.4f}{than}."
