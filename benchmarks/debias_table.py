"""Markdown table of `benchmarks/debias.py`: reads results/debias.json, prints to stdout.

python benchmarks/debias_table.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REPORT = Path(__file__).parent.parent / "results" / "debias.json"
HEAD = "| method | sides | language | mAP mono | cross | multi | nDCG@10 mono | cross | multi | rank distance |"


def line(names: list[str], figures: dict[str, Any]) -> str:
    """One row."""
    values = [f"{figures[setting][key]:.3f}" for key in ("AP", "nDCG@10") for setting in ("mono", "cross", "multi")]
    return f"| {' | '.join([*names, *values])} | {figures['rank_distance']:.0f} |"


def main() -> None:
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    print(f"{HEAD}\n| :-- | :-- | :-- |{' --: |' * 7}")
    print(line(["none (base)", "", ""], report["base"]))
    for row in report["repaired"]:
        strength = row["strength"]
        shown = f"auto ({row['chosen']:g})" if strength == "auto" else f"{strength:g}"
        language = "not needed" if row["method"] == "lsar" else row["language"]
        print(line([f"{row['method']}, strength {shown}", row["sides"], language], row))


if __name__ == "__main__":
    main()
