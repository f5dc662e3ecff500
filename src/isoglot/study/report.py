"""`isoglot study report`: one document from what the analysis found, as a self-contained HTML page and as Markdown.

The prose stands in `templates/`, a file per chapter; both forms come from the same Markdown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isoglot.evaluation.contrasts import RESAMPLES, SEED
from isoglot.evaluation.drawing import require_matplotlib
from isoglot.files import atomic_directory, write_text
from isoglot.study.analysis.analyse import Analysis, analyse
from isoglot.study.render import to_markdown, to_page
from isoglot.study.report_figures import Album

HTML, MARKDOWN = "report.html", "report.md"
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
    html = to_page(markdown, album.pictures)
    # as one folder: pictures of an older report must not stay behind
    with atomic_directory(directory / "figures") as temporary:
        for address, svg in album.pictures.items():
            write_text(temporary / Path(address).name, svg)
    write_text(directory / MARKDOWN, markdown)
    write_text(directory / HTML, html)
    return [directory / HTML, directory / MARKDOWN, *(directory / address for address in album.pictures)]


def _context(analysis: Analysis, album: Album, folder: str) -> dict[str, Any]:
    """What differs from report to report; the functions and words of the templates are in `render`."""
    bounds = [claim for claim in analysis.stated.values() if getattr(claim, "not_below", None) is not None]
    margins = {what: claim.not_below for claim in bounds for what in claim.whats}  # type: ignore[attr-defined]
    trained = [system for system in analysis.systems if not system.is_base]
    return {
        "chapters": CHAPTERS,
        "analysis": analysis,
        "study": analysis.study,
        "experiments": analysis.experiments,
        "trained": trained,
        "several_data": len({system.data for system in trained}) > 1,
        "margins": margins,
        "pictures": {one: album.of_experiment(one, margins) for one in analysis.experiments},
        "losses": album.of_losses(trained),
        "folder": folder,
        "resamples": RESAMPLES,
        "seed": SEED,
    }
