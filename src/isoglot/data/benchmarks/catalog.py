"""The benchmarks that can be named: what each says of itself, the registry of them, and the list with own folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from isoglot.data.languages import spelled
from isoglot.data.lareqa import Context
from isoglot.files import data_roots
from isoglot.records import SETTINGS, Benchmark, Setting
from isoglot.registry import Registry

_MOST = 20  # languages that are shown of a benchmark
Passage = Literal["title+text", "text"]
"""What of a passage is encoded: its title, a space and its text, or the text alone."""


@dataclass(frozen=True)
class Request:
    """How a benchmark is asked for; the fields are arguments of `isoglot.data.benchmarks.load.load_benchmark`."""

    languages: Sequence[str] | None = None
    context: Context = "sentence"
    data_dir: str | Path | None = None
    passage: Passage = "title+text"
    allow_missing: bool = False


@dataclass(frozen=True)
class NamedBenchmark:
    """A benchmark as `isoglot data list` shows it, and how it is read.

    Attributes:
        languages: codes, alphabetical.
        queries, passages: numbers over all languages.
        source: where it comes from.
        help: one line on what is a query and what a passage.
        load: reads it; it may leave it to the caller to restrict it to the languages asked for.
        available: says where it would come from, given `data_dir`: `built in`, `here: ...`, `download` (pinned files) or `hub`.
        settings: which of mono, cross and multi mean something on it.
        has_paragraphs: there are paragraphs around its passages, so that it has a context.
        order: its place in the list; those of one order come by name.
    """

    name: str
    languages: tuple[str, ...]
    queries: int
    passages: int
    license: str
    source: str
    help: str
    load: Callable[[Request], Benchmark]
    available: Callable[[str | Path | None], str]
    settings: tuple[Setting, ...] = SETTINGS
    has_paragraphs: bool = False
    order: int = 9


BENCHMARKS: Registry[NamedBenchmark] = Registry("benchmark", "isoglot.data.benchmarks.members")


def catalog() -> list[NamedBenchmark]:
    """All benchmarks with a name, in the order in which they are shown."""
    return sorted(BENCHMARKS, key=lambda entry: (entry.order, entry.name))


def own_folders(data_dir: str | Path | None = None) -> list[Path]:
    """Folders in isoglot's layout directly in `data_dir` and `$ISOGLOT_DATA`: they can be named like a benchmark."""
    roots = [root for root in data_roots(data_dir) if root.is_dir()]
    folders = {
        folder.name: folder for root in roots[::-1] for folder in root.iterdir() if (folder / "queries").is_dir()
    }
    return [folders[name] for name in sorted(folders)]


def as_rows(data_dir: str | Path | None = None) -> list[dict[str, Any]]:
    """The catalogue with `available`, and own folders, as plain JSON values."""
    shown = ("name", "languages", "queries", "passages", "license", "settings", "source")
    rows: list[dict[str, Any]] = [
        {name: getattr(entry, name) for name in shown} | {"what": entry.help, "available": entry.available(data_dir)}
        for entry in catalog()
    ]
    for folder in own_folders(data_dir):
        languages = sorted({spelled(path.name.split(".")[0]) for path in (folder / "queries").glob("*.jsonl*")})
        rows.append({"name": folder.name, "languages": languages, "available": f"here: {folder}", "what": "own folder"})
    return rows


def format_catalog(rows: Sequence[dict[str, Any]]) -> str:
    """The table that `isoglot data list` prints."""
    from tabulate import tabulate

    headers = ["benchmark", "languages", "queries", "passages", "settings", "licence", "available"]
    table = []
    for row in rows:
        sizes = [f"{row[key]:,}" if key in row else "-" for key in ("queries", "passages")]
        settings = " ".join(row.get("settings", ["-"]))
        licence = row.get("license", "-")
        table.append([row["name"], str(len(row["languages"])), *sizes, settings, licence, row["available"]])
    align = ("left", "right", "right", "right", "left", "left", "left")
    shown = tabulate(table, headers, tablefmt="simple", colalign=align, disable_numparse=True)
    notes = []
    for row in rows:
        more = f" and {len(row['languages']) - _MOST} more (--json shows all)" if len(row["languages"]) > _MOST else ""
        notes.append(f"{row['name']}: {row['what']}; {' '.join(row['languages'][:_MOST])}{more}")
    return "\n".join([*(line.rstrip() for line in shown.splitlines()), "", *notes])
