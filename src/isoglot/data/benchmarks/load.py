"""Benchmarks by name (see `isoglot.data.benchmarks.catalog`) or as a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from isoglot.data.benchmarks.beir import beir_folders, load_beir
from isoglot.data.benchmarks.catalog import BENCHMARKS, Passage, Request
from isoglot.data.benchmarks.folder import load_folder
from isoglot.data.benchmarks.lareqa import load_lareqa
from isoglot.data.benchmarks.qrels import restrict
from isoglot.data.benchmarks.sample import sample_corpus
from isoglot.data.lareqa import Context
from isoglot.errors import InputError, unknown
from isoglot.files import data_roots
from isoglot.places import BEIR, BENCHMARK, nearest, what_is
from isoglot.records import Benchmark, several


def load_benchmark(
    name: str | Path,
    *,
    languages: str | Sequence[str] | None = None,
    context: Context = "sentence",
    data_dir: str | Path | None = None,
    passage: Passage = "title+text",
    corpus_sample: int | None = None,
    sample_seed: int = 0,
    allow_missing: bool = False,
) -> Benchmark:
    """Read a benchmark.

    Args:
        name: one that `isoglot data list` shows, or a folder: isoglot's layout (see
            `isoglot.data.benchmarks.folder`), BEIR's (see `isoglot.data.benchmarks.beir`) or `<lang>.json` files in LAReQA's.
        languages: only the queries and the corpora of these languages.
        context: LAReQA only. `sentence` encodes a candidate alone, `paragraph` together with its paragraph.
        data_dir: where the files of a named benchmark lie (else `$ISOGLOT_DATA`, else they are downloaded).
        passage: where passages have titles, encode `title+text` or `text`.
        corpus_sample: keep the judged passages and so many others per language; see `sample_corpus`.
        sample_seed: of that sample.
        allow_missing: whole Wikipedias only: leave out judged passages that the corpus does not have.

    Raises:
        InputError: an unknown benchmark, language or context, or malformed files; one line that names the place.

    >>> benchmark = load_benchmark("faq", languages=["de", "th"])
    >>> benchmark.query_languages, benchmark.n_queries
    (['de', 'th'], 264)
    """
    if passage not in get_args(Passage):
        raise unknown("passage", passage, get_args(Passage))
    request = Request(
        languages=None if languages is None else several(languages),
        context=context,
        data_dir=data_dir,
        passage=passage,
        allow_missing=allow_missing,
    )
    benchmark = _load(str(name), request)
    return benchmark if corpus_sample is None else sample_corpus(benchmark, corpus_sample, sample_seed)


def reader(name: str, data_dir: str | Path | None = None) -> tuple[bool, Callable[[Request], Benchmark]]:
    """(are there paragraphs around its passages, what reads it) of a benchmark. InputError where there is none."""
    if name in BENCHMARKS:
        return BENCHMARKS[name].has_paragraphs, BENCHMARKS[name].load
    folder = _folder(name, data_dir)
    if beir_folders(folder):
        return False, partial(load_beir, name, folder)
    if (folder / "queries").is_dir() or all(path.stem == "benchmark" for path in folder.glob("*.json")):
        return False, partial(load_folder, name, folder)
    return True, partial(load_lareqa, str(folder))


def _load(name: str, request: Request) -> Benchmark:
    has_paragraphs, load = reader(name, request.data_dir)
    if request.context != "sentence" and not has_paragraphs:
        raise InputError(
            f"{name} has no paragraphs around its passages: context '{request.context}' is for LAReQA's benchmarks"
        )
    return restrict(load(request), request.languages)


def _folder(name: str, data_dir: str | Path | None) -> Path:
    """The folder of that name: as given, in `data_dir`, in `$ISOGLOT_DATA`."""
    for folder in (Path(name), *(root / name for root in data_roots(data_dir))):
        if folder.is_dir():
            if (kind := what_is(folder)) not in ("", BENCHMARK, BEIR):
                raise InputError(
                    f"{folder}: is {kind}, not a benchmark (a folder with queries/, corpus/ and qrels.tsv)"
                )
            return folder
    if Path(name).is_file():
        raise InputError(
            f"{name}: is a file, not a benchmark (a folder with queries/, corpus/ and qrels.tsv; "
            "isoglot data benchmark makes one of pairs)"
        )
    near = nearest(name)
    hint = f" (did you mean '{near}'?)" if near and (near.is_file() or what_is(near) in (BENCHMARK, BEIR)) else ""
    # a path that does not exist is told apart from a misspelt name
    ending = Path(name).suffix
    if "/" in name or "\\" in name or name.startswith(".") or ending:
        kind = "file" if ending else "folder"
        raise InputError(f"{name}: no such {kind}{hint} (known benchmarks: {', '.join(BENCHMARKS.names())})")
    problem = f"unknown benchmark '{name}'{hint}" if hint else str(unknown("benchmark", name, BENCHMARKS.names()))
    raise InputError(f"{problem}; or a folder with queries/, corpus/ and qrels.tsv")
