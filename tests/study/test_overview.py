"""Systems that take different things, side by side: in the report and on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from isoglot.evaluation.results import Result
from isoglot.files import read_json, write_json
from isoglot.study.analyse import analyse
from isoglot.study.analysis.overview import bias_of, overview, takes
from isoglot.study.report import write_report
from isoglot.study.summary import summary_lines
from tests.study.made_study import KEYS, MadeStudy, make_result


def test_systems_that_take_different_things_stand_in_one_table(
    made_rivals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quality of the benchmark, harm of the natural pool that is called after it, and what each takes; on the terminal, too."""
    analysis = analyse(made_rivals, resamples=99)
    [(experiment, pool)] = overview(analysis.experiments)
    assert experiment.benchmark == "toy"
    assert pool is not None
    assert pool.benchmark == "toy-natural"
    assert {what for _, what in pool.figures} == {("natural", "nDCG@10"), ("natural-cross", "nDCG@10")}
    taken = {system.name: takes(system) for system in experiment.systems}
    assert taken == {
        "base": ("none", "no", "no"),
        "lsar": ("texts by language", "no", "no"),
        "hybrid": ("parallel pairs", "no", "yes"),
    }
    assert {system.name: bias_of(system, "toy", "language_preference") for system in experiment.systems} == {
        "base": 0.9,
        "lsar": 0.5,
        "hybrid": None,
    }
    header, *rows = [
        line for line in summary_lines(made_rivals) if "own language first" in line or line.startswith("toy")
    ]
    assert "language known" in header
    assert len(rows) == 3, "the pool is a column and no rows"
    [row] = [row for row in rows if "lsar" in row]
    assert row.split()[-7:] == ["2", "texts", "by", "language", "no", "no", "1"]
    monkeypatch.setattr("isoglot.study.report.analyse", lambda _: analysis)
    report = write_report(made_rivals)[1].read_text(encoding="utf-8")
    line = next(line for line in report.splitlines() if line.startswith("| lsar") and "texts by language" in line)
    cells = [cell.strip() for cell in line.split("|")]
    assert cells[-5:-1] == ["2 s", "texts by language", "no", "no"]
    assert "0.500" in cells
    assert sum(r"\[" in cell for cell in cells) == 3 + 3 + 1 + 2, "every figure of quality has an interval"


MACHINE = {"platform": "Linux", "python": "3.11.7", "cpus": 2, "threads": 1, "gpu": None}


@pytest.fixture
def made_rivals(tmp_path: Path) -> Path:
    made = MadeStudy(tmp_path / "study")
    own: list[tuple[str, str, tuple[Any, ...], dict[str, Any], float | None]] = [
        ("base", "base", (None,), {"data": [], "labels": "no", "encoding": False}, 0.9),
        ("lsar", "transformed", (None,), {"data": ["texts by language"], "labels": "no", "encoding": False}, 0.5),
        ("hybrid", "trained", (0, 1), {"data": ["parallel pairs"], "labels": "no", "encoding": True}, None),
    ]
    for number, (name, kind, seeds, needs, preferred) in enumerate(own):
        made.add(
            None if kind == "base" else "hybrid",
            0.04 * number,
            seeds=seeds,
            cost={"train_seconds": 2.0, "machine": MACHINE},
        )
        for cell in made.cells[-len(seeds) :]:
            cell |= {"kind": kind, "system": name, "label": name, "needs": needs, "stages": [{name: {}}]}
            if kind == "transformed":
                cell |= {"strategy": None, "mono_share": None, "tuning": None}
            if preferred is not None:
                cell["benchmarks"]["toy"]["bias"]["language_preference"] = preferred
            pool = natural(make_result(0.04 * number, seed=50 + number))
            path = f"cells/{cell['id']}/results/toy-natural"
            pool.save(made.home / path)
            cell["benchmarks"]["toy"]["per_language"] = {}
            cell["benchmarks"]["toy-natural"] = {"path": path, **{key: pool.summary[key] for key in KEYS}}
    home = made.write()
    write_json(home / "results.json", {**read_json(home / "results.json"), "name": "made"})  # that states no claims
    return home


def natural(result: Result) -> Result:
    """The rows of mono and cross as those of natural and natural-cross."""
    names = {"mono": "natural", "cross": "natural-cross"}
    table = result.per_query.filter(pc.field("setting") != "multi")
    setting = pa.array([names[name] for name in table["setting"].to_pylist()])
    table = table.set_column(table.column_names.index("setting"), "setting", setting).drop_columns(["AP"])
    settings = {
        names[key]: {"nDCG@10": scores["nDCG@10"]} for key, scores in result.summary["settings"].items() if key in names
    }
    return Result(
        {**result.summary, "benchmark": "toy-natural", "settings": settings, "bias": {}, "per_language": {}}, table
    )
