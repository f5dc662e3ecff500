"""How much of a GPU training, encoding and evaluation fill, beside sentence-transformers, on one machine in one run.

    python benchmarks/gpu_speed.py --output results/speed/speed_cuda.json            (some 6 minutes on one H100 or H200)
    python benchmarks/gpu_speed.py --parts train profile --quick

Parts, each written when it is done, with its own machine and date, so that a later run may measure some of them anew:

- train: `isoglot.train` and sentence-transformers' own trainer on the same batches of 100 MLQA-R pairs (LoRA; sentences and
  whole paragraphs), the sides alternating, --repeats times; both read the loss every fifth step, and these are compared.
- large: full fine-tuning on batches of 1,024 distinct paragraphs, plain and with compile=true.
- encode: XQuAD-R's queries and sentences, in float32 and bfloat16, beside `SentenceTransformer.encode`; and the passes alone,
  with the token ids at hand.
- evaluate: one evaluation of XQuAD-R in all its settings, with the model and the benchmark loaded.
- profile: where a step of `train` goes, as it was (padded passes, PEFT's modules) and as it is.
- embeddings: what an AdamW step of the whole word embeddings costs, dense and by rows.

A share of the chip is the floating-point work of the tokens (`_sides.operations`: nothing for padding, recomputation, or the
gradient of a weight that is not trained) over time, over the rate of one large matrix product of the same precision in the same
process; in `large` also over the rate of the products of the model's own layers, which are narrow.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _machine import add, conditions
from _sides import Recorder, our_trainer, product_rate, settings_of, their_trainer, watching

from isoglot.models.unpadded import passes

BASE = "offline:multilingual-e5-small"
SIDES = ("ours", "theirs")
TRACED = 4
"""Steps that the part `profile` traces."""
SOURCES = {"sentences": "lareqa:mlqa-r", "paragraphs": "lareqa-paragraphs:mlqa-r"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="once, a few steps")
    parser.add_argument("--sets", nargs="+", default=["queries", "sentences"], help="of the part `encode`")
    parser.add_argument("--batch", type=int, default=1024, help="of the part `large`")
    parser.add_argument("--output", type=Path, default=Path("results/speed/speed_cuda.json"))
    asked = parser.parse_args()
    asked.repeats = 1 if asked.quick else asked.repeats
    about = conditions("accelerate", "peft")
    failed = []
    for part in asked.parts:
        began = time.perf_counter()
        try:
            found = PARTS[part](asked)
        except Exception:  # the other parts are worth having all the same
            traceback.print_exc()
            failed.append(part)
            continue
        print(json.dumps({part: found}, indent=1, default=str)[:6000], flush=True)
        add(asked.output, part, {"conditions": about, **found, "part_seconds": round(time.perf_counter() - began, 1)})
        _forget()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def train(asked: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for name, source in SOURCES.items():
        runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for repeat in range(asked.repeats):
            for side in SIDES if repeat % 2 == 0 else SIDES[::-1]:
                steps, skip = (40, 20) if asked.quick else (260, 60) if side == "ours" else (50, 10)
                runs[side].append(_run(side, source, "lora", 100, steps, skip, ["log_steps=5", "warmup=1000"]))
                print(name, side, _short(runs[side][-1]), flush=True)
        ours, theirs = (_median(runs[side], "pairs_per_second") for side in SIDES)
        losses = [runs[side][0]["losses"][:3] for side in SIDES]
        found[name] = {
            "pairs_per_second": {"ours": ours, "theirs": theirs},
            "times_as_fast": round(ours / theirs, 2),
            "losses": dict(zip(SIDES, losses)),
            "largest_loss_difference": max(abs(one / other - 1) for one, other in zip(*losses)),
            "runs": {side: [_short(run) for run in of] for side, of in runs.items()},
        }
    return found


def large(asked: argparse.Namespace) -> dict[str, Any]:
    """Full fine-tuning on large batches."""
    found: dict[str, Any] = {}
    own = _own_rate()
    with tempfile.TemporaryDirectory() as folder:
        pairs = _distinct_paragraphs(Path(folder) / "pairs.jsonl")
        ways = {"compiled": (["compile=true"], asked.repeats), "plain": ([], 1)}
        for name, (words, repeats) in ways.items():
            more = ["log_steps=5", "warmup=1000", "strategy=mono", *words]
            runs = [
                _run(
                    "ours", str(pairs), "full", asked.batch, 20 if asked.quick else 40, 15 if asked.quick else 20, more
                )
                for _ in range(repeats)
            ]
            share = statistics.median(run["utilisation"] for run in runs)
            found[name] = {
                "share_of_the_chip": round(share, 4),
                "share_of_its_own_products": round(share * product_rate(torch.bfloat16) / own, 4),
                "pairs_per_second": _median(runs, "pairs_per_second"),
                "runs": [_short(run) for run in runs],
            }
            print(name, found[name], flush=True)
    return {"batch_size": asked.batch, "own_product_rate_tflops": round(own / 1e12, 1), **found}


def _distinct_paragraphs(path: Path) -> Path:
    """Pairs of distinct paragraphs of all languages; their language is not told, so that one batch may hold all of them."""
    from isoglot.data.pairs.loading import load_pairs

    seen: dict[str, str] = {}
    for source in ("lareqa-paragraphs:mlqa-r", "lareqa-paragraphs:xquad-r"):
        table = load_pairs((source,)).table
        for query, passage in zip(table.column("query").to_pylist(), table.column("passage").to_pylist()):
            seen.setdefault(passage, query)
    rows = [{"id": str(n), "lang": "en", "query": q, "passage": p} for n, (p, q) in enumerate(seen.items())]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def _run(side: str, source: str, tuning: str, batch: int, steps: int, skip: int, words: list[str]) -> dict[str, Any]:
    """What one run of one trainer measures."""
    _forget()
    torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(_asked(source, tuning, batch, steps, words), Path(folder))
        recorder = Recorder(skip, profile=False)
        began = time.perf_counter()
        if side == "ours":
            our_trainer(settings, recorder)
        else:
            their_trainer(settings, recorder, Path(folder))
        return recorder.report(began, settings)


def _asked(source: str, tuning: str, batch: int, steps: int, words: list[str]) -> argparse.Namespace:
    given = {"data": [source], "base": BASE, "tuning": [tuning], "batch_size": batch, "steps": steps}
    return argparse.Namespace(**given, dropout=0.0, set=words)


def _short(run: dict[str, Any]) -> dict[str, Any]:
    steps = sorted(run["step_seconds"][-20:])
    return {
        "pairs_per_second": round(run["pairs_per_second"], 1),
        "tokens_per_second": round(run["tokens_per_second"]),
        "share_of_the_chip": round(run["utilisation"], 4),
        "median_step_ms": round(statistics.median(steps) * 1e3, 2),
        "fastest_step_ms": round(steps[0] * 1e3, 2),
        "seconds_to_first_step": round(run["seconds_to_first_step"], 2),
        "slowest_first_steps_ms": [round(seconds * 1e3) for seconds in sorted(run["step_seconds"])[-6:]],
        "peak_cuda_gb": round(run["peak_cuda_bytes"] / 1e9, 2),
    }


def _median(runs: list[dict[str, Any]], key: str, digits: int = 1) -> float:
    return round(statistics.median(run[key] for run in runs), digits)


def encode(asked: argparse.Namespace) -> dict[str, Any]:
    from encode_speed import SETS, layers

    from isoglot.data.benchmarks.load import load_benchmark
    from isoglot.models.load import load_model
    from isoglot.models.precision import computing_in
    from isoglot.retrieval.encode import encode_texts, prompt_of
    from isoglot.retrieval.streams import Stream

    model = load_model(BASE, device="cuda")
    texts = {}
    for name, (context, kind) in SETS.items():
        if name not in asked.sets:
            continue
        benchmark = load_benchmark("xquad-r", context=context)
        pooled = benchmark.pooled_queries() if kind == "query" else benchmark.pooled_documents()
        texts[name] = list(dict.fromkeys(text for _, _, text in pooled))[: 2000 if asked.quick else None]
    found: dict[str, Any] = {}
    for precision, name in itertools.product(("fp32", "bf16"), texts):
        kind, own = SETS[name][1], texts[name]
        task = "query" if kind == "query" else "document"
        theirs = model.encode_query if kind == "query" else model.encode_document
        stream = Stream(model, own, prompt_of(model, kind), task)
        windows = list(stream._windows(sorted(own, key=len, reverse=True)))
        sides: dict[str, Callable[[], Any]] = {
            "ours": partial(encode_texts, model, own, kind, progress=False),
            "theirs": partial(theirs, own, batch_size=64, show_progress_bar=False),
            "passes": partial(_passes, stream, windows),
        }
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        with computing_in(precision, "cuda"):  # type: ignore[arg-type]
            for _ in range(asked.repeats + 1):  # the first is not counted
                for side, run in sides.items():
                    torch.cuda.synchronize()
                    began = time.perf_counter()
                    run()
                    torch.cuda.synchronize()
                    seconds[side].append(time.perf_counter() - began)
        middle = {side: statistics.median(of[1:]) for side, of in seconds.items()}
        lengths = np.concatenate([part for _, part in windows]).astype(np.float64)
        shapes, depth, width = layers(model)
        work = 2 * sum(a * b for a, b in shapes) * lengths.sum() + depth * 4 * width * (lengths**2).sum()
        rate = product_rate(torch.bfloat16 if precision == "bf16" else torch.float32)
        found[f"{name} {precision}"] = {
            "texts": len(own),
            "tokens": int(lengths.sum()),
            "seconds": {side: round(value, 4) for side, value in middle.items()},
            "all_seconds": {side: [round(value, 4) for value in of] for side, of in seconds.items()},
            "times_as_fast": round(middle["theirs"] / middle["ours"], 2),
            "share_of_the_chip": round(work / middle["ours"] / rate, 4),
            "share_of_the_chip_passes_alone": round(work / middle["passes"] / rate, 4),
            "product_rate_tflops": round(rate / 1e12, 1),
        }
        print(name, precision, found[f"{name} {precision}"], flush=True)
    return found


def _passes(stream: Any, windows: list[Any]) -> None:
    """The passes over texts that are tokenised already."""
    with torch.inference_mode():
        for ids, lengths in windows:
            for start, end, first, last in passes(lengths.tolist(), 1 << 17):
                stream._pass(ids[first:last], lengths[start:end])


def evaluate(asked: argparse.Namespace) -> dict[str, Any]:
    from isoglot.data.benchmarks.load import load_benchmark
    from isoglot.evaluation.evaluate import evaluate as measure
    from isoglot.models.load import load_model

    model, benchmark = load_model(BASE, device="cuda"), load_benchmark("xquad-r")
    found: dict[str, Any] = {}
    for precision in ("fp32", "bf16"):
        seconds, parts = [], []
        for _ in range(asked.repeats + 1):
            began = time.perf_counter()
            result = measure(model, benchmark, precision=precision, progress=False)
            seconds.append(round(time.perf_counter() - began, 2))
            parts.append(result.summary["seconds"])
        found[precision] = {"seconds": seconds, "median": statistics.median(seconds[1:]), "parts": parts[-1]}
        found[precision]["cross nDCG@10"] = result.summary["settings"]["cross"].get("nDCG@10")
    return {"settings": 132, **found}


def profile(asked: argparse.Namespace) -> dict[str, Any]:
    """Kernels, time on the device and time of the process in some steps, as it was and as it is."""
    from torch.profiler import ProfilerActivity
    from transformers import TrainerCallback

    from isoglot.training import prepare as preparing
    from isoglot.training import train as module

    class Watch(TrainerCallback):
        def __init__(self) -> None:
            self.profiler = torch.profiler.profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA])
            self.began = self.seconds = 0.0

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            torch.cuda.synchronize()
            if state.global_step == args.max_steps - 2 * TRACED:
                self.began = time.perf_counter()
            if state.global_step == args.max_steps - TRACED:
                self.seconds = time.perf_counter() - self.began
                self.profiler.start()
            if state.global_step == args.max_steps:
                self.profiler.stop()

    found = {}
    fuse = preparing.fuse
    ways: dict[str, tuple[list[str], Any]] = {
        "as it was": (["unpadded=false"], lambda model: 0),
        "as it is": ([], fuse),
    }
    for data, (name, (words, fusing)) in itertools.product(SOURCES, ways.items()):
        watch = Watch()
        with tempfile.TemporaryDirectory() as folder, watching(lambda trainer, w=watch: trainer.add_callback(w)):
            given = _asked(SOURCES[data], "lora", 100, 40, ["log_steps=20", *words])
            preparing.fuse = fusing
            try:
                module.train(settings_of(given, Path(folder)), show=False)
            finally:
                preparing.fuse = fuse
        events = watch.profiler.key_averages()
        kernels = [event for event in events if event.device_type == torch.autograd.DeviceType.CUDA]
        host = sorted(events, key=lambda event: -event.self_cpu_time_total)
        device = sorted(kernels, key=lambda event: -event.self_device_time_total)
        found[f"{data}, {name}"] = {
            "ms_per_step": round(watch.seconds / TRACED * 1e3, 2),
            "device_ms_per_step": round(sum(event.self_device_time_total for event in kernels) / TRACED / 1e3, 2),
            "kernels_per_step": round(sum(event.count for event in kernels) / TRACED),
            "host_ms_per_step": {e.key[:60]: round(e.self_cpu_time_total / TRACED / 1e3, 3) for e in host[:14]},
            "most_device_ms_per_step": {
                e.key[:70]: round(e.self_device_time_total / TRACED / 1e3, 3) for e in device[:14]
            },
        }
        _forget()
    return found


def embeddings(asked: argparse.Namespace) -> dict[str, Any]:
    """One AdamW step of 250,037 x 384 word embeddings of which 8,000 rows have a gradient."""
    from isoglot.training.optimizer import RowAdamW

    found = {}
    for name in ("dense", "rows"):
        table = torch.nn.Embedding(250_037, 384, sparse=name == "rows", device="cuda")
        optimizer = RowAdamW(table.parameters(), lr=1e-4, fused=True)
        seconds = []
        for _ in range(12):
            ids = torch.randint(0, 250_037, (8000,), device="cuda")
            torch.cuda.synchronize()
            began = time.perf_counter()
            table(ids).sum().backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - began)
        found[name] = {"ms": round(statistics.median(seconds[2:]) * 1e3, 3)}
    return found


def _own_rate() -> float:
    """Operations per second of the products of one layer of the base, in bfloat16, forwards, for 262,144 tokens."""
    rows, shapes = 1 << 18, [(384, 384)] * 4 + [(1536, 384), (384, 1536)]
    given = {width: torch.randn(rows, width, device="cuda", dtype=torch.bfloat16) for width in (384, 1536)}
    weights = [torch.randn(shape, device="cuda", dtype=torch.bfloat16) for shape in shapes]
    best = float("inf")
    for _ in range(6):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for weight in weights:
            torch.nn.functional.linear(given[weight.shape[1]], weight)
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return 2 * rows * sum(a * b for a, b in shapes) / best


def _forget() -> None:
    gc.collect()
    torch.cuda.empty_cache()


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "train": train,
    "large": large,
    "encode": encode,
    "evaluate": evaluate,
    "profile": profile,
    "embeddings": embeddings,
}

if __name__ == "__main__":
    main()
