"""What a benchmark with a name says of itself, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isoglot.data.lareqa import Context
from isoglot.records import SETTINGS, Benchmark, Setting
from isoglot.registry import Registry

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
        load: reads it.
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
