"""The benchmarks that isoglot knows by name: languages, sizes, licence, and where each can be had on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isoglot.data.benchmarks.miracl import LAYOUTS, Layout, languages_here
from isoglot.data.download import LAREQA
from isoglot.data.hub import BELEBELE_LICENSE, BELEBELE_REPO, belebele_here, belebele_languages
from isoglot.data.lareqa import find_lareqa
from isoglot.errors import InputError
from isoglot.files import cache_dir
from isoglot.records import SETTINGS, Setting


@dataclass(frozen=True)
class Entry:
    """One benchmark.

    Attributes:
        languages: codes, alphabetical.
        queries, passages: numbers over all languages.
        settings: which of mono, cross and multi mean something on it.
        source: where it comes from.
        what: one line on what is a query and what a passage.
    """

    name: str
    languages: tuple[str, ...]
    queries: int
    passages: int
    license: str
    settings: tuple[Setting, ...]
    source: str
    what: str


def catalog() -> list[Entry]:
    """All benchmarks with a name, in the order in which they are shown."""
    lareqa = {"xquad-r": (13_090, 13_014), "mlqa-r": (4_199, 20_534)}
    eleven = tuple(sorted(LAREQA["xquad-r"].sha256))
    entries = [
        Entry("faq", eleven, 792, 3_432, "Apache-2.0", SETTINGS, "isoglot", "questions, answers among distractors"),
    ]
    for name, (queries, passages) in lareqa.items():
        source = LAREQA[name]
        languages = tuple(sorted(source.sha256))
        what = "parallel questions, all sentences of their paragraphs"
        entries.append(Entry(name, languages, queries, passages, source.license, SETTINGS, source.url, what))
    codes = tuple(belebele_languages())
    url = f"https://huggingface.co/datasets/{BELEBELE_REPO}"
    what = "parallel questions, the short texts they were asked about"
    sizes = (900 * len(codes), 488 * len(codes))
    entries.append(Entry("belebele", codes, *sizes, BELEBELE_LICENSE, SETTINGS, url, what))
    return [*entries, *map(_wikipedia, LAYOUTS.values())]


def _wikipedia(layout: Layout) -> Entry:
    return Entry(
        layout.name,
        tuple(layout.names),
        sum(layout.queries.values()),
        sum(layout.passages.values()),
        layout.license,
        ("mono", "multi"),
        f"https://huggingface.co/datasets/{layout.repo}",
        f"questions ({layout.split} set), all paragraphs of a Wikipedia",
    )


def availability(entry: Entry, data_dir: str | Path | None = None) -> str:
    """Where the benchmark would come from: `built in`, `here: ...`, `download` (pinned files) or `hub`."""
    if entry.name == "faq":
        return "built in"
    if entry.name in LAREQA:
        return _lareqa(entry.name, data_dir)
    if entry.name in LAYOUTS:
        if here := languages_here(LAYOUTS[entry.name], data_dir):
            return f"here: topics of {' '.join(here)}; rest: hub"
        return "hub"
    here = list(belebele_here(data_dir))
    return f"here: {' '.join(here)}; rest: hub" if here else "hub"


def _lareqa(name: str, data_dir: str | Path | None) -> str:
    root = os.environ.get("ISOGLOT_DATA")
    for folder in (data_dir, Path(root) / "lareqa" if root else None):
        if folder is not None:
            try:
                return f"here: {find_lareqa(name, folder)}"
            except InputError:
                continue
    cached = {path.stem for path in (cache_dir() / "lareqa" / name).glob("*.json")}
    return "here: cache" if cached == set(LAREQA[name].sha256) else "download"


def own_folders(data_dir: str | Path | None = None) -> list[Path]:
    """Folders in isoglot's layout directly in `data_dir` and `$ISOGLOT_DATA`: they can be named like a benchmark."""
    roots = [Path(root) for root in (data_dir, os.environ.get("ISOGLOT_DATA")) if root and Path(root).is_dir()]
    found = {folder.name: folder for root in roots[::-1] for folder in root.iterdir() if (folder / "queries").is_dir()}
    return [found[name] for name in sorted(found)]


def as_rows(data_dir: str | Path | None = None) -> list[dict[str, Any]]:
    """The catalogue with `available`, and own folders, as plain JSON values."""
    rows = [{**asdict(entry), "available": availability(entry, data_dir)} for entry in catalog()]
    for row in rows:
        row["languages"], row["settings"] = list(row["languages"]), list(row["settings"])
    for folder in own_folders(data_dir):
        languages = sorted(path.name.split(".")[0] for path in (folder / "queries").glob("*.jsonl*"))
        rows.append({"name": folder.name, "languages": languages, "available": f"here: {folder}", "what": "own folder"})
    return rows


def format_catalog(rows: Sequence[dict[str, Any]]) -> str:
    """The table that `isoglot data list` prints."""
    table = [("benchmark", "languages", "queries", "passages", "settings", "licence", "available")]
    for row in rows:
        sizes = [f"{row[key]:,}" if key in row else "-" for key in ("queries", "passages")]
        settings = " ".join(row.get("settings", ["-"]))
        table.append(
            (row["name"], str(len(row["languages"])), *sizes, settings, row.get("license", "-"), row["available"])
        )
    widths = [max(map(len, column)) for column in zip(*table)]
    numbers = (1, 2, 3)
    shown = [
        "  ".join(
            cell.rjust(width) if i in numbers else cell.ljust(width) for i, (cell, width) in enumerate(zip(r, widths))
        )
        for r in table
    ]
    shown.insert(1, "  ".join("-" * width for width in widths))
    notes = [f"{row['name']}: {row['what']}; {_short(row['languages'])}" for row in rows]
    return "\n".join([*(line.rstrip() for line in shown), "", *notes])


def _short(languages: Sequence[str], limit: int = 20) -> str:
    more = f" and {len(languages) - limit} more (--json shows all)" if len(languages) > limit else ""
    return " ".join(languages[:limit]) + more
