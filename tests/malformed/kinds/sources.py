"""Pairs in the layouts of their publishers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from isoglot.hub import HubRepo
from tests.malformed.kinds.shared import LANGUAGES, Kind, N, accepted, jsonl, parquet, register, run


def check_source(form: str) -> Callable[[Path, Path], None]:
    def check(folder: Path, spoiled: Path) -> None:
        accepted(run("data", "check", f"{form}:{folder}", "--json"), spoiled)

    return check


def mmarco_files() -> dict[str, bytes]:
    return {
        "triples.train.ids.small.tsv": b"".join(b"%d\t%d\t%d\n" % (i, 10 + i, 20 + i) for i in range(N)),
        "english_queries.train.tsv": b"".join(b"%d\twhat %d\n" % (i, i) for i in range(N)),
        "english_collection.tsv": b"".join(b"%d\ttext %d\n" % (i, i) for i in range(30)),
    }


def mr_tydi_files() -> dict[str, bytes]:
    rows = [
        {
            "query_id": str(i),
            "query": f"what {i}?",
            "positive_passages": [{"docid": f"{i}#0", "title": "", "text": f"p {i}"}],
        }
        for i in range(N)
    ]
    return {"train.jsonl": jsonl(rows)}


def qa_files(query: str, passage: str) -> dict[str, bytes]:
    rows = [{query: f"q {i}?", passage: f"a {i}", "label": 1, "no_answer": False, "plot_id": f"p{i}"} for i in range(N)]
    return {"train-0.parquet": parquet(rows)}


def mfaq_files() -> dict[str, bytes]:
    rows = [{"qa_pairs": [{"question": f"q {i} {j}?", "answer": f"a {j}"} for j in range(2)]} for i in range(N)]
    return {"train.jsonl": jsonl(rows)}


def squad_files() -> dict[str, bytes]:
    def question(lang: str, number: int) -> dict[str, Any]:
        answers = [{"text": "x", "answer_start": 4}] if number else []
        return {
            "id": f"q{number}",
            "question": f"what {number} {lang}?",
            "answers": answers,
            "is_impossible": not number,
        }

    return {
        f"{lang}.json": json.dumps(
            {
                "version": "v2.0",
                "data": [
                    {
                        "title": "T",
                        "paragraphs": [{"context": f"One {lang}. Two.", "qas": [question(lang, i) for i in range(N)]}],
                    }
                ],
            }
        ).encode()
        for lang in LANGUAGES
    }


def beir_files() -> dict[str, bytes]:
    return {
        "corpus.jsonl": jsonl([{"_id": f"d{i}", "title": f"t{i}", "text": f"text {i}"} for i in range(N)]),
        "queries.jsonl": jsonl([{"_id": f"q{i}", "text": f"what {i}?"} for i in range(N)]),
        "qrels/train.tsv": b"query-id\tcorpus-id\tscore\n" + b"".join(b"q%d\td%d\t1\n" % (i, i) for i in range(N)),
    }


def mkqa_files() -> dict[str, bytes]:
    rows = [
        {
            "example_id": i,
            "queries": {lang: f"what {i} {lang}" for lang in LANGUAGES},
            "answers": {lang: [{"type": "entity", "text": f"it {i} {lang}"}] for lang in LANGUAGES},
        }
        for i in range(N)
    ]
    return {"mkqa.jsonl": jsonl(rows)}


def entity_files() -> dict[str, bytes]:
    rows = [{"question": f"where {i}?", "answers": [f"there {i}"]} for i in range(N)]
    return {f"dataset/train/P{n}.train.json": json.dumps(rows).encode() for n in (17, 19)}


def squadshifts_files() -> dict[str, bytes]:
    from isoglot.data.pairs.sources.squadshifts import FILES

    return {name: squad_files()["en.json"] for name in FILES.values()}


def hub_files() -> dict[str, bytes]:
    """A repository: what its card says of files, and the files."""
    rows = [{"q": f"what {i}?", "answers": {"text": [f"it {i}", "that"]}, "key": str(i), "l": "en"} for i in range(N)]
    card = {"configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/*"}]}]}
    return {"card.json": json.dumps(card).encode(), "data/0.parquet": parquet(rows), "data/1.jsonl": jsonl(rows)}


def check_hub(folder: Path, spoiled: Path) -> None:
    """A dataset of the hub that lies here, with its card."""
    try:
        card = json.loads((folder / "card.json").read_bytes()) if (folder / "card.json").is_file() else {}
    except (OSError, ValueError, RecursionError):  # the hub itself parses cards, and takes no other
        card = {}
    names = [path.relative_to(folder).as_posix() for path in folder.glob("data/*")]
    here = HubRepo("owner/name", "0" * 40, "CC0", dict.fromkeys(names, 1), card if isinstance(card, dict) else {})
    with (
        patch("isoglot.data.pairs.hub_files.hub_repo", lambda *_: here),
        patch("isoglot.data.pairs.sources.hub.hub_file", lambda repo, name, *_: folder / name),
        patch("isoglot.data.pairs.sources.hub.show_download", lambda *_: None),
    ):
        spec = "hub:owner/name?query=q&passage=answers.text&lang_column=l&id=key"
        accepted(run("data", "check", spec, "--json"), None if spoiled.name == "card.json" else spoiled)


@register
def _sources() -> Iterator[Kind]:
    from isoglot.data.pairs.qa_set import QaSet
    from isoglot.data.pairs.source import SOURCES

    yield Kind("mmarco", mmarco_files(), check_source("mmarco"))
    yield Kind("mr-tydi", mr_tydi_files(), check_source("mr-tydi"))
    yield Kind("mfaq", mfaq_files(), check_source("mfaq"))
    for one in SOURCES:
        if type(one) is QaSet:
            yield Kind(one.name, qa_files(one.query, one.passage), check_source(one.name))
    yield Kind("squad", squad_files(), check_source("squad"))
    yield Kind("squadshifts", squadshifts_files(), check_source("squadshifts"))
    yield Kind("beir", beir_files(), check_source("beir"))
    yield Kind("mkqa", mkqa_files(), check_source("mkqa"))
    yield Kind("entity-questions", entity_files(), check_source("entity-questions"))
    yield Kind("dataset of the hub", hub_files(), check_hub)
