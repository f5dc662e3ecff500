"""The report of a study: what it says, that nothing of the data is markup, and that it stands whatever is missing."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from isoglot.errors import InputError
from isoglot.evaluation import charts, drawing
from isoglot.files import read_json
from isoglot.study.analyse import analyse
from isoglot.study.analysis.contrasts import Experiment
from isoglot.study.render import _columns
from isoglot.study.report import CHAPTERS, write_report
from isoglot.study.report_figures import _difference, forests, short_labels
from tests.study.compared import assert_as_compared
from tests.study.fabricate import FULL, LANGUAGES, LORA, grid, make_cell, write_study
from tests.study.page import page

RESAMPLES = 199


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoglot.study.report.analyse", lambda home: analyse(home, resamples=RESAMPLES))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with its report."""
    home = tmp_path_factory.mktemp("study")
    write_study(home, grid(home))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("isoglot.study.report.analyse", lambda home: analyse(home, resamples=RESAMPLES))
        write_report(home)
    return home


def experiment_of(home: Path) -> Experiment:
    [experiment] = analyse(home, resamples=RESAMPLES).experiments
    return experiment


def headings(markdown: str) -> list[str]:
    return re.findall(r"^## (.*)$", markdown, flags=re.M)


def test_a_whole_study_has_every_chapter_in_both_forms(study: Path) -> None:
    markdown = (study / "report.md").read_text(encoding="utf-8")
    html = page(study)
    # answer and pictures first; the order is a list and not that of the titles
    titles = ["At a glance", "Results", "Claims", "Method", "Zero-shot audit", "Limitations", "Reproducing it"]
    titles.append("Appendix: checks")
    assert headings(markdown) == [text for tag, text in html.headings if tag == "h2"] == titles
    assert len(titles) == len(CHAPTERS) - 1
    assert [text for tag, text in html.contents if tag == "h2"] == titles
    assert html.contents == html.headings[1:]
    assert markdown.split("\n\n")[1].startswith("**How does LoRA with hybrid batches change")
    # base, 3 strategies x 2 tunings: 4 settings as forests and bars, 2 heat maps, time and memory, 6 bars of bias, 6 losses
    assert html.tags.count("svg") == 4 + 4 + 2 + 2 + 6 + 6
    pictures = re.findall(r"^!\[.*\]\((.*)\)$", markdown, flags=re.M)
    assert sorted(pictures) == sorted(f"figures/{path.name}" for path in (study / "figures").iterdir())
    assert len(pictures) == html.tags.count("svg")
    at_a_glance = markdown[markdown.index("## At a glance") : markdown.index("## Results")]
    kinds = re.findall(r"\(figures/(\w+)-", at_a_glance)
    assert kinds == ["forests"] * 4 + ["bars"] * 4 + ["maps"] * 2 + ["costs"] * 2
    assert html.captions == re.findall(r"^\*\*((?:Table|Figure) \d+\.)\*\*", markdown, flags=re.M)


def test_tiles_and_text_say_the_same(study: Path) -> None:
    """The answer's difference is that of the tile, and tiles are of the system that the answer speaks of."""
    analysis = analyse(study, resamples=RESAMPLES)
    head = (study / "report.md").read_text(encoding="utf-8").partition("## At a glance")[0]
    answer, tiles = head[: head.index("\n- ")], re.findall(r"^- \*\*(.*?)\*\* (.*)$", head, flags=re.M)
    spoken = analysis.spoken(analysis.experiments[0])
    assert spoken is not None
    told = f"{spoken.difference:+.4f}".replace("-", "−")
    assert told in answer
    assert (told, True) in [
        (number, f"{spoken.after.label} − {spoken.before.label}: " in words) for number, words in tiles
    ]
    for number, words in tiles[:2]:
        assert words.endswith(f", {spoken.after.label}")
        setting = "cross" if "cross" in words else "rank_distance"
        measure = "nDCG@10" if setting == "cross" else setting
        before, after = (system.mean("xquad-r", setting, measure) for system in (analysis.systems[0], spoken.after))
        digits = 4 if setting == "cross" else 1
        assert number == f"{before:,.{digits}f} → {after:,.{digits}f}"


