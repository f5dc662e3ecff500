"""What `isoglot data check` reports: counts, parallelism, duplicates, lengths, every malformed line."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.data.pairs.index import build_index
from isoglot.data.pairs.sources import read_source
from isoglot.data.pairs.table import find_duplicate
from isoglot.errors import LineError
from isoglot.records import PairRow


@dataclass
class PairReport:
    """Everything that is worth knowing before training on some pairs.

    Attributes:
        rows: rows per (source, language).
        pairs: pairs per source.
        parallel: per source, how many pairs exist in exactly k languages: {k: n}.
        repeated: per source, rows whose (language, query) or (language, passage) text occurs in another pair.
        largest_group: per source, size of the largest group of pairs that may not share a batch.
        lengths: per language, (query, passage) x (mean, 95th percentile, maximum) in characters.
        problems: malformed lines, in the order of the files.
    """

    rows: dict[str, Counter[str]] = field(default_factory=dict)
    pairs: dict[str, int] = field(default_factory=dict)
    parallel: dict[str, Counter[int]] = field(default_factory=dict)
    repeated: dict[str, dict[str, int]] = field(default_factory=dict)
    largest_group: dict[str, int] = field(default_factory=dict)
    negatives: dict[str, int] = field(default_factory=dict)
    lengths: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    problems: list[LineError] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON values of the report."""
        return {
            "sources": {
                name: {
                    "pairs": self.pairs[name],
                    "rows": dict(sorted(self.rows[name].items())),
                    "pairs_in_k_languages": {str(k): n for k, n in sorted(self.parallel[name].items())},
                    "repeated_texts": self.repeated[name],
                    "largest_group": self.largest_group[name],
                    "rows_with_negatives": self.negatives[name],
                }
                for name in sorted(self.pairs)
            },
            "lengths": self.lengths,
            "problems": [str(problem) for problem in self.problems],
        }


def check_pairs(sources: Sequence[str], data_dir: Path | None = None) -> PairReport:
    """Read all sources to their end and report. InputError only where a source cannot be read at all."""
    report = PairReport()
    rows: list[PairRow] = []
    seen: dict[tuple[str, str, str], str] = {}
    for spec in sources:
        for item, path, line in read_source(spec, data_dir):
            problem = item if isinstance(item, LineError) else find_duplicate(item, seen, path, line)
            if problem:
                report.problems.append(problem)
            elif not isinstance(item, LineError):
                rows.append(item)
    by_source: dict[str, list[PairRow]] = defaultdict(list)
    for row in rows:
        by_source[row.source].append(row)
    for name, part in by_source.items():
        _count(report, name, part)
    _measure_lengths(report, rows)
    return report


def _count(report: PairReport, name: str, rows: list[PairRow]) -> None:
    index = build_index(rows)
    report.rows[name] = Counter(row.lang for row in rows)
    report.pairs[name] = index.n_pairs
    report.parallel[name] = Counter((index.rows >= 0).sum(axis=1).tolist())
    report.largest_group[name] = int(np.bincount(index.group).max())
    report.negatives[name] = sum(bool(row.negatives) for row in rows)
    report.repeated[name] = {
        kind: sum(n - 1 for n in Counter((row.lang, getattr(row, kind)) for row in rows).values())
        for kind in ("query", "passage")
    }


def _measure_lengths(report: PairReport, rows: list[PairRow]) -> None:
    for lang in sorted({row.lang for row in rows}):
        report.lengths[lang] = {}
        for kind in ("query", "passage"):
            sizes = np.array([len(getattr(row, kind)) for row in rows if row.lang == lang])
            figures = [float(sizes.mean()), float(np.percentile(sizes, 95)), float(sizes.max())]
            report.lengths[lang][kind] = [round(value, 1) for value in figures]


def format_report(report: PairReport, *, most_problems: int | None = None) -> str:
    """The report as text tables."""
    lines: list[str] = []
    languages = sorted({lang for counts in report.rows.values() for lang in counts})
    width = max([6, *map(len, report.rows)])
    head = " ".join(f"{lang:>7}" for lang in languages)
    lines.append(f"{'source':<{width}} {'pairs':>8} {head}")
    for name in sorted(report.rows):
        counts = " ".join(f"{report.rows[name][lang]:>7}" for lang in languages)
        lines.append(f"{name:<{width}} {report.pairs[name]:>8} {counts}")
    lines.append("")
    for name in sorted(report.rows):
        spread = ", ".join(f"{n} in {k}" for k, n in sorted(report.parallel[name].items(), reverse=True))
        twice = report.repeated[name]
        lines.append(f"{name}: pairs by number of languages: {spread}")
        lines.append(
            f"{name}: repeated texts: {twice['query']} queries, {twice['passage']} passages;"
            f" largest group that may not share a batch: {report.largest_group[name]} pairs;"
            f" rows with negatives: {report.negatives[name]}"
        )
    lines += [
        "",
        f"{'length in characters':<22}{'query mean':>11}{'p95':>7}{'max':>7}{'passage mean':>14}{'p95':>7}{'max':>7}",
    ]
    for lang, sizes in report.lengths.items():
        (qm, q95, qx), (pm, p95, px) = sizes["query"], sizes["passage"]
        lines.append(f"{lang:<22}{qm:>11.1f}{q95:>7.0f}{qx:>7.0f}{pm:>14.1f}{p95:>7.0f}{px:>7.0f}")
    lines.append("")
    shown = report.problems if most_problems is None else report.problems[:most_problems]
    lines += [str(problem) for problem in shown]
    lines.append(f"{len(report.problems)} malformed line(s)")
    return "\n".join(lines)
