"""`isoglot study report`: one document from a study's files, written as a self-contained HTML page and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isoglot.evaluation.results import load_result
from isoglot.files import atomic_directory, write_text
from isoglot.study.document import Block, Document, KeyFigure, KeyFigures, Paragraph, Section, Strong, panels
from isoglot.study.report_audit import audit_section, selection_section
from isoglot.study.report_claims import claims_section, read_claims
from isoglot.study.report_closing import cost_section, limitations_section, reproduce_section
from isoglot.study.report_data import Arena, Notes, StudyFiles, arenas, finished, main_hybrids, read_study_files
from isoglot.study.report_figures import bias_bars, curves, heat_maps, loss_panels, quality_and_cost
from isoglot.study.report_format import interval, mean, number, plural, score
from isoglot.study.report_html import render_html
from isoglot.study.report_markdown import FIGURES, render_markdown
from isoglot.study.report_method import method_section
from isoglot.study.report_results import results_section
from isoglot.study.report_statistics import COLUMNS, Measured, measure
from isoglot.study.results_view import StudyResults

HTML, MARKDOWN = "report.html", "report.md"
_CROSS = COLUMNS[4]
_DISTANCE = COLUMNS[6]


def write_report(directory: Path, name: str | None = None) -> list[Path]:
    """Write `report.html`, `report.md` and the pictures of the latter, `figures/*.svg`, into a study directory.

    Cells that failed or have not run are named; a study of which nothing has finished has a report as well. The same files
    give the same report, byte for byte.

    Args:
        directory: of `isoglot study run --output`.
        name: how the report calls the directory; None: by its name.

    Returns:
        The files written: HTML, Markdown, pictures.

    Raises:
        InputError: no study there, or a file of it that is damaged.
    """
    home = Path(directory)
    document = build_report(home, name)
    html, markdown = render_html(document), render_markdown(document)
    pictures = {panel.name: panel.svg for panel in panels(document.blocks, document.sections)}
    written = [home / HTML, home / MARKDOWN]
    # as one folder: pictures of an older report must not stay behind
    with atomic_directory(home / FIGURES) as temporary:
        for name, svg in pictures.items():
            write_text(temporary / f"{name}.svg", svg)
            written.append(home / FIGURES / f"{name}.svg")
    write_text(home / MARKDOWN, markdown)
    write_text(home / HTML, html)
    return written


def build_report(home: Path, folder: str | None = None) -> Document:
    """The document of a study directory, which it calls `folder`. InputError as `write_report`."""
    files = read_study_files(home)
    notes = Notes()
    found = arenas(files.cells)
    study = StudyResults.open(home) if files.results else None
    load = study.result if study else lambda place: load_result(home / place)
    measured = [measure(load, arena, notes) for arena in found]
    claims = read_claims(study)
    name = str(files.results.get("name") or files.study.get("name") or home.name)
    question = str(files.results.get("question") or files.study.get("question") or "No question was stated.")
    lead = Paragraph((Strong(question), f" {claims.answer}"), "lead")
    sections = (
        _results(files, found, measured),
        claims_section(home, claims.rows),
        _figures(found, measured),
        cost_section(files, [quality_and_cost(a, m, files.cost) for a, m in zip(found, measured) if a.trained]),
        method_section(files),
        audit_section(files),
        selection_section(files),
        Section("Training losses", (loss_panels([c for c in files.cells if finished(c)]),)),
        limitations_section(files, found, notes.lines),
        reproduce_section(files, folder or home.name),
    )
    return Document(f"Study: {name}", (lead, *_state(files), _key_figures(files, found, measured)), _ordered(sections))


def _ordered(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Method, audit and learning rates stand before the results that rest on them."""
    order = ("Method", "Zero-shot audit", "Learning rates", "Results", "Figures", "Training losses", "Cost", "Claims")
    first = [section for title in order for section in sections if section.title == title]
    return (*first, *(section for section in sections if section not in first))


