"""What examples/help-centre/results/ holds: the counts of `isoglot data from-docs`, and the figures before and after training.

python tables.py COUNTS BASE TRAINED --trained-on L... --output DIR
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
    parser.add_argument("results", type=Path, nargs=2)
    parser.add_argument("--trained-on", nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    before, after = (json.loads((folder / "summary.json").read_text(encoding="utf-8")) for folder in options.results)
    options.output.mkdir(parents=True, exist_ok=True)
    shutil.copy(options.counts, options.output / "counts.txt")
    (options.output / "figures.md").write_text(tables(before, after, options.trained_on), encoding="utf-8")


def tables(before: dict[str, Any], after: dict[str, Any], trained_on: list[str]) -> str:
    """nDCG@10 in each setting and rank distance before and after, and each language's own nDCG@10."""
    both = (before, after)
    lines = ["| | before | after |", "|---|---|---|"]
    settings = ("mono", "cross", "multi")
    lines += [
        _row([f"nDCG@10, {setting}"], [result["settings"][setting]["nDCG@10"] for result in both])
        for setting in settings
    ]
    distances = [result["bias"]["rank_distance"] for result in both]
    lines += [
        f"| rank distance | {distances[0]:.0f} | {distances[1]:.0f} |",
        "",
        "nDCG@10 by language of the query:",
        "",
    ]
    lines += [
        "| language | trained | mono before | after | cross before | after | multi before | after |",
        "|---" * 8 + "|",
    ]
    for lang in before["per_language"]["mono"]:
        figures = []
        for setting in settings:
            per = [result["per_language"][setting] for result in both]
            figures += [(one["by_query"] if setting == "cross" else one)[lang]["nDCG@10"] for one in per]
        lines.append(_row([lang, "yes" if lang in trained_on else "no"], figures))
    return "\n".join(lines) + "\n"


def _row(words: list[str], figures: list[float]) -> str:
    return "| " + " | ".join([*words, *(f"{figure:.3f}" for figure in figures)]) + " |"


if __name__ == "__main__":
    main()
