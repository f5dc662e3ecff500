"""Results and comparisons as text for a terminal."""

from __future__ import annotations

from typing import Any

from isoglot.evaluation.compare import Comparison, Difference
from isoglot.evaluation.results import Result
from isoglot.tables import text_table

_BIAS_LABELS = {
    "rank_distance_log2": ("rank distance, log2", 2, "lower"),
    "normalised_worst_rank": ("normalised worst rank", 1, "higher"),
    "recall_gap": ("recall gap (own - other languages)", 3, "0"),
    "topk_share": ("language shares unlike the relevant", 3, "lower"),
    "language_preference": ("language preference rate (own first)", 3, "chosen"),
    "rank_consistency": ("rank consistency (Spearman)", 3, "higher"),
    "language_classifier_accuracy": ("language classifier accuracy", 3, "lower"),
}


def format_table(result: Result) -> str:
    """Settings by measures, rank distance, and one line per language for the first measure."""
    summary = result.summary
    measures = list(next(iter(summary["settings"].values())))
    body = [[setting, *(f"{scores[m]:.3f}" for m in measures)] for setting, scores in summary["settings"].items()]
    lines = [_head(summary), "", *text_table([["setting", *measures], *body])]
    bias = dict(summary["bias"])
    mean, median = bias.pop("rank_distance", None), bias.pop("rank_distance_median", None)
    if isinstance(mean, float) and isinstance(median, float):
        lines += ["", f"rank distance {mean:.1f} (median {median:.1f}; lower is better)"]
    if others := _bias_rows(bias):
        lines += ["", *text_table([["language bias", "value", "better"], *others])]
    lines += ["", f"{measures[0]} by language", *text_table(_language_rows(summary, measures[0]))]
    return "\n".join([*lines, *(f"note: {note}" for note in summary["notes"])])


def _head(summary: dict[str, Any]) -> str:
    counts, about = summary["counts"], summary["about"]
    queries, documents = sum(counts["queries"].values()), sum(counts["documents"].values())
    shown = {key: about[key] for key in ("passage", "sample", "comparable") if key in about}
    if "context" in about:
        shown = {"context": summary["context"], **shown}
    words = [f"{counts['languages']} languages", f"{queries:,} queries", f"{documents:,} passages"]
    words += [f"{key}: {value}" for key, value in shown.items()]
    return f"{summary['model']} on {summary['benchmark']} ({', '.join(words)})"


def _language_rows(summary: dict[str, Any], measure: str) -> list[list[str]]:
    """A header and one row per language: its queries per setting, its passages in the cross setting, its distance."""
    by = summary["per_language"]
    cross = by.get("cross", {})
    columns = {
        "mono": (by.get("mono", {}), measure, 3),
        "cross, as query": (cross.get("by_query", {}), measure, 3),
        "cross, as passage": (cross.get("by_document", {}), measure, 3),
        "multi": (by.get("multi", {}), measure, 3),
        "natural": (by.get("natural", {}), measure, 3),
        "natural-cross, as query": (by.get("natural-cross", {}).get("by_query", {}), measure, 3),
        "rank distance": (summary["bias"].get("per_language", {}), "rank_distance", 1),
    }
    printed = {
        head: {lang: f"{scores[key]:.{digits}f}" for lang, scores in languages.items() if key in scores}
        for head, (languages, key, digits) in columns.items()
    }
    shown = {head: values for head, values in printed.items() if values}
    languages = sorted({lang for values in shown.values() for lang in values})
    return [["language", *shown], *([lang, *(v.get(lang, "-") for v in shown.values())] for lang in languages)]


def _bias_rows(bias: dict[str, Any]) -> list[list[str]]:
    """Name, value and the better direction of every measure that is a number."""
    rows = []
    for key, value in bias.items():
        label, digits, better = _BIAS_LABELS.get(key, (key, 3, "higher"))
        if isinstance(value, dict) and "k" in value:
            label, value = f"{label} at {value['k']}", value.get("mean", value.get("distance"))
        if isinstance(value, (int, float)):
            rows.append([label, f"{value:.{digits}f}", better])
    return rows


def format_differences(comparison: Comparison) -> str:
    """One block per setting: the reference's value, then every system with interval, tests, effect size and wins."""
    first, *_ = comparison.differences
    groups = f" in {first.n_groups:,} groups" if first.n_groups < first.n_ids else ""
    others = ", ".join(name for name in comparison.systems if name != comparison.reference)
    main = [["system", "setting", "value", "difference", "95% interval", "p", "p Holm", "d", "wins"]]
    more = [["system", "setting", "relative", "resolvable", "q < .05", "p by group"]]
    for item in comparison.differences:
        plain = ".4f" if item.higher_is_better else ".1f"
        if item.setting != main[-1][1]:
            main.append([comparison.reference, item.setting, f"{item.reference:{plain}}", *[""] * 6])
        main.append([item.system, item.setting, *_main(item, plain)])
        more.append([item.system, item.setting, *_more(item, plain)])
    lines = [
        f"{others} against {comparison.reference} on {comparison.benchmark}: {comparison.measure} "
        f"({first.n_ids:,} query ids{groups})",
        *("", *text_table(main, text_columns=2), "", *text_table(more, text_columns=2), ""),
        f"95% intervals by bootstrap, p by sign flips of query ids ({comparison.resamples:,} resamples, seed "
        f"{comparison.seed}), Holm over {len(comparison.differences)} tests;",
        "d: Cohen's d_z over query ids; wins: languages (cross: pairs) in which the system is better;",
        "resolvable: difference found with power 0.8 at 0.05; q < .05: cells better + worse after Benjamini-Hochberg",
    ]
    if any(not item.higher_is_better for item in comparison.differences):
        lines.append("rank_distance: lower is better")
    return "\n".join([*lines, *(f"note: {note}" for note in comparison.notes)])


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
