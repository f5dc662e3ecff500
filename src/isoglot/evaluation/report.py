"""What is shown of a result: on a terminal, in a notebook."""

from __future__ import annotations

from typing import Any

from isoglot.tables import Table

_BIAS_LABELS = {
    "rank_distance_log2": ("rank distance, log2", 2, "lower"),
    "normalised_worst_rank": ("normalised worst rank", 1, "higher"),
    "recall_gap": ("recall gap (own - other languages)", 3, "0"),
    "topk_share": ("language shares unlike the relevant", 3, "lower"),
    "language_preference": ("language preference rate (own first)", 3, "chosen"),
    "rank_consistency": ("rank consistency (Spearman)", 3, "higher"),
    "language_classifier_accuracy": ("language classifier accuracy", 3, "lower"),
}


def blocks(summary: dict[str, Any]) -> list[str | Table]:
    """Settings by measures, rank distance, and one line per language for the first measure."""
    measures = list(next(iter(summary["settings"].values())))
    body = [[setting, *(f"{scores[m]:.3f}" for m in measures)] for setting, scores in summary["settings"].items()]
    shown: list[str | Table] = [_head(summary), "", Table([["setting", *measures], *body])]
    bias = dict(summary["bias"])
    mean, median = bias.pop("rank_distance", None), bias.pop("rank_distance_median", None)
    if isinstance(mean, float) and isinstance(median, float):
        shown += ["", f"rank distance {mean:.1f} (median {median:.1f}; lower is better)"]
    if others := _bias_rows(bias):
        shown += ["", Table([["language bias", "value", "better"], *others])]
    shown += ["", f"{measures[0]} by language", Table(_language_rows(summary, measures[0]))]
    return [*shown, *(f"note: {note}" for note in summary["notes"])]


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
