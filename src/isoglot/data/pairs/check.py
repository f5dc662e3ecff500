"""What `isoglot data check` reports: counts, parallelism, duplicates, lengths, every malformed line."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.data.pairs.index import build_index
from isoglot.data.pairs.loading import find_duplicate
from isoglot.data.pairs.source import each_once, read_source
from isoglot.data.sameness import text_key
from isoglot.errors import LineError
from isoglot.records import PairRow

SIDES = ("query", "passage")


@dataclass(frozen=True)
class SourceReport:
    """What is worth knowing of the pairs of one source.

    Attributes:
        rows: by language.
        pairs_in_k_languages: how many pairs exist in exactly k languages.
        repeated_texts: per side, rows whose (language, text) occurs in another row before, by `text_key`.
        largest_group: size of the largest group of pairs that may not share a batch.
        rows_without_question: their query is their passage. If all are such, the source is plain bitext.
    """

    pairs: int
    rows: dict[str, int]
    pairs_in_k_languages: dict[int, int]
    repeated_texts: dict[str, int]
    largest_group: int
    rows_with_negatives: int
    rows_with_document: int
    rows_without_question: int


@dataclass(frozen=True)
class PairReport:
    """Everything that is worth knowing before training on some pairs.

    Attributes:
        sources: by name, in the order of the names.
        lengths: per language and side, mean, 95th percentile and maximum in characters.
        problems: malformed lines, in the order of the files.
        rows_read: all rows of all sources: those that `sources` count, and one per problem.
    """

    sources: dict[str, SourceReport]
    lengths: dict[str, dict[str, list[float]]]
    problems: list[LineError]
    rows_read: int

    def to_dict(self) -> dict[str, Any]:
        """JSON values of the report."""
        sources = {name: asdict(source) for name, source in self.sources.items()}
        return {**vars(self), "sources": sources, "problems": [str(problem) for problem in self.problems]}


@dataclass(frozen=True)
class ReadPairs:
    """The rows of some sources, and what could not be read.

    Attributes:
        rows: those that load.
        places: file and line of each.
        problems: malformed lines, in the order of the files.
        rows_read: both together.
    """

    rows: list[PairRow]
    places: list[tuple[str, int]]
    problems: list[LineError]

    @property
    def rows_read(self) -> int:
        return len(self.rows) + len(self.problems)


def read_to_the_end(sources: Sequence[str], data_dir: Path | None = None) -> ReadPairs:
    """All rows of all sources. InputError only where a source cannot be read at all."""
    read = ReadPairs([], [], [])
    seen: dict[tuple[str, str, str], str] = {}
    for spec in each_once(sources):
        for row, path, line in read_source(spec, data_dir):
            problem = row if isinstance(row, LineError) else find_duplicate(row, seen, path, line)
            if problem:
                read.problems.append(problem)
            elif isinstance(row, PairRow):
                read.rows.append(row)
                read.places.append((path, line))
    return read


def check_pairs(sources: Sequence[str], data_dir: Path | None = None) -> PairReport:
    """Read all sources to their end and report. InputError only where a source cannot be read at all."""
    return report_pairs(read_to_the_end(sources, data_dir))


def report_pairs(read: ReadPairs) -> PairReport:
    """Counts and lengths of what was read."""
    by_source: dict[str, list[PairRow]] = defaultdict(list)
    texts: dict[str, dict[str, list[str]]] = defaultdict(lambda: {side: [] for side in SIDES})
    for row in read.rows:
        by_source[row.source].append(row)
        for side in SIDES:
            texts[row.lang][side].append(getattr(row, side))
    return PairReport(
        sources={name: _report_source(rows) for name, rows in sorted(by_source.items())},
        lengths={lang: {side: _lengths(texts[lang][side]) for side in SIDES} for lang in sorted(texts)},
        problems=read.problems,
        rows_read=read.rows_read,
    )


def _report_source(rows: list[PairRow]) -> SourceReport:
    index = build_index(rows)
    return SourceReport(
        pairs=index.n_pairs,
        rows=dict(sorted(Counter(row.lang for row in rows).items())),
        pairs_in_k_languages=dict(sorted(Counter((index.rows >= 0).sum(axis=1).tolist()).items())),
        repeated_texts={
            side: len(rows) - len({(row.lang, text_key(getattr(row, side))) for row in rows}) for side in SIDES
        },
        largest_group=int(np.bincount(index.group).max()),
        rows_with_negatives=sum(bool(row.negatives) for row in rows),
        rows_with_document=sum(row.document_id is not None for row in rows),
        rows_without_question=sum(row.query == row.passage for row in rows),
    )


def _lengths(texts: list[str]) -> list[float]:
    sizes = np.array([len(text) for text in texts])
    return [round(float(figure), 1) for figure in (sizes.mean(), np.percentile(sizes, 95), sizes.max())]


def format_report(report: PairReport) -> str:
    """The report as text tables."""
    from tabulate import tabulate

    languages = list(report.lengths)
    counts = [
        [name, source.pairs, *(source.rows.get(lang, 0) for lang in languages)]
        for name, source in report.sources.items()
    ]
    remarks = []
    for name, source in report.sources.items():
        spread = ", ".join(f"{n} in {k}" for k, n in reversed(source.pairs_in_k_languages.items()))
        repeated = source.repeated_texts
        remarks += [
            f"{name}: pairs by number of languages: {spread}",
            f"{name}: repeated texts: {repeated['query']} queries, {repeated['passage']} passages;"
            f" largest group that may not share a batch: {source.largest_group} pairs;"
            f" rows with negatives: {source.rows_with_negatives}, with a document: {source.rows_with_document}",
        ]
        if alike := source.rows_without_question:
            is_bitext = alike == sum(source.rows.values())
            plain = ": plain bitext, which aligns languages and has no questions and answers" if is_bitext else ""
            remarks.append(f"{name}: rows whose query is their passage: {alike}{plain}")
    lengths = [[lang, *sizes["query"], *sizes["passage"]] for lang, sizes in report.lengths.items()]
    columns = ["length in characters", "query mean", "p95", "max", "passage mean", "p95", "max"]
    tables = [
        tabulate(counts, ["source", "pairs", *languages], tablefmt="plain"),
        "\n".join(remarks),
        tabulate(lengths, columns, tablefmt="plain", floatfmt=("", *(".1f", ".0f", ".0f") * 2)),
        "\n".join(
            [*map(str, report.problems), f"{report.rows_read} rows read, {len(report.problems)} malformed line(s)"]
        ),
    ]
    return "\n\n".join(tables)