def _state(files: StudyFiles) -> list[Block]:
    """A warning where the study is not finished, or a file of it is missing."""
    done = [cell for cell in files.cells if finished(cell)]
    open_cells = [cell for cell in files.cells if not finished(cell)]
    blocks: list[Block] = []
    if files.missing:
        blocks.append(Paragraph(f"Not in the study's directory: {', '.join(files.missing)}.", "warning"))
    if open_cells:
        failed = sum(cell.get("status") == "failed" for cell in open_cells)
        blocks.append(
            Paragraph(
                f"This study is not complete: of {plural(len(files.cells), 'cell')} {len(done)} are finished, {failed} failed, "
                f"and {len(open_cells) - failed} did not run to the end (see limitations).",
                "warning",
            )
        )
    return blocks


def _key_figures(files: StudyFiles, found: Sequence[Arena], measured: Sequence[Measured]) -> KeyFigures:
    done = sum(map(finished, files.cells))
    items = [KeyFigure(f"{done} of {len(files.cells)}", "cells finished")]
    for arena, figures in zip(found, measured):
        chosen = [c for c in figures.contrasts if c.name == "LoRA − full" and (c.setting, c.measure) == _CROSS]
        hybrids = [system.label for system in main_hybrids(arena.trained)]
        chosen = [c for c in chosen if c.after in hybrids][:1]
        for item in chosen:
            note = f"{interval(item.interval, signed=True)}, {arena.title}, {item.after} − {item.before}"
            items.append(KeyFigure(score(item.difference, signed=True), "nDCG@10 cross, LoRA − full", note))
        items += _before_and_after(arena, figures)
    return KeyFigures((*items, *_cost_figures(files)))


def _before_and_after(arena: Arena, figures: Measured) -> list[KeyFigure]:
    """Rank distance before training and after the hybrid one that is best in it."""
    before = figures.values.get((arena.before.label, _DISTANCE)) if arena.before else None
    after = [
        (value.mean, system.label)
        for system in main_hybrids(arena.trained)
        if (value := figures.values.get((system.label, _DISTANCE)))
    ]
    if before is None or not after:
        return []
    lowest, label = min(after)
    text = f"{score(before.mean, _DISTANCE[0])} → {score(lowest, _DISTANCE[0])}"
    return [KeyFigure(text, "rank distance, before and after", f"{arena.title}, {label}")]


def _cost_figures(files: StudyFiles) -> list[KeyFigure]:
    """LoRA's training time and trained parameters over those of full fine-tuning, means over all cells."""
    by_kind: dict[str, dict[str, float | None]] = {}
    for kind in ("lora", "full"):
        own = [c for c in files.cells if finished(c) and (c.get("tuning") or {}).get("kind") == kind]
        costs = [files.cost.get(cell["id"]) or {} for cell in own]
        by_kind[kind] = {key: mean([c.get(key) for c in costs]) for key in ("train_seconds", "trainable_parameters")}
    items = []
    lora, full = by_kind["lora"], by_kind["full"]
    if lora["train_seconds"] and full["train_seconds"]:
        text = f"{100 * lora['train_seconds'] / full['train_seconds']:.0f}%"
        items.append(KeyFigure(text, "training time, LoRA of full", "mean over all finished cells"))
    if lora["trainable_parameters"] and full["trainable_parameters"]:
        text = f"{100 * lora['trainable_parameters'] / full['trainable_parameters']:.2g}%"
        note = f"{number(lora['trainable_parameters'])} of {number(full['trainable_parameters'])}"
        items.append(KeyFigure(text, "trained parameters, LoRA of full", note))
    return items


def _results(files: StudyFiles, found: Sequence[Arena], measured: Sequence[Measured]) -> Section:
    if not found:
        words = "No cell has finished: there are no results yet." if files.cells else "The study has no cells."
        return Section("Results", (Paragraph(words, "warning"),))
    return Section("Results", (), tuple(results_section(arena, m) for arena, m in zip(found, measured)))


def _figures(found: Sequence[Arena], measured: Sequence[Measured]) -> Section:
    parts = [
        Section(f"{arena.title}, {arena.base}", (heat_maps(arena), bias_bars(arena), *curves(arena, figures)))
        for arena, figures in zip(found, measured)
    ]
    blocks: tuple[Block, ...] = () if parts else (Paragraph("No cell has finished: there is nothing to draw.", "note"),)
    return Section("Figures", blocks, tuple(parts))
