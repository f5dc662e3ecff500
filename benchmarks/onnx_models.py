"""What a model loses and gains as an ONNX graph, whole and with weights of 8 bits: retrieval, language bias, speed, size.

    OMP_NUM_THREADS=2 python benchmarks/onnx_models.py --folder models/onnx
    python benchmarks/onnx_models.py --folder models/onnx --paragraphs 4 --texts 64 --repeats 1 --output try.json
    python benchmarks/onnx_models.py --table results/speed/onnx.json   # the table of docs/stacks.md

Figures are of the questions of some seeded paragraphs of XQuAD-R, in all its languages, with as large a part of each corpus.
Differences from torch have 95% intervals over paragraphs (paired bootstrap). Speed is that of `encode_texts` on a seeded sample
of questions, sentences and paragraphs: the models take turns in one process, after a pass that is not timed. `batch_effect` is
the largest distance between the vector of a question alone and in a batch with others, in lengths of the vector.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _machine import conditions, write
from _subset import some_paragraphs
from encode_speed import SETS, sample

from isoglot.cli.main import main as isoglot
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.evaluation.contrasts import PairedRows
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.matching import RANK_DISTANCE, System
from isoglot.evaluation.settings import EvaluateSettings
from isoglot.files import read_json
from isoglot.models.load import load_model
from isoglot.records import SETTINGS
from isoglot.retrieval.encode import encode_texts
from isoglot.tables import markdown_table

EXPORTS = {"onnx": [], "int8": ["--quantize", "int8"], "int8-dynamic": ["--quantize", "int8-dynamic"]}


def exported(model: str, folder: Path) -> dict[str, Path]:
    """The model in every form; what lies in the folder already is taken."""
    for name, options in EXPORTS.items():
        if not (folder / name).exists() and isoglot(
            ["model", "export", model, *options, "--output", str(folder / name)]
        ):
            raise SystemExit(f"{name} was not exported")
    return {name: folder / name for name in EXPORTS}


def quality(models: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """AP by setting and rank distance of every model, and how far from the first."""
    benchmark = load_benchmark("xquad-r", data_dir=options.data_dir)
    if options.paragraphs:
        benchmark = some_paragraphs(benchmark, options.paragraphs, options.seed)
    systems = []
    for name, model in models.items():
        result = evaluate(model, benchmark, EvaluateSettings(measures=("AP",)), model_name=name)
        systems.append(System(name, (result,), (name,)))
    found: dict[str, Any] = {name: {} for name in models}
    for setting in (*SETTINGS, RANK_DISTANCE):
        rows = PairedRows(systems, setting, "AP")
        for name in models:
            own = {"value": round(rows.average(name).mean, 4)}
            if name != systems[0].name:
                contrast = rows.contrast(systems[0].name, name)
                own |= {
                    "difference": round(contrast.difference, 4),
                    "interval": [round(x, 4) for x in contrast.interval()],
                }
            found[name][setting] = own
    return {
        "benchmark": benchmark.name,
        "queries": benchmark.n_queries,
        "passages": benchmark.n_documents,
        "models": found,
    }


def speed(models: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Texts per second of every model, the median of repeats, and seconds of each."""
    found: dict[str, Any] = {}
    for part, (_, kind) in SETS.items():
        texts = sample(part, options)
        seconds: dict[str, list[float]] = {name: [] for name in models}
        for repeat in range(options.repeats + 1):
            for name, model in models.items():
                own = texts[: options.batch_size] if repeat == 0 else texts  # the first is not measured
                started = time.perf_counter()
                encode_texts(model, own, kind, options.batch_size, progress=False)
                if repeat:
                    seconds[name].append(round(time.perf_counter() - started, 3))
            print(f"{part}: {repeat} of {options.repeats}", file=sys.stderr, flush=True)
        rates = {name: round(len(texts) / statistics.median(own), 1) for name, own in seconds.items()}
        found[part] = {"texts": len(texts), "texts_per_second": rates, "seconds": seconds}
    questions = sample("queries", options)[:20]
    alone: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(options.repeats + 1):
        for name, model in models.items():
            started = time.perf_counter()
            for question in questions:
                model.encode_query([question], show_progress_bar=False)
            alone[name].append((time.perf_counter() - started) / len(questions))
    found["one_query"] = {
        "milliseconds": {name: round(1000 * statistics.median(own[1:]), 2) for name, own in alone.items()}
    }
    return found


def batch_effect(model: Any, options: argparse.Namespace) -> float:
    questions = sample("queries", options)[:32]
    together = model.encode_query(questions, batch_size=32, show_progress_bar=False)
    alone = np.concatenate([model.encode_query([question], show_progress_bar=False) for question in questions])
    return float(f"{np.linalg.norm(together - alone, axis=1).max():.2g}")


def table(report: dict[str, Any]) -> list[str]:
    """A row per model: its size, AP by setting and rank distance with intervals of what it lost, and speed."""
    settings = [*SETTINGS, RANK_DISTANCE]
    head = ["", "weights", *(f"AP, {name}" for name in SETTINGS), "rank distance", "alone or in a batch"]
    rows = [[*head, "one question", *(f"{name}/s" for name in SETS)]]
    for name, found in report["quality"]["models"].items():
        digits = dict.fromkeys(settings, 3) | {RANK_DISTANCE: 1}
        cells = []
        for setting in settings:
            own, places = found[setting], digits[setting]
            cell = f"{own['value']:.{places}f}"
            if "interval" in own:
                cell += f" ({own['difference']:+.{places}f} [{own['interval'][0]:+.{places}f}, {own['interval'][1]:+.{places}f}])"
            cells.append(cell)
        rates = [f"{report['speed'][part]['texts_per_second'][name]:.1f}" for part in SETS]
        alone = f"{report['speed']['one_query']['milliseconds'][name]:.1f} ms"
        size = f"{report['weights_bytes'][name] / 1e6:.0f} MB"
        rows.append([name, size, *cells, f"{report['batch_effect'][name]:.2g}", alone, *rates])
    return markdown_table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="offline:multilingual-e5-small")
    parser.add_argument("--table", type=Path, metavar="FILE", help="print the table of a report instead")
    parser.add_argument("--folder", type=Path, default=Path("models/onnx"), help="for the exported models: 750 MB")
    parser.add_argument("--paragraphs", type=int, default=60, help="of 240; 0 for all")
    parser.add_argument("--texts", type=int, default=300, help="of each kind, for speed")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--languages", nargs="+")
    parser.add_argument("--data-dir")
    parser.add_argument("--output", type=Path, default=Path("results/speed/onnx.json"))
    options = parser.parse_args()
    if options.table:
        print(*table(read_json(options.table)), sep="\n")
        return
    began = conditions("onnx", "onnxruntime", "onnxscript")
    folders = exported(options.model, options.folder)
    models = {"torch": load_model(options.model, device="cpu")} | {n: load_model(str(p)) for n, p in folders.items()}
    graphs = {name: (path / "onnx" / "model.onnx").stat().st_size for name, path in folders.items()}
    torch_bytes = sum(weight.numel() * weight.element_size() for weight in models["torch"].parameters())
    report = {
        **began,
        "settings": {
            "model": options.model,
            "texts": options.texts,
            "repeats": options.repeats,
            "batch_size": options.batch_size,
        },
        "weights_bytes": {"torch": torch_bytes, **graphs},
        "batch_effect": {name: batch_effect(model, options) for name, model in models.items()},
        "speed": speed(models, options),
        "quality": quality(models, options),
    }
    write(options.output, report)


if __name__ == "__main__":
    main()