def test_a_tile_says_what_hybrid_batches_give_over_cross_ones(study: Path) -> None:
    found = experiment_of(study).sampling
    assert found is not None
    assert (found.before.label, found.after.label) in [(f"cross, {t}", f"hybrid 0.5, {t}") for t in ("full", "lora")]
    head = (study / "report.md").read_text(encoding="utf-8").partition("## At a glance")[0]
    assert head.count(f"{found.after.label} − {found.before.label}: ") == 1
    assert f"**{found.difference:+.4f}**".replace("-", "−") in head


def test_facts_that_hold_stand_in_the_appendix(study: Path) -> None:
    markdown = (study / "report.md").read_text(encoding="utf-8")
    chapters = dict(zip(headings(markdown), re.split(r"^## .*$", markdown, flags=re.M)[1:]))
    claims, appendix = chapters["Claims"], chapters["Appendix: checks"]
    for words in ("Mean average precision is reported.", "Averages are macro-averages"):
        assert words in appendix
        assert words not in claims
    assert "– not tested" not in claims
    assert "The evaluation sets are disjoint" not in claims
    verdicts = analyse(study, resamples=RESAMPLES)
    assert len(verdicts.findings) + len(verdicts.checks) == len(verdicts.claims)
    for verdict in verdicts.findings:
        assert verdict.outcome != "not tested"
        assert f"**{verdict.name}**" in claims


@pytest.mark.parametrize("wanted", [(2, 3, 4), (4, 3, 5), (3, 4, 5)])
def test_no_panel_and_no_tile_stands_alone(wanted: tuple[int, ...]) -> None:
    for panels in range(2, 13):
        columns = _columns(panels, wanted)
        assert columns in wanted
        assert panels <= columns or panels % columns != 1, panels


