"""Texts per second of isoglot's `encode_texts`, beside SentenceTransformer.encode and the arithmetic of the model.

    OMP_NUM_THREADS=2 python benchmarks/encode_speed.py offline:multilingual-e5-small
    python benchmarks/encode_speed.py offline:multilingual-e5-small --quick

The texts are the queries, sentences and paragraphs of XQuAD-R, a seeded sample of each. One process, one model; the sides take
turns, each with the same texts in the order in which they are read, the same batch size and prompts:

- isoglot: `isoglot.retrieval.encode.encode_texts`;
- sentence-transformers: `model.encode_query` or `model.encode_document`, called once for all texts (it sorts by characters).

The floor is the time that the multiplications alone would take: FLOPs of the real tokens divided by the rate at which this
machine multiplies float32 matrices of the model's own layer shapes, with the same threads. A text of t tokens takes, per layer,
2 P t for the weight matrices (P parameters in all of them together) and 4 h t^2 for attention (scores and mixing; h the width of
the hidden states). Biases, norms, activations, softmax, embeddings and pooling are not counted.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _machine import conditions, write

from isoglot.data.benchmarks.load import Context, load_benchmark
from isoglot.models.load import load_model
from isoglot.retrieval.encode import Kind, encode_texts

SETS: dict[str, tuple[Context, Kind]] = {
    "queries": ("sentence", "query"),
    "sentences": ("sentence", "passage"),
    "paragraphs": ("paragraph", "passage"),
}
# rows of the matrices whose product is timed: tokens of one batch
ROWS = 4096


def sample(name: str, options: argparse.Namespace) -> list[str]:
    """A seeded sample of the distinct texts, in random order."""
    context, kind = SETS[name]
    found = load_benchmark("xquad-r", languages=options.languages, context=context, data_dir=options.data_dir)
    pooled = found.pooled_queries() if kind == "query" else found.pooled_documents()
    texts = list(dict.fromkeys(text for _, _, text in pooled))
    return random.Random(options.seed).sample(texts, min(options.texts or len(texts), len(texts)))


def layers(model: Any) -> tuple[list[tuple[int, int]], int, int]:
    """(out, in) of every weight matrix of the encoder's layers, how many layers, and the width of the hidden states."""
    transformer = model[0].model
    stack = transformer.encoder.layer
    shapes = [tuple(one.weight.shape) for one in stack.modules() if isinstance(one, torch.nn.Linear)]
    return shapes, len(stack), transformer.config.hidden_size


def flops(model: Any, texts: list[str], kind: Kind) -> tuple[int, int]:
    """FLOPs (two per multiplication and addition) and tokens of texts with their prompt, cut at the model's length."""
    shapes, depth, width = layers(model)
    task = "query" if kind == "query" else "document"
    names = ("query",) if kind == "query" else ("document", "passage", "corpus")
    prompt = next((model.prompts[name] for name in names if name in model.prompts), None)
    tokens = [
        int(length)
        for start in range(0, len(texts), 1024)
        for length in model.preprocess(texts[start : start + 1024], prompt=prompt, task=task)["attention_mask"].sum(1)
    ]
    weights = 2 * sum(a * b for a, b in shapes)
    attention = depth * 4 * width
    return sum(weights * t + attention * t * t for t in tokens), sum(tokens)


def rate(model: Any, seconds: float) -> dict[str, Any]:
    """FLOP per second of float32 products of the model's own layer shapes, the best of repeated passes over one layer."""
    shapes, depth, _ = layers(model)
    one_layer = shapes[: len(shapes) // depth]
    pairs = [(torch.randn(ROWS, b), torch.randn(a, b).T, torch.empty(ROWS, a)) for a, b in one_layer]
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until or best == float("inf"):
        started = time.perf_counter()
        for left, right, out in pairs:
            torch.mm(left, right, out=out)
        best = min(best, time.perf_counter() - started)
    return {
        "gflops": round(2 * ROWS * sum(a * b for a, b in one_layer) / best / 1e9, 1),
        "rows": ROWS,
        "shapes": one_layer,
    }


def measure(model: Any, name: str, gflops: float, options: argparse.Namespace) -> dict[str, Any]:
    kind, texts = SETS[name][1], sample(name, options)
    theirs = model.encode_query if kind == "query" else model.encode_document
    sides: dict[str, Callable[[list[str]], Any]] = {
        "isoglot": lambda part: encode_texts(model, part, kind, options.batch_size, progress=False),
        "sentence_transformers": lambda part: theirs(part, batch_size=options.batch_size, show_progress_bar=False),
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    processor: dict[str, list[float]] = {side: [] for side in sides}
    vectors = {}
    for encode in sides.values():
        encode(texts[: options.batch_size])  # not measured
    for repeat in range(options.repeats):
        for side in list(sides) if repeat % 2 == 0 else list(sides)[::-1]:
            started, worked = time.perf_counter(), time.process_time()
            vectors[side] = sides[side](texts)
            seconds[side].append(round(time.perf_counter() - started, 3))
            processor[side].append(round(time.process_time() - worked, 3))
            print(f"{name}, {side}: {seconds[side][-1]:.2f} s", file=sys.stderr, flush=True)
    unit = vectors["sentence_transformers"]
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    needed, tokens = flops(model, texts, kind)
    median = {side: statistics.median(of) for side, of in seconds.items()}
    floor = needed / (gflops * 1e9)
    return {
        "texts": len(texts),
        "tokens": tokens,
        "tokens_per_text": round(tokens / len(texts), 1),
        "gflop": round(needed / 1e9, 1),
        "seconds": seconds,
        "processor_seconds": processor,
        "median_seconds": median,
        "texts_per_second": {side: round(len(texts) / value, 1) for side, value in median.items()},
        "times_as_fast": round(median["sentence_transformers"] / median["isoglot"], 3),
        "floor_seconds": round(floor, 3),
        "times_the_floor": {side: round(value / floor, 2) for side, value in median.items()},
        "largest_difference": float(np.abs(vectors["isoglot"] - unit).max()),
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="an encoder with `encoder.layer` (BERT, XLM-R), on the CPU")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--texts", type=int, default=1500, help="sample so many of each set; 0 for all")
    parser.add_argument("--languages", nargs="+")
    parser.add_argument("--data-dir")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="64 texts of each set, one repeat")
    parser.add_argument("--output", type=Path, default=Path("results/speed/encode_speed.json"))
    options = parser.parse_args()
    if options.quick:
        options.texts, options.repeats = 64, 1
    return options


def main() -> int:
    options = arguments()
    about = conditions()
    model = load_model(options.model, device="cpu")
    spent = 0.5 if options.quick else 5.0
    before = rate(model, spent)
    sets = {name: measure(model, name, before["gflops"], options) for name in options.sets}
    report = {
        "model": options.model,
        "languages": options.languages,
        "batch_size": options.batch_size,
        "seed": options.seed,
        "repeats": options.repeats,
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "matrix_products": before,
        "matrix_products_after": rate(model, spent),
        "floor": "sum of layers * (2 P tokens + 4 hidden tokens^2) over texts / rate; P: parameters of a layer's matrices",
        "sets": sets,
        **about,
    }
    for name, found in sets.items():
        speed = found["texts_per_second"]
        print(
            f"{name}: {speed['isoglot']} texts/s, sentence-transformers {speed['sentence_transformers']}: "
            f"{found['times_as_fast']} times as fast, {found['times_the_floor']['isoglot']} times the floor"
        )
    write(options.output, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
