"""How fair an index is before and after each repair that needs no training, as `isoglot bias` measures it.

    python benchmarks/index_bias.py --work DIR --report results/index-bias.json

Documents are passages of XQuAD-R with one of their questions as the title, in six languages; every document is there in all of
them. The corrections are fitted on generated facts (250 a language), and on the documents themselves (transductive). What is in
DIR is used again.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _machine import conditions, write

from isoglot.data.pairs.loading import load_pairs
from isoglot.evaluation.collection_bias import collection_bias
from isoglot.evaluation.collection_bias_report import format_bias
from isoglot.evaluation.debias import debias
from isoglot.evaluation.debias_collection import debias_collection
from isoglot.retrieval.collection import Collection
from isoglot.retrieval.collection.build import index

LANGUAGES = ("de", "en", "es", "hi", "th", "zh")
FAIRNESS = ("raw", "standardised", "round-robin", "quota")


def documents(passages: int) -> Iterator[dict[str, str]]:
    """Translated documents: passages, each once, drawn by chance."""
    table = load_pairs("lareqa:xquad-r", languages=LANGUAGES)
    pairs = [pair for pair in range(table.index.n_pairs) if (table.index.rows[pair] >= 0).all()]
    random.Random(0).shuffle(pairs)
    seen: set[str] = set()
    for pair in pairs:
        rows = table.index.rows[pair]
        texts = table.column("passage", rows)
        if texts[0] in seen or len(seen) == passages:
            continue
        seen.add(texts[0])
        for lang, title, text in zip(table.languages, table.column("query", rows), texts):
            yield {"id": f"{lang}-{pair}", "lang": lang, "title": title, "text": text, "translation": str(pair)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="offline:multilingual-e5-small")
    parser.add_argument("--passages", type=int, default=220)
    parser.add_argument("--groups", type=int, default=300)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    options = parser.parse_args()
    began, seconds = conditions(), {}
    options.work.mkdir(exist_ok=True)
    corpus, path = options.work / "documents.jsonl", options.work / "index"
    with corpus.open("w", encoding="utf-8") as sink:
        sink.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in documents(options.passages))

    def timed(what: str, work: Any, *given: Any, **more: Any) -> Any:
        start = time.perf_counter()
        done = work(*given, progress=False, **more)
        seconds[what] = round(time.perf_counter() - start, 1)
        return done

    timed("index", index, options.model, str(corpus), path, name="base")
    for name, fit in (("facts", f"facts:{','.join(LANGUAGES)}"), ("own", str(path))):
        if not (folder := options.work / name).is_dir():
            timed(f"fit {name}", debias, options.model, fit, folder, texts=250)
        with Collection.open(path) as collection:
            there = collection.models
        if name not in there:
            timed(f"correct {name}", debias_collection, path, str(folder), name)
    record = timed("base", collection_bias, path, ["base"], FAIRNESS, groups=options.groups)
    repaired = timed("repaired", collection_bias, path, ["facts", "own"], groups=options.groups)
    record["systems"] += repaired["systems"]
    record["notes"] += repaired["notes"]
    print(format_bias(record))
    report: dict[str, Any] = {
        **began,
        "settings": {"model": options.model, "passages": options.passages, "languages": LANGUAGES},
        "questions": {key: record["questions"][key] for key in ("number", "groups", "seed", "left_out")},
        "seconds": seconds,
        "notes": record["notes"],
        "systems": [row(system) for system in record["systems"]],
    }
    write(options.report, report)


def row(system: dict[str, Any]) -> dict[str, Any]:
    """The means of a system."""
    success = system["success"]
    mean = {key: value for key, value in system["mix"]["mean"].items() if key != "questions"}
    return {
        "model": system["model"],
        "fairness": system["fairness"],
        **mean,
        **{key: {where: success[key][where] for where in ("pooled", "alone")} for key in ("same", "other")},
    }


if __name__ == "__main__":
    main()
