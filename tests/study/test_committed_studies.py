"""The committed studies whose rows per query are kept: their report follows from these rows, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from isoglot.study.report import write_report

STUDIES = sorted(path.parent for path in (Path(__file__).parents[2] / "results").glob("*/per_query.parquet"))
REPORTED = [study for study in STUDIES if (study / "report.md").is_file()]


def test_there_are_such_studies() -> None:
    assert len(REPORTED) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("study", REPORTED, ids=lambda study: study.name)
def test_report_follows_from_the_rows(study: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(study, tmp_path / study.name)
    shutil.rmtree(copy / "figures")
    (copy / "report.md").unlink()
    write_report(copy, study.name)
    pages = ["report.md", *(f"figures/{path.name}" for path in sorted((study / "figures").iterdir()))]
    for page in pages:
        assert (copy / page).read_text(encoding="utf-8") == (study / page).read_text(encoding="utf-8"), page
