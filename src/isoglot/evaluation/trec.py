"""Runs and judgments as TREC files, one pair of files per cell, so that other tools compute our figures from them.

`ir_measures multi/en.qrels.trec multi/en.run.trec nDCG@10` prints the figure of that cell (queries in English against the
pooled corpora); the figure of a setting is the plain mean over its cells, whatever their sizes. Query keys are unique in
a setting (`en:ID`, in the cross setting `en>de:ID`), so files of one setting can be concatenated; a tool then gives the
mean over all queries, which equals ours only where every cell has the same number of queries (as in XQuAD-R).

trec_eval forgets the order of the lines: it sorts by score (as float32) and ranks equal scores by document id, descending.
Scores are therefore written strictly decreasing in our order: rounded to six decimals (fewer where scores are large and
float32 does not tell them apart), and lowered by single steps wherever the rounded score would repeat.
"""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from isoglot.errors import UNPRINTABLE, InputError
from isoglot.evaluation.cells import POOLED, cell_judgments, language_pairs, parse_settings, require_whole_grades
from isoglot.files import atomic_path, read_json, write_json
from isoglot.records import SETTINGS, Benchmark, Float32Array, FloatArray, IntArray, Setting
from isoglot.retrieval.rankings import Search
from isoglot.retrieval.ties import TIE_RULE

CELLS_FILE = "cells.json"
DEFAULT_DEPTH = 1000
_DECIMALS = 6
_EXPORTED = re.compile(r"[a-z-]+/[^/]+\.(run|qrels)\.trec(\.gz)?")


@dataclass(frozen=True)
class LanguagePair:
    """One cell of a setting and its two files, relative to the export's directory (doc_lang "*": all languages)."""

    setting: Setting
    query_lang: str
    doc_lang: str
    queries: int
    run: str
    qrels: str


def export_runs(
    benchmark: Benchmark,
    search: Search,
    directory: str | Path,
    *,
    depth: int = DEFAULT_DEPTH,
    settings: Sequence[str] = SETTINGS,
    compress: bool = False,
) -> list[LanguagePair]:
    """Write `<setting>/<cell>.run.trec` and `.qrels.trec` for every cell, and `cells.json` that lists them.

    Args:
        benchmark: its cells without any relevant document are left out, as in `evaluate`.
        search: gives the rankings.
        directory: where to; files of an earlier export are replaced, and go where this one has none.
        depth: documents per query. Measures agree with ours to this depth: `AP` of a tool is our `AP@depth`. A line takes
            about 60 bytes: the cross setting of XQuAD-R to depth 1000 is 8 GB, to depth 100 it is 800 MB.
        settings: of mono, cross and multi.
        compress: gzip the files (`.trec.gz`, which ir_measures reads).

    Raises:
        InputError: an unknown setting, a depth below 1, grades that are no whole numbers.
    """
    folder = Path(directory)
    before = exported_in(folder)
    cells = list(iter_runs(benchmark, search, folder, depth=depth, settings=settings, compress=compress))
    about = {"benchmark": benchmark.name, "depth": depth, "tie_rule": TIE_RULE, "cells": [asdict(c) for c in cells]}
    write_json(folder / CELLS_FILE, about)
    for path in {*before} - {
        folder / CELLS_FILE,
        *(folder / name for cell in cells for name in (cell.run, cell.qrels)),
    }:
        path.unlink()
    return cells


def exported_in(directory: Path) -> list[Path]:
    """The files of an earlier export in a folder, its list first."""
    cells = directory / CELLS_FILE
    if not cells.is_file():
        return []
    found = read_json(cells)
    rows = found.get("cells", []) if isinstance(found, dict) else []
    names = [str(row.get(key)) for row in rows if isinstance(row, dict) for key in ("run", "qrels")]
    # only what an export writes: a list that was changed names nothing else
    return [cells, *(directory / name for name in names if _EXPORTED.fullmatch(name) and (directory / name).is_file())]


