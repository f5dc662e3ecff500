"""A study that takes seconds: a tiny base, a folder as benchmark, a few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.training.tiny import pair_rows, tiny_base


def write_pairs(path: Path, first: int = 0, n: int = 24) -> Path:
    """Pairs as JSON lines."""
    fields = ("id", "lang", "query", "passage")
    rows = [row for row in pair_rows(first + n) if int(row.id) >= first]
    path.write_text("".join(json.dumps({key: getattr(row, key) for key in fields}) + "\n" for row in rows))
    return path


def write_benchmark(folder: Path) -> Path:
    """Every pair's passage is the answer in all languages."""
    for part in ("queries", "corpus"):
        (folder / part).mkdir(parents=True)
    rows = pair_rows()
    for lang in ("de", "en", "zh"):
        here = [row for row in rows if row.lang == lang]
        for part, key in (("queries", "query"), ("corpus", "passage")):
            lines = [
                json.dumps({"_id": row.id if part == "queries" else f"{lang}-{row.id}", "text": getattr(row, key)})
                for row in here
            ]
            (folder / part / f"{lang}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "qrels.tsv").write_text("".join(f"{row.id}\t0\t{row.lang}-{row.id}\t1\n" for row in rows))
    return folder


def small_spec(folder: Path, **more: Any) -> dict[str, Any]:
    """Two strategies by LoRA and full: four cells and the base. A key that is None is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / "tiny"
    if not base.exists():
        tiny_base(base)
        write_pairs(folder / "pairs.jsonl")
        write_benchmark(folder / "bench")
    spec = {
        "name": "small",
        "question": "Does it work?",
        "base": [str(base)],
        "strategy": ["mono", "hybrid"],
        "tuning": [{"name": "lora", "rank": 4}, "full"],
        "data": [{"name": "made", "pairs": [str(folder / "pairs.jsonl")]}],
        "benchmarks": [str(folder / "bench")],
        "train": {"steps": 6, "batch_size": 4, "save_steps": 2},
        "learning_rates": {"lora": 5e-3, "full": 1e-3},
        "evaluate": {"measures": ["nDCG@10"]},
        **more,
    }
    return {key: value for key, value in spec.items() if value is not None}
