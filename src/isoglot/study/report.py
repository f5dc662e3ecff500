"""`isoglot study report`: one document from what the analysis found, as a self-contained HTML page and as Markdown.

The prose stands in `templates/`, a file per chapter; both forms come from the same Markdown.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from isoglot.data.readers import yaml_data
from isoglot.disk import check_writable
from isoglot.errors import InputError
from isoglot.evaluation.contrasts import RESAMPLES, SEED
from isoglot.evaluation.drawing import require_matplotlib
from isoglot.files import atomic_directory, write_text
from isoglot.study.analyse import analyse
from isoglot.study.render import to_markdown, to_page

HTML, MARKDOWN, FIGURES = "report.html", "report.md", "figures"
CHAPTERS = ("answer", "pictures", "results", "claims", "method", "audit", "limitations", "reproduce", "appendix")
"""The order of the report; each is a template."""


def write_report(directory: Path, name: str | None = None, *, figures: bool = True) -> list[Path]:
    """Write `report.html`, `report.md` and the pictures of the latter, `figures/*.svg`, into a study directory.

    Cells that failed or have not run are named; a study of which nothing has finished has a report as well. The same files
    give the same report, byte for byte.

    Args:
        directory: of `isoglot study run --output`, or an export.
        name: how the report calls the directory; None: by its name.
        figures: without them `report.md` has no pictures, and refers to `report.html`, which always has its own.

    Returns:
        The files written: HTML, Markdown, pictures.

    Raises:
        InputError: no study there, a file of it that is damaged, or matplotlib is not installed.
    """
    require_matplotlib()
    directory = Path(directory)
    check_writable(directory / HTML)
    if foreign := [path.name for path in (directory / FIGURES).glob("*") if path.suffix != ".svg"]:
        raise InputError(f"{directory / FIGURES}: {foreign[0]} is no picture of a report; move it away")
    analysis = analyse(directory)
    trained = [system for system in analysis.systems if not system.is_base]
    claims: list[Any] = list(analysis.stated.values())
    bounds = [claim for claim in claims if getattr(claim, "not_below", None) is not None]
    context: dict[str, Any] = {
        "chapters": CHAPTERS,
        "analysis": analysis,
        "study": analysis.study,
        "experiments": analysis.experiments,
        "trained": trained,
        "margins": {what: claim.not_below for claim in bounds for what in claim.whats},
        "paper": yaml_data(Path(__file__).with_name("paper_figures.yaml")),
        "caveats": yaml_data(Path(__file__).with_name("caveats.yaml"))["caveats"],
        "folder": name or directory.resolve().name,
        "resamples": RESAMPLES,
        "seed": SEED,
    }
    pictures: dict[str, str] = {}
    markdown = to_markdown(context | {"pictures": pictures})
    html = to_page(markdown, pictures)
    # as one folder: pictures of an older report must not stay behind
    if figures:
        with atomic_directory(directory / FIGURES) as temporary:
            for address, svg in pictures.items():
                write_text(temporary / Path(address).name, svg)
    else:
        shutil.rmtree(directory / FIGURES, ignore_errors=True)
        markdown, pictures = to_markdown(context | {"pictures": None}), {}
    write_text(directory / MARKDOWN, markdown)
    write_text(directory / HTML, html)
    return [directory / name for name in (HTML, MARKDOWN, *pictures)]
