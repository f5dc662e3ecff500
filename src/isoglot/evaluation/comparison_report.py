"""A comparison as text for a terminal."""

from __future__ import annotations

from isoglot.evaluation.comparison import Comparison, Difference
from isoglot.tables import text_table


def format_differences(comparison: Comparison) -> str:
    """One block per setting: the reference's value, then every system with interval, tests, effect size and wins."""
    first = comparison.differences[0]
    groups = f" in {first.n_groups:,} groups" if first.n_groups < first.n_ids else ""
    others = [name for name in comparison.systems if name != comparison.reference]
    lines = [
        f"{', '.join(others)} against {comparison.reference} on {comparison.benchmark}: {comparison.measure} "
        f"({first.n_ids:,} query ids{groups})",
        "",
        *text_table(_main_rows(comparison), text_columns=2),
        "",
        *text_table(_more_rows(comparison), text_columns=2),
        "",
        f"95% intervals by bootstrap, p by sign flips of query ids ({comparison.resamples:,} resamples, seed "
        f"{comparison.seed}), Holm over {len(comparison.differences)} tests;",
        "d: Cohen's d_z over query ids; wins: languages (cross: pairs) in which the system is better;",
        "resolvable: difference found with power 0.8 at 0.05; q < .05: cells better + worse after Benjamini-Hochberg",
    ]
    if any(not item.higher_is_better for item in comparison.differences):
        lines.append("rank_distance: lower is better")
    return "\n".join([*lines, *(f"note: {note}" for note in comparison.notes)])


def _main_rows(comparison: Comparison) -> list[list[str]]:
    rows = [["system", "setting", "value", "difference", "95% interval", "p", "p Holm", "d", "wins"]]
    setting = None
    for item in comparison.differences:
        digits = _digits(item)
        if item.setting != setting:
            setting = item.setting
            rows.append([comparison.reference, setting, f"{item.reference:.{digits}f}", *[""] * 6])
        low, high = item.interval
        effect = "-" if item.effect_size is None else f"{item.effect_size:+.2f}"
        rows.append(
            [
                item.system,
                setting,
                f"{item.value:.{digits}f}",
                f"{item.difference:+.{digits}f}",
                f"[{low:+.{digits}f}, {high:+.{digits}f}]",
                _probability(item.p),
                _probability(item.p_holm),
                effect,
                f"{item.wins} of {len(item.cells)}",
            ]
        )
    return rows


def _more_rows(comparison: Comparison) -> list[list[str]]:
    rows = [
        [
            item.system,
            item.setting,
            "-" if item.relative is None else f"{100 * item.relative:+.1f}%",
            "-" if item.resolvable is None else f"{item.resolvable:.{_digits(item)}f}",
            f"{item.significant_wins} + {item.significant_losses} of {len(item.cells)}",
            _probability(item.p_group),
        ]
        for item in comparison.differences
    ]
    return [["system", "setting", "relative", "resolvable", "q < .05", "p by group"], *rows]


def _digits(item: Difference) -> int:
    return 4 if item.higher_is_better else 1


def _probability(p: float) -> str:
    return f"{p:.4f}" if p >= 1e-4 else f"{p:.1e}"
