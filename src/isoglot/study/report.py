"""`isoglot study report`: one document from what the analysis found, as a self-contained HTML page and as Markdown.

The prose stands in `templates/`, a file per chapter; both forms come from the same Markdown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from isoglot.evaluation.contrasts import RESAMPLES, SEED
from isoglot.evaluation.drawing import require_matplotlib
from isoglot.files import atomic_directory, write_text
from isoglot.study import report_facts
from isoglot.study.analysis.analyse import Analysis, analyse
from isoglot.study.analysis.contrasts import COLUMNS, TESTED, Contrast, Experiment, What
from isoglot.study.analysis.systems import System
from isoglot.study.claims.judge import claims_of
from isoglot.study.render import to_markdown, to_page
from isoglot.study.report_figures import CROSS, DISTANCE, Album, best, series_axes

HTML, MARKDOWN, FIGURES = "report.html", "report.md", "figures"
CHAPTERS = ("answer", "pictures", "results", "claims", "method", "audit", "limitations", "reproduce")
"""The order of the report; each is a template."""


def write_report(directory: Path, name: str | None = None) -> list[Path]:
    """Write `report.html`, `report.md` and the pictures of the latter, `figures/*.svg`, into a study directory.

    Cells that failed or have not run are named; a study of which nothing has finished has a report as well. The same files
    give the same report, byte for byte.

    Args:
        directory: of `isoglot study run --output`, or an export.
        name: how the report calls the directory; None: by its name.

    Returns:
        The files written: HTML, Markdown, pictures.

    Raises:
        InputError: no study there, a file of it that is damaged, or matplotlib is not installed.
    """
    require_matplotlib()
    directory = Path(directory)
    analysis, album = analyse(directory), Album()
    markdown = to_markdown(_context(analysis, album, name or directory.resolve().name))
    pictures = {f"{FIGURES}/{picture.name}.svg": picture.svg for picture in album.pictures.values()}
    html = to_page(markdown, pictures)
    # as one folder: pictures of an older report must not stay behind
    with atomic_directory(directory / FIGURES) as temporary:
        for address, svg in pictures.items():
            write_text(temporary / Path(address).name, svg)
    write_text(directory / MARKDOWN, markdown)
    write_text(directory / HTML, html)
    return [directory / HTML, directory / MARKDOWN, *(directory / address for address in pictures)]


def _context(analysis: Analysis, album: Album, folder: str) -> dict[str, Any]:
    """Everything that the templates speak of."""
    study = analysis.study
    margins = {
        (claim.setting, claim.measure): claim.not_below
        for claim in claims_of(study).values()
        if getattr(claim, "not_below", None)
    }
    trained = [system for system in analysis.systems if not system.is_base]
    return {
        "chapters": CHAPTERS,
        "analysis": analysis,
        "study": study,
        "trained": trained,
        "experiments": [
            _Shown(experiment, album.of_experiment(experiment, margins)) for experiment in analysis.experiments
        ],
        "margins": margins,
        "losses": album.of_losses(trained),
        "CROSS": CROSS,
        "DISTANCE": DISTANCE,
        "resamples": RESAMPLES,
        "seed": SEED,
        "folder": folder,
        "facts": report_facts,
        "machines": Counter(map(str, ())),
    }
