"""The table of a study for a document, from its results.json and cost.json: means over seeds.

python benchmarks/study_table.py results/lareqa
python benchmarks/study_table.py results/lareqa --forgetting    # within one language, where training is not meant to help
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isoglot.files import read_json
from isoglot.study.packing import PACKED, PackedStudy

SETTINGS = ("mono", "cross", "multi")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--measure", default="nDCG@10")
    parser.add_argument(
        "--forgetting", action="store_true", help="in English, trained and other languages, less the base"
    )
    options = parser.parse_args()
    packed = options.study / PACKED  # an export keeps there what is said of single languages
    results = PackedStudy(packed).details["results"] if packed.is_file() else read_json(options.study / "results.json")
    costs = read_json(options.study / "cost.json")
    if options.forgetting:
        head = ["trained on, measured on", "batches", "tuning", "English", "trained languages", "other languages"]
        print(
            f"{options.measure}, mono, less the untrained base, means over seeds\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}"
        )
        for line in forgetting(results["cells"], options.measure):
            print(f"| {' | '.join(line)} |")
        return
    head = ["trained on, measured on", "batches", "tuning", *SETTINGS, "rank distance", "training, s", "seeds"]
    print(f"{options.measure}, means over seeds\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for line in lines(results["cells"], costs, options.measure):
        print(f"| {' | '.join(line)} |")


def lines(
    cells: Sequence[Mapping[str, Any]], costs: Mapping[str, Mapping[str, Any]], measure: str
) -> list[tuple[str, ...]]:
    """A line per recipe, bases first, data by data."""
    done = [cell for cell in cells if cell["status"] == "done"]
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for cell in done:
        for benchmark in cell["benchmarks"]:
            groups.setdefault((benchmark, *_key(cell)), []).append(cell)
    found = []
    for (benchmark, data, batches, tuning), part in sorted(groups.items()):
        results = [cell["benchmarks"][benchmark] for cell in part]
        figures = [f"{_mean([one['settings'][name][measure] for one in results]):.3f}" for name in SETTINGS]
        distance = f"{_mean([one['bias']['rank_distance'] for one in results]):.0f}"
        seconds = [costs.get(cell["id"], {}).get("train_seconds") for cell in part]
        time = f"{_mean(seconds):.0f}" if all(seconds) else "-"
        seeds = str(len(part)) if data else "-"
        where = f"{data} -> {benchmark}" if data else benchmark
        found.append((where, batches or "none (base)", tuning or "-", *figures, distance, time, seeds))
    return found


def forgetting(cells: Sequence[Mapping[str, Any]], measure: str) -> list[tuple[str, ...]]:
    """A line per recipe: mono, means over languages and seeds, less the base's."""
    done = [cell for cell in cells if cell["status"] == "done"]
    bases = {
        (cell["base"], name): one for cell in done if cell["kind"] == "base" for name, one in cell["benchmarks"].items()
    }
    gains: dict[tuple[str, ...], list[tuple[float, ...]]] = {}
    for cell in done:
        for name, one in cell["benchmarks"].items() if cell["kind"] != "base" else ():
            mono = {
                lang: values[measure] - bases[cell["base"], name]["per_language"]["mono"][lang][measure]
                for lang, values in one["per_language"]["mono"].items()
            }
            seen = [gain for lang, gain in mono.items() if lang in cell["languages"]]
            others = [gain for lang, gain in mono.items() if lang not in cell["languages"]]
            data, batches, tuning = _key(cell)
            parts = ([mono["en"]] if "en" in mono else [], seen, others)
            gains.setdefault((f"{data} -> {name}", batches, tuning), []).append(
                tuple(_mean(part) if part else float("nan") for part in parts)
            )
    return [
        (*key, *("-" if mean != mean else f"{mean:+.4f}" for mean in map(_mean, zip(*rows))))
        for key, rows in sorted(gains.items())
    ]


def _key(cell: Mapping[str, Any]) -> tuple[str, str, str]:
    if cell["kind"] == "base":
        return "", "", ""
    if cell["system"] == cell["label"]:  # named by the spec
        return cell["data"], cell["system"], "-"
    share = cell["mono_share"]
    batches = cell["strategy"] if share in (None, 0.5) else f"{cell['strategy']} {share:g}"
    amount = "" if cell["amount"] == 1.0 else f" ({cell['amount']:g} of it)"
    return cell["data"] + amount, batches, cell["tuning"]["name"]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
