"""Addresses and options."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tests.malformed.kinds.benchmarks import benchmark_files
from tests.malformed.kinds.results import result_files, vector_files
from tests.malformed.kinds.shared import Kind, accepted, jsonl, pair_rows, register, run

ADDRESSES = (
    "facts:eo\nlareqa:mlqa-r\nmmarco:.?languages=en&limit=3\nmfaq:hub\nhub:a/b?query=q&lang=en\n"
    "facts:en?entities=20%&without-relations=endonym\npo:{lang}/*.po?source=en\n"
    "squad:./{lang}.json?passage=sentence\nbeir:.?split=dev\npairs.jsonl\nen/../..\nmr-tydi:\nnq:.?limit=2\n"
)


def check_addresses(folder: Path, spoiled: Path) -> None:
    os.chdir(folder)
    for word in spoiled.read_bytes().decode("utf-8", "surrogateescape").replace("\0", "").split("\n"):
        for command in (("data", "check", "--json"), ("plan", "--batch-size", "2", "--steps", "1", "--pairs")):
            if not word.startswith("-"):
                accepted(run(*command[:2], word, *command[2:]) if command[0] == "data" else run(*command, word), None)


OPTIONS = "--resamples 99\n--seed 3\n--steps 2\n--show 1\n--batch-size 4\n--mono-share 0.5\n--trec-depth 5\n--corpus-sample 3\n"


def check_options(folder: Path, spoiled: Path) -> None:
    for line in spoiled.read_bytes().decode("utf-8", "surrogateescape").replace("\0", "").split("\n"):
        words = line.split(" ", 1)
        bench, vectors = str(folder / "toy"), ("--embeddings", str(folder / "toy/vectors"), "--measures", "AP")
        for command in (
            ("compare", str(folder / "a"), str(folder / "b")),
            ("plan", "--pairs", str(folder / "pairs.jsonl"), "--batch-size", "2", "--steps", "2"),
            ("evaluate", "x", bench, *vectors),
        ):
            answer = run(*command, *words)
            if answer.code not in (0, 1) and "error:" not in answer.err:
                accepted(answer, None)


@register
def _words() -> Iterator[Kind]:
    pairs = {"pairs.jsonl": jsonl(pair_rows())}
    yield Kind("addresses", {"addresses": ADDRESSES.encode(), **pairs}, check_addresses, ("addresses",))
    inside = {f"toy/{name}": data for name, data in {**benchmark_files(), **vector_files()}.items()}
    files = {"options": OPTIONS.encode(), **pairs, **inside, **result_files()}
    yield Kind("options", files, check_options, ("options",))
