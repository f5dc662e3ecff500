"""Pictures: what they show, that equal input gives equal bytes, and that no text of the data is markup."""

from __future__ import annotations

import logging
import re
import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_rgb

from isoglot.errors import InputError
from isoglot.evaluation import charts, drawing
from isoglot.evaluation.drawing import COLOURS, GROUND, Titles, fit, to_png, to_svg
from isoglot.evaluation.pictures import common_scale, distance_chart, language_matrix, rank_distances, write_plots
from tests.evaluation.written_result import result

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert("x")</script> & $a_b$ \x00\x1b\u202e\ud800 नमस्ते 中文\n*b*'


def parse(svg: str) -> list[str]:
    """All text of a picture that is well-formed and labelled, in its order."""
    root = ElementTree.fromstring(svg)
    assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
    assert root.get("viewBox")
    assert root.get("aria-label")
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]


def drawn(words: str = "hybrid lora") -> dict[str, Any]:
    """Every kind of chart, with `words` wherever a text may stand."""
    titles, plain = Titles(words, words, words, words), Titles(words, words, words)
    points = [(words, 3.0, 0.5, [(2.9, 0.4), (3.1, 0.6)]), ("b", 3.0, 0.5, [])]
    return {
        "heat": charts.heat_map([words, "en"], [words, "en"], [[0.1, 0.9], [None, 0.5]], titles, (0, 1)),
        "bars": charts.bars([words, "b"], [(words, [0.5, 0.7])], plain, intervals=[(0.4, 0.6), None], before=0),
        "pairs": charts.bars([words, "b"], [(words, [5, None]), (words, [3, 4])], plain),
        "forest": charts.forest([(words, -0.02, (-0.03, -0.01), True)], plain, margin=-0.01),
        "scatter": charts.scatter(points, titles, (words, 0.3)),
        "lines": charts.lines(
            [(words, [(0.25, 0.5), (1, 0.7)], [(0.4, 0.6), None])] * 2, titles, ticks=[0.25, 1], log=True
        ),
        "losses": charts.lines([(words, [(1, 3.0), (2, 1.0)], [])], Titles(words, words), ticks=[0, 2], ends=(0, 3)),
    }


KINDS = ("heat", "bars", "pairs", "forest", "scatter", "lines", "losses")


@pytest.mark.parametrize("kind", KINDS)
def test_equal_input_gives_equal_bytes_and_no_text_is_markup(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = to_svg(drawn()[kind])
    png = to_png(drawn()[kind])
    # whatever a matplotlibrc says
    monkeypatch.setitem(__import__("matplotlib").rcParams, "axes.facecolor", "red")
    monkeypatch.setitem(__import__("matplotlib").rcParams, "text.usetex", True)
    assert to_svg(drawn()[kind]) == first
    assert to_png(drawn()[kind]) == png
    assert "date" not in first.lower()

    hostile = to_svg(drawn(HOSTILE)[kind])
    texts = parse(hostile)
    assert "<script" not in hostile
    assert any(text.startswith("<scrip") for text in texts)
    assert not any("\u202e" in text for text in texts)
    assert "नमस्ते 中文" in ElementTree.fromstring(hostile).get("aria-label", "")


@pytest.mark.parametrize("kind", KINDS)
def test_svg_says_nothing_twice(kind: str) -> None:
    svg = to_svg(drawn()[kind])
    root = ElementTree.fromstring(svg)
    rules = re.findall(r"\.(c\w+)\{(.*?)\}", svg)
    assert len(dict(rules)) == len({look for _, look in rules}) == len(rules)
    for element in root.iter():
        assert "style" not in element.attrib
        assert element.get("class") in {None, *dict(rules)}
        for key in {"d", "x", "y"} & {*element.attrib}:
            assert not re.search(r"\.\d\d", element.get(key, ""))
    marks = {element.get("id") for element in root.iter() if element.get("id")}
    assert {element.get("href", "#")[1:] for element in root.iter(f"{SVG}use")} == marks


def test_colours_follow_the_screen() -> None:
    svg = to_svg(drawn()["pairs"])
    assert drawing.DARK_CSS in svg
    for colour in (GROUND, COLOURS[0], drawing.BEFORE, drawing.INK):
        bare = svg.replace(f", {colour})", "")
        assert svg != bare
        assert colour not in bare


def test_png_says_which_characters_it_has_no_sign_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        image = to_png(drawn("plain")["bars"])
        assert not caplog.records
        to_png(drawn("中")["bars"])
    assert "Choose svg" in caplog.text
    assert struct.unpack(">II", image[16:24])[0] == 720  # two pixels per point


def test_heat_map_has_mono_on_the_diagonal() -> None:
    matrix = language_matrix(result().summary)
    assert matrix == {("de", "en"): 0.5, ("de", "de"): 0.8, ("en", "de"): 0.3, ("en", "en"): 0.6}
    # without the mono setting the diagonal is empty
    bare = result()
    del bare.summary["per_language"]["mono"]
    assert language_matrix(bare.summary) == {("de", "en"): 0.5, ("en", "de"): 0.3}
    del bare.summary["per_language"]["cross"]
    with pytest.raises(InputError, match="has no setting 'cross'"):
        language_matrix(bare.summary)


def test_one_scale_holds_all_values() -> None:
    assert common_scale([{("a", "b"): 0.33}, {("a", "b"): 0.81}]) == (0.3, 0.9)
    assert common_scale([{("a", "b"): 0.33, ("a", "a"): 0.42}], 20) == (0.3, 0.45)
    low, high = common_scale([{("a", "b"): 1.0}])
    assert low < 1 <= high


def test_text_on_every_colour_of_a_map_can_be_read() -> None:
    def luminance(colour: Any) -> float:  # WCAG 2.2: relative, 0 to 1
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert (luminance("black"), luminance("white")) == (0, pytest.approx(1))
    values = [i / 40 for i in range(41)]
    figure = charts.heat_map(["a"], ["b"], [[0.5]], Titles("title"), (0, 1))
    shades = figure.axes[0].collections[0].cmap
    for value in values:
        text = charts.heat_map(["a"], ["b"], [[value]], Titles("title"), (0, 1)).axes[0].texts[0]
        dark, bright = sorted((luminance(shades(value)), luminance(text.get_color())))
        assert (bright + 0.05) / (dark + 0.05) >= 4.3, value


def test_bars_of_rank_distance() -> None:
    series = [
        (name, rank_distances(result(name, distance=d).summary)) for name, d in (("base", 100.0), ("tuned", 1390.0))
    ]
    texts = parse(to_svg(distance_chart(series, "title", "about")))
    assert {"50.0", "150", "100", "1,340", "1,440", "1,390", "base", "tuned", "mean"} <= set(texts)
    assert rank_distances(result(bias={}).summary) == {}


def boxes(figure: Any, names: set[str]) -> list[Any]:
    """Where these texts stand, in pixels."""
    figure.draw_without_rendering()
    return [
        text.get_window_extent()
        for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))
        if text.get_text() in names
    ]


