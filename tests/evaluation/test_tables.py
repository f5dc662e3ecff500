"""Tables from results that are written down here."""

from __future__ import annotations

import pytest

from isoglot.errors import InputError
from isoglot.evaluation.tables import paper_table
from tests.evaluation.written_result import result


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
    lines = rows(str(result(bias=bias)))
    assert ["TLR@10", "0.250", "higher"] in lines
    assert any(line[:2] == ["recall", "gap"] and line[-2:] == ["0.125", "0"] for line in lines)
    assert any(line[-2:] == ["0.500", "lower"] for line in lines)
    assert not any("PEER" in line for line in lines)
    undefined = result(bias={"rank_distance": {"undefined": "why"}, "per_language": {"de": {"TLR@10": 1.0}}})
    assert "rank distance" not in str(undefined)
