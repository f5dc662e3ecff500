"""The report of a repair: one page of before and after, as HTML that needs nothing else and as Markdown with pictures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment

from isoglot.evaluation.charts import bars
from isoglot.evaluation.drawing import Titles, require_matplotlib, to_png, to_svg
from isoglot.evaluation.pictures import common_scale, distance_chart, language_matrix, matrix_chart, rank_distances
from isoglot.files import atomic_directory, atomic_path, read_json, write_text
from isoglot.records import SETTINGS
from isoglot.repairing import words
from isoglot.repairing.choice import BASE, HELD_OUT, MEASURE
from isoglot.repairing.folder import RepairFolder
from isoglot.repairing.progress import in_words
from isoglot.study.render import code, markdown_templates, tidy, to_page
from isoglot.study.report_figures import free_address

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_report(folder: RepairFolder, summary: Mapping[str, Any]) -> None:
    """Write `report.html`, `report.md`, `figures/` and `picture.png`.

    Raises:
        InputError: matplotlib is not installed.
    """
    require_matplotlib()
    drawn = {name: _charts(folder, summary, name) for name in summary["benchmarks"]}
    first = drawn[words.shown_benchmark(summary)]
    pictures: dict[str, str] = {}
    links: dict[str, dict[str, str]] = {}
    for benchmark, charts in drawn.items():
        for name, figure in charts.items():
            address = free_address(f"{benchmark} {name}", pictures)
            pictures[address] = to_svg(figure)
            links.setdefault(benchmark, {})[name] = address
    context = {"summary": summary, "links": links, "words": words, "kept": _kept(summary)}
    context |= {"shown": words.shown_benchmark(summary), "HELD_OUT": HELD_OUT, "BASE": BASE, "folder": folder}
    markdown = tidy(_environment().get_template("repair.md.jinja").render(context))
    html = to_page(markdown, pictures)
    with atomic_directory(folder.figures) as temporary:
        for address, svg in pictures.items():
            write_text(temporary / Path(address).name, svg)
    with atomic_path(folder.picture) as path:
        path.write_bytes(to_png(next(iter(first.values()))))
    write_text(folder.markdown, markdown)
    write_text(folder.html, html)


def _kept(summary: Mapping[str, Any]) -> Mapping[str, Any]:
    (kept,) = (system for system in summary["systems"] if system["key"] == summary["kept"])
    return dict(kept)


def _charts(folder: RepairFolder, summary: Mapping[str, Any], benchmark: str) -> dict[str, Figure]:
    """The pictures of a benchmark by name: what is kept beside the base, then all systems, languages, pairs of languages."""
    systems = summary["systems"]
    before, after = systems[0]["scores"][benchmark], _kept(summary)["scores"][benchmark]
    charts: dict[str, Figure] = {}
    if summary["kept"] != BASE:
        settings = [name for name in SETTINGS if before[name] is not None]
        series = [(when, [own[name] for name in settings]) for when, own in (("before", before), ("after", after))]
        charts["before-and-after"] = bars(
            settings, series, Titles(f"Before and after, {benchmark}", MEASURE), highest=1.0
        )
    names = [system["label"] for system in systems]
    for name in ("multi", "mono"):
        values = [system["scores"][benchmark][name] for system in systems]
        if values[0] is not None:
            titles = Titles(f"{MEASURE} {name}, {benchmark}", "dashed: the base")
            charts[name] = bars(names, [(MEASURE, values)], titles, before=0, highest=1.0)
    keys = [BASE] if summary["kept"] == BASE else [BASE, summary["kept"]]
    results = [read_json(folder.result(key, benchmark) / "summary.json") for key in keys]
    distances = [(when, rank_distances(one)) for when, one in zip(("before", "after"), results)]
    if any(values for _, values in distances):
        charts["rank-distance"] = distance_chart(distances, "Rank distance by question language", benchmark)
    if all("cross" in one["settings"] for one in results):
        matrices = [language_matrix(one, MEASURE) for one in results]
        for when, matrix in zip(("before", "after"), matrices):
            charts[f"languages-{when}"] = matrix_chart(
                matrix, when.capitalize(), f"{MEASURE} on {benchmark}", common_scale(matrices)
            )
    return charts


@cache
def _environment() -> Environment:
    environment = markdown_templates("isoglot.repairing")
    environment.filters |= {"code": code, "short": words.short, "in_words": in_words}
    return environment