def test_a_picture_of_many_differences_shows_the_largest(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoglot.study.report_figures._MOST", 2)
    experiment = experiment_of(study)
    drawn: list[Any] = []
    monkeypatch.setattr("isoglot.evaluation.charts.forest", lambda rows, titles, margin: drawn.append((rows, titles)))
    list(forests(experiment, {}))
    rows, titles = drawn[1]
    every = [c for c in experiment.contrasts if c.setting == "cross"]
    assert titles.subtitle.endswith(f", the 2 largest of {len(every)}")
    assert {abs(row[1]) for row in rows} == {*sorted((abs(c.difference) for c in every), reverse=True)[:2]}
    names = {_difference(c, {system: system.label for system in experiment.systems}) for c in every}
    assert {"hybrid 0.5 − mono (lora)", "hybrid 0.5, lora − hybrid 0.5, full"} <= names


def test_pictures_name_systems_by_what_tells_them_apart(tmp_path: Path) -> None:
    amounts = (0.25, 1.0)
    cells = [
        make_cell(tmp_path, f"{name}.{amount}", strategy=name, tuning=LORA, amount=amount)
        for name in ("mono", "cross")
        for amount in amounts
    ]
    write_study(tmp_path, cells)
    systems = experiment_of(tmp_path).systems
    assert sorted(short_labels(systems).values()) == ["cross, 100%", "cross, 25%", "mono, 100%", "mono, 25%"]
    assert list(short_labels(systems[:1]).values()) == [systems[0].label]


def test_values_that_differ_are_labelled_differently() -> None:
    texts = [f"{value:.{drawing.places(value)}f}" for value in (1567.2, 121.3, 18.24, 2.2, 1.65, 0.31)]
    assert texts == ["1567", "121", "18.2", "2.20", "1.65", "0.31"]
    assert drawing.places(0.7) != drawing.places(0.7, share=True) == 3
    chart = charts.bars(["a", "b", "c"], [("", [121.0, 2.2, 1.65])], drawing.Titles("t", "u"))
    shown = {text.get_text() for text in chart.axes[0].texts}
    assert {"121", "2.20", "1.65"} <= shown


def test_tables_of_the_page_are_those_of_the_markdown(study: Path) -> None:
    lines = [line for line in (study / "report.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    plain = [re.sub(r"\[([^]]+)\]\([^)]*\)|\\(?=[\W_])|\*+", r"\1", line.replace("&lt;", "<")) for line in lines]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in plain if ":--" not in line]
    # a row that names those below it has one cell in the page
    expected = [row[:1] if len(row) > 1 and not any(row[1:]) else row for row in cells]
    assert page(study).rows == expected
    assert sum(len(row) == 1 for row in expected) > 5
    assert sum(map(len, expected)) > 500


def test_without_figures_the_markdown_shows_none(study: Path, tmp_path: Path) -> None:
    home = shutil.copytree(study, tmp_path / study.name)
    written = write_report(home, figures=False)
    assert written == [home / "report.html", home / "report.md"]
    assert not (home / "figures").exists()
    markdown = (home / "report.md").read_text(encoding="utf-8")
    assert "![" not in markdown
    assert "**Figure" not in markdown
    assert "The pictures are in report.html." in markdown
    assert (home / "report.html").read_bytes() == (study / "report.html").read_bytes()


def test_committed_reports_show_all_their_pictures() -> None:
    reports = sorted((Path(__file__).parents[2] / "results").glob("*/report.md"))
    size = 0
    for report in reports:
        pictures = re.findall(r"^!\[.*\]\((.*)\)$", report.read_text(encoding="utf-8"), flags=re.M)
        assert sorted(pictures) == sorted(f"figures/{path.name}" for path in report.parent.glob("figures/*"))
        size += sum(path.stat().st_size for path in [report, *report.parent.glob("figures/*")])
    assert len(reports) == 9
    assert size < 2e6


def test_the_page_needs_nothing_else(study: Path) -> None:
    source = (study / "report.html").read_text(encoding="utf-8")
    html = page(study)
    assert not {"script", "link", "iframe", "img", "object", "image"} & set(html.tags)
    assert not re.search(r"url\((?!#)|@import|@font-face", source)
    assert "default-src 'none'; style-src 'unsafe-inline'\">" in source
    outside = [link for link in html.links if "//" in link]
    assert set(outside) == {"https://arxiv.org/abs/2408.10536"}
    for link in html.links:
        assert link in outside or (link.startswith("#") and link[1:] in html.ids) or (study / link).exists(), link


def test_pictures_are_whole_svg_files(study: Path) -> None:
    for path in (study / "figures").iterdir():
        root = ET.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.get("aria-label")
        sizes = re.findall(r'font-size(?:: |=")([\d.]+)', path.read_text(encoding="utf-8"))
        assert min(map(float, sizes)) >= 11


def test_the_same_files_give_the_same_bytes(study: Path) -> None:
    files = [study / "report.html", study / "report.md", *sorted((study / "figures").iterdir())]
    first = {path: path.read_bytes() for path in files}
    written = write_report(study)
    assert sorted(written) == sorted(files)
    assert {path: path.read_bytes() for path in files} == first


def test_figures_are_those_of_compare(study: Path) -> None:
    before, after = (
        (f"hybrid 0.5, {tuning}", [f"cells/mlqa-r.e5.hybrid.{tuning}.s{seed}/results/xquad-r" for seed in (0, 1)])
        for tuning in ("full", "lora")
    )
    assert_as_compared(experiment_of(study), study, before, after, RESAMPLES)


def test_printed_figures_are_those_of_the_results(study: Path) -> None:
    cells = read_json(study / "results.json")["cells"]
    own = [cell for cell in cells if cell["id"].startswith("mlqa-r.e5.cross.lora")]
    values = [cell["benchmarks"]["xquad-r"]["settings"]["cross"]["nDCG@10"] for cell in own]
    markdown = (study / "report.md").read_text(encoding="utf-8")
    results = markdown[markdown.index("## Results") :]
    rows = [line.split(" | ") for line in results.splitlines() if line.startswith("| cross, lora ")]
    assert f"{sum(values) / 2:.3f}" in rows[0][5]
    assert [row[6] for row in rows[1:3]] == [f"{value:.3f}" for value in values]


def test_differences_of_the_table_change_one_thing_at_a_time(study: Path) -> None:
    found = [(c.name, c.before.label, c.after.label) for c in experiment_of(study).contrasts if c.setting == "cross"]
    for strategy in ("mono", "cross", "hybrid 0.5"):
        assert ("lora − full", f"{strategy}, full", f"{strategy}, lora") in found
    assert ("hybrid − mono", "mono, lora", "hybrid 0.5, lora") in found
    assert len(found) == 3 + 4


def test_the_papers_figures_for_another_base_are_apart(study: Path) -> None:
    markdown = (study / "report.md").read_text(encoding="utf-8")
    assert "Published figures on xquad-r for other bases than ours: not comparable" in markdown
    assert "| LaBSE hybrid | 0.817 | 0.767 | 0.682 | 221 |" in markdown


def test_the_papers_figures_for_the_same_base_stand_beside_ours(tmp_path: Path) -> None:
    own = {"strategy": "hybrid", "mono_share": 0.5, "tuning": FULL, "base": "labse"}
    write_study(tmp_path, [make_cell(tmp_path, "a", **own)])
    write_report(tmp_path)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "Beside the paper's figures for LaBSE on xquad-r" in markdown
    [row] = [line for line in markdown.splitlines() if line.startswith("| hybrid 0.5, full | 0.") and " 0.817 " in line]
    assert row.endswith("| 221 |")
    assert "| LaBSE hybrid |" not in markdown


def test_limitations_say_how_far_the_loss_still_fell(tmp_path: Path) -> None:
    made = []
    for key, strategy, losses in (
        ("a", "hybrid", [9.0] * 6 + [4.0, 2.0] + [1.0, 1.5]),
        ("b", "hybrid", [9.0] * 6 + [1.0, 1.0] + [0.5, 0.0]),
        ("c", "mono", [9.0] * 6 + [3.0, 3.0] + [3.0, 3.0]),
    ):
        cell = make_cell(tmp_path, key, strategy=strategy, tuning=LORA)
        cell["train"]["losses"] = losses
        made.append(cell)
    write_study(tmp_path, made)
    write_report(tmp_path)
    # (3 + 1) / 2 and (1.25 + 0.25) / 2
    words = "the mean training loss went from 2.000 to 0.750 (hybrid, 2 cells) and 3.000 to 3.000 (mono, 1 cell)"
    assert words in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_limitations_name_choices_at_the_end_of_their_candidates(tmp_path: Path) -> None:
    def choice(tuning: str, data: str, rates: list[float], chosen: float) -> dict[str, Any]:
        tried = [{"learning_rate": rate, "validation_loss": 1.0} for rate in rates]
        return {
            "data": data,
            "base": "b",
            "tuning": tuning,
            "strategy": "hybrid",
            "candidates": tried,
            "chosen": chosen,
        }

    selection = [
        choice("lora", "one", [1e-4, 1e-3], 1e-4),
        choice("full", "one", [1e-5, 1e-4], 1e-4),
        choice("lora", "two", [1e-4, 1e-3], 1e-4),
        choice("full", "two", [1e-5, 3e-5, 1e-4], 3e-5),
        choice("full", "three", [2e-5], 2e-5),
        choice("lora", "four", [1e-4, 1e-3, 1e-2], 1e-3) | {"strategy": "cross", "recipe": "sharper"},
        choice("lora", "four", [1e-4, 1e-3], 1e-3) | {"strategy": "cross", "recipe": "cross"},
    ]
    write_study(tmp_path, [make_cell(tmp_path, "a", strategy="hybrid", tuning=LORA)], selection=selection)
    write_report(tmp_path)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (
        "chosen for lora on one and lora on two is the smallest candidate (0.0001), at the edge of its grid: a smaller one"
        in markdown
    )
    assert "chosen for full on one is the largest candidate (0.0001), at the edge of its grid: a larger" in markdown
    assert "chosen for lora (cross) on four is the largest candidate" in markdown
    assert markdown.count("was not tried and may do better") == 3
    assert markdown.count("✓ chosen, at the edge of its grid |") == 4
    assert markdown.count("✓ chosen |") == 3
    assert "**four, b, lora, sharper (tried with cross)**" in markdown


def test_what_a_base_has_seen_is_said_and_stands_behind_what_it_has_not(tmp_path: Path) -> None:
    made = grid(tmp_path, seeds=(0,), benchmarks={"xquad-r": LANGUAGES[:3]})
    other = grid(tmp_path, data="xquad-r", seeds=(0,), benchmarks={"mlqa-r": LANGUAGES[:3]})
    made[0] = make_cell(
        tmp_path, "base.e5", kind="base", benchmarks=dict.fromkeys(["xquad-r", "mlqa-r"], LANGUAGES[:3])
    )
    write_study(tmp_path, [*made, *other[1:]])
    write_report(tmp_path)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    sentence = (
        "not zero-shot: multilingual-e5-small was trained on SQuAD's training split, from whose development split"
    )
    assert f"- **offline:multilingual-e5-small on xquad-r**: {sentence}" in markdown
    assert "small on mlqa-r**" not in markdown
    assert markdown.count(f"> {sentence}") == 1, "beside the results on it"
    assert markdown.index("### xquad-r → mlqa-r") < markdown.index("### mlqa-r → xquad-r")
    assert markdown.index(f"> {sentence}") > markdown.index("### mlqa-r → xquad-r")
    answer = markdown.partition("\n## ")[0]
    assert answer.index(" on mlqa-r (offline:multilingual-e5-small on xquad-r)") < answer.index(
        " on xquad-r (offline:multilingual-e5-small on mlqa-r; not zero-shot for this base)"
    )
    for cell in made + other:
        cell["base"] = "org/other"
    write_study(tmp_path, [*made, *other[1:]])
    write_report(tmp_path)
    assert "not zero-shot" not in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_trained_parameters_as_shares(tmp_path: Path) -> None:
    cells = grid(tmp_path, seeds=(0,))
    write_study(tmp_path, cells)
    write_report(tmp_path)
    assert "of the encoder without" not in (tmp_path / "report.md").read_text(encoding="utf-8")
    for cell in cells[1:]:
        lora = cell["tuning"]["kind"] == "lora"
        every = {"embedding_parameters": 96_000_000, "added_parameters": 1_327_104 if lora else 0}
        cell["train"] |= {**every, "parameters": 118_000_000 + every["added_parameters"]}
    write_study(tmp_path, cells)
    write_report(tmp_path)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "1,327,104 *1.12% of all, 6.03% of the encoder without its embeddings* |" in markdown
    assert markdown.count("without its embeddings* |") == 1, "full fine-tuning trains these, too"


def test_limitations_say_how_often_pairs_were_seen(tmp_path: Path) -> None:
    made = []
    for key, pairs in (("a", 100), ("b", 400)):
        cell = make_cell(tmp_path, key, strategy="hybrid", tuning=LORA)
        cell["train"]["pairs"] = pairs
        cell |= {"steps": 50, "batch_size": 20}
        made.append(cell)
    write_study(tmp_path, made)
    write_report(tmp_path)
    words = "1,000 pairs (50 steps) per cell: each of its pairs 2.5 to 10.0 times on average."
    assert words in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("status", ["failed", "pending"])
def test_a_study_without_finished_cells_has_a_report(tmp_path: Path, status: str) -> None:
    error = "out of memory" if status == "failed" else None
    cell = make_cell(tmp_path, "a", strategy="hybrid", tuning=LORA, status=status, error=error)
    write_study(tmp_path, [cell], selection=[], audit={})
    write_report(tmp_path)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "No cell has finished: there are no results yet." in markdown
    assert f"| a | {status} | {error or '–'} |" in markdown
    assert "No cell of mlqa-r that is measured on xquad-r has finished." in markdown
    assert "Not audited" in markdown
    page(tmp_path)


def test_a_study_that_has_only_begun_has_a_report(tmp_path: Path) -> None:
    write_study(tmp_path, [])
    (tmp_path / "results.json").unlink()
    (tmp_path / "cost.json").unlink()
    write_report(tmp_path)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "Not in the study's directory: results.json, cost.json." in markdown
    page(tmp_path)


def test_cells_without_rows_keep_their_averages(tmp_path: Path) -> None:
    cells = grid(tmp_path, seeds=(0,))
    write_study(tmp_path, cells)
    (tmp_path / cells[1]["benchmarks"]["xquad-r"]["path"] / "per_query.parquet").unlink()
    write_report(tmp_path)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "no intervals and no tests, for the rows per query cannot be used" in markdown
    value = cells[1]["benchmarks"]["xquad-r"]["settings"]["cross"]["AP"]
    assert f"{value:.3f}" in markdown
    assert "One training seed per system" in markdown


def test_curves_over_alpha_and_amount(tmp_path: Path) -> None:
    cells = [
        make_cell(tmp_path, f"h{share}{seed}", strategy="hybrid", mono_share=share, tuning=LORA, seed=seed)
        for share in (0.0, 0.4, 0.5, 1.0)  # and mono below, which is 1.0 again
        for seed in (0, 1)
    ]
    cells += [
        make_cell(tmp_path, f"a{a}", strategy="mono", tuning=LORA, amount=a, steps=int(100 * a)) for a in (0.25, 0.5, 1)
    ]
    write_study(tmp_path, cells)
    names = [path.name for path in write_report(tmp_path)]
    assert sum(name.startswith("curve-mono-share") for name in names) == 4
    assert sum(name.startswith("curve-amount") for name in names) == 4
    [svg] = (tmp_path / "figures").glob("curve-mono-share-ndcg-10-cross-*.svg")
    text = svg.read_text(encoding="utf-8")
    # a mark and an interval per share, and one line through all
    [line] = [d for d in re.findall(r'd="([^"]*)"', text) if d.count("L") == 3 and d.count("M") == 1 and "z" not in d]
    assert text.count("<use") == 4, line
    assert "hybrid 0.4, lora" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    cells = grid(tmp_path, seeds=(0,))
    for cell in cells:
        for values in cell["benchmarks"]["xquad-r"]["settings"].values():
            del values["nDCG@10"]
    write_study(tmp_path, cells)
    kinds = {path.name.split("-")[0] for path in write_report(tmp_path)[2:]}
    assert kinds == {"forests", "bars", "distances", "loss"}  # of rank distance


def test_old_pictures_do_not_stay(tmp_path: Path) -> None:
    write_study(tmp_path, grid(tmp_path, seeds=(0,)))
    write_report(tmp_path)
    old = tmp_path / "figures" / "old.svg"
    old.write_text("old")
    write_report(tmp_path)
    assert not old.exists()


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "no study.json and no results.json"),
        ({"results.json": "[]"}, "expected a JSON object"),
        ({"results.json": "{"}, "not valid JSON"),
        ({"results.json": '{"schema": 9, "cells": []}'}, "schema 9"),
    ],
)
def test_what_is_no_study_is_refused(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=problem):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()
    assert not (tmp_path / "figures").exists()


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such directory"):
        write_report(tmp_path / "nowhere")


