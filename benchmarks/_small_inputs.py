"""A random model of width 32, parallel pairs, a benchmark, a corpus and a study that take seconds, in one folder."""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.models.test_prune import unigram
from tests.training.tiny import tiny_base

LANGUAGES = ("de", "en")
WORDS = [f"{lang}{number}" for lang in LANGUAGES for number in range(60)]


def make(folder: Path) -> Path:
    """Write `model`, `other` (with other weights), `pieces` (whose tokenizer knows pieces of words), `letters.txt` for it,
    `pairs.jsonl`, `fewer.jsonl`, `apart.jsonl` (no text of which is in `bench`), `bench`, `corpus.jsonl`, `documents.jsonl`,
    `few-documents.jsonl`, `vectors`, `study.yaml`, `docs` and `en-de.tsv`."""
    folder.mkdir(parents=True)
    for seed, name in enumerate(("model", "other")):
        tiny_base(folder / name, WORDS, seed)
    unigram(folder / "pieces")
    (folder / "letters.txt").write_text("abc de ab\ncad ebb\n" * 8)
    rows = [_row(number, lang) for number in range(32) for lang in LANGUAGES]
    for name, some in (("pairs", rows), ("fewer", rows[:48])):
        _lines(folder / f"{name}.jsonl", some)
    _lines(
        folder / "apart.jsonl",
        [{**row, "query": f"q{i} w{i}", "passage": f"p{i} v{i} u{i}"} for i, row in enumerate(rows)],
    )
    for name, count in (("documents", 64), ("few-documents", 40)):
        _lines(folder / f"{name}.jsonl", [_document(row) for row in rows[:count]])
    for side, lang in product(("queries", "corpus"), LANGUAGES):
        path = folder / "vectors" / side / f"{lang}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.random.default_rng(len(f"{side}{lang}")).normal(size=(40, 32)).astype(np.float32))
    for kind, key in (("queries", "query"), ("corpus", "passage")):
        for lang in LANGUAGES:
            here = [row for row in rows if row["lang"] == lang]
            own = [{"_id": row["id"] if kind == "queries" else f"{lang}-{row['id']}", "text": row[key]} for row in here]
            _lines(folder / "bench" / kind / f"{lang}.jsonl", own)
    judged = "".join(f"{row['id']}\t0\t{row['lang']}-{row['id']}\t1\n" for row in rows)
    (folder / "bench" / "qrels.tsv").write_text(judged)
    _lines(
        folder / "corpus.jsonl",
        [{"docid": f"{i}#0", "title": "", "text": row["passage"]} for i, row in enumerate(rows)],
    )
    (folder / "study.yaml").write_text(json.dumps(_study(folder)))  # JSON is YAML
    (folder / "en-de.tsv").write_text("".join(f"en{number}\tde{number}\n" for number in range(60)))
    for number in range(8):
        for lang in LANGUAGES:
            page = folder / "docs" / lang / f"page{number}.md"
            page.parent.mkdir(parents=True, exist_ok=True)
            words = [f"{lang} {word} {number}" for word in ("title", "words that make a text of some length", "end")]
            page.write_text(f"# {words[0]}\n\n{words[1]}.\n\n## {words[2]}\n\nMore {words[1]}.\n")
    return folder


def _row(number: int, lang: str) -> dict[str, str]:
    words = [f"{lang}{(number * 7 + step) % 60}" for step in range(2 + number % 8)]
    passage = " ".join([*reversed(words), f"{lang}{number}"])
    return {"id": str(number), "lang": lang, "query": " ".join(words), "passage": passage}


def _document(row: dict[str, str]) -> dict[str, str]:
    own = {"id": f"{row['lang']}-{row['id']}", "lang": row["lang"], "translation": row["id"]}
    return {**own, "title": row["query"], "text": row["passage"]}


def _lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _study(folder: Path) -> dict[str, Any]:
    return {
        "name": "small",
        "question": "Does it survive?",
        "base": [str(folder / "model")],
        "strategy": ["hybrid"],
        "tuning": [{"name": "lora", "rank": 4}],
        "data": [{"name": "made", "pairs": [str(folder / "pairs.jsonl")]}],
        "benchmarks": [str(folder / "bench")],
        "train": {"steps": 4, "batch_size": 4, "save_steps": 2},
        "learning_rates": {"lora": 5e-3},
        "evaluate": {"measures": ["nDCG@10"]},
    }
