"""How fair an index is, as one HTML file with pictures that needs nothing else: no script, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from isoglot.disk import check_writable
from isoglot.errors import InputError
from isoglot.evaluation import collection_bias_report as words
from isoglot.evaluation.charts import bars
from isoglot.evaluation.collection_figures import MAIN
from isoglot.evaluation.collection_repair import repairs
from isoglot.evaluation.drawing import DARK_CSS, Ends, Titles, for_xml, require_matplotlib, to_svg
from isoglot.evaluation.pictures import Matrix, common_scale, matrix_chart
from isoglot.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 25
"""Languages in a chart; more have no room for their names."""


def check_page(path: Path) -> None:
    """InputError where the page could not be written; better before the work than after it."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{path}: a page is written as HTML; give a name that ends in .html")
    check_writable(path)
    require_matplotlib()


def write_page(record: Mapping[str, Any], path: Path) -> None:
    """Write the page of a record of `isoglot.evaluation.collection_bias.collection_bias`, in the place of an earlier one."""
    with atomic_path(path) as temporary:
        temporary.write_text(page(record), encoding="utf-8", newline="\n")


def page(record: Mapping[str, Any]) -> str:
    """The HTML."""
    environment = Environment(
        loader=PackageLoader("isoglot.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else for_xml(str(value)),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    systems = record["systems"]
    scales = _scales(systems)
    return environment.get_template("collection_bias.html.jinja").render(
        record=record,
        words=words,
        dark=Markup(DARK_CSS),
        systems=[(system, [_svg(chart) for chart in _charts(system, scales)]) for system in systems],
        answers=answers,
        ways=repairs(record),
        K=systems[0]["mix"]["k"],
    )


def answers(system: Mapping[str, Any]) -> list[str]:
    """What a reader takes away of one system, in sentences."""
    mean, k = system["mix"]["mean"], system["mix"]["k"]
    told = [
        f"{mean['own']:.0%} of the top {k} are in the question's language; {mean['expected']:.0%} of the documents are"
        + (f": {mean['ratio']:.1f} times its share." if mean["ratio"] is not None else ".")
    ]
    if success := system["success"]:
        other, same = success["other"], success["same"]
        if other:
            told.append(
                f"A question finds the answer in another language among the top {k} in {other['pooled'][MAIN]:.0%} of cases, and "
                f"in {other['alone'][MAIN]:.0%} where only that language is searched"
                + (f"; in its own language in {same['pooled'][MAIN]:.0%}." if same else ".")
            )
    return told


def _svg(chart: Figure) -> Markup:
    return Markup(to_svg(chart).replace(DARK_CSS, ""))  # the page has the dark colours of all; texts are escaped


def _matrix(system: Mapping[str, Any], where: str) -> Matrix:
    pairs = system["success"]["pairs"] if system["success"] else []
    return {(pair["query"], pair["document"]): pair[where][MAIN] for pair in pairs}


def _mix(system: Mapping[str, Any]) -> Matrix:
    rows = system["mix"]["matrix"]
    return {(query, doc): share for query, row in rows.items() for doc, share in row.items() if share is not None}


def _scales(systems: Sequence[Mapping[str, Any]]) -> dict[str, Ends]:
    """One scale for all charts of a kind."""
    found = [matrix for system in systems for where in ("pooled", "alone") if (matrix := _matrix(system, where))]
    shares = [row["own"] for system in systems for row in system["mix"]["by_language"].values()]
    scales = {"share": (0.0, max(shares)), "mix": common_scale([_mix(system) for system in systems])}
    return {**scales, "success": common_scale(found)} if found else scales


def _charts(system: Mapping[str, Any], scales: Mapping[str, Ends]) -> list[Figure]:
    """Mix beside the corpus; mix, success in the pool and alone by pair of languages."""
    mix, name = system["mix"], words.name_of(system)
    rows = dict(list(mix["by_language"].items())[:_MOST])
    series = [
        ("documents", [row["expected"] for row in rows.values()]),
        (f"top {mix['k']}", [row["own"] for row in rows.values()]),
    ]
    titles = Titles("Asked in its own language", name, "share of the question's language")
    charts = [
        bars(list(rows), series, titles, highest=scales["share"][1]),
        matrix_chart(_mix(system), f"Languages of the top {mix['k']}", name, scales["mix"]),
    ]
    for where, title in (("pooled", "Found, all languages pooled"), ("alone", "Found, its language alone")):
        if matrix := _matrix(system, where):
            charts.append(matrix_chart(matrix, title, f"{MAIN}, {name}", scales["success"]))
    return charts
