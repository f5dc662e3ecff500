"""What a model finds in a natural pool: a query has one answer, in its own language or in another, and all languages are pooled.

A parallel pool flatters models that treat languages alike: every language has the answer. Here a model that no longer prefers the
query's language may lose answers in it. Queries of every language are split by where their answer is:

    isoglot data benchmark PAIRS --languages de en ... --pool natural --holdout .2 --rest rest.jsonl.gz --output natural
    isoglot evaluate MODEL natural --settings multi --output results-of-MODEL
    python benchmarks/natural_pool.py natural base=results-of-base ours=results-of-ours
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

MEASURES = ("nDCG@10", "R@1", "R@10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", type=Path, help="a folder of isoglot data benchmark --pool natural")
    parser.add_argument("results", nargs="+", help="NAME=DIR of isoglot evaluate --output")
    parser.add_argument("--report", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    language = {
        json.loads(line)["_id"]: path.stem
        for path in (options.benchmark / "corpus").glob("*.jsonl")
        for line in path.read_text("utf-8").splitlines()
    }
    with (options.benchmark / "qrels.tsv").open(encoding="utf-8") as file:
        answer = {row["query-id"]: language[row["corpus-id"]] for row in csv.DictReader(file, delimiter="\t")}
    figures = {}
    print(f"| model | answer in | queries | {' | '.join(MEASURES)} |\n|---|---|---|{'---|' * len(MEASURES)}")
    for name, _, folder in (given.partition("=") for given in options.results):
        table = pq.read_table(Path(folder) / "per_query.parquet")
        rows = [row for row in table.to_pylist() if row["setting"] == "multi"]
        own = np.array([answer[row["query_id"]] == row["query_lang"] for row in rows])
        for where, chosen in (("the query's language", own), ("another", ~own), ("any", np.ones_like(own))):
            means = {key: float(np.mean([row[key] for row, taken in zip(rows, chosen) if taken])) for key in MEASURES}
            figures.setdefault(name, {})[where] = {"queries": int(chosen.sum()), **means}
            print(
                f"| {name} | {where} | {int(chosen.sum())} | {' | '.join(f'{mean:.4f}' for mean in means.values())} |"
            )
    if options.report:
        options.report.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
