"""Pictures of results: which language finds which, and how far apart the answers stand."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.errors import InputError, unknown
from isoglot.evaluation.charts import bars, heat_map
from isoglot.evaluation.drawing import Ends, Titles, require_matplotlib, to_png, to_svg
from isoglot.evaluation.results import Result
from isoglot.evaluation.tables import result_names
from isoglot.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png")
Matrix = dict[tuple[str, str], float]
"""{(query language, passage language): macro-average}."""
Summary = Mapping[str, Any]
"""Of a result: at least `settings`, `bias` and `per_language`, see `isoglot.evaluation.results.Result`."""


def language_matrix(summary: Summary, measure: str = "AP") -> Matrix:
    """Values of all pairs of two languages, and of one where the monolingual setting was measured.

    Raises:
        InputError: no cross-lingual setting, or the measure was not computed.
    """
    by = summary["per_language"]
    if "cross" not in by:
        model = summary.get("model")
        raise InputError(f"the result of '{model}' has no setting 'cross': there are no language pairs to draw")
    if measure not in summary["settings"]["cross"]:
        raise unknown("measure", measure, summary["settings"]["cross"])
    matrix = {
        (query, doc): scores[measure] for query, row in by["cross"]["matrix"].items() for doc, scores in row.items()
    }
    return matrix | {(lang, lang): scores[measure] for lang, scores in by.get("mono", {}).items()}


def matrix_chart(matrix: Matrix, name: str, about: str, scale: Ends) -> Figure:
    """A heat map, query language by passage language: monolingual on the diagonal, cross-lingual beside it."""
    rows, columns = (sorted(set(languages)) for languages in zip(*matrix))
    values = [[matrix.get((query, doc)) for doc in columns] for query in rows]
    titles = Titles(name, f"{about}, in hundredths", "passage language", "query language")
    return heat_map(rows, columns, values, titles, scale)


def common_scale(matrices: Sequence[Matrix], steps: int = 10) -> Ends:
    """The lowest and the highest value, widened to whole steps of 1 / `steps`: one scale for charts side by side."""
    values = [value for matrix in matrices for value in matrix.values()]
    low, high = math.floor(min(values) * steps + 1e-9) / steps, math.ceil(max(values) * steps - 1e-9) / steps
    return (low, high) if high > low else (max(low - 1 / steps, 0.0), min(high + 1 / steps, 1.0))


def distance_chart(
    series: Sequence[tuple[str, dict[str, float]]], title: str, about: str, highest: float = 0.0
) -> Figure:
    """Bars of rank distance by query language, and their mean; of two series the first is what was before."""
    rows = [*sorted({lang for _, values in series for lang in values} - {"mean"}), "mean"]
    titles = Titles(title, about, "ranks between best and worst (lower is better)")
    return bars(rows, [(name, [values.get(row) for row in rows]) for name, values in series], titles, highest=highest)


def rank_distances(summary: Summary) -> dict[str, float]:
    """Rank distance by query language, and "mean"; {} where there is none."""
    bias = summary["bias"]
    values = {k: item["rank_distance"] for k, item in bias.get("per_language", {}).items() if "rank_distance" in item}
    return {**values, "mean": float(bias["rank_distance"])} if values else {}


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
        InputError: an unknown format or measure, no result, nothing to draw, or matplotlib is not installed.
    """
    many = [results] if isinstance(results, Result) else list(results)
    if not many or not formats:
        raise InputError(f"no {'format' if many else 'result'} given; expected at least one")
    check_formats(formats)
    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory}: is a file; pictures are written into a folder")
    pictures = _pictures(many, result_names(many, names), measure)
    if not pictures:
        raise InputError("nothing to draw: the pictures need the setting 'cross' or 'multi'")
    write = {"svg": lambda figure: to_svg(figure).encode(), "png": to_png}
    written = []
    for stem, figure in pictures.items():
        for wanted in dict.fromkeys(formats):
            written.append(directory / f"{stem}.{wanted}")
            with atomic_path(written[-1]) as temporary:
                temporary.write_bytes(write[wanted](figure))
    return written


def replace_plots(results: Result | Sequence[Result], directory: Path, formats: Sequence[str], **how: Any) -> None:
    """`write_plots`, and no picture of an earlier time beside what it wrote: it would be taken for one of these results."""
    written = write_plots(results, directory, formats, **how)
    for old in {*pictures_in(directory)} - {*written}:
        old.unlink()


def pictures_in(directory: Path) -> list[Path]:
    """The pictures in a folder that `write_plots` would write, or would leave beside its own."""
    return [
        path
        for stem in ("heat-map", "rank-distance")
        for wanted in FORMATS
        for path in directory.glob(f"{stem}*.{wanted}")
    ]


def check_formats(formats: Sequence[str]) -> None:
    """InputError for an unknown format, or where matplotlib is not installed."""
    for wanted in formats:
        if wanted not in FORMATS:
            raise unknown("picture format", wanted, FORMATS)
    require_matplotlib()


def _pictures(results: Sequence[Result], names: Sequence[str], measure: str) -> dict[str, Figure]:
    """File name without its ending -> chart."""
    pictures: dict[str, Figure] = {}
    summaries = [result.summary for result in results]
    benchmark = summaries[0]["benchmark"]
    drawn = [(name, one) for name, one in zip(names, summaries) if "cross" in one["settings"]]
    matrices = [language_matrix(summary, measure) for _, summary in drawn]
    about = f"{'mAP' if measure == 'AP' else measure} on {benchmark}"
    for (name, _), matrix in zip(drawn, matrices):
        slug = re.sub(r"[^\w.-]+", "-", name).strip("-.")[-60:].lstrip("-.") or "model"
        stem = "heat-map" if len(results) == 1 else f"heat-map-{slug}"
        stem = next(free for n in count(1) if (free := stem + f"-{n}" * (n > 1)) not in pictures)
        pictures[stem] = matrix_chart(matrix, name, about, common_scale(matrices))
    series = [(name, rank_distances(summary)) for name, summary in zip(names, summaries)]
    if len(series) <= 2 and any(values for _, values in series):
        about = f"{names[0]} on {benchmark}" if len(series) == 1 else benchmark
        pictures["rank-distance"] = distance_chart(series, "Rank distance by query language", about)
    return pictures
