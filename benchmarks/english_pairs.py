"""Some English question-answer pairs of MLQA-R: whole groups of pairs that share a text, in a seeded order.

    python benchmarks/english_pairs.py runs/english-only/english.jsonl [--pairs 200] [--seed 0]

The source of the rows becomes `english`, so that a study can have them beside what was made of them (`source_weights`).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable, read_rows
from isoglot.data.pairs.writing import write_pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pairs", type=int, default=200, help="pairs at least (default 200)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    table = load_pairs("lareqa:mlqa-r", languages=["en"])
    order = table.index.shuffled_groups(options.seed, 43)
    sizes = np.bincount(table.index.group)[order]
    taken = order[: int(np.searchsorted(np.cumsum(sizes), options.pairs)) + 1]
    chosen = table.select_pairs(np.isin(table.index.group, taken))
    rows = [replace(row, source="english") for row in read_rows(chosen.table)]
    write_pairs(PairTable.from_rows(rows), options.output)
    print(f"{options.output}: {len(rows)} of {len(table)} pairs, {len(taken)} of {len(order)} groups")


if __name__ == "__main__":
    main()
