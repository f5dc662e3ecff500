"""Markdown table of `benchmarks/repair.sh`: reads results/repair/, prints to stdout.

python benchmarks/repair_table.py > results/repair/table.md
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "results" / "repair"
ORDER = ("base", "mono", "cross", "hybrid")
COLUMNS = [(setting, measure) for measure in ("AP", "nDCG@10") for setting in ("mono", "cross", "multi")]


def load(name: str) -> dict[str, Any]:
    """The summary of one model on XQuAD-R."""
    summary: dict[str, Any] = json.loads((FOLDER / f"{name}-on-xquad-r" / "summary.json").read_text(encoding="utf-8"))
    return summary


def training(name: str) -> str:
    """Seconds of training, where the model was trained."""
    path = FOLDER / f"{name}-run.json"
    return f"{json.loads(path.read_text(encoding='utf-8'))['outcome']['seconds']:.0f}" if path.is_file() else "-"


def main() -> None:
    print(
        "| batches | mAP mono | cross | multi | nDCG@10 mono | cross | multi | rank distance | median | training, s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in ORDER:
        summary = load(name)
        cells = [f"{summary['settings'][setting][measure]:.3f}" for setting, measure in COLUMNS]
        cells += [f"{summary['bias'][key]:.0f}" for key in ("rank_distance", "rank_distance_median")]
        label = "none (base)" if name == "base" else name
        print(f"| {label} | {' | '.join(cells)} | {training(name)} |")


if __name__ == "__main__":
    main()
