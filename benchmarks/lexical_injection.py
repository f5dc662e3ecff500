"""Whether words that are injected at an early layer come together in an encoder's output, as they did in a decoder's.

    OMP_NUM_THREADS=1 python benchmarks/lexical_injection.py LEXICON ... --report results/injection.json

The paper (arXiv 2506.15415) has one run on Lugha-Llama-8B with 623 trained and 63 control pairs, Swahili and English: the mean
cosine of the output goes from .3211 to .4113 (trained) and from .3143 to .4033 (control). Here every lexicon is probed at all
layers and injected with every seed, which also draws other pairs; a run that the report has already is not done again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from _machine import add, conditions

from isoglot.data.lexicons.loading import LexiconFile
from isoglot.data.lexicons.word_pairs import read_word_pairs
from isoglot.files import read_json
from isoglot.models.load import load_model
from isoglot.retrieval.probe import ProbeSettings, probe
from isoglot.training.injection.inject import inject
from isoglot.training.injection.settings import InjectSettings

_KEPT = ("layer", "steps", "first_loss", "last_loss", "seconds", "trainable_parameters", "effects")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lexicons", nargs="+", metavar="LEXICON")
    parser.add_argument("--base", default="offline:multilingual-e5-small")
    parser.add_argument("--layer", type=int, default=2, help="as in the paper (default 2)")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--control-pairs", type=int, default=500)
    parser.add_argument("--probed", type=int, default=1000, help="word pairs per lexicon (default 1000)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--report", type=Path, required=True)
    options = parser.parse_args()
    shared = {"layer": options.layer, "epochs": options.epochs, "control_pairs": options.control_pairs}
    add(options.report, "conditions", {**conditions("peft", "scipy"), "base": options.base, **shared})
    for seed in options.seeds:
        for lexicon in options.lexicons:
            name = f"{Path(LexiconFile.parse(lexicon).path).name}, seed {seed}"
            if name in (done := read_json(options.report).get("runs", {})):
                continue
            asked = InjectSettings(lexicon=(lexicon,), seed=seed, **shared)
            began = time.process_time()
            with tempfile.TemporaryDirectory() as folder:
                outcome = inject(options.base, asked, Path(folder) / "run", show=False)
            run = {key: outcome[key] for key in _KEPT} | {"cpu_seconds": round(time.process_time() - began, 1)}
            add(options.report, "runs", {**done, name: run})
    add(options.report, "summary", _summary(read_json(options.report)["runs"]))
    if "probe" not in read_json(options.report):
        asked_probe = ProbeSettings(lexicon=tuple(options.lexicons), pairs=options.probed)
        model = load_model(options.base)
        found = probe(model, read_word_pairs(options.lexicons), asked_probe)
        add(options.report, "probe", {key: found[key] for key in ("pairs", "chosen")})


def _summary(runs: dict[str, Any]) -> list[dict[str, Any]]:
    """Means over seeds, with the smallest and the largest difference and how many of the intervals lie above and below 0."""
    rows: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for run in runs.values():
        for effect in run["effects"]:
            rows.setdefault(tuple(effect[key] for key in ("pair", "words", "at", "measure")), []).append(effect)
    summary = []
    for (pair, words, at, measure), effects in rows.items():
        means = {
            key: round(fmean(effect[key] for effect in effects), 5) for key in ("before", "after", "difference", "d_z")
        }
        differences = [round(effect["difference"], 5) for effect in effects]
        above = sum(effect["interval"][0] > 0 for effect in effects)
        below = sum(effect["interval"][1] < 0 for effect in effects)
        about = {"pair": pair, "words": words, "at": at, "measure": measure, "seeds": len(effects)}
        summary.append({**about, **means, "differences": differences, "above_0": above, "below_0": below})
    return summary


if __name__ == "__main__":
    main()
