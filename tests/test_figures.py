"""Every figure of README and docs is found in its result file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests import figures
from tests.figures import ROOT, blocks, disagreements

MADE = {"api.md", "methods.md"}  # of docstrings and registries
PAGES = [
    page
    for page in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "results/README.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "examples").rglob("README.md")),
    )
    if page.name not in MADE
]
WRITTEN = re.compile(r"<!-- (engines|rates|plan|formulas) -->.*?<!-- /\1 -->", re.DOTALL)
"""Parts of docs/scale.md that `benchmarks/scale_plan.py` writes; `tests/test_scale_plan.py` holds the page to it."""
GIVEN = yaml.safe_load((ROOT / "tests" / "figures.yaml").read_text(encoding="utf-8"))


def given(page: Path) -> dict[str, list[str]]:
    """What figures.yaml says of a page: reason -> numbers as they are printed."""
    return {reason: str(text).split() for reason, text in GIVEN.get(str(page.relative_to(ROOT)), {}).items()}


def text_of(page: Path) -> str:
    """A page without what a script writes."""
    return WRITTEN.sub(lambda part: "\n" * part[0].count("\n"), page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_figures_are_found_in_their_files(page: Path) -> None:
    excused = frozenset(number for listed in given(page).values() for number in listed)
    wrong = []
    for block in blocks(text_of(page)):
        try:
            lost = disagreements(block, excused)
        except (AssertionError, OSError) as error:
            lost = [str(error)]
        if lost:
            where = (
                "not in the files that its comment names" if block.sources else "no comment says where they come from"
            )
            wrong.append(f"{page.relative_to(ROOT)}:{block.line}: {', '.join(lost)}: {where}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_nothing_is_excused_that_is_not_there(page: Path) -> None:
    there = {f.text for block in blocks(text_of(page)) for row in block.rows for f in row}
    assert [number for listed in given(page).values() for number in listed if number not in there] == []


PAGE = """\
<!-- figures
results/a.json runs/[name=one]/{cross,multi}
given the paper's
-->

| | cross | multi |
|---|---|---|
| one | .691 | 57% |
| theirs | .8 | .9 |

<!-- figures
results/a.json mean:runs/*/cross max:runs/*/multi - min:runs/*/multi; results/a.txt "# two" "base"
-->

Means are .596, .47 apart; the base has 1,211 ranks, under `.5` and at 95% of `x`.
"""
RUNS = [{"name": "one", "cross": 0.6912, "multi": 0.5704}, {"name": "two", "cross": 0.5, "multi": 0.1}]


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("", "", []),
        ("| .691 | 57% |", "| .692 | 57% |", [".692"]),
        ("| .691 | 57% |", "| 57% | .691 |", [".691"]),  # columns change places
        ("[name=one]", "[name=two]", [".691", "57 %"]),
        (".596, .47", ".595, .47", [".595"]),
        ("1,211", "1,212", ["1,212 ranks"]),
        ("# two", "# one", ["no line has"]),
        ("cross max:", "crossing max:", ["nothing at"]),
        ("given the paper's\n", "", [".8", ".9"]),  # one line for two rows: for all of them
        ("under `.5`", "under 12 GB", ["12 GB"]),
    ],
)
def test_a_figure_that_is_not_there_is_found(
    old: str, new: str, lost: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    figures._json.cache_clear()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.json").write_text(json.dumps({"runs": RUNS}))
    (tmp_path / "results" / "a.txt").write_text("# one\nmine 7\n# two\nbase 1,211\n")
    said = []
    for block in blocks(PAGE.replace(old, new)):
        try:
            said += disagreements(block, frozenset())
        except AssertionError as error:
            said.append(str(error))
    assert len(said) == len(lost)
    assert all(part in whole for part, whole in zip(lost, said)), said


def test_a_figure_without_a_comment_is_found() -> None:
    text = "It is 19 times as fast, in 3 runs of [two](x.md#1.5), 2026-11-27.\n\n```sh\nx --share .5\n```\n"
    assert [disagreements(block, frozenset()) for block in blocks(text)] == [["19 times"]]
