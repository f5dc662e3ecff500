"""What `isoglot debias` reads: a corpus of texts with their languages, vectors to fit on, and maps that were fitted on them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from isoglot.data.fit_texts import read_sources
from isoglot.errors import InputError
from tests.malformed.kinds.results import vector_files
from tests.malformed.kinds.shared import (
    LANGUAGES,
    Kind,
    N,
    accepted,
    filled_lines,
    jsonl,
    refused,
    register,
    run,
    same,
    words_of,
    write,
)


def repair_files() -> dict[str, bytes]:
    rows = [{"id": number, "lang": lang, "text": f"text {number} {lang}"} for number in range(N) for lang in LANGUAGES]
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        write(home, vector_files())
        vectors = str(home / "vectors")
        words = ("--fit", vectors, "--embeddings", vectors, "--method", "centring")
        assert run("debias", *words, "--output", str(home / "out")).code == 0
        maps = {f"maps/{file}": (home / "out" / file).read_bytes() for file in ("debias.json", "debias.safetensors")}
    return {"texts.jsonl": jsonl(rows), **vector_files(), **maps}


def check_repair(folder: Path, spoiled: Path) -> None:
    """Every vector is corrected, by maps that are there and by fitted ones; every text of the corpus is read."""
    vectors = str(folder / "vectors")
    with tempfile.TemporaryDirectory() as out:
        fit = ("--fit", vectors, "--method", "centring")
        for number, words in enumerate(((str(folder / "maps"),), fit)):
            answer = run("debias", *words, "--embeddings", vectors, "--output", f"{out}/{number}", "--json")
            if accepted(answer, spoiled):
                same("vectors", 4 * N, json.loads(answer.out)["corrected"]["vectors"])
    if spoiled.name == "texts.jsonl":
        try:
            read = read_sources([str(spoiled)])
        except InputError as error:
            refused(words_of(error), spoiled)
        else:
            same("texts", filled_lines(spoiled), len(read.texts))


@register
def _debiasing() -> Iterator[Kind]:
    yield Kind("debiasing", repair_files(), check_repair, seconds=10)