@pytest.mark.parametrize("count", [2, 7, 24])
def test_names_of_points_never_overlap(count: int) -> None:
    # all in one place, the hardest case
    points = [(f"system {i}", 5.0, 0.5 + 1e-4 * i, []) for i in range(count)]
    figure = charts.scatter(points, Titles("title"), ("base", 0.5))
    found = boxes(figure, {name for name, _, _, _ in points} | {"base"})
    assert len(found) == count + 1
    for i, one in enumerate(found):
        assert not any(one.overlaps(other) for other in found[i + 1 :])
        assert one.y0 >= 0
        assert one.x1 <= figure.bbox.width


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "words", ["x", "hybrid α=0.4 lora 25% of the data on ar de en es hi vi zh, mlqa-r", "中文" * 20]
)
def test_no_text_is_cut_by_the_edge(kind: str, words: str) -> None:
    figure = drawn(words)[kind]
    figure.draw_without_rendering()
    for text in figure.findobj(lambda artist: hasattr(artist, "get_text")):
        if text.get_text() and text.get_visible():
            area = text.get_window_extent()
            assert area.x0 >= 0, text.get_text()
            assert area.y0 >= 0, text.get_text()
            assert area.x1 <= figure.bbox.width, text.get_text()
            assert area.y1 <= figure.bbox.height, text.get_text()


def test_rows_of_a_forest_plot_stay_apart() -> None:
    rows = [(f"a rather long name of a contrast, number {i}", 0.1 * i, (0.0, 0.2 * i), True) for i in range(8)]
    figure = charts.forest(rows, Titles("title", axis="difference"), margin=-0.01)
    found = boxes(
        figure, {fit(name, drawing.WIDTH - 36 - drawing.text_width("+0.000")) for name, *_ in rows} | {"+0.100"}
    )
    assert len(found) == len(rows) + 1
    assert not any(one.overlaps(other) for i, one in enumerate(found) for other in found[i + 1 :])


def test_text_that_is_too_long_loses_its_middle() -> None:
    assert fit("short", 100) == "short"
    cut = fit("a-very-long-name-of-a-model", 60, 10)  # ten signs of .6 x 10 points
    assert (cut[0], cut[-1], "…" in cut, len(cut)) == ("a", "l", True, 10)


def test_many_languages_still_make_a_map() -> None:
    many = [f"l{i}" for i in range(60)]
    figure = charts.heat_map(many, many, [[0.5] * 60] * 60, Titles("title"), (0, 1))
    assert len(parse(to_svg(figure))) < 10  # neither numbers nor names, which would have no room


def test_write_plots(tmp_path: Path) -> None:
    one = write_plots(result(), tmp_path / "one", ["svg", "png"])
    assert [path.name for path in one] == ["heat-map.svg", "heat-map.png", "rank-distance.svg", "rank-distance.png"]
    texts = parse(one[0].read_text("utf-8"))
    assert [text for text in texts if text in ("80", "50", "30", "60")][:4] == ["80", "50", "30", "60"]
    assert one[1].read_bytes()[:4] == b"\x89PNG"
    two = write_plots([result("a/x"), result("b/x", 0.1)], tmp_path / "two", measure="R@1")
    assert [path.name for path in two] == ["heat-map-a-x.svg", "heat-map-b-x.svg", "rank-distance.svg"]
    # one colour scale for both: 0.3 to 0.9
    scales = [parse(path.read_text("utf-8"))[-5:-2] for path in two[:2]]
    assert scales[0] == scales[1] == ["30", "60", "90"]
    # three results make no bars, nor does one without rank distance
    three = write_plots([result(name) for name in "abc"], tmp_path / "three")
    assert [path.name for path in three] == [f"heat-map-{name}.svg" for name in "abc"]
    bare = write_plots(result(bias={}), tmp_path / "bare")
    assert [path.name for path in bare] == ["heat-map.svg"]
    with pytest.raises(InputError, match="unknown picture format 'pdf'"):
        write_plots(result(), tmp_path, ["pdf"])
    with pytest.raises(InputError, match="unknown measure 'AP@3'"):
        write_plots(result(), tmp_path, measure="AP@3")
    with pytest.raises(InputError, match="nothing to draw"):
        write_plots(result(settings={"mono": {"AP": 0.5}}, bias={}), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        write_plots(result(), tmp_path / "file")


def test_without_matplotlib_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'isoglot\[plots\]'"):
        write_plots(result(), tmp_path / "none")
    assert not (tmp_path / "none").exists()
