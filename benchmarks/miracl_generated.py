"""Measure a model on MIRACL's topics and judgments over a generated corpus that holds every judged passage.

The text is invented, so the figures say nothing about a model; the run shows that the whole path carries a corpus of
this size, how long it takes and how much memory. Texts are the same on every machine for the same seed.

    ISOGLOT_DATA=... python benchmarks/miracl_generated.py --work runs/miracl --passages 200000 --model hash
    ISOGLOT_DATA=... python benchmarks/miracl_generated.py --work runs/miracl5m --passages 5000000 --store runs/store
    ISOGLOT_DATA=... python benchmarks/miracl_generated.py --work runs/miracl --model offline:multilingual-e5-small

Memory is anonymous memory (RssAnon, sampled every 5 ms), which leaves out pages of files that the system can drop.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.members.miracl import MIRACL
from isoglot.data.benchmarks.qrels import judged_lines
from isoglot.data.benchmarks.wikipedia import languages_here
from isoglot.data.readers import lines
from isoglot.errors import InputError, IsoglotError
from isoglot.files import atomic_path, data_folders, read_json, write_json
from isoglot.records import Float32Array
from isoglot.retrieval.store import EmbeddingStore

_SHARD = 50_000


class HashModel:
    """Bags of words, each word a signed position of a vector by its hash: cheap, deterministic, blind to meaning."""

    def __init__(self, width: int = 384) -> None:
        self.width = width

    def encode_query(self, texts: Sequence[str], **_: Any) -> Float32Array:
        return self._encode(texts)

    def encode_document(self, texts: Sequence[str], **_: Any) -> Float32Array:
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> Float32Array:
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                value = _hash(word)
                vectors[row, (value >> 1) % self.width] += 1 - 2 * (value & 1)
        return vectors


@lru_cache(maxsize=200_000)
def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")


def generate(work: Path, languages: Sequence[str], passages: int, seed: int, data_dir: Path | None = None) -> Path:
    """Write `work/miracl/corpus/<lang>/docs-<i>.jsonl.gz` where they are not there yet; returns `work`.

    A passage judged relevant holds the words of its query among others; all others hold words of any queries. Passages
    that nobody judged share the rest of `passages` evenly over the languages.
    """
    judged = {lang: _judged(lang, data_dir) for lang in languages}
    needed = sum(len(relevant) for _, relevant in judged.values())
    if passages < needed:
        raise InputError(f"--passages {passages}: the judged passages of {' '.join(languages)} alone are {needed:,}")
    asked = {"languages": list(languages), "passages": passages, "seed": seed}
    home = work / "miracl" / "corpus"
    if (home / "generated.json").is_file() and read_json(home / "generated.json") == asked:
        return work
    extra = passages - needed
    for number, lang in enumerate(languages):
        share = extra // len(languages) + (number < extra % len(languages))
        rows = _rows(*judged[lang], share, random.Random(f"{seed} {lang}"))
        for path in (home / lang).glob("docs-*.jsonl.gz"):
            path.unlink()
        _write(home / lang, rows)
    write_json(home / "generated.json", asked)
    return work


def _judged(lang: str, data_dir: Path | None) -> tuple[dict[str, str], dict[str, str | None]]:
    """Queries by id, and every judged docid with a query that it is relevant to, or None."""
    found = []
    for pattern in (MIRACL.topics, MIRACL.qrels):
        path = Path(pattern.format(name=lang))
        homes = data_folders("miracl", data_dir)
        place = next((p for home in homes for p in (home / path, home / path.name) if p.is_file()), None)
        if place is None:
            raise InputError(f"{path.name} is not in $ISOGLOT_DATA/miracl or --data-dir")
        found.append(place)
    queries = {key: text for key, _, text in (line.partition("\t") for _, line in lines(found[0]))}
    judged: dict[str, str | None] = {}
    for _, query, document, grade in judged_lines(found[1]):
        judged[document] = query if grade > 0 else judged.get(document)
    return queries, judged


def _rows(
    queries: dict[str, str], judged: dict[str, str | None], others: int, generator: random.Random
) -> Iterator[dict[str, str]]:
    vocabulary = sorted({word for text in queries.values() for word in text.split()})
    ids: list[tuple[str, str | None]] = list(judged.items())
    ids += [(f"g{i // 8}#{i % 8}", None) for i in range(others)]  # no article of Wikipedia has a letter in its number
    generator.shuffle(ids)
    for key, query in ids:
        words = generator.choices(vocabulary, k=generator.randint(15, 60))
        if query is not None:
            words += queries[query].split()
            generator.shuffle(words)
        yield {"docid": key, "title": " ".join(words[:2]), "text": " ".join(words[2:])}


def _write(folder: Path, rows: Iterator[dict[str, str]]) -> None:
    number = 0
    row = next(rows, None)
    while row is not None:
        with (
            atomic_path(folder / f"docs-{number}.jsonl.gz") as temporary,
            gzip.open(temporary, "wt", 1, "utf-8") as sink,
        ):
            for _ in range(_SHARD):
                if row is None:
                    break
                sink.write(json.dumps(row, ensure_ascii=False) + "\n")
                row = next(rows, None)
        number += 1


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Generate, load, encode, rank; a summary with seconds and peak memory of each part."""
    from _machine import conditions
    from _memory import Memory, gigabytes

    from isoglot.evaluation.evaluate import evaluate

    languages = options.languages or languages_here(MIRACL, options.data_dir)
    memory, about = Memory(), conditions()
    generate(options.work, languages, options.passages, options.seed, options.data_dir)
    memory.lap("generate")
    benchmark = load_benchmark(
        "miracl",
        languages=languages,
        data_dir=options.work,
        passage=options.passage,
        corpus_sample=options.corpus_sample,
    )
    memory.lap("load")
    if options.model == "hash":
        model: Any = HashModel()
    else:
        from isoglot.models.load import load_model

        model = load_model(options.model)
    memory.lap("model")
    result = evaluate(
        model,
        benchmark,
        settings=["mono"],
        measures=["nDCG@10", "R@100"],
        batch_size=options.batch_size,
        output=options.output,
        model_name=options.model,
        digest=f"hash {model.width}" if options.model == "hash" else None,
        store=EmbeddingStore(options.store) if options.store else None,
    )
    memory.lap("evaluate")
    keys = ("model", "benchmark", "settings", "per_language", "counts", "about", "seconds")
    return {
        **{key: result.summary[key] for key in keys},
        "store": bool(options.store),
        "memory_after_imports_gb": gigabytes(memory.base),
        "parts": memory.laps,
        **about,
    }


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/miracl"), help="the corpus goes to WORK/miracl/corpus")
    parser.add_argument("--data-dir", type=Path, help="folder with the topics and qrels (default: $ISOGLOT_DATA)")
    parser.add_argument("--languages", nargs="+", help="default: all whose topics are there")
    parser.add_argument("--passages", type=int, default=200_000, help="of all languages together, judged ones included")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="hash", help="hash, or anything that isoglot evaluate takes")
    parser.add_argument("--passage", choices=["title+text", "text"], default="title+text")
    parser.add_argument("--corpus-sample", type=int, metavar="N")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--store", type=Path, help="keep the vectors there and rank them from disk")
    parser.add_argument("--report", type=Path, help="write what is printed there as well")
    parser.add_argument("--output", type=Path, help="folder for summary.json and per_query.parquet")
    return parser.parse_args(words)


if __name__ == "__main__":
    try:
        asked = parse()
        found = measure(asked)
        if asked.report:
            write_json(asked.report, found)
        print(json.dumps(found, indent=2, ensure_ascii=False))
    except IsoglotError as error:
        sys.exit(f"miracl_generated: {error}")
