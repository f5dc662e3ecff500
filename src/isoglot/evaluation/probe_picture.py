"""What a probe of layers found, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoglot.errors import InputError
from isoglot.evaluation.charts import Line, lines
from isoglot.evaluation.drawing import Titles, require_matplotlib, to_png, to_svg
from isoglot.files import atomic_path
from isoglot.tables import text_table

Found = Mapping[str, Any]
"""See `isoglot.retrieval.probe.probe`."""


def probe_table(found: Found) -> list[str]:
    """Lines for the terminal: a row per layer and pair of languages, and which layer each criterion chooses."""
    rows, rules = [["words", "layer", "cosine", "shuffled", "margin", "95% interval", "P@1"]], {1}
    for name, about in found["pairs"].items():
        rules.add(len(rows))
        for number, row in enumerate(about["layers"]):
            low, high = row["interval"]
            first = f"{name}, {about['words']:,}" if not number else ""
            figures = [f"{row[key]:.4f}" for key in ("cosine", "shuffled", "margin")]
            rows.append([first, str(row["layer"]), *figures, f"[{low:.4f}, {high:.4f}]", f"{row['P@1']:.3f}"])
    chosen = []
    for criterion, choice in found["chosen"].items():
        by_pair = ", ".join(f"{name} {layer}" for name, layer in choice["by_pair"].items())
        mark = "chosen: " if criterion == found["criterion"] else ""
        chosen.append(
            f"{mark}layer {choice['layer']} by {criterion}" + (f" ({by_pair})" if len(found["pairs"]) > 1 else "")
        )
    return [*text_table(rows, text_columns=2, rules=rules), "", *chosen, *found["notes"]]


def check_picture(path: Path) -> None:
    """InputError for a name of no known format, a place that cannot be written, or where matplotlib is not installed."""
    from isoglot.disk import check_writable

    if path.suffix not in (".svg", ".png"):
        raise InputError(f"{path}: a picture's name ends in .svg or .png")
    require_matplotlib()
    check_writable(path)


def write_picture(found: Found, model: str, path: Path) -> None:
    """Draw the criterion over the layers, a line per pair of languages."""
    criterion = found["criterion"]
    series: list[Line] = []
    for name, about in found["pairs"].items():
        layers = [row for row in about["layers"] if row["layer"] != "output"]
        points = [(float(row["layer"]), row[criterion]) for row in layers]
        intervals = [tuple(row["interval"]) if criterion == "margin" else None for row in layers]
        series.append((name, points, intervals))
    ticks = [x for x, _ in series[0][1]]
    figure = lines(series, Titles(f"{criterion} of translations by layer", model, "layer (0: embeddings)"), ticks=ticks)
    with atomic_path(path) as temporary:
        temporary.write_bytes(to_svg(figure).encode() if path.suffix == ".svg" else to_png(figure))