def iter_runs(
    benchmark: Benchmark,
    search: Search,
    directory: Path,
    *,
    depth: int,
    settings: Sequence[str],
    compress: bool = False,
) -> Iterator[LanguagePair]:
    """Like `export_runs`, cell by cell: the two files of a cell are there when it is yielded."""
    wanted = parse_settings(settings, SETTINGS)
    if depth < 1:
        raise InputError(f"the depth of a run must be at least 1, got {depth}")
    require_whole_grades(benchmark, "TREC")
    names, ids = document_names(benchmark), [_field(key) for _, key, _ in benchmark.pooled_queries()]
    cells = [(setting, *pair) for setting in wanted for pair in language_pairs(benchmark, setting)]
    for language in (*benchmark.corpus_languages, POOLED):
        here = [(setting, asked) for setting, asked, searched in cells if searched == language]
        if not here:
            continue
        best = search(None if language == POOLED else language, depth)
        for setting, asked in here:
            between = f"{asked}>{language}" if setting == "cross" else asked
            judged = cell_judgments(benchmark, asked, language)
            keys = {query: f"{between}:{ids[query]}" for query, _, _ in judged}
            stem = f"{setting}/{between.replace('>', '-')}"
            run, qrels = (f"{stem}.{kind}.trec{'.gz' if compress else ''}" for kind in ("run", "qrels"))
            _write(directory / run, _run_lines(keys, names, *best))
            _write(directory / qrels, (f"{keys[q]} 0 {names[d]} {grade}\n" for q, d, grade in judged))
            yield LanguagePair(setting, asked, language, len(keys), run, qrels)


def document_names(benchmark: Benchmark) -> list[str]:
    """A name per document that is unique in the benchmark: its id, or `language:id` where ids occur in several languages."""
    rows = [(lang, key) for lang, key, _ in benchmark.pooled_documents()]
    unique = len({key for _, key in rows}) == len(rows)
    return [_field(key if unique else f"{lang}:{key}") for lang, key in rows]


def strictly_decreasing(scores: Float32Array | FloatArray) -> tuple[IntArray, int]:
    """Scores as whole multiples of 10**-decimals that fall along every row, and the decimals.

    A step is larger than the distance of neighbouring float32 numbers, so a reader with float32 keeps the order.

    Args:
        scores: not increasing along a row, shape (n, k).
    """
    largest = float(np.abs(scores).max(initial=0.0))
    decimals = min(_DECIMALS, math.floor(-math.log10(float(np.spacing(np.float32(max(largest, 1.0)))))))
    steps = np.rint(scores.astype(np.float64) * 10.0**decimals).astype(np.int64)
    column = np.arange(steps.shape[1])
    return np.minimum.accumulate(steps + column, axis=1) - column, decimals


def _run_lines(keys: dict[int, str], names: list[str], documents: IntArray, scores: Float32Array) -> Iterator[str]:
    """The lines of every query in `keys`, from document numbers and scores of all queries, best first."""
    steps, decimals = strictly_decreasing(scores[list(keys)])
    unit, shown = 10.0**decimals, max(decimals, 0)
    for (query, key), row in zip(keys.items(), steps.tolist(), strict=True):
        ranked = zip(documents[query].tolist(), row, strict=True)
        yield "".join(
            f"{key} Q0 {names[document]} {rank} {step / unit:.{shown}f} isoglot\n"
            for rank, (document, step) in enumerate(ranked, start=1)
        )


def _write(path: Path, lines: Iterator[str]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as raw, ExitStack() as stack:
        sink = stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0)) if path.suffix == ".gz" else raw
        sink.writelines(line.encode() for line in lines)


def _field(text: str) -> str:
    """A text as one field of a TREC line: blanks, the percent sign and what a terminal would obey are percent-encoded."""
    return re.sub(rf"[\s%]|{UNPRINTABLE.pattern}", lambda match: quote(match.group(), errors="surrogatepass"), text)
