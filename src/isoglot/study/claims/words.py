"""What verdicts over contrasts rest on and what limits them, in words."""

from __future__ import annotations

from collections.abc import Sequence

from isoglot.study.analysis.contrasts import Comparisons, Contrast
from isoglot.study.claims.claim import MIN_SEEDS


def basis(contrasts: Sequence[Contrast], test: str) -> str:
    """What a verdict over contrasts rests on: interval, seeds, test."""
    seeds = sorted({contrast.seeds for contrast in contrasts})
    counted = f"{seeds[0]} seeds" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    if seeds == [1]:
        counted = "one seed: for these models, not for their recipes"
    drawn = "groups of queries and training seeds" if seeds[-1] > 1 else "groups of queries"
    return f"95% interval, bootstrap over {drawn} ({counted}); {test}"


def limits(comparisons: Comparisons, contrasts: Sequence[Contrast], problems: Sequence[str]) -> list[str]:
    """What too few seeds, missing or unfinished runs and a missing audit mean for a verdict."""
    notes = []
    fewest = min(contrast.seeds for contrast in contrasts)
    if fewest < MIN_SEEDS:
        notes.append(
            "one seed: at most undecided, because a claim about recipes needs at least two training seeds of each"
        )
    elif fewest < 5:
        notes.append("intervals from fewer than 5 seeds are too narrow where seeds differ a lot")
    notes += problems[:1]
    if comparisons.study.n_open:
        notes.append(f"{comparisons.study.n_open} cells are not finished: what is universal cannot hold")
    if comparisons.study.audit is None:
        notes.append("not audited: that results are zero-shot is asserted")
    return notes


def evidence(contrasts: Sequence[Contrast]) -> tuple[str, ...]:
    """The result folders, each once."""
    return tuple(dict.fromkeys(path for contrast in contrasts for path in contrast.paths))
