"""Benchmarks by name (see `isoglot.data.benchmarks.catalog`) or as a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from isoglot.data.benchmarks.faq import load_faq
from isoglot.data.benchmarks.folder import Passage, load_folder
from isoglot.data.benchmarks.miracl import LAYOUTS, PASSAGES, load_miracl
from isoglot.data.benchmarks.qrels import restrict
from isoglot.data.benchmarks.sample import sample_corpus
from isoglot.data.download import LAREQA
from isoglot.data.hub import load_belebele
from isoglot.data.lareqa import Context, load_lareqa
from isoglot.errors import InputError, unknown
from isoglot.records import Benchmark

BENCHMARKS: tuple[str, ...] = (*LAREQA, "faq", *LAYOUTS, "belebele")


def load_benchmark(
    name: str | Path,
    *,
    languages: Sequence[str] | None = None,
    context: Context = "sentence",
    data_dir: str | Path | None = None,
    passage: Passage = "title+text",
    corpus_sample: int | None = None,
    sample_seed: int = 0,
    allow_missing: bool = False,
) -> Benchmark:
    """Read a benchmark.

    Args:
        name: `xquad-r`, `mlqa-r`, `faq`, `miracl`, `mr-tydi`, `belebele`, or a folder: isoglot's layout (see
            `isoglot.data.benchmarks.folder`) or `<lang>.json` files in LAReQA's.
        languages: only the queries and the corpora of these languages.
        context: LAReQA only. `sentence` encodes a candidate alone, `paragraph` together with its paragraph.
        data_dir: where the files of a named benchmark lie (else `$ISOGLOT_DATA`, else they are downloaded).
        passage: where passages have titles, encode `title+text` or `text`.
        corpus_sample: keep the judged passages and so many others per language; see `sample_corpus`.
        sample_seed: of that sample.
        allow_missing: MIRACL and Mr. TyDi only: leave out judged passages that the corpus does not have.

    Raises:
        InputError: an unknown benchmark, language or context, or malformed files; one line that names the place.
    """
    if passage not in PASSAGES:
        raise unknown("passage", passage, PASSAGES)
    if str(name) in LAYOUTS or str(name) == "belebele":
        _no_context(str(name), context)
        if str(name) == "belebele":
            benchmark = load_belebele(languages, data_dir)
        else:
            layout = LAYOUTS[str(name)]
            benchmark = load_miracl(languages, data_dir, passage, allow_missing=allow_missing, layout=layout)
    else:
        benchmark = restrict(_load(str(name), context, data_dir, passage), languages)
    return benchmark if corpus_sample is None else sample_corpus(benchmark, corpus_sample, sample_seed)


def _load(name: str, context: Context, data_dir: str | Path | None, passage: Passage) -> Benchmark:
    if name in LAREQA:
        return load_lareqa(name, data_dir, context)
    if name == "faq":
        _no_context(name, context)
        return load_faq()
    folder = _folder(name, data_dir)
    if not (folder / "queries").is_dir() and any(path.stem != "benchmark" for path in folder.glob("*.json")):
        return load_lareqa(str(folder), data_dir, context)
    _no_context(name, context)
    return load_folder(name, folder, passage)


def _folder(name: str, data_dir: str | Path | None) -> Path:
    """The folder of that name: as given, in `data_dir`, in `$ISOGLOT_DATA`."""
    for folder in (Path(name), *(Path(root) / name for root in (data_dir, os.environ.get("ISOGLOT_DATA")) if root)):
        if folder.is_dir():
            return folder
    raise _no_benchmark(name)


def _no_context(name: str, context: Context) -> None:
    if context != "sentence":
        raise InputError(
            f"{name} has no paragraphs around its passages: context '{context}' is for LAReQA's benchmarks"
        )


def _no_benchmark(name: str) -> InputError:
    """A path that does not exist is told apart from a misspelt name."""
    if "/" in name or "\\" in name or name.startswith("."):
        return InputError(f"{name}: no such folder (known benchmarks: {', '.join(sorted(BENCHMARKS))})")
    return InputError(f"{unknown('benchmark', name, BENCHMARKS)}; or a folder with queries/, corpus/ and qrels.tsv")
