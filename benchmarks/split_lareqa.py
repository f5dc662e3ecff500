"""A LAReQA folder cut in two by its paragraphs: pairs to train on, and a development benchmark of the same layout.

Paragraphs with a question in common, in any languages, stay together. Recipes are chosen on the development part of the pairs
that they are trained on, so that no test set is looked at:

    python benchmarks/split_lareqa.py mlqa-r runs/split/mlqa-r --share .2
    isoglot train --pairs lareqa:runs/split/mlqa-r/train ...
    isoglot evaluate runs/... runs/split/mlqa-r/dev
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from isoglot.data.groups import components
from isoglot.data.lareqa import find_lareqa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="mlqa-r, xquad-r or a folder")
    parser.add_argument("output", type=Path, help="gets train/ and dev/")
    parser.add_argument("--share", type=float, default=0.2, help="of the groups of paragraphs that dev/ gets")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    files = {
        path.name: json.loads(path.read_text("utf-8")) for path in sorted(find_lareqa(options.name).glob("*.json"))
    }
    paragraphs = [p for file in files.values() for article in file["data"] for p in article["paragraphs"]]
    first: dict[str, int] = {}
    edges = [(first.setdefault(q["id"], number), number) for number, p in enumerate(paragraphs) for q in p["qas"]]
    left, right = np.array(edges, dtype=np.int64).T
    group = components(left, right, len(paragraphs))
    order = np.random.default_rng(options.seed).permutation(int(group.max()) + 1)
    is_dev = np.isin(group, order[: round(options.share * len(order))])
    side = {id(p): "dev" if dev else "train" for p, dev in zip(paragraphs, is_dev)}
    for part in ("train", "dev"):
        (options.output / part).mkdir(parents=True, exist_ok=True)
        for name, file in files.items():
            articles = [
                {**article, "paragraphs": [p for p in article["paragraphs"] if side[id(p)] == part]}
                for article in file["data"]
            ]
            kept = {**file, "data": [article for article in articles if article["paragraphs"]]}
            (options.output / part / name).write_text(json.dumps(kept, ensure_ascii=False), "utf-8")
            questions = sum(len(p["qas"]) for article in kept["data"] for p in article["paragraphs"])
            print(f"{part}/{name}: {questions} questions")


if __name__ == "__main__":
    main()