def test_no_chart_breaks_on_many_languages(tmp_path: Path) -> None:
    many = [f"{a}{b}" for a in "abcdef" for b in "xyz"] + LANGUAGES
    write_study(
        tmp_path, [make_cell(tmp_path, "a", strategy="mono", tuning=LORA, benchmarks={"m": many}, ids=2, per_group=1)]
    )
    for path in write_report(tmp_path)[2:]:
        ET.parse(path)


def test_without_matplotlib_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path, grid(tmp_path, seeds=(0,)))
    monkeypatch.setattr(drawing, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"^pictures need matplotlib: pip install"):
        write_report(tmp_path)
    assert not (tmp_path / "report.md").exists()


def test_the_margin_of_a_claim_is_drawn(tmp_path: Path) -> None:
    write_study(tmp_path, grid(tmp_path, seeds=(0,)))
    write_report(tmp_path)
    [cross] = (tmp_path / "figures").glob("forests-*-ndcg-10-cross-*.svg")
    [mono] = (tmp_path / "figures").glob("forests-*-ndcg-10-mono-*.svg")
    assert "stroke-dasharray" in cross.read_text(encoding="utf-8")
    assert "stroke-dasharray" not in mono.read_text(encoding="utf-8")


def test_a_study_without_claims_says_nothing_about_them(tmp_path: Path) -> None:
    write_study(tmp_path, grid(tmp_path, seeds=(0,)), name="mine")
    write_report(tmp_path)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "## Claims" not in markdown
    assert "not tested" not in markdown
