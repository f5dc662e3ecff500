"""Results as text for a terminal, laid out like a paper's tables."""

from __future__ import annotations

from typing import Any

from isoglot.errors import InputError
from isoglot.evaluation.results import Result
from isoglot.tables import text_table


def format_table(result: Result) -> str:
    """Settings by measures, rank distance, and one line per language for the first measure."""
    summary = result.summary
    measures = list(next(iter(summary["settings"].values())))
    lines = [_head(summary), ""]
    body = [[setting, *(f"{scores[m]:.3f}" for m in measures)] for setting, scores in summary["settings"].items()]
    lines += text_table([["setting", *measures], *body])
    bias = summary["bias"]
    mean, median = _number(bias, "rank_distance"), _number(bias, "rank_distance_median")
    if mean is not None and median is not None:
        lines += ["", f"rank distance {mean:.1f} (median {median:.1f}; lower is better)"]
    if others := _bias_rows(bias):
        lines += ["", *text_table([["language bias", "value", "better"], *others])]
    lines += ["", f"{measures[0]} by language", *text_table(_language_rows(summary, measures[0]))]
    lines += [f"note: {note}" for note in summary["notes"]]
    return "\n".join(lines)


def format_comparison(before: Result, after: Result, names: tuple[str, str] = ("before", "after")) -> str:
    """Two results on one benchmark side by side, with differences (after minus before).

    Raises:
        InputError: the results are of two different benchmarks (or of different languages, or with another context).
    """
    one, two = before.summary, after.summary
    if one["digests"]["benchmark"] != two["digests"]["benchmark"]:
        raise InputError(
            f"results on '{one['benchmark']}' and '{two['benchmark']}' cannot be compared: not the same queries, "
            "passages and judgments"
        )
    rows = [["setting", "measure", *names, "difference"]]
    for setting, scores in one["settings"].items():
        for measure, value in scores.items():
            other = two["settings"].get(setting, {}).get(measure)
            if other is not None:
                rows.append([setting, measure, f"{value:.3f}", f"{other:.3f}", f"{other - value:+.3f}"])
    for key, label in (("rank_distance", "rank distance"), ("rank_distance_median", "rank distance (median)")):
        low, high = _number(one["bias"], key), _number(two["bias"], key)
        if low is not None and high is not None:
            rows.append(["multi", label, f"{low:.1f}", f"{high:.1f}", f"{high - low:+.1f}"])
    return "\n".join([_head(one | {"model": f"{names[0]} and {names[1]}"}), "", *text_table(rows, text_columns=2)])


def _head(summary: dict[str, Any]) -> str:
    counts = summary["counts"]
    queries, documents = sum(counts["queries"].values()), sum(counts["documents"].values())
    context = f", context: {summary['context']}" if "context" in summary["about"] else ""
    about = summary["about"]
    context += "".join(f", {key}: {about[key]}" for key in ("passage", "sample", "comparable") if key in about)
    sizes = f"{counts['languages']} languages, {queries:,} queries, {documents:,} passages{context}"
    return f"{summary['model']} on {summary['benchmark']} ({sizes})"


def _language_rows(summary: dict[str, Any], measure: str) -> list[list[str]]:
    """A header and one row per language: its queries per setting, its passages in the cross setting, its distance."""
    by = summary["per_language"]
    columns = []
    if "mono" in by:
        columns.append(("mono", {lang: scores[measure] for lang, scores in by["mono"].items()}, 3))
    if "cross" in by:
        columns.append(("cross, as query", {k: v[measure] for k, v in by["cross"]["by_query"].items()}, 3))
        columns.append(("cross, as passage", {k: v[measure] for k, v in by["cross"]["by_document"].items()}, 3))
    if "multi" in by:
        columns.append(("multi", {lang: scores[measure] for lang, scores in by["multi"].items()}, 3))
    items = summary["bias"].get("per_language", {})
    if distances := {lang: item["rank_distance"] for lang, item in items.items() if "rank_distance" in item}:
        columns.append(("rank distance", distances, 1))
    languages = sorted({lang for _, values, _ in columns for lang in values})
    rows = [["language", *(name for name, _, _ in columns)]]
    for lang in languages:
        cells = [f"{values[lang]:.{digits}f}" if lang in values else "-" for _, values, digits in columns]
        rows.append([lang, *cells])
    return rows


def _number(bias: dict[str, Any], key: str) -> float | None:
    """A figure of language bias; None where it was not measured or is not defined on the benchmark."""
    value = bias.get(key)
    return float(value) if isinstance(value, (int, float)) else None


def _bias_rows(bias: dict[str, Any]) -> list[list[str]]:
    """Name, value and the better direction of what was measured beside rank distance."""
    rows = []
    for key, value in bias.items():
        label, digits, better = _BIAS_LABELS.get(key) or (key, 3, "higher")
        if key in ("rank_distance", "rank_distance_median"):
            continue
        if isinstance(value, dict) and "k" in value:
            label, value = f"{label} at {value['k']}", value.get("mean", value.get("distance"))
        if isinstance(value, (int, float)):
            rows.append([label, f"{value:.{digits}f}", better])
    return rows


_BIAS_LABELS = {
    "rank_distance_log2": ("rank distance, log2", 2, "lower"),
    "normalised_worst_rank": ("normalised worst rank", 1, "higher"),
    "recall_gap": ("recall gap (own - other languages)", 3, "0"),
    "topk_share": ("language shares unlike the relevant", 3, "lower"),
    "rank_consistency": ("rank consistency (Spearman)", 3, "higher"),
    "language_classifier_accuracy": ("language classifier accuracy", 3, "lower"),
}
