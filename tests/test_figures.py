"""Every figure of README and docs is found in its result file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.figures import ROOT, Block, Figure, blocks, disagreements, numbers, values

MADE = {"api.md", "methods.md"}  # of docstrings and registries
PAGES = [
    page
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("README.md")))
    if page.name not in MADE
]
GIVEN = yaml.safe_load((ROOT / "tests" / "figures.yaml").read_text(encoding="utf-8"))


def given(page: Path) -> dict[str, list[str]]:
    """What figures.yaml says of a page: reason -> numbers as they are printed."""
    return {reason: str(text).split() for reason, text in GIVEN.get(str(page.relative_to(ROOT)), {}).items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_figures_are_found_in_their_files(page: Path) -> None:
    excused = frozenset(number for listed in given(page).values() for number in listed)
    wrong = []
    for block in blocks(page.read_text(encoding="utf-8")):
        try:
            lost = disagreements(block, excused)
        except (AssertionError, OSError) as error:
            lost = [str(error)]
        if lost:
            where = "not in the files that its comment names" if block.sources else "no comment says where they come from"
            wrong.append(f"{page.relative_to(ROOT)}:{block.line}: {', '.join(lost)}: {where}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_nothing_is_excused_that_is_not_there(page: Path) -> None:
    there = {f.text for block in blocks(page.read_text(encoding="utf-8")) for row in block.rows for f in row}
    assert [number for listed in given(page).values() for number in listed if number not in there] == []
