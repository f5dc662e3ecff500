"""What is exported can be published and gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from isoglot.cli.main import main
from isoglot.study.analysis.reading import read_study
from isoglot.study.grid import RunOptions, run_study
from isoglot.study.packing import PACKED, PackedStudy
from isoglot.study.read_spec import parse_spec
from tests.study.small import small_spec, write_pairs

OPTIONS = RunOptions(threads=1, workers=2, allow_leaks=True)


def _leaking_spec(folder: Path) -> dict[str, object]:
    """Every training pair is an evaluation pair, with a text that is long enough to be an example of the audit."""
    return small_spec(
        folder,
        strategy=["hybrid"],
        train={"steps": 2, "batch_size": 4, "save_steps": 1},
        learning_rates={"lora": [1e-3, 5e-3], "full": 1e-3},
    )


def _results(home: Path) -> list[str]:
    return [scores["path"] for run in read_study(home).runs for scores in run["benchmarks"].values()]


@pytest.mark.slow
def test_an_export_has_no_weights_or_texts_and_a_copy_of_it_is_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = _leaking_spec(tmp_path / "in")
    home, target = tmp_path / "home", tmp_path / "kept"
    assert run_study(parse_spec(values, "spec"), home, OPTIONS).complete
    texts = [json.loads(line)["passage"] for line in write_pairs(tmp_path / "again.jsonl").read_text().splitlines()]
    assert any(text in (home / "audit.json").read_text(encoding="utf-8") for text in texts), "or the test shows nothing"
    assert list(home.glob("cells/*/run/adapter/*.safetensors"))
    for part in ("cells", "selection"):  # of an earlier spec
        shutil.copytree(next((home / part).iterdir()), home / part / "left-the-grid")

    assert main(["study", "export", str(home), str(target)]) == 0
    assert capsys.readouterr().out.startswith(f"{target}: ")
    files = [path for path in target.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".parquet", ".html", ".md", ".svg"}
    for path in files:
        content = path.read_bytes()
        assert str(home).encode() not in content, path
        assert not any(text.encode() in content for text in texts), path
    packed = PackedStudy(target / PACKED)
    kept = json.dumps([packed.details, [packed.result(path).summary for path in _results(target)]], ensure_ascii=False)
    assert str(home) not in kept
    assert "left-the-grid" not in kept
    assert not any(text in kept for text in texts)
    assert not [path for path in target.iterdir() if path.is_dir() and path.name != "figures"]
    for name in ("cost.json", "study.json"):
        assert (target / name).read_bytes() == (home / name).read_bytes()
    averages = json.loads((target / "results.json").read_text())
    assert [cell["id"] for cell in averages["cells"]] == [cell["id"] for cell in read_study(home).runs]
    assert read_study(target).results == read_study(home).results
    audit = json.loads((target / "audit.json").read_text())
    assert any(side["examples"] for part in audit["comparisons"] for side in part["sides"])
    assert f"< {target.name}/study.json" in (target / "report.md").read_text()

    moved = tmp_path / "moved"
    shutil.copytree(target, moved)
    again = run_study(parse_spec(values, "spec"), moved, OPTIONS)
    assert "begins" not in capsys.readouterr().err
    assert again.complete
    assert (moved / "results.json").read_bytes() == (home / "results.json").read_bytes()
    assert (moved / "cost.json").read_bytes() == (home / "cost.json").read_bytes()
    assert not (moved / "export.json").exists(), "a study again"

    # an export of an export is the same
    copy = tmp_path / "copy"
    assert main(["study", "export", str(target), str(copy)]) == 0
    for name in ("results.json", "per_query.parquet", "audit.json", "cost.json"):
        assert (copy / name).read_bytes() == (target / name).read_bytes()

    # an older export is replaced whole, anything else is left alone and found before any work
    (target / "figures" / "old.svg").write_text("of the last time")
    assert main(["study", "export", str(home), str(target)]) == 2
    assert "holds an export already; give --overwrite to replace it" in capsys.readouterr().err
    assert main(["study", "export", str(home), str(target), "--overwrite"]) == 0
    assert not (target / "figures" / "old.svg").exists()
    assert not list(tmp_path.glob(".*"))
    (target / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    capsys.readouterr()
    for bad, message in (
        (home, "not empty and no export"),
        (tmp_path / "in", "not empty and no export"),
        (target, "mine.txt is not of an export"),
        (tmp_path / "file", "is a file; give a directory"),
        (tmp_path / "file" / "x", "cannot be written (Not a directory)"),
    ):
        assert main(["study", "export", str(home), str(bad)]) == 2
        assert message in capsys.readouterr().err
    assert main(["study", "export", str(tmp_path / "in"), str(tmp_path / "new")]) == 2
    assert "no study.json and no results.json" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
