"""The two files of a result belong together, whatever happens while they are written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from isoglot.cli.main import main
from isoglot.disk import UnwritableError
from isoglot.errors import InputError
from isoglot.evaluation import results
from isoglot.evaluation.results import Result, load_result
from isoglot.files import write_json
from isoglot.one_writer import locked
from tests.evaluation import written_result
from tests.study.small import write_benchmark

FILES = ["per_query.parquet", "summary.json"]


def result(model: str) -> Result:
    return Result(written_result.result(model).summary, pa.table({"query_id": [model, "more"], "AP": [0.5, 0.25]}))


def same(one: Result, two: Result) -> bool:
    return one.summary == two.summary and one.per_query.equals(two.per_query)


class Killed(BaseException):
    pass


@pytest.mark.parametrize(("moment", "holds"), [("write_json", "old"), ("_take_name", "new")])
def test_a_pair_that_is_replaced_is_the_old_or_the_new_one(
    tmp_path: Path, moment: str, holds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: Any) -> None:
        raise Killed

    result("old").save(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(results, moment, kill)
        with pytest.raises(Killed):
            result("new").save(tmp_path)
        # read while a writer holds the folder: nothing there is touched
        with locked(tmp_path):
            assert same(load_result(tmp_path), result(holds))
    assert same(load_result(tmp_path), result(holds))
    result("newest").save(tmp_path)
    assert same(load_result(tmp_path), result("newest"))
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


@pytest.mark.parametrize(("is_replaced", "holds"), [(False, "old"), (True, "new")])
def test_a_summary_that_finds_no_room_leaves_no_rows_without_a_summary(
    tmp_path: Path, is_replaced: bool, holds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, value: Any) -> None:
        if is_replaced:  # its name could not be synced
            write_json(path, value)
        raise UnwritableError(path, "No space left on device")

    result("old").save(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(results, "write_json", fail)
        with pytest.raises(UnwritableError):
            result("new").save(tmp_path)
    assert ("per_query.next.parquet" in {path.name for path in tmp_path.iterdir()}) == is_replaced
    assert same(load_result(tmp_path), result(holds))
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


def test_a_pair_that_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        result(name).save(tmp_path / name)
    rows = tmp_path / "one" / "per_query.parquet"
    whole = rows.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    for content in ((tmp_path / "two" / rows.name).read_bytes(), flipped, whole[:-20], b"", None):
        rows.unlink() if content is None else rows.write_bytes(content)
        with pytest.raises(
            InputError, match=r"per_query.parquet: not the rows of the summary.json beside it, or damaged"
        ):
            load_result(tmp_path / "one")


@pytest.mark.parametrize("content", [b"no", b"PAR1" + bytes(40) + b"PAR1", b""])
def test_results_of_earlier_versions_name_no_digest(tmp_path: Path, content: bytes) -> None:
    result("old").save(tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["digests"].pop("per_query")
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert same(load_result(tmp_path), result("old"))
    (tmp_path / "per_query.parquet").write_bytes(content)
    with pytest.raises(InputError, match="not a Parquet file, or damaged"):
        load_result(tmp_path)


def test_a_second_writer_of_a_result_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match="is being written by process"):
        result("x").save(tmp_path)


@pytest.mark.parametrize("option", ["--output", "--store", "--plot", "--export-trec", "--export-mteb"])
def test_outputs_are_looked_at_before_the_work(
    tmp_path: Path, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(*_: Any, **__: Any) -> None:
        raise AssertionError("began to work")

    monkeypatch.setattr("isoglot.cli.evaluate._model", work)
    (tmp_path / "file").touch()
    bench = str(write_benchmark(tmp_path / "bench"))
    for place in (tmp_path / "file", tmp_path / "file" / "in", Path("/proc/x")):
        assert main(["evaluate", "bm25", bench, option, str(place)]) == 2
        assert capsys.readouterr().err.startswith(f"isoglot: {place}: ")
    monkeypatch.setattr("isoglot.evaluation.matching.load_systems", work)
    assert main(["compare", "a", "b", "--output", str(tmp_path)]) == 2
    assert "is a directory or a device; give the name of a file" in capsys.readouterr().err


def test_nothing_is_replaced_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = str(write_benchmark(tmp_path / "bench"))
    words = ["evaluate", "bm25", bench, "--measures", "AP"]
    places = {
        option: str(tmp_path / option.strip("-")) for option in ("--output", "--plot", "--export-trec", "--export-mteb")
    }
    every = [word for pair in places.items() for word in pair]
    assert main([*words, *every]) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any("cross" in str(path) for path in before)
    capsys.readouterr()
    for option, place in places.items():
        assert main([*words, option, place]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert "--overwrite to replace it" in err
    assert "holds a result already (of 'bm25 (" in _refusal(tmp_path / "output")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert main([*words, "--output", bench]) == 2
    assert f"{bench}: is a benchmark; give another --output" in capsys.readouterr().err
    assert main([*words, *every, "--settings", "mono", "multi", "--overwrite"]) == 0
    after = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert load_result(tmp_path / "output").summary["settings"].keys() == {"mono", "multi"}
    # what the earlier export has more of would be taken for a part of this one
    assert not any(name.startswith(("export-trec/cross", "plot/heat-map")) for name in after)
    assert "plot/rank-distance.svg" in after


def _refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        results.check_no_result(folder)
    return str(caught.value)


def test_a_comparison_is_replaced_where_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = str(write_benchmark(tmp_path / "bench"))
    assert main(["evaluate", "bm25", bench, "--measures", "AP", "--output", str(tmp_path / "a")]) == 0
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    words = ["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--measure", "AP", "--resamples", "99"]
    words += ["--output", str(tmp_path / "compared.json")]
    assert main(words) == 0
    capsys.readouterr()
    assert main(words) == 2
    assert "compared.json: exists already; give --overwrite to replace it" in capsys.readouterr().err
    plots = tmp_path / "plots"
    assert main([*words, "--overwrite", "--plot", str(plots)]) == 0
    assert {path.name for path in plots.iterdir()} == {"heat-map-a.svg", "heat-map-b.svg", "rank-distance.svg"}
    capsys.readouterr()
    words[-1] = str(tmp_path / "other.json")
    assert main([*words, "--plot", str(plots)]) == 2
    assert "svg: exists already; give --overwrite to replace it" in capsys.readouterr().err
