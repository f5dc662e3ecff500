"""Texts per second of `isoglot encode` by engine, on the same texts in one run.

    OMP_NUM_THREADS=1 python benchmarks/encode_engines.py offline:multilingual-e5-small
    python benchmarks/encode_engines.py offline:multilingual-e5-small --quick

The texts are XQuAD-R's sentences, a seeded sample, cut into shards of one size. Each side is a command of its own with one thread
per worker, and its files must be the same bytes:

- one: one process;
- processes: `--workers` of multiprocessing;
- torchrun: as many, started by a launcher;
- ray: as many on a Ray cluster that starts on this machine (left out, which is said, where Ray is not installed).

A rate is what a side reaches while it encodes: texts over the time from the first shard on the disk to the last, the first one's
texts left out. What comes before (imports, models, a cluster) is `seconds_to_first_shard`; a large corpus does not notice it.
`reading` is how fast texts are read and cut, which one process does before.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _machine import conditions, write

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.files import write_jsonl
from isoglot.models.load import load_model
from isoglot.retrieval.encode import prompt_of
from isoglot.retrieval.text_shards import cut_files

LAUNCHER = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


def rows(options: argparse.Namespace) -> list[dict[str, str]]:
    """A seeded sample of the distinct sentences, in random order."""
    found = load_benchmark("xquad-r", languages=options.languages, data_dir=options.data_dir)
    texts = {text: {"id": key, "lang": lang, "text": text} for lang, key, text in found.pooled_documents()}
    return random.Random(options.seed).sample(list(texts.values()), min(options.texts, len(texts)))


def sides(options: argparse.Namespace) -> dict[str, tuple[list[str], list[str]]]:
    """By side: what starts the program, and further options of it."""
    number = str(options.workers)
    program = ["-m", "isoglot", "encode"]
    found = {
        "one": (program, []),
        "processes": (program, ["--engine", "processes", "--workers", number]),
        "torchrun": ([*LAUNCHER, number, *program], []),
    }
    if importlib.util.find_spec("ray"):
        found["ray"] = (program, ["--engine", "ray", "--workers", number])
    else:
        print("ray: left out, as Ray is not installed", file=sys.stderr)
    return found


def run(start: list[str], more: list[str], texts: Path, output: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One side, from the start of its command to its end."""
    size = ["--shard-size", str(options.shard_size)]
    command = [
        sys.executable,
        *start,
        options.model,
        str(texts),
        "--output",
        str(output),
        "--device",
        "cpu",
        *size,
        *more,
    ]
    began, began_at = time.perf_counter(), time.time()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    whole = time.perf_counter() - began
    ends = sorted(path.stat().st_mtime for path in output.glob("ids-*.parquet"))
    encoded = options.texts - options.shard_size
    return {
        "seconds": round(whole, 2),
        "seconds_to_first_shard": round(ends[0] - began_at, 2),
        "texts_per_second": round(encoded / (ends[-1] - ends[0]), 1),
    }


def count_tokens(texts: list[str], options: argparse.Namespace) -> int:
    """Tokens of all texts with their prompt, cut at the model's length."""
    model: Any = load_model(options.model, device="cpu")
    features = model.preprocess(texts, prompt=prompt_of(model, "passage"), task="document")
    return int(features["attention_mask"].sum())


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def reading(texts: Path, options: argparse.Namespace, copies: int = 20) -> dict[str, Any]:
    """Rows per second of cutting a file of many copies of the texts."""
    large = texts.with_name("many.jsonl")
    large.write_bytes(texts.read_bytes() * copies)
    began = time.perf_counter()
    shards = cut_files([large], 16_384)
    seconds = time.perf_counter() - began
    return {
        "rows_per_second": round(shards[-1].end / seconds),
        "megabytes_per_second": round(large.stat().st_size / seconds / 1e6, 1),
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--texts", type=int, default=3072)
    parser.add_argument("--shard-size", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--languages", nargs="+")
    parser.add_argument("--data-dir")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="256 texts")
    parser.add_argument("--output", type=Path, default=Path("results/speed/encode_engines.json"))
    options = parser.parse_args()
    if options.quick:
        options.texts, options.shard_size = 256, 32
    return options


def main() -> int:
    options = arguments()
    about = conditions("ray")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        texts, made = Path(folder) / "texts.jsonl", rows(options)
        options.texts = len(made)
        write_jsonl(texts, made)
        read = reading(texts, options)
        first = None
        for side, (start, more) in sides(options).items():
            output = Path(folder) / side
            found[side] = run(start, more, texts, output, options)
            first = first or files_of(output)
            if files_of(output) != first:
                raise SystemExit(f"{side}: its files are not those of one process")
            print(f"{side}: {found[side]}", file=sys.stderr, flush=True)
        tokens = count_tokens([row["text"] for row in made], options)
    report = {
        "model": options.model,
        "texts": options.texts,
        "tokens_per_text": round(tokens / options.texts, 1),
        "shard_size": options.shard_size,
        "workers": options.workers,
        "threads_per_worker": 1,
        "seed": options.seed,
        "reading": read,
        "engines": found,
        "equal_bytes": True,
        **about,
    }
    for side, figures in found.items():
        print(f"{side}: {figures['texts_per_second']} texts/s, first shard after {figures['seconds_to_first_shard']} s")
    write(options.output, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
