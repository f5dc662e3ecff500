"""Memory and time of mining negatives: all in memory (`isoglot.retrieval.mine.mine`) and from the disk (`mine_file`).

    OMP_NUM_THREADS=1 python benchmarks/mine_memory.py              (150,000 rows in 5 languages: 1 GB of disk, some minutes)
    python benchmarks/mine_memory.py --pairs 2000                   (a trial)

A stand-in model gives every text a random vector, so that only the pairs, the vectors and the search are measured. Each way
runs in a process of its own on the same file of pairs (as in benchmarks/pack_memory.py); both must find the same negatives.
Memory is anonymous memory (RssAnon, sampled every 5 ms), above that after the imports. Written to results/mine_memory.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from _machine import conditions, write
from _memory import Memory, gigabytes
from pack_memory import rows

from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.writing import write_pairs
from isoglot.files import digest_file
from isoglot.models import content, load
from isoglot.retrieval.mine import Mine, mine
from isoglot.retrieval.mine_file import mine_file

WAYS = ("memory", "file")


class Model:
    """A vector by chance for every text, the same in each process."""

    def __init__(self, width: int) -> None:
        self.width = width

    def encode_query(self, texts: list[str], **_: Any) -> np.ndarray:
        seeds = [xxhash.xxh3_64_intdigest(text.encode()) for text in texts]
        vectors = np.random.default_rng(0).standard_normal((4096, self.width), dtype=np.float32)
        return np.array([vectors[seed % 4096] + vectors[(seed >> 12) % 4096] for seed in seeds])

    encode_document = encode_query


def run(way: str, pairs: Path, output: Path, width: int) -> dict[str, Any]:
    asked, model, memory = Mine(model="stand-in", number=10, margin=-2), Model(width), Memory()
    if way == "memory":
        write_pairs(mine(model, load_pairs(pairs), asked, progress=False), output)
    else:
        load.load_model = lambda *_, **__: model  # type: ignore[assignment,return-value]
        content.content_of = lambda name: {"digest": name}
        mine_file([str(pairs)], output, asked, progress=False)
    memory.lap(way)
    peak, seconds = memory.laps[way]["peak_gb"], memory.laps[way]["seconds"]
    return {"seconds": seconds, "peak_above_imports_gb": round(peak - gigabytes(memory.base), 3)}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=30_300, help="each in five languages, one in twenty in four")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--folder", type=Path, help="where the work files go (default: a temporary folder)")
    parser.add_argument("--output", type=Path, default=Path("results/mine_memory.json"))
    parser.add_argument("--way", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        way, pairs, mined = options.way
        print(json.dumps(run(way, Path(pairs), Path(mined), options.width)))
        return 0
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="mine-memory-", dir=options.folder) as home:
        pairs = Path(home, "pairs.jsonl")
        with pairs.open("w", encoding="utf-8") as sink:
            sink.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(options.pairs))
        with pairs.open("rb") as source:
            found = {"rows": sum(1 for _ in source), "width": options.width, "file_gb": gigabytes(pairs.stat().st_size)}
        for way in WAYS:
            command = [
                sys.executable,
                __file__,
                "--width",
                str(options.width),
                "--way",
                way,
                str(pairs),
                f"{home}/{way}.jsonl",
            ]
            found[way] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        found["same_bytes"] = len({digest_file(Path(home, f"{way}.jsonl")) for way in WAYS}) == 1
    write(options.output, {**found, **conditions("pyarrow")})
    print(json.dumps(found, indent=2))
    return 0 if found["same_bytes"] else 1


if __name__ == "__main__":
    sys.exit(main())
