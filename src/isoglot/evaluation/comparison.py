"""What a comparison of result files says: plain records that are printed and written as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from isoglot.evaluation.significance import ALPHA, POWER, Interval

FALSE_DISCOVERY_RATE = 0.05


@dataclass(frozen=True)
class CellDifference:
    """One language, or one pair of languages: means over its `n` queries, and the difference, system minus reference.

    `p` is the sign-flip permutation p value over query ids; `p_adjusted` that after Benjamini and Hochberg over the cells
    of the setting.
    """

    query_lang: str
    doc_lang: str
    n: int
    reference: float
    value: float
    difference: float
    p: float
    p_adjusted: float


@dataclass(frozen=True)
class Difference:
    """A system against the reference in one setting; differences are system minus reference.

    Attributes:
        system, setting, measure: what is compared.
        higher_is_better: False for rank distance only.
        n_ids, n_groups: query ids (what is permuted) and groups (what is resampled).
        reference, value: macro-averages, means over training seeds.
        difference, relative: value - reference, and that over the reference (None where it is 0).
        interval, interval_90, standard_error: of the difference, by bootstrap.
        p: sign-flip permutation over query ids; p_holm: adjusted over all systems and settings of the comparison.
        p_group: the same test with all ids of a group flipped together. The test over ids takes the ids of one paragraph to be
            independent; where their differences correlate (by 0.1, five to a paragraph) it is wrong 10% of the time
            instead of 5%, and this one is not.
        effect_size: Cohen's d_z over query ids (None where it does not exist).
        wins, ties, losses: cells in which the system is better, equal, worse.
        significant_wins, significant_losses: those of them at a false discovery rate of 0.05.
        resolvable: the smallest difference found with power 0.8 at 0.05 (None where the systems do not differ at all).
        cells: the difference by language or pair of languages.
    """

    system: str
    setting: str
    measure: str
    higher_is_better: bool
    n_ids: int
    n_groups: int
    reference: float
    value: float
    difference: float
    relative: float | None
    interval: Interval
    interval_90: Interval
    standard_error: float
    p: float
    p_holm: float
    p_group: float
    effect_size: float | None
    wins: int
    ties: int
    losses: int
    significant_wins: int
    significant_losses: int
    resolvable: float | None
    cells: tuple[CellDifference, ...]


@dataclass(frozen=True)
class Comparison:
    """Systems against the first of them, the reference.

    Attributes:
        benchmark, context, measure: what was measured.
        reference: the name of the reference.
        systems: {name: {"results": folders, "models": names}}, the reference first.
        differences: by setting, then by system.
        resamples, seed: of bootstrap and permutation.
        notes: what a reader has to know about the figures.
    """

    benchmark: str
    context: str
    measure: str
    reference: str
    systems: dict[str, dict[str, list[str]]]
    differences: tuple[Difference, ...]
    resamples: int
    seed: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with the levels and rules that the figures stand on."""
        values = asdict(self)
        differences = values.pop("differences")
        return {
            **values,
            "alpha": ALPHA,
            "power": POWER,
            "false_discovery_rate": FALSE_DISCOVERY_RATE,
            "differences": differences,
        }
