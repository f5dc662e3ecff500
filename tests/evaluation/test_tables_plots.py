"""Tables and pictures from results that are written down here."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from isoglot.errors import InputError
from isoglot.evaluation.plots import heat_map_svg, language_matrix, rank_distance_svg, write_plots
from isoglot.evaluation.report import format_table
from isoglot.evaluation.results import Result
from isoglot.evaluation.svg import fit, ink_on, luminance, nice_ticks, shade
from isoglot.evaluation.tables import paper_table

SVG = "{http://www.w3.org/2000/svg}"


def result(model: str = "base", add: float = 0.0, distance: float = 100.0, **changes: Any) -> Result:
    """de and en; mono .8 and .6, cross .5 and .3, multi .4 and .2 in AP, plus `add`; other measures the same."""
    measures = ("AP", "R@1", "R@10", "nDCG@10", "R@100")

    def scores(value: float) -> dict[str, float]:
        return dict.fromkeys(measures, value + add)

    cross = {"de": scores(0.5), "en": scores(0.3)}
    summary: dict[str, Any] = {
        "model": model,
        "benchmark": "toy",
        "context": "sentence",
        "settings": {"mono": scores(0.7), "cross": scores(0.4), "multi": scores(0.3)},
        "bias": {
            "rank_distance": distance,
            "rank_distance_median": 10.0,
            "per_language": {"de": {"rank_distance": distance - 50}, "en": {"rank_distance": distance + 50}},
        },
        "per_language": {
            "mono": {"de": scores(0.8), "en": scores(0.6)},
            "cross": {
                "by_query": cross,
                "by_document": cross,
                "matrix": {"de": {"en": cross["de"]}, "en": {"de": cross["en"]}},
            },
            "multi": {"de": scores(0.4), "en": scores(0.2)},
        },
        "counts": {"languages": 2, "queries": {"de": 1, "en": 1}, "documents": {"de": 1, "en": 1}},
        "about": {},
        "notes": [],
        "digests": {"benchmark": "d1", "model": None},
    }
    return Result({**summary, **changes}, pa.table({}))


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_one_result_by_language() -> None:
    lines = rows(paper_table(result()))
    assert ["de", "0.800", "0.500", "0.400", "0.800", "0.500", "0.400", "50.0"] in lines
    assert ["mean", "0.700", "0.400", "0.300", "0.700", "0.400", "0.300", "100.0"] in lines


def test_two_results_side_by_side() -> None:
    lines = rows(paper_table([result(), result("tuned", 0.05, 90.0)]))
    assert ["en", "0.600", "0.650", "0.300", "0.350", "0.200", "0.250"] in lines
    assert ["mean", "100.0", "90.0"] in lines
    # names are cut to their last part where these differ, and numbered where nothing does
    assert "language   e5" not in paper_table([result("a/e5"), result("b/e5")])
    assert "a/e5" in paper_table([result("a/e5"), result("b/e5")])
    assert "e5 (2)" in paper_table([result("e5"), result("e5")])


def test_markdown_marks_the_best() -> None:
    text = paper_table([result(), result("tuned", 0.05, 90.0)], markdown=True)
    assert "| mean | 0.700 | **0.750** | 0.400 | **0.450** | 0.300 | **0.350** |" in text
    assert "| mean | 100.0 | **90.0** |" in text  # of rank distance the lower one
    assert all(line.count("|") == 8 for line in text.split("\n\n")[1].splitlines())
    assert "| a\\|b\\_c |" in paper_table(result("a|b_c"), "summary", markdown=True)


def test_one_row_per_result() -> None:
    other = result("far", digests={"benchmark": "d2", "model": None}, benchmark="second")
    lines = rows(paper_table([result(), result("tuned", 0.05), other], "summary"))
    assert ["tuned", "0.750", "0.450", "0.350", "0.750", "0.450", "0.350", "100.0"] in lines
    assert [line for line in lines if line in (["toy"], ["second"])] == [["toy"], ["second"]]


def test_miracl() -> None:
    lines = rows(paper_table(result(), "miracl"))
    # of de and en: mean (.8 + .6) / 2, median the same
    assert ["de", "0.8000", "0.8000"] in lines
    assert ["mean", "0.7000", "0.7000"] in lines
    assert ["median", "0.7000", "0.7000"] in lines
    three = result()
    three.summary["per_language"]["mono"]["sw"] = {"nDCG@10": 0.1, "R@100": 0.0}
    lines = rows(paper_table(three, "miracl"))
    assert ["mean", "0.5000", "0.4667"] in lines
    assert ["median", "0.6000", "0.6000"] in lines


def test_settings_that_are_missing_are_dashes() -> None:
    mono = result(settings={"mono": result().summary["settings"]["mono"]}, bias={})
    assert ["de", "0.800", "-", "-", "0.800", "-", "-", "-"] in rows(paper_table(mono))


def test_tables_that_cannot_be_made() -> None:
    other = result(digests={"benchmark": "d2", "model": None})
    with pytest.raises(InputError, match="cannot stand side by side"):
        paper_table([result(), other])
    with pytest.raises(InputError, match=r"unknown table 'miracel' .did you mean 'miracl'"):
        paper_table(result(), "miracel")
    with pytest.raises(InputError, match=r"has no AP .it has RR.; evaluate with --measures"):
        paper_table(result(settings={"mono": {"RR": 0.5}}))
    with pytest.raises(InputError, match=r"1 names .a. for 2 results"):
        paper_table([result(), result()], names=["a"])
    with pytest.raises(InputError, match="needs the setting 'mono'"):
        paper_table(result(settings={"multi": result().summary["settings"]["multi"]}), "miracl")
    with pytest.raises(InputError, match="no result given"):
        paper_table([])


def test_report_prints_what_is_defined() -> None:
    bias = {
        **result().summary["bias"],
        "TLR@10": 0.25,
        "recall_gap": {"k": 20, "mean": 0.125},
        "topk_share": {"k": 20, "distance": 0.5},
        "PEER": {"undefined": "why"},
    }
    lines = rows(format_table(result(bias=bias)))
    assert ["TLR@10", "0.250", "higher"] in lines
    assert any(line[:2] == ["recall", "gap"] and line[-2:] == ["0.125", "0"] for line in lines)
    assert any(line[-2:] == ["0.500", "lower"] for line in lines)
    assert not any("PEER" in line for line in lines)
    undefined = result(bias={"rank_distance": {"undefined": "why"}, "per_language": {"de": {"TLR@10": 1.0}}})
    assert "rank distance" not in format_table(undefined)


def parse(svg: str) -> list[str]:
    """All text of a picture that is well-formed and labelled."""
    root = ElementTree.fromstring(svg)
    assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
    assert root.get("viewBox")
    assert root.find(f"{SVG}title") is not None
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_heat_map_has_mono_on_the_diagonal() -> None:
    matrix = language_matrix(result())
    assert matrix == {"de": {"en": 0.5, "de": 0.8}, "en": {"de": 0.3, "en": 0.6}}
    texts = parse(heat_map_svg(result()))
    assert [text for text in texts if re.fullmatch(r"0\.\d\d", text)][:4] == ["0.80", "0.50", "0.30", "0.60"]
    # without the mono setting the diagonal is empty
    bare = result()
    del bare.summary["per_language"]["mono"]
    assert parse(heat_map_svg(bare)).count("–") == 2


def test_text_of_pictures_is_escaped() -> None:
    svg = heat_map_svg(result('<script>alert("x")</script> & co'))
    assert "<script" not in svg
    assert any("<script>" in text for text in parse(svg))


def test_bars() -> None:
    texts = parse(rank_distance_svg([result(), result("tuned", distance=1390.0)]))
    assert {"50", "150", "100", "1,340", "1,440", "1,390", "base", "tuned", "mean"} <= set(texts)
    with pytest.raises(InputError, match="3 results in one bar chart"):
        rank_distance_svg([result("a"), result("b"), result("c")])
    with pytest.raises(InputError, match="no rank distance to draw"):
        rank_distance_svg(result(bias={}))


def test_text_on_every_colour_can_be_read() -> None:
    for i in range(101):
        fill = shade(i / 100, (0, 1))
        bright, dark = sorted((luminance(fill), luminance(ink_on(fill))), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 4.3, fill
    # WCAG: black 0, white 1
    assert (luminance("#000000"), luminance("#ffffff")) == (0, pytest.approx(1))
    assert shade(0.5, (0.5, 0.5)) == shade(0.5, (0, 1))


def test_ticks_and_cut_text() -> None:
    assert nice_ticks(2202) == [0, 500, 1000, 1500, 2000, 2500]
    assert nice_ticks(10) == [0, 2, 4, 6, 8, 10]
    assert nice_ticks(0) == [0, 1]
    assert fit("short", 100, 10) == "short"
    # ten characters of about 0.58 x 10 are 58 wide
    cut = fit("a-very-long-name-of-a-model", 60, 10)
    assert (cut[0], cut[-1], "…" in cut, len(cut)) == ("a", "l", True, 10)


def test_write_plots(tmp_path: Path) -> None:
    one = write_plots(result(), tmp_path / "one")
    assert [path.name for path in one] == ["heat-map.svg", "rank-distance.svg"]
    two = write_plots([result("a/x"), result("b/x", 0.1)], tmp_path / "two", measure="R@1")
    assert [path.name for path in two] == ["heat-map-a-x.svg", "heat-map-b-x.svg", "rank-distance.svg"]
    # one colour scale for both: 0.3 to 0.9
    scales = [
        [text for text in parse(path.read_text("utf-8")) if re.fullmatch(r"0\.\d\d", text)][4:] for path in two[:2]
    ]
    assert scales[0] == scales[1] == ["0.90", "0.75", "0.60", "0.45", "0.30"]
    with pytest.raises(InputError, match="unknown picture format 'pdf'"):
        write_plots(result(), tmp_path, ["pdf"])
    with pytest.raises(InputError, match="unknown measure 'AP@3'"):
        write_plots(result(), tmp_path, measure="AP@3")
    with pytest.raises(InputError, match="nothing to draw"):
        write_plots(result(settings={"mono": {"AP": 0.5}}, bias={}), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        write_plots(result(), tmp_path / "file")


def test_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def svg2png(bytestring: bytes, write_to: str, scale: float) -> None:
        Path(write_to).write_bytes(b"PNG" + bytestring[:4] + str(scale).encode())

    monkeypatch.setitem(sys.modules, "cairosvg", types.SimpleNamespace(svg2png=svg2png))
    written = write_plots(result(), tmp_path, ["svg", "png"])
    assert [path.suffix for path in written] == [".svg", ".png", ".svg", ".png"]
    assert written[1].read_bytes() == b"PNG<svg2.0"
    monkeypatch.setitem(sys.modules, "cairosvg", None)  # an import of it then fails
    with pytest.raises(InputError, match=r"pip install 'isoglot\[plots\]'"):
        write_plots(result(), tmp_path / "none", ["png"])
    assert not (tmp_path / "none").exists()
