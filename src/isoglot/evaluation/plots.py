"""Pictures of results: which language finds which, and how far apart the answers stand."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isoglot.errors import InputError, unknown
from isoglot.evaluation.results import Result
from isoglot.evaluation.svg import SERIES, Labels, bars, heat_map
from isoglot.evaluation.tables import result_names
from isoglot.files import atomic_path, write_text

FORMATS = ("svg", "png")
_MEASURE_NAMES = {"AP": "mAP"}
# PNG pixels per SVG unit: sharp on dense screens and in print
_PNG_SCALE = 2.0


def heat_map_svg(
    result: Result, measure: str = "AP", *, name: str | None = None, scale: tuple[float, float] | None = None
) -> str:
    """Query language by document language: the monolingual setting on the diagonal, the cross-lingual beside it.

    Args:
        result: with the cross-lingual setting; without the monolingual one the diagonal is empty.
        measure: one of those computed.
        name: of the model.
        scale: values of the lightest and darkest colour, for pictures that are to be compared; from the result when None.

    Raises:
        InputError: no cross-lingual setting, or the measure was not computed.
    """
    summary = result.summary
    matrix = language_matrix(result, measure)
    rows = sorted(matrix)
    columns = sorted({doc for line in matrix.values() for doc in line})
    labels = Labels(
        f"{_MEASURE_NAMES.get(measure, measure)} by language pair",
        f"{name or summary['model']} on {summary['benchmark']}",
        "query language",
        "passage language",
    )
    values = [[matrix[query].get(doc) for doc in columns] for query in rows]
    return heat_map(rows, columns, values, labels, scale or _scale([matrix]))


def language_matrix(result: Result, measure: str = "AP") -> dict[str, dict[str, float]]:
    """{query language: {document language: macro value}}, pairs of two languages and of one.

    Raises:
        InputError: as `heat_map_svg`.
    """
    summary = result.summary
    by = summary["per_language"]
    if "cross" not in by:
        raise InputError(
            f"the result of '{summary['model']}' has no setting 'cross': there are no language pairs to draw"
        )
    if measure not in summary["settings"]["cross"]:
        raise unknown("measure", measure, summary["settings"]["cross"])
    matrix = {
        query: {doc: scores[measure] for doc, scores in row.items()} for query, row in by["cross"]["matrix"].items()
    }
    for lang, scores in by.get("mono", {}).items():
        matrix.setdefault(lang, {})[lang] = scores[measure]
    return matrix


def rank_distance_svg(results: Result | Sequence[Result], *, names: Sequence[str] | None = None) -> str:
    """Bars of rank distance per query language, and their mean, for one result or two side by side.

    Raises:
        InputError: more than two results, or none of them has a rank distance.
    """
    many = [results] if isinstance(results, Result) else list(results)
    labels = result_names(many, names)
    if len(many) > len(SERIES):
        raise InputError(f"{len(many)} results in one bar chart; expected one or two")
    series: list[dict[str, float]] = [_distances(result) for result in many]
    if not any(series):
        raise InputError(
            "no rank distance to draw: no query has relevant documents in two languages, or no setting 'multi'"
        )
    languages = sorted({lang for values in series for lang in values} - {"mean"})
    rows = [*languages, "mean"]
    summary = many[0].summary
    title = Labels(
        "Rank distance by query language",
        f"{labels[0]} on {summary['benchmark']}" if len(many) == 1 else str(summary["benchmark"]),
        "query language",
        "ranks between the best and the worst answer (lower is better)",
    )
    return bars(
        rows, [(n, [v.get(row) for row in rows]) for n, v in zip(labels, series, strict=True)], title, last_apart=True
    )


def write_plots(
    results: Result | Sequence[Result],
    directory: str | Path,
    formats: Sequence[str] = ("svg",),
    *,
    measure: str = "AP",
    names: Sequence[str] | None = None,
) -> list[Path]:
    """Write `heat-map.svg` (with several results `heat-map-<name>.svg`, on one colour scale) and `rank-distance.svg`.

    A picture that a result has no figures for is left out; so are bars of more than two results.

    Args:
        results: one or several on one benchmark.
        directory: made if it is not there.
        formats: of svg and png.
        measure: of the heat map.
        names: of the results, instead of their models' names.

    Returns:
        The files, in the order written.

    Raises:
        InputError: an unknown format or measure, no result, nothing to draw, or PNG without the package that makes it.
    """
    many = [results] if isinstance(results, Result) else list(results)
    if not many or not formats:
        raise InputError(f"no {'format' if many else 'result'} given; expected at least one")
    convert = check_formats(formats)
    labels = result_names(many, names)
    home = Path(directory)
    if home.exists() and not home.is_dir():
        raise InputError(f"{home}: is a file; pictures are written into a folder")
    pictures = _pictures(many, labels, measure)
    if not pictures:
        raise InputError("nothing to draw: the pictures need the setting 'cross' or 'multi'")
    written = []
    for stem, svg in pictures.items():
        for wanted in dict.fromkeys(formats):
            path = home / f"{stem}.{wanted}"
            if wanted == "svg":
                write_text(path, svg)
            else:
                with atomic_path(path) as temporary:
                    convert.svg2png(bytestring=svg.encode("utf-8"), write_to=str(temporary), scale=_PNG_SCALE)
            written.append(path)
    return written


def check_formats(formats: Sequence[str]) -> Any:
    """What makes PNG pictures, if they are asked for.

    Raises:
        InputError: an unknown format, or PNG without the package that makes it.
    """
    for wanted in formats:
        if wanted not in FORMATS:
            raise unknown("picture format", wanted, FORMATS)
    return _png_converter() if "png" in formats else None


def _pictures(results: Sequence[Result], names: Sequence[str], measure: str) -> dict[str, str]:
    """File name without its ending -> SVG."""
    pictures: dict[str, str] = {}
    pairs = [
        (result, name) for result, name in zip(results, names, strict=True) if "cross" in result.summary["settings"]
    ]
    if pairs:
        scale = _scale([language_matrix(result, measure) for result, _ in pairs])
        for result, name in pairs:
            stem = "heat-map" if len(results) == 1 else _free(f"heat-map-{_slug(name)}", pictures)
            pictures[stem] = heat_map_svg(result, measure, name=name, scale=scale)
    if len(results) <= len(SERIES) and any(_distances(result) for result in results):
        pictures["rank-distance"] = rank_distance_svg(results, names=names)
    return pictures


def _distances(result: Result) -> dict[str, float]:
    """Rank distance by query language, and "mean"."""
    bias = result.summary["bias"]
    values = {k: item["rank_distance"] for k, item in bias.get("per_language", {}).items() if "rank_distance" in item}
    return {**values, "mean": float(bias["rank_distance"])} if values else {}


def _scale(matrices: Sequence[dict[str, dict[str, float]]]) -> tuple[float, float]:
    """The lowest and the highest value, widened to tenths and kept inside 0 to 1."""
    values = [x for matrix in matrices for row in matrix.values() for x in row.values()]
    low, high = math.floor(min(values) * 10 + 1e-9) / 10, math.ceil(max(values) * 10 - 1e-9) / 10
    return (low, high) if high > low else (max(low - 0.1, 0.0), min(high + 0.1, 1.0))


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[-60:].lstrip("-.") or "model"


def _free(stem: str, taken: dict[str, str]) -> str:
    number, name = 1, stem
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def _png_converter() -> Any:
    try:
        return importlib.import_module("cairosvg")
    except (ImportError, OSError):  # OSError: the package is there, the cairo library is not
        raise InputError(
            "PNG pictures need CairoSVG: pip install 'isoglot[plots]' (and the cairo library), or choose svg"
        ) from None
