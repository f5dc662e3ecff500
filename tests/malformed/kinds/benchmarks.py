"""Benchmarks: own folders, and the layouts of those that have a name."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.malformed.kinds.shared import (
    LANGUAGES,
    Kind,
    N,
    Wrong,
    accepted,
    filled_lines,
    jsonl,
    parquet,
    register,
    run,
    same,
)


def texts(side: str, lang: str) -> bytes:
    title = {"title": f"title {lang}"} if side == "d" else {}
    return jsonl(
        [{"_id": f"{side}{i}{lang if side == 'd' else ''}", **title, "text": f"{side} {i} {lang}"} for i in range(N)]
    )


def benchmark_files() -> dict[str, bytes]:
    sides = {"queries": "q", "corpus": "d"}
    files = {f"{name}/{lang}.jsonl": texts(side, lang) for name, side in sides.items() for lang in LANGUAGES}
    qrels = "".join(f"q{i} 0 d{i}{lang} {1 + i % 2}\n" for i in range(N) for lang in LANGUAGES)
    about = {"name": "toy", "license": "CC0", "source": "made", "year": 2020}
    return {**files, "qrels.tsv": qrels.encode(), "benchmark.json": json.dumps(about).encode()}


def check_benchmark(folder: Path, spoiled: Path) -> None:
    answer = run("data", "texts", str(folder), str(folder.parent / "texts"), "--overwrite")
    if not accepted(answer, spoiled):
        return
    counts = [int(number) for number in re.findall(r"(\d+) (?:queries|documents)", answer.out)]
    inside = [sum(map(filled_lines, (folder / name).glob("*.jsonl*"))) for name in ("queries", "corpus")]
    same("texts", inside, counts)


def check_evaluated(folder: Path, spoiled: Path) -> None:
    answer = run("evaluate", "bm25", str(folder), "--measures", "nDCG@10", "--json")
    if accepted(answer, spoiled):
        finite(json.loads(answer.out)["settings"])


def finite(scores: Any) -> None:
    if not np.isfinite([value for by in scores.values() for value in by.values()]).all():
        raise Wrong("uncounted", f"a figure that is no number: {scores}")


def lareqa_files() -> dict[str, bytes]:
    def paragraph(lang: str, number: int) -> dict[str, Any]:
        sentences = [f"First {number} {lang}.", f"Second {number} {lang}."]
        ends = [len(sentences[0]), len(sentences[0]) + len(sentences[1])]
        asked = [
            {
                "id": f"q{number}{i}",
                "question": f"what {number} {i} {lang}?",
                "answers": [{"text": "x", "answer_start": 9 * i}],
            }
            for i in range(2)
        ]
        context = {"context": "".join(sentences), "sentences": sentences, "sentence_breaks": [[0, ends[0]], ends]}
        return {**context, "qas": asked}

    return {
        f"{lang}.json": json.dumps(
            {"data": [{"title": "T", "paragraphs": [paragraph(lang, i) for i in range(2)]}]}
        ).encode()
        for lang in LANGUAGES
    }


def check_lareqa(folder: Path, spoiled: Path) -> None:
    answer = run("data", "check", f"lareqa:{folder}", "--json")
    accepted(answer, spoiled)
    accepted(run("data", "texts", str(folder), str(folder.parent / "texts"), "--overwrite"), spoiled)


def miracl_files() -> dict[str, bytes]:
    corpus = jsonl([{"docid": f"{i}#0", "title": f"t{i}", "text": f"maandishi {i}"} for i in range(N)])
    return {
        "miracl-v1.0-sw/topics/topics.miracl-v1.0-sw-dev.tsv": "".join(f"{i}\tswali {i}\n" for i in range(N)).encode(),
        "miracl-v1.0-sw/qrels/qrels.miracl-v1.0-sw-dev.tsv": "".join(f"{i}\tQ0\t{i}#0\t1\n" for i in range(N)).encode(),
        "corpus/sw/docs-0.jsonl.gz": gzip.compress(corpus, mtime=0),
    }


def mr_tydi_test_files() -> dict[str, bytes]:
    home = "mrtydi-v1.1-swahili"
    corpus = jsonl([{"docid": f"{i}#0", "title": f"t{i}", "text": f"maandishi {i}"} for i in range(N)])
    return {
        f"{home}/ir-format-data/topics.test.txt": "".join(f"{i}\tswali {i}\n" for i in range(N)).encode(),
        f"{home}/ir-format-data/qrels.test.txt": "".join(f"{i}\tQ0\t{i}#0\t1\n" for i in range(N)).encode(),
        f"{home}/corpus.jsonl.gz": gzip.compress(corpus, mtime=0),
    }


def check_wikipedia(benchmark: str, topics: str, corpus: str) -> Callable[[Path, Path], None]:
    """A benchmark in the layout of MIRACL and Mr. TyDi, one language of it."""

    def check(folder: Path, spoiled: Path) -> None:
        target = str(folder.parent / "texts")
        answer = run("data", "texts", benchmark, target, "--overwrite", "--languages", "sw", "--data-dir", str(folder))
        nothing_judged = answer.code == 2 and "no query has a relevant document" in answer.err  # in no file of several
        if accepted(answer, None if nothing_judged else spoiled):
            counts = [int(number) for number in re.findall(r"(\d+) (?:queries|documents)", answer.out)]
            same("texts", [filled_lines(folder / topics), filled_lines(folder / corpus)], counts)

    return check


def belebele_files() -> dict[str, bytes]:
    rows = [
        {"link": f"l{i // 2}", "question_number": i, "flores_passage": f"passage {i // 2}", "question": f"what {i}?"}
        for i in range(N)
    ]
    return {"eng_Latn.jsonl": jsonl(rows), "deu_Latn.parquet": parquet(rows)}


def check_belebele(folder: Path, spoiled: Path) -> None:
    accepted(
        run("data", "texts", "belebele", str(folder.parent / "texts"), "--overwrite", "--data-dir", str(folder)),
        spoiled,
    )


@register
def _benchmarks() -> Iterator[Kind]:
    toy = benchmark_files()
    yield Kind("benchmark folder", toy, check_benchmark)
    yield Kind("benchmark folder, measured", toy, check_evaluated)
    yield Kind("lareqa", lareqa_files(), check_lareqa)
    for name, layout, files in (
        ("miracl", "miracl", miracl_files()),
        ("mr-tydi, measured", "mr-tydi", mr_tydi_test_files()),
    ):
        topics, _, corpus = files
        yield Kind(name, files, check_wikipedia(layout, topics, corpus))
    yield Kind("belebele", belebele_files(), check_belebele)
