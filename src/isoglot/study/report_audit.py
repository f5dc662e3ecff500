"""The chapters of a report about what could spoil it: the zero-shot audit, and how learning rates were chosen."""

from __future__ import annotations

from typing import Any

from isoglot.study.document import Block, Bullets, Cell, Column, Group, Paragraph, Row, Section, Strong, Table, cells
from isoglot.study.report_data import StudyFiles
from isoglot.study.report_format import NOTHING, number, score, value_text


def audit_section(files: StudyFiles) -> Section:
    """What the audit found."""
    # what the results say counts: audit.json may be of an earlier run
    audit = (files.results.get("audit") or {}) if files.results else files.audit
    leaks = audit.get("leaks")
    details = {} if leaks is None else files.audit
    blocks: list[Block] = []
    if leaks is None:
        words = "Not audited: no text of training pairs and benchmarks was compared, so zero-shot is asserted and not shown."
        blocks.append(Paragraph(words, "warning"))
    elif leaks:
        run_on = "the study was run all the same, because leaks were allowed" if audit.get("allowed") else "not allowed"
        words = f"Leaks were found: texts of an evaluation set occur among the training pairs ({run_on}). "
        blocks.append(Paragraph(words + "Figures on the benchmarks named below are not zero-shot.", "warning"))
    else:
        blocks.append(
            Paragraph(
                "No leak: before any training, all training pairs were compared with the queries and passages of every benchmark "
                "that is measured after them, in all languages, for identical and nearly identical texts."
            )
        )
    blocks += [
        *_summary(audit.get("summary")),
        *_comparisons(details.get("comparisons")),
        *_rules(details.get("rules")),
    ]
    return Section("Zero-shot audit", tuple(blocks))


_COUNTS = ("texts", "exact", "near", "contained", "short", "leaks")


def _comparisons(comparisons: Any) -> list[Block]:
    """Counts per training side and evaluation side, over all languages."""
    rows: list[Row] = []
    for item in comparisons if isinstance(comparisons, list) else []:
        rows.append(Group(f"{item.get('data')} → {item.get('benchmark')}"))
        for side in item.get("sides") or []:
            total = side.get("total") or {}
            share = total.get("share")
            shown = f"{100 * share:.2f}%" if isinstance(share, (int, float)) else NOTHING
            what = f"{side.get('evaluation')} among training {side.get('training')} texts"
            rows.append(cells(what, *(number(total.get(name)) for name in _COUNTS), shown))
    if not rows:
        return []
    columns = (Column("evaluation texts", False), *map(Column, _COUNTS), Column("share in common"))
    note = (
        "short: identical, but too short to be more than a coincidence. Counts per language and examples: audit.json."
    )
    return [Table("What was compared, and what was found", columns, tuple(rows), note, small=True)]


def _rules(rules: Any) -> list[Block]:
    if not isinstance(rules, dict) or not rules:
        return []
    return [Bullets(tuple((Strong(str(name)), f": {value_text(value)}.") for name, value in rules.items()))]


def _summary(summary: Any) -> list[Block]:
    """The audit's sentences as they are."""
    if isinstance(summary, str):
        return [Paragraph(summary)]
    return [Bullets(tuple(map(value_text, summary)))] if isinstance(summary, list) and summary else []


def selection_section(files: StudyFiles) -> Section:
    """How learning rates were chosen."""
    selection = [part for part in files.results.get("selection") or [] if isinstance(part, dict)]
    title = "Learning rates"
    if not selection:
        words = "No learning rate was selected: every tuning was trained with the one that the method section states."
        return Section(title, (Paragraph(words),))
    rows: list[Row] = []
    for part in selection:
        names = [value_text(part.get(key)) for key in ("data", "base", "tuning")]
        tried = f" (tried with {value_text(part['strategy'])})" if part.get("strategy") else ""
        rows.append(Group(", ".join(names) + tried))
        for candidate in part.get("candidates") or []:
            rate, loss = candidate.get("learning_rate"), candidate.get("validation_loss")
            picked = rate == part.get("chosen")
            mark = Cell("chosen", tone="good") if picked else Cell("")
            shown = score(loss) if isinstance(loss, (int, float)) else NOTHING
            rows.append(cells(Cell(value_text(rate), strong=picked), shown, mark))
    columns = (Column("learning rate", False), Column("validation loss"), Column("choice", False))
    words = "Candidates were compared by their loss on held-out training pairs. No benchmark had a part in the choice."
    return Section(title, (Paragraph(words), Table("Candidates and choices", columns, tuple(rows))))
