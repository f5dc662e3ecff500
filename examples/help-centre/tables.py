"""What examples/help-centre/results/ holds: the counts of `isoglot data from-docs`, and the figures before and after training.

python tables.py COUNTS BASE [TRAINED] --trained-on L... --output DIR
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", type=Path)
    parser.add_argument(
        "results", type=Path, nargs="+", help="folders of isoglot evaluate: before training, and after it"
    )
    parser.add_argument("--trained-on", nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    results = [json.loads((folder / "summary.json").read_text(encoding="utf-8")) for folder in options.results[:2]]
    options.output.mkdir(parents=True, exist_ok=True)
    shutil.copy(options.counts, options.output / "counts.txt")
    (options.output / "figures.md").write_text(tables(results, options.trained_on), encoding="utf-8")


def tables(results: list[dict[str, Any]], trained_on: list[str]) -> str:
    """nDCG@10 in each setting and rank distance before and after, and each language's own nDCG@10."""
    settings, times = ("mono", "cross", "multi"), ["before", "after"][: len(results)]
    lines = [_row(["", *times]), "|---" * (1 + len(times)) + "|"]
    for setting in settings:
        figures = [result["settings"][setting]["nDCG@10"] for result in results]
        lines.append(_row([f"nDCG@10, {setting}", *map("{:.3f}".format, figures)]))
    lines.append(_row(["rank distance", *(f"{result['bias']['rank_distance']:.0f}" for result in results)]))
    lines += ["", "nDCG@10 by language of the query:", ""]
    lines.append(_row(["language", "trained", *(f"{setting} {time}" for setting in settings for time in times)]))
    lines.append("|---" * (2 + len(settings) * len(times)) + "|")
    for lang in results[0]["per_language"]["mono"]:
        figures = []
        for setting in settings:
            per = [result["per_language"][setting] for result in results]
            figures += [(one["by_query"] if setting == "cross" else one)[lang]["nDCG@10"] for one in per]
        lines.append(_row([lang, "yes" if lang in trained_on else "no", *map("{:.3f}".format, figures)]))
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
