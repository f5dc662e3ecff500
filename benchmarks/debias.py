"""Every debiasing method on a benchmark that it was not fitted on: retrieval and rank distance before and after.

    python benchmarks/debias.py --store DIR --report results/debias.json

The base encodes the benchmark once; corrections are applied to its vectors, which is what a saved model does (tests hold the two
to each other). Languages are those of the benchmark's files; "told" tells each from the embedding instead. The fit is 250 pairs
per language of `facts:`; with strength auto another fifth of them is measured on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from _machine import conditions, write

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.fit_texts import read_sources
from isoglot.evaluation.debias import DebiasSettings, encoder, fit_maps
from isoglot.evaluation.debias_strength import map_pooled, scores_of
from isoglot.models.language_maps import SIDES, LanguageMaps
from isoglot.models.load import load_model
from isoglot.records import SETTINGS, Benchmark
from isoglot.retrieval.encode import pooled_languages, pooled_texts
from isoglot.retrieval.store import EmbeddingStore

FACTS = "facts:ar,de,el,en,es,hi,ru,th,tr,vi,zh"
MEASURES = ("AP", "nDCG@10")
ASKED: list[dict[str, Any]] = [
    {"method": "lir"},
    {"method": "lir", "sides": "apart"},
    {"method": "lsar", "rank": 10},
    {"method": "lsar", "rank": 10, "sides": "together"},
    {"method": "centring"},
    {"method": "centring", "sides": "together"},
    {"method": "shift", "strength": 0.5},
    {"method": "shift", "strength": 0.75},
    {"method": "shift", "strength": 1.0},
    {"method": "shift", "strength": 1.0, "sides": "together"},
    {"method": "shift", "strength": 1.0, "sides": "passages"},
    *({"method": method, "strength": "auto"} for method in ("lir", "lsar", "centring", "shift")),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="offline:multilingual-e5-small")
    parser.add_argument("--fit", nargs="+", default=[FACTS])
    parser.add_argument("--benchmark", default="xquad-r")
    parser.add_argument("--texts", type=int, default=250)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--report", type=Path, required=True)
    options = parser.parse_args()
    began = conditions()
    benchmark, model = load_benchmark(options.benchmark), load_model(options.model, device="cpu", dtype="float32")
    encode = encoder(model, EmbeddingStore(options.store) if options.store else None)
    sources = read_sources(options.fit, benchmark.query_languages)
    vectors = [encode(pooled_texts(benchmark, side), side, pooled_languages(benchmark, side)) for side in SIDES]
    report: dict[str, Any] = {
        **began,
        "settings": {
            "model": options.model,
            "fit": options.fit,
            "benchmark": options.benchmark,
            "texts": options.texts,
        },
        "base": measured(benchmark, vectors),
        "told": {},
        "repaired": [],
    }
    show("base", report["base"])
    for asked in ASKED:
        fitted = fit_maps(encode, sources, DebiasSettings(texts=options.texts, **asked))
        usual = fitted.maps.tellers and "sides" not in asked
        for told in (False, True) if usual else (False,):
            corrected = [map_pooled(fitted.maps, benchmark, side, own, told=told) for side, own in zip(SIDES, vectors)]
            row = {"strength": 1.0, **asked, "sides": fitted.record["sides"], "language": "told" if told else "given"}
            if "strengths" in fitted.record:
                row |= {"chosen": fitted.maps.strength, "strengths": fitted.record["strengths"]}
            report["repaired"].append({**row, **measured(benchmark, corrected)})
            show(" ".join(str(value) for key, value in row.items() if key != "strengths"), report["repaired"][-1])
        if fitted.maps.tellers and not report["told"]:
            report["told"] = {side: told_right(fitted.maps, benchmark, side, own) for side, own in zip(SIDES, vectors)}
        write(options.report, report)


def measured(benchmark: Benchmark, vectors: list[Any]) -> dict[str, Any]:
    """Macro-averages by setting, and rank distance."""
    scores = scores_of(benchmark, *vectors, measures=MEASURES)
    return {
        key: {name: round(x, 4) for name, x in own.items()} if isinstance(own, dict) else own
        for key, own in scores.items()
    }


def told_right(maps: LanguageMaps, benchmark: Benchmark, side: Any, vectors: Any) -> dict[str, float]:
    """The share of texts whose language the embedding tells: of all, and by language."""
    teller = maps.tellers[side]
    own = np.array(pooled_languages(benchmark, side))
    right = np.array(teller.languages)[teller.tell(vectors)] == own
    shares = {lang: round(float(right[own == lang].mean()), 4) for lang in sorted(set(own.tolist()))}
    return {"all": round(float(right.mean()), 4), **shares}


def show(name: str, figures: dict[str, Any]) -> None:
    values = " / ".join(f"{figures[setting]['AP']:.3f}" for setting in SETTINGS)
    print(f"{name}: mAP {values}, rank distance {figures['rank_distance']:.0f}", flush=True)


if __name__ == "__main__":
    main()
