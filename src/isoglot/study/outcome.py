"""What a study came to, for Python: printed as the command line prints it, and as a table for pandas."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.errors import printable
from isoglot.study.analysis.reading import read_study
from isoglot.study.summary import summary_lines

if TYPE_CHECKING:
    import pandas as pd

_ABOUT = ("label", "kind", "data", "base", "seed")


@dataclass
class StudyOutcome:
    """What a run of a study came to.

    Attributes:
        path: the directory of the study.
        complete: False when it was stopped, or cells have not run; the same call goes on.
        results: what results.json says.
        failed: ids of cells that failed.
        report: files of the report.
    """

    path: Path
    complete: bool
    results: dict[str, Any]
    failed: list[str] = field(default_factory=list)
    report: list[Path] = field(default_factory=list)

    def to_pandas(self) -> pd.DataFrame:
        """A row per finished cell, benchmark, setting and measure, with its macro-average as `value`."""
        import pandas as pd

        rows = [
            {"cell": cell["id"], **{key: cell.get(key) for key in _ABOUT}, "benchmark": name, **figure}
            for cell in self.results.get("cells", [])
            for name, scores in cell["benchmarks"].items()
            for figure in _figures(scores)
        ]
        return pd.DataFrame(rows, columns=["cell", *_ABOUT, "benchmark", "setting", "measure", "value"])

    def __str__(self) -> str:
        """What `isoglot study run` prints in the end."""
        return printable("\n".join(summary_lines(self.path)), keep="\n")

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def _figures(scores: dict[str, Any]) -> list[dict[str, Any]]:
    figures = [
        {"setting": setting, "measure": measure, "value": value}
        for setting, measures in scores["settings"].items()
        for measure, value in measures.items()
    ]
    if "rank_distance" in (scores.get("bias") or {}):
        figures.append({"setting": "multi", "measure": "rank_distance", "value": scores["bias"]["rank_distance"]})
    return figures


def load_study(directory: str | Path) -> StudyOutcome:
    """Read a study that `isoglot study run` or `isoglot.run_study` wrote, or an export of one.

    Raises:
        InputError: no study there, or a damaged file.
    """
    study = read_study(directory)
    failed = [str(run["id"]) for run in study.runs if run["status"] == "failed"]
    report = [path for name in ("report.html", "report.md") if (path := study.directory / name).is_file()]
    return StudyOutcome(study.directory, bool(study.runs) and study.n_open == 0, study.results, failed, report)
