"""What a comparison found: differences with intervals and tests, as values, as text, and for pandas and notebooks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from isoglot.evaluation.significance import ALPHA, POWER, Interval
from isoglot.tables import Table, as_html, as_text

if TYPE_CHECKING:
    import pandas as pd

FALSE_DISCOVERY_RATE = 0.05


@dataclass(frozen=True)
class CellDifference:
    """One language, or pair of languages: means over its `n` queries; `difference` is system minus reference.

    `p` is by sign flips of query ids, `p_adjusted` that after Benjamini and Hochberg over the cells of the setting.
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
        levels = {"alpha": ALPHA, "power": POWER, "false_discovery_rate": FALSE_DISCOVERY_RATE}
        return {**values, **levels, "differences": differences}

    def to_pandas(self) -> pd.DataFrame:
        """A row per system and setting: the figures of `Difference` but for those by language, intervals as two columns."""
        import pandas as pd

        rows = []
        for item in self.differences:
            row = {key: value for key, value in asdict(item).items() if key not in ("cells", "interval", "interval_90")}
            rows.append({**row, "low": item.interval[0], "high": item.interval[1]})
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        return as_text(self._blocks())

    def _repr_html_(self) -> str:
        return as_html(self._blocks())

    def _blocks(self) -> list[str | Table]:
        """Per setting: the reference's value, then every system with interval, tests, effect size and wins."""
        first = self.differences[0]
        groups = f" in {first.n_groups:,} groups" if first.n_groups < first.n_ids else ""
        others = ", ".join(name for name in self.systems if name != self.reference)
        main = [["system", "setting", "value", "difference", "95% interval", "p", "p Holm", "d", "wins"]]
        more = [["system", "setting", "relative", "resolvable", "q < .05", "p by group"]]
        for item in self.differences:
            plain = ".4f" if item.higher_is_better else ".1f"
            if item.setting != main[-1][1]:
                main.append([self.reference, item.setting, f"{item.reference:{plain}}", *[""] * 6])
            main.append([item.system, item.setting, *_main(item, plain)])
            more.append([item.system, item.setting, *_more(item, plain)])
        lines: list[str | Table] = [
            f"{others} against {self.reference} on {self.benchmark}: {self.measure} ({first.n_ids:,} query ids{groups})",
            *("", Table(main, 2), "", Table(more, 2), ""),
            f"95% intervals by bootstrap, p by sign flips of query ids ({self.resamples:,} resamples, seed "
            f"{self.seed}), Holm over {len(self.differences)} tests;",
            "d: Cohen's d_z over query ids; wins: languages (cross: pairs) in which the system is better;",
            "resolvable: difference found with power 0.8 at 0.05; q < .05: cells better + worse after Benjamini-Hochberg",
        ]
        if any(not item.higher_is_better for item in self.differences):
            lines.append("rank_distance: lower is better")
        return [*lines, *(f"note: {note}" for note in self.notes)]


def _main(item: Difference, plain: str) -> list[str]:
    low, high = (f"{end:+{plain}}" for end in item.interval)
    effect, wins = _or_dash(item.effect_size, "+.2f"), f"{item.wins} of {len(item.cells)}"
    values = [f"{item.value:{plain}}", f"{item.difference:+{plain}}", f"[{low}, {high}]"]
    return [*values, _probability(item.p), _probability(item.p_holm), effect, wins]


def _more(item: Difference, plain: str) -> list[str]:
    cells = f"{item.significant_wins} + {item.significant_losses} of {len(item.cells)}"
    return [_or_dash(item.relative, "+.1%"), _or_dash(item.resolvable, plain), cells, _probability(item.p_group)]


def _or_dash(value: float | None, spec: str) -> str:
    return "-" if value is None else format(value, spec)


def _probability(p: float) -> str:
    return f"{p:.4f}" if p >= 1e-4 else f"{p:.1e}"
