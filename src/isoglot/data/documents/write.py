"""`isoglot data from-docs` as one call: files to pairs, and a benchmark of pages that are held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isoglot.bars import tqdm
from isoglot.data.documents.align import Similar
from isoglot.data.documents.build import REASONS, Built, build_rows, by_language
from isoglot.data.documents.find import find_files
from isoglot.data.documents.reading import Pages, read_pages
from isoglot.data.documents.settings import DocumentSettings
from isoglot.data.pair_benchmark import check_outputs, hold_out
from isoglot.data.pairs.table import PairTable
from isoglot.data.pairs.writing import write_pairs
from isoglot.errors import InputError, at, say


def pairs_from_documents(
    patterns: Sequence[str],
    output: Path,
    asked: DocumentSettings,
    *,
    benchmark: Path | None = None,
    similar: Similar | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Write parallel pairs made of translated documents.

    Args:
        patterns: of the files, with `{lang}` in the place of the language; see `isoglot.data.documents.find`.
        output: the file of pairs, `.jsonl` or `.jsonl.gz`; nothing is there yet.
        benchmark: the folder for the pages that `asked.holdout` takes; by default `output` with `-held-out` for its ending.
        similar: see `isoglot.data.documents.align`.
        progress: bars on stderr.

    Returns:
        "files", "sections", "pairs", "rows", "left_out", ...: every section that was read is in a row of the pairs, in one of
        the benchmark or counted in "left_out" by language and reason.

    Raises:
        InputError: see `find_files` and `read_pages`; no pair is left; something is at `output` or `benchmark` already.
    """
    stem = _stem(output)
    if asked.holdout is None and benchmark is not None:
        raise InputError("--benchmark needs --holdout: a share of the pages becomes the benchmark")
    folder = (benchmark or held_out_folder(output)) if asked.holdout is not None else None
    check_outputs(folder, output)
    found = find_files(patterns, asked)
    pages = read_pages(found, asked, tqdm(found.files, desc="read", unit="file", disable=not progress))
    names = tqdm(sorted(pages.sections), desc="align", unit="page", disable=not progress)
    with at(", ".join(patterns)):
        built = build_rows(pages, stem, asked, similar, names)
    if asked.source_language is None:
        say(
            f"taken as the source language: {built.source_language}, which has most sections (--source-language says another)"
        )
    if not built.rows:
        raise InputError(f"{', '.join(patterns)}: no section is there in two languages ({_reasons(built.left_out)})")
    table = PairTable.from_rows(built.rows)
    held: dict[str, int] = {}
    if folder is not None:
        held = hold_out(table, folder, asked.replace(whole_documents=True), output)["benchmark_rows"]
    else:
        write_pairs(table, output)
    return _facts(pages, built, table, held)


def held_out_folder(output: Path) -> Path:
    """The folder for the pages held out where none is named: beside the file of pairs."""
    return output.with_name(f"{_stem(output)}-held-out")


def _stem(output: Path) -> str:
    return output.name.removesuffix(".gz").removesuffix(".jsonl")


def _facts(pages: Pages, built: Built, table: PairTable, held: dict[str, int]) -> dict[str, Any]:
    read, rows = pages.counts(), Counter(row.lang for row in built.rows)
    for lang, count in read.items():
        lost = count - rows[lang] - sum(n for (code, _), n in built.left_out.items() if code == lang)
        assert lost == 0, f"{lost} sections in {lang} are neither rows nor counted"
    return {
        "source_language": built.source_language,
        "pages": len(pages.sections),
        "pages_with_pairs": len({row.document_id for row in built.rows}),
        "pairs": table.index.n_pairs,
        "aligned_by_order": built.by_order,
        "files": {"read": dict(sorted(pages.files.items())), "left_out": dict(sorted(pages.left_out.items()))},
        "sections": dict(sorted(read.items())),
        "rows": {lang: count - held.get(lang, 0) for lang, count in sorted(rows.items())},
        "held_out": held,
        "cut": dict(sorted(built.cut.items())),
        "left_out": by_language(built.left_out),
    }


def _reasons(left_out: Counter[tuple[str, str]]) -> str:
    totals: Counter[str] = Counter()
    for (_, reason), count in left_out.items():
        totals[reason] += count
    return ", ".join(f"{count:,} {reason}" for reason, count in totals.items()) or "no text"


def format_facts(facts: dict[str, Any]) -> str:
    """What became of every section, as a table, and the meaning of the reasons that occur."""
    from tabulate import tabulate

    reasons = [reason for reason in REASONS if any(reason in counts for counts in facts["left_out"].values())]
    lines, held = [], ["held out"] if facts["held_out"] else []
    for lang, count in facts["sections"].items():
        out = facts["left_out"].get(lang, {})
        lines.append(
            [
                lang,
                facts["files"]["read"].get(lang, 0),
                count,
                facts["rows"].get(lang, 0),
                *([facts["held_out"].get(lang, 0)] if held else []),
                *(out.get(reason, 0) for reason in reasons),
            ]
        )
    lines.append(["all", *(sum(column) for column in zip(*(line[1:] for line in lines)))])
    said = [
        tabulate(lines, ["language", "files", "sections", "rows", *held, *reasons], tablefmt="plain", intfmt=","),
        "\n".join(f"{reason}: {REASONS[reason]}" for reason in reasons),
        f"{facts['pages']:,} pages, of which {facts['pages_with_pairs']:,} have {facts['pairs']:,} pairs; "
        f"{facts['aligned_by_order']:,} sections aligned by their order alone; {sum(facts['cut'].values()):,} passages cut",
        *(f"files not read: {count:,} {reason}" for reason, count in facts["files"]["left_out"].items()),
    ]
    return "\n\n".join(filter(None, said))
