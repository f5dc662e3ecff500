"""The pairs of a repair: from sources of pairs and translated documents, cleaned, in two parts that share no text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.data.checks.registry import CHECKS
from isoglot.data.checks.run import run_checks
from isoglot.data.documents.find import LANG, find_files
from isoglot.data.documents.settings import DocumentSettings
from isoglot.data.documents.write import pairs_from_documents
from isoglot.data.pair_benchmark import PairBenchmarkSettings, hold_out
from isoglot.data.pairs.check import ReadPairs, read_to_the_end
from isoglot.data.pairs.source import SOURCES
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError, say
from isoglot.files import digest_file, digest_json
from isoglot.repairing.folder import RepairFolder
from isoglot.repairing.settings import RepairSettings

_FEW = 30  # groups below which a choice among systems is mostly chance


def is_documents(source: str) -> bool:
    """Whether a source is a pattern of translated documents."""
    return LANG in source and not any(known.takes(source) for known in SOURCES)


def content_of_sources(sources: Sequence[str]) -> dict[str, str]:
    """SHA-256 of the files that sources are; those that are generated or fetched by name have none."""
    found = {}
    for source in sources:
        if is_documents(source):
            files = [file.path for file in find_files([source], DocumentSettings()).files]
            found[source] = digest_json({str(path): digest_file(path) for path in files})
        elif Path(source).is_file():
            found[source] = digest_file(Path(source))
    return found


def prepare_pairs(
    sources: Sequence[str], folder: RepairFolder, asked: RepairSettings, data_dir: Path | None, *, show: bool
) -> dict[str, Any]:
    """Write `folder.held_out`, a benchmark, and `folder.pairs`, to train on.

    Returns:
        Plain JSON values: "pairs" and "rows" {"read", "benchmark", "rest"}, "queries", "documents", "languages", "groups" (held
        out), "digest", "whole_documents" (whether those are groups), "dropped" and "repaired" (rows, by check), "unchecked".

    Raises:
        InputError: a source that cannot be read or its first malformed line; pairs in one language only; plain bitext; a share
            that leaves nothing.
    """
    read = read_to_the_end(_as_pairs(sources, folder, asked, show), data_dir)
    if read.problems:
        raise read.problems[0]
    if wanted := set(asked.languages):
        kept = [number for number, row in enumerate(read.rows) if row.lang in wanted]
        if lacking := wanted - {row.lang for row in read.rows}:
            raise InputError(f"{', '.join(sources)}: no pairs in {', '.join(sorted(lacking))}")
        read = ReadPairs([read.rows[number] for number in kept], [read.places[number] for number in kept], [])
    if not read.rows:
        raise InputError(f"{', '.join(sources)}: no rows")
    cleaned: dict[str, Any] = {}
    rows = read.rows
    if asked.clean:
        checked = run_checks(read, [check() for check in CHECKS])
        rows = checked.rows
        dropped = {name: count for name, count in checked.dropped().items() if count}
        repaired = {check.name: sum(checked.counts(check.name)["repaired"].values()) for check in checked.checks}
        cleaned = {
            "dropped": dropped,
            "repaired": {name: count for name, count in repaired.items() if count},
            "unchecked": checked.left_out,
        }
        _say_cleaned(cleaned)
    table = PairTable.from_rows([replace(row, document_passages=()) for row in rows])
    _check(table, sources)
    whole = table.document_digest is not None
    groups = _count_groups(table, whole)
    if whole and groups < 2:
        say("all pairs are of one document: sections of it are held out, which are nearer to the others than new ones")
        whole, groups = False, _count_groups(table, False)
    share = max(min(asked.holdout, asked.most_held_out / table.index.n_pairs), 1 / groups)
    settings = PairBenchmarkSettings(holdout=share, whole_documents=whole, seed=asked.seed)
    facts = hold_out(table, folder.held_out, settings, folder.pairs)
    if facts["groups"] < _FEW:
        what = "documents" if whole else "groups of pairs"
        say(
            f"only {facts['groups']} {what} are held out: what is chosen by them is uncertain; --holdout 30% takes more"
        )
    return {**facts, "whole_documents": whole, **cleaned}


def _count_groups(table: PairTable, whole_documents: bool) -> int:
    return len(np.unique(table.groups(whole_documents=whole_documents)))


def _as_pairs(sources: Sequence[str], folder: RepairFolder, asked: RepairSettings, show: bool) -> list[str]:
    """Sources of pairs alone: documents are made into a file of them first."""
    patterns = [source for source in sources if is_documents(source)]
    others = [source for source in sources if source not in patterns]
    if not patterns:
        return others
    folder.documents.unlink(missing_ok=True)  # of an attempt that was interrupted
    wanted = DocumentSettings(languages=asked.languages)
    facts = pairs_from_documents(patterns, folder.documents, wanted, progress=show)
    say(f"{', '.join(patterns)}: {facts['pairs']:,} pairs in {len(facts['rows'])} languages")
    return [*others, str(folder.documents)]


def _say_cleaned(cleaned: dict[str, Any]) -> None:
    for key in ("dropped", "repaired"):
        if cleaned[key]:
            say(f"rows {key}: {', '.join(f'{name} {count:,}' for name, count in cleaned[key].items())}")
    for words in cleaned["unchecked"].values():
        say(f"not checked: {words}")


def _check(table: PairTable, sources: Sequence[str]) -> None:
    names, index = ", ".join(sources), table.index
    if index.bitext:
        raise InputError(
            f"{', '.join(index.bitext)}: plain bitext, which asks nothing, so that no search can be measured on it; give "
            "questions and answers, or train on it with isoglot train"
        )
    if len(table.languages) < 2 or not (index.rows >= 0).sum(axis=1).max() > 1:
        raise InputError(
            f"{names}: no pair is there in two languages ({', '.join(table.languages)}); rows with one id are translations"
        )
    if len(np.unique(index.group)) < 4:
        raise InputError(f"{names}: {index.n_pairs} pairs are too few to hold some out and train on the rest")
