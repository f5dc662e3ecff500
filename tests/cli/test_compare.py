"""`isoglot compare` as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from isoglot.cli.main import parser
from isoglot.errors import InputError
from tests.evaluation.test_compare import make_result


def run(*words: str) -> int:
    options = parser().parse_args(["compare", *words])
    code: int = options.run(options)
    return code


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    for number in range(4):
        make_result(seed=number, shift=0.05 * (number > 1), model=f"m{number}").save(tmp_path / f"r{number}")
    return [str(tmp_path / f"r{number}") for number in range(4)]


def test_table(folders: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folders[0], folders[2], "--resamples", "199") == 0
    out = capsys.readouterr().out
    header = next(line for line in out.splitlines() if line.startswith("system"))
    assert header.split() == [
        "system",
        "setting",
        "value",
        "difference",
        "95%",
        "interval",
        "p",
        "p",
        "Holm",
        "d",
        "wins",
    ]
    for setting in ("mono", "cross", "multi", "rank_distance"):
        assert any(line.split()[:2] == ["r2", setting] for line in out.splitlines())
    assert "6 of 6" in out


def test_json_and_output(tmp_path: Path, folders: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "comparison.json"
    words = [f"mono={folders[0]},{folders[1]}", f"hybrid={folders[2]},{folders[3]}", "--measure", "ap"]
    words += ["--setting", "cross", "--resamples", "199", "--seed", "3"]
    assert run(*words, "--json", "--output", str(path)) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(path.read_text())
    assert (printed["measure"], printed["reference"], printed["seed"], printed["resamples"]) == ("AP", "mono", 3, 199)
    assert printed["systems"]["hybrid"]["models"] == ["m2", "m3"]
    assert [item["setting"] for item in printed["differences"]] == ["cross"]
    assert run(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out) == printed


def test_bad_input(tmp_path: Path, folders: list[str]) -> None:
    for words, message in (
        (folders[:1], "at least two"),
        ([folders[0], str(tmp_path / "none")], "none: no such folder"),
        ([*folders[:2], "--measure", "R@10"], "has no measure 'R@10'"),
        ([*folders[:2], "--setting", "pooled"], "unknown setting 'pooled'"),
        ([*folders[:2], "--resamples", "5"], "resamples must be at least 99"),
        ([*folders[:2], "--seed", "-1"], "--seed must be at least 0"),
        ([*folders[:2], "--output", str(tmp_path)], "is a directory or a device"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            run(*words)
        assert "\n" not in str(caught.value)


def test_loads_no_torch(folders: list[str]) -> None:
    code = (
        "import sys; from isoglot.cli.main import parser; "
        f"o = parser().parse_args(['compare', *{folders[:2]!r}, '--resamples', '99']); "
        "o.run(o); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
