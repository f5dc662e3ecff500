"""What holds under load, for long, with several processes in one place, and with too little memory.

    python benchmarks/endurance.py load                        # 4 minutes: valid and hostile requests, a flood, a stop
    python benchmarks/endurance.py soak --minutes 20
    python benchmarks/endurance.py processes                   # 3 minutes: an index is changed and searched by several at once
    python benchmarks/endurance.py memory                      # 10 minutes: commands with less and less memory
    python benchmarks/endurance.py load --model offline:multilingual-e5-small --name e5 --hostile 1000 --room 32

Figures go to results/reliability.json, each part beside the others (as `load e5` where it has a name); exit code 1 where
something is not as docs/reliability.md promises. Whatever else the machine does makes it slower, but not wrong: times are
compared within a run alone.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")
sys.path.insert(0, str(Path(__file__).parents[1]))

WORDS = [f"{lang}{number} {lang}{number + 3} {lang}{number + 7}" for lang in ("de", "en", "zh") for number in range(50)]


def tiny_index(home: Path) -> tuple[Path, list[Path]]:
    """An index of a random model of width 32, and two corpora of which its documents come: 72 documents, and twice as many."""
    from tests.serving.servers import write_corpus
    from tests.training.tiny import tiny_base

    from isoglot.retrieval.collection.build import index

    model = tiny_base(home / "model")
    corpora = [write_corpus(home / f"{n}.jsonl", n) for n in (24, 48)]
    index(str(model), str(corpora[0]), home / "index", name="tiny", progress=False)
    return home / "index", corpora


def answers_index(model: str, home: Path) -> tuple[Path, list[str]]:
    """An index of an eighth of the answers of `faq` by a model, and some of its questions."""
    from isoglot.data.benchmarks.load import load_benchmark
    from isoglot.files import write_jsonl
    from isoglot.retrieval.collection.build import index

    found = load_benchmark("faq")
    documents = [*found.pooled_documents()][::8]
    write_jsonl(
        home / "faq.jsonl", ({"id": f"{lang}-{key}", "lang": lang, "text": text} for lang, key, text in documents)
    )
    index(model, str(home / "faq.jsonl"), home / "index", device="cpu", progress=False)
    texts = list(dict.fromkeys(text for _, _, text in found.pooled_queries()))
    return home / "index", texts[:: len(texts) // 100]


def run_load(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    from _load import load

    folder, texts = answers_index(options.model, home) if options.model else (tiny_index(home)[0], WORDS)
    return {"model": options.model or "random, width 32", **load(folder, texts, home, options)}


def run_soak(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    from _soak import soak

    folder, corpora = tiny_index(home)
    return soak(folder, corpora, WORDS, home, options)


def run_processes(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    from _sharing import sharing

    return sharing(home, options)


def run_memory(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    from _scarce import scarce

    return scarce(home, options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("results/reliability.json"))
    parser.add_argument("--name", default="", help="the part is kept as `PART NAME`")
    parts = parser.add_subparsers(dest="part", required=True)
    load = parts.add_parser("load")
    load.add_argument("--model", help="of an index of answers of `faq` (default: a random one, 72 documents)")
    load.add_argument("--hostile", type=int, default=4000, help="requests of the storm")
    load.add_argument("--room", type=int, default=64, help="requests that the server works on at a time")
    load.add_argument("--flood", type=int, default=400, help="requests at one moment")
    load.add_argument("--calm", type=float, default=10, help="seconds of valid requests alone, before and after")
    load.set_defaults(run=run_load)
    soak = parts.add_parser("soak")
    soak.add_argument("--minutes", type=float, default=20)
    soak.add_argument("--settle", type=float, default=4, help="minutes that do not count")
    soak.add_argument("--rate", type=float, default=20, help="valid requests in a second")
    soak.add_argument("--change", type=float, default=20, help="seconds between changes of the index")
    soak.add_argument("--every", type=float, default=2, help="seconds between samples")
    soak.set_defaults(run=run_soak)
    for part in (load, soak):
        part.add_argument("--clients", type=int, default=16, help="that send valid requests")
        part.add_argument("--timeout", type=float, default=5, help="seconds that the server gives a request")
    load.add_argument("--attackers", type=int, default=16)
    processes = parts.add_parser("processes")
    processes.add_argument("--seconds", type=float, default=60)
    processes.add_argument("--readers", type=int, default=4)
    processes.set_defaults(run=run_processes)
    memory = parts.add_parser("memory")
    memory.add_argument("--shares", type=float, nargs="+", default=[0.9, 0.75, 0.6, 0.45, 0.3, 0.15])
    memory.add_argument("--only", nargs="+", default=[], metavar="TEXT", help="cases whose names hold one of these")
    memory.set_defaults(run=run_memory)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # clients that go on sending after they were refused
    from _machine import add, conditions

    began = time.perf_counter()
    about = conditions("fastapi", "uvicorn", "h11")
    with tempfile.TemporaryDirectory(prefix="endurance.") as home:
        os.environ["ISOGLOT_CACHE"] = f"{home}/cache"
        result: dict[str, Any] = {"conditions": about, **options.run(options, Path(home))}
    result["minutes"] = round((time.perf_counter() - began) / 60, 1)
    add(options.output, f"{options.part} {options.name}".strip(), result)
    for problem in result["problems"]:
        print(f"  {problem}", file=sys.stderr)
    print(json.dumps({key: value for key, value in result.items() if key not in ("conditions", "course")})[:3000])
    return 1 if result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
