"""What the terminal shows of a study: question and answer, a table of its systems, what is highest, and where the rest is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.records import NATURAL, SETTINGS
from isoglot.study.analyse import answer_of
from isoglot.study.analysis.contrasts import MAIN_MEASURE, Comparisons
from isoglot.study.analysis.overview import BIAS, are_rivals, bias_of, is_natural, natural_pool, takes
from isoglot.study.analysis.reading import read_study
from isoglot.study.analysis.systems import System
from isoglot.tables import text_table

_WIDTH = 110  # columns of prose
_MORE = (*BIAS.values(), *NATURAL, "seconds", "data", "language known", "encode again")
"""Columns where systems differ in what they take; the report says what they are."""


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
    scores = next(iter(comparisons.systems[0].runs[0]["benchmarks"].values()))["settings"]
    setting = "cross" if "cross" in scores else next(iter(scores))
    measure = MAIN_MEASURE if MAIN_MEASURE in scores[setting] else next(iter(scores[setting]))
    more = are_rivals(comparisons.systems)
    rows = [["benchmark", "base", "training", *SETTINGS, "rank distance", *(_MORE if more else []), "cells"]]
    highest = []
    names = [benchmark for *_, benchmark in comparisons.groups]
    for benchmark, base in dict.fromkeys((benchmark, base) for _, base, benchmark in comparisons.groups):
        systems = [s for s in comparisons.systems if s.base == base and benchmark in s.benchmarks()]
        if is_natural(benchmark, systems):
            continue  # a column of the benchmark that it belongs to
        for system in systems:
            means = [(system.mean(benchmark, shown, measure), 4) for shown in SETTINGS]
            means.append((system.mean(benchmark, RANK_DISTANCE, RANK_DISTANCE), 1))
            figures = ["-" if mean is None else f"{mean:.{digits}f}" for mean, digits in means]
            beside = _beside(system, benchmark, natural_pool(benchmark, names), measure) if more else []
            rows.append([benchmark, base, _training(system), *figures, *beside, str(len(system.runs))])
        highest.append(_highest(systems, benchmark, setting, measure))
    lines = [*opening, "", f"{measure}, means over seeds", *text_table(rows, text_columns=3), "", *highest]
    if failed := sum(run["status"] == "failed" for run in study.runs):
        lines += ["", f"{failed} of {len(study.runs)} cells failed; the same command tries them again"]
    return [*lines, "", str(directory / "report.html")]


def _beside(system: System, benchmark: str, pool: str, measure: str) -> list[str]:
    """Of the columns `_MORE`."""
    figures = [bias_of(system, benchmark, key) for key in BIAS]
    figures += [system.mean(pool, setting, measure) for setting in NATURAL]
    seconds = None if system.is_base else system.cost("train_seconds")
    shown = ["-" if figure is None else f"{figure:.3f}" for figure in figures]
    return [*shown, "-" if seconds is None else f"{seconds:.0f}", *takes(system)]


def _training(system: System) -> str:
    return "none (base)" if system.is_base else f"{system.data}: {system.label}"


def _highest(systems: Sequence[System], benchmark: str, setting: str, measure: str) -> str:
    means = [(system.mean(benchmark, setting, measure), system) for system in systems]
    known = [(mean, system) for mean, system in means if mean is not None]
    if not known:
        return f"{benchmark}: nothing measured."
    value, best = max(known, key=lambda pair: pair[0])
    before = [f" (base {mean:.4f})" for mean, system in known if system.is_base and not best.is_base]
    where = f"{setting} {measure} on {benchmark}, {best.base}: {_training(best)}"
    return f"Highest {where}, {value:.4f}{''.join(before[:1])}."
