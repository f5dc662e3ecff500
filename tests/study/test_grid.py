"""Whole studies on a tiny model: that they isolate failures, repeat nothing, and survive being killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from safetensors.numpy import load_file

from isoglot.errors import QUIET as NO_NOTES
from isoglot.errors import InputError, speaking
from isoglot.evaluation.debias import debias
from isoglot.evaluation.evaluate import evaluate
from isoglot.models.load import load_model
from isoglot.one_writer import locked
from isoglot.retrieval import store
from isoglot.retrieval.fair import FairSettings
from isoglot.study import grid, launch, worker
from isoglot.study.cost import throughput
from isoglot.study.grid import RunOptions, StudyOutcome, run_study
from isoglot.study.inputs import LeakError
from isoglot.study.jobs import Job
from isoglot.study.layout import JobFolder
from isoglot.study.machine import visible_device
from isoglot.study.read_spec import parse_spec
from isoglot.study.runs import runs_of
from tests.lexicons import write_tsv
from tests.study.small import small_spec, write_pairs

QUIET = RunOptions(threads=1, allow_leaks=True)


class InProcess:
    """Instead of `isoglot.study.pool.Pool`: the same work without processes, which take seconds to start."""

    ran: ClassVar[list[str]] = []
    break_in: ClassVar[dict[str, Exception | int]] = {}

    def __init__(self, *_: Any) -> None:
        pass

    def run(self, jobs: Sequence[Job], ended: Callable[[Job, int], None]) -> bool:
        for job in jobs:
            self.ran.append(job.id)
            trouble = self.break_in.get(job.id)
            if not job.write(1):
                trouble = 1
            if isinstance(trouble, int):
                ended(job, trouble)
                continue
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(worker, "_watch", lambda *_: None)
                if trouble is not None:
                    patch.setattr(worker, "_make_model", _raise(trouble))
                ended(job, worker.main([str(job.folder.path), str(os.getpid())]))
        return True


def _raise(error: Exception) -> Callable[..., None]:
    def fail(*_: Any) -> None:
        raise error

    return fail


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., StudyOutcome]:
    """Runs a spec in process, without audit and report, and returns the outcome; `InProcess.ran` has the jobs."""
    monkeypatch.setattr(grid, "Pool", InProcess)
    monkeypatch.setattr(InProcess, "ran", [])
    monkeypatch.setattr(InProcess, "break_in", {})
    _stub(monkeypatch, leaks=False)

    def go(out: Path = tmp_path / "out", options: RunOptions = QUIET, **more: Any) -> StudyOutcome:
        InProcess.ran.clear()
        return run_study(parse_spec(small_spec(tmp_path / "in", **more), "spec"), out, options)

    return go


def _stub(monkeypatch: pytest.MonkeyPatch, leaks: bool) -> None:
    import isoglot.data.audit.run
    import isoglot.study.report

    found = {"leaks": leaks, "summary": ["made and bench share 3 texts"] if leaks else ["no text in common"]}
    monkeypatch.setattr(isoglot.data.audit.run, "run_audit", lambda datasets, *, documents, progress: dict(found))
    monkeypatch.setattr(isoglot.study.report, "write_report", lambda directory: [])


def test_a_grid_is_run_once_and_only_what_changed_again(run: Callable[..., StudyOutcome], tmp_path: Path) -> None:
    rates = {"lora": [1e-3, 5e-3], "full": 1e-3}
    outcome = run(learning_rates=rates)
    assert outcome.complete
    assert not outcome.failed
    assert [part["chosen"] for part in outcome.results["selection"]] == [5e-3]
    losses = [part["validation_loss"] for part in outcome.results["selection"][0]["candidates"]]
    assert losses[1] < losses[0], "the larger rate learns more in six steps, and the smaller loss is chosen"
    cells = {cell["id"]: cell for cell in outcome.results["cells"]}
    assert len(cells) == 5
    assert len(InProcess.ran) == 7
    assert list(cells) == sorted(cells)
    assert all(cell["status"] == "done" for cell in cells.values())
    lora = next(cell for key, cell in cells.items() if ".hybrid-0.5.lora.s0" in key)
    assert (lora["learning_rate"], lora["tuning"]["rank"], lora["mono_share"], lora["steps"]) == (5e-3, 4, 0.5, 6)
    assert lora["train"]["pairs"] == 24
    assert len(lora["train"]["losses"]) == 6
    part = lora["benchmarks"]["bench"]
    summary = json.loads((tmp_path / "out" / part["path"] / "summary.json").read_text())
    assert part["settings"] == summary["settings"]
    base = next(cell for cell in cells.values() if cell["kind"] == "base")
    assert base["benchmarks"]["bench"]["settings"] != part["settings"]
    assert "seconds" not in json.dumps(outcome.results)
    _check_costs(tmp_path / "out", lora["id"])

    run(learning_rates=rates)
    assert InProcess.ran == []
    first = (tmp_path / "out" / "results.json").read_bytes()

    # one more seed: only its cells; then one more measure: nothing is trained again but what was deleted
    run(learning_rates=rates, seeds=[0, 1])
    assert len(InProcess.ran) == 4
    assert all(name.endswith(".s1") for name in InProcess.ran)
    back = run(learning_rates=rates)
    assert InProcess.ran == []
    assert (tmp_path / "out" / "results.json").read_bytes() == first
    assert len(list((tmp_path / "out" / "cells").iterdir())) == 9, "removed cells stay on disk"
    log = tmp_path / "out" / "cells" / lora["id"] / "run" / "log.jsonl"
    before = log.stat().st_mtime_ns
    more = run(learning_rates=rates, evaluate={"measures": ["nDCG@10", "AP"]})
    assert len(InProcess.ran) == 5
    assert log.stat().st_mtime_ns == before, "an adapter that is kept is measured again without training"
    again = {cell["id"]: cell for cell in more.results["cells"]}
    for key, cell in {one["id"]: one for one in back.results["cells"]}.items():
        old = cell["benchmarks"]["bench"]["settings"]["cross"]["nDCG@10"]
        assert again[key]["benchmarks"]["bench"]["settings"]["cross"]["nDCG@10"] == old


def test_a_learning_rate_per_strategy(run: Callable[..., StudyOutcome], tmp_path: Path) -> None:
    more = {"selection": {"per": "strategy", "steps": 3}, "tuning": [{"name": "lora", "rank": 4}]}
    outcome = run(learning_rates={"lora": [1e-3, 5e-3]}, **more)
    assert outcome.complete
    assert not outcome.failed
    choices = {choice["recipe"]: choice for choice in outcome.results["selection"]}
    assert list(choices) == ["hybrid-0.5", "mono"]
    assert choices["hybrid-0.5"]["strategy"] == "hybrid 0.5"
    losses = [[rate["validation_loss"] for rate in choice["candidates"]] for choice in choices.values()]
    assert losses[0] != losses[1], "each is tried with its own batches"
    for cell in outcome.results["cells"]:
        if cell["kind"] == "trained":
            recipe = "mono" if cell["strategy"] == "mono" else "hybrid-0.5"
            assert cell["learning_rate"] == choices[recipe]["chosen"]
    tried = [name for name in InProcess.ran if name.startswith("selection/")]
    assert len(tried) == 4
    InProcess.break_in = dict.fromkeys((name for name in tried if ".mono." in name), RuntimeError("no"))
    shutil.rmtree(tmp_path / "out")
    outcome = run(learning_rates={"lora": [1e-3, 5e-3]}, **more)
    assert [name for name in outcome.failed if "mono" not in name] == []
    assert len(outcome.failed) == 1, "of the strategy whose trials all failed"


def _check_costs(out: Path, lora: str) -> None:
    costs = json.loads((out / "cost.json").read_text())
    assert len(costs) == 5
    cost = costs[lora]
    assert cost["train_seconds"] > 0
    assert cost["cpu_seconds"] > 0
    assert cost["pairs_per_second"] > 0
    assert cost["tokens_per_second"] > cost["pairs_per_second"]
    assert cost["peak_memory_bytes"] > 50e6
    assert 0 < cost["adapter_bytes"] < cost["model_bytes"]
    full = next(one for key, one in costs.items() if ".full." in key)
    assert full["trainable_parameters"] > cost["trainable_parameters"] > 0
    assert full["adapter_bytes"] is None
    assert not list(out.glob("cells/*/run/model"))
    assert list(out.glob("cells/*/run/adapter"))
    assert not list(out.glob("selection/*/run/adapter"))


def test_the_time_of_a_run_counts_whole_however_early_it_was_stopped(tmp_path: Path) -> None:
    took = [(10, 5.0, 5.0), (20, 6.0, 6.0), (30, 11.0, 5.0)]  # step, since the process began, since the line before
    lines = [
        {
            "step": s,
            "loss": 1.0,
            "seconds": t,
            "cpu_seconds": t,
            "pairs_per_second": 320 / own,
            "tokens_per_second": 7.0,
        }
        for s, t, own in took
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = throughput(tmp_path / "log.jsonl", 32)
    assert (found["seconds"], found["cpu_seconds"]) == (16.0, 16.0)
    assert (found["pairs_per_second"], found["tokens_per_second"]) == (60.0, 7.0)


def test_a_cell_that_fails_is_recorded_and_tried_again(
    run: Callable[..., StudyOutcome], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [cell.id for cell in runs_of(parse_spec(small_spec(tmp_path / "in"), "spec"))]
    InProcess.break_in = {ids[1]: RuntimeError("bad\nluck"), ids[2]: -9, ids[3]: InputError("no such thing")}
    outcome = run()
    assert outcome.complete
    assert sorted(outcome.failed) == sorted(ids[1:4])
    errors = {cell["id"]: cell["error"] for cell in outcome.results["cells"]}
    assert errors[ids[1]] == "RuntimeError: bad luck"
    assert errors[ids[2]] == "killed by signal 9 (out of memory?)"
    assert errors[ids[3]] == "no such thing"
    assert errors[ids[0]] is errors[ids[4]] is None
    assert "Traceback" in (tmp_path / "out" / "cells" / ids[1] / "error.txt").read_text()
    InProcess.break_in = {}
    left = run(options=RunOptions(threads=1, retry=False))
    assert InProcess.ran == []
    assert len(left.failed) == 3
    capsys.readouterr()
    assert not run().failed
    assert InProcess.ran == ids[1:4]
    assert "3 failed before and are tried again" in capsys.readouterr().err
    with speaking(NO_NOTES):
        run()
    assert capsys.readouterr().err == ""


def test_a_leak_stops_the_study_unless_allowed(
    run: Callable[..., StudyOutcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stub(monkeypatch, leaks=True)
    with pytest.raises(LeakError, match=r"share 3 texts.*--allow-leaks"):
        run(options=RunOptions(threads=1))
    assert InProcess.ran == []
    assert not (tmp_path / "out" / "cells").exists()
    outcome = run(strategy=["mono"], tuning=["full"])
    assert outcome.results["audit"] == {"leaks": True, "allowed": True, "summary": ["made and bench share 3 texts"]}


def test_the_command_prints_answer_table_and_place(
    run: Callable[..., StudyOutcome], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from isoglot.cli.main import main

    values = small_spec(tmp_path / "in", strategy=["mono"], tuning=["full"])
    spec = tmp_path / "mine.yaml"
    spec.write_text(json.dumps(values))  # JSON is YAML
    words = ["study", "run", str(spec), "--output", str(tmp_path / "out"), "--threads", "1"]
    assert main([*words, "--set", "train.steps=2", "seeds=[5]"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("Does it work? Not answered by this study: it states no claim that compares systems")
    assert any(line.startswith("Highest cross nDCG@10 on bench") for line in out)
    assert any("made: mono, full" in line and line.endswith(" 1") for line in out)
    assert out[-1] == str(tmp_path / "out" / "report.html")
    study = json.loads((tmp_path / "out" / "study.json").read_text())
    assert (study["spec"]["seeds"], study["spec"]["train"]["steps"]) == ([5], 2)
    InProcess.break_in = {InProcess.ran[-1]: -9}
    assert main([*words, "--set", "train.steps=3", "seeds=[5]", "--json"]) == 1
    results = json.loads(capsys.readouterr().out)
    assert [cell["status"] for cell in results["cells"]] == ["done", "failed"]


LSAR: dict[str, Any] = {"debias": {"method": "lsar"}}
MONO: dict[str, Any] = {"train": {"strategy": "mono", "tuning": "full", "steps": 3}}


def test_systems_share_their_beginnings_and_are_made_once(run: Callable[..., StudyOutcome], tmp_path: Path) -> None:
    out = tmp_path / "out"
    systems = {
        "lsar": [LSAR],
        "repaired": ["hybrid-0.5-full", LSAR],
        "halved": ["hybrid-0.5-full", {"average": 0.5}],
        "apart": [MONO, LSAR],
        "apart-halved": [MONO, {"average": 0.5}],
    }
    more: dict[str, Any] = {"grid": {"strategy": "hybrid", "tuning": "full"}, "strategy": None, "tuning": None}
    outcome = run(systems=systems, **more)
    assert outcome.complete
    assert not outcome.failed
    assert len([name for name in InProcess.ran if name.startswith("stages/")]) == 1
    assert len(InProcess.ran) == 2 + 5 + 1
    cells = {cell["system"]: cell for cell in outcome.results["cells"]}
    assert cells.keys() == {"base", "hybrid-0.5-full", *systems}
    hybrid, repaired = cells["hybrid-0.5-full"], cells["repaired"]
    assert (hybrid["label"], repaired["label"], cells["base"]["label"]) == (
        "hybrid 0.5, full",
        "repaired",
        "none (base)",
    )
    assert [list(stage) for stage in repaired["stages"]] == [["train"], ["debias"]]
    assert repaired["stages"][0] == hybrid["stages"][0]
    assert hybrid["stages"][0]["train"]["learning_rate"] == 1e-3
    assert repaired["train"] == hybrid["train"], "what was trained before stands"
    assert (cells["lsar"]["kind"], cells["lsar"]["seed"], cells["lsar"]["train"]) == ("transformed", None, None)
    assert (repaired["strategy"], repaired["mono_share"], repaired["tuning"]["name"]) == ("hybrid", 0.5, "full")
    figures = {name: json.dumps(cell["benchmarks"]["bench"]["settings"]) for name, cell in cells.items()}
    assert len(set(figures.values())) == len(figures)
    costs = json.loads((out / "cost.json").read_text())
    assert costs[repaired["id"]]["train_seconds"] > costs[hybrid["id"]]["train_seconds"]
    assert {path.parts[-3] for path in out.glob("cells/*/run/model")} == {hybrid["id"]}, "others go on from it"

    run(systems=systems, **more)
    assert InProcess.ran == []
    shutil.rmtree(out / "cells" / hybrid["id"] / "run" / "model")
    run(systems=systems, **more)
    assert InProcess.ran == [], "nothing is left to do that needs the model"
    again = run(systems={**systems, "quarter": ["hybrid-0.5-full", {"average": 0.25}]}, **more)
    assert [name.split(".")[2] for name in InProcess.ran] == ["hybrid-0", "quarter"]
    assert next(cell for cell in again.results["cells"] if cell["id"] == hybrid["id"]) == hybrid
    InProcess.break_in = {hybrid["id"]: RuntimeError("no luck")}
    broken = run(systems={"repaired": systems["repaired"]}, train={"steps": 5, "batch_size": 4}, **more)
    assert {cell["system"]: cell["error"] for cell in broken.results["cells"] if cell["status"] == "failed"} == {
        "hybrid-0.5-full": "RuntimeError: no luck",
        "repaired": f"goes on from {hybrid['id']}, which failed",
    }


def test_ways_to_rank_are_systems_and_nothing_is_encoded_twice(
    run: Callable[..., StudyOutcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells that make no model, or a linear map of one, read vectors of the cell before; figures are those of the commands."""
    pytest.importorskip("bm25s", reason="bm25s is not installed (extra bm25)")
    encoded: list[str] = []
    plain = store.encode_texts

    def counting(model: Any, texts: Sequence[str], *rest: Any, **more: Any) -> Any:
        encoded.append(texts[0])
        return plain(model, texts, *rest, **more)

    monkeypatch.setattr(store, "encode_texts", counting)
    pairs = str(write_pairs(tmp_path / "background.jsonl"))
    standardised = {"fusion": "standardised", "background": [pairs]}
    systems: dict[str, Any] = {
        "lsar": [LSAR],
        "centring": [{"debias": {"method": "centring", "fit": [pairs]}}],
        "standardised": [{"rank": standardised}],
        "bm25": [{"rank": "bm25"}],
        "mono": [MONO],
        "mono-lsar": ["mono", LSAR],
        "mono-mixed": ["mono", {"rank": {"fusion": "round-robin"}}],
        "mono-lsar-mixed": ["mono-lsar", {"rank": {"fusion": "round-robin"}}],
        "cross": [{"train": {"strategy": "cross", "tuning": "full", "steps": 3}}],
    }
    outcome = run(systems=systems, strategy=[])
    assert outcome.complete
    assert not outcome.failed
    assert len(encoded) == 2 * 2, "queries and passages by the base and by mono; of cross nothing is kept"
    cells = {cell["system"]: cell for cell in outcome.results["cells"]}
    out = tmp_path / "out" / "cells"
    for name in ("standardised", "bm25", "mono-mixed"):
        assert (out / cells[name]["id"] / "fusion.json").is_file()
        assert not (out / cells[name]["id"] / "run").exists(), "there is no model"
    assert cells["standardised"]["kind"] == "transformed"
    assert cells["standardised"]["needs"] == {
        "data": ["parallel pairs"],
        "labels": "of queries and passages",
        "encoding": False,
    }
    assert cells["mono-lsar"]["needs"] == {
        "data": ["pairs by language", "texts by language"],
        "labels": "no",
        "encoding": True,
    }
    assert cells["base"]["needs"] == {"data": [], "labels": "no", "encoding": False}
    model = load_model(str(tmp_path / "in" / "tiny"))
    bench = str(tmp_path / "in" / "bench")
    fair = FairSettings(**standardised).fit(model)
    alone = evaluate(model, bench, measures=["nDCG@10"], fair=fair).summary
    assert cells["standardised"]["benchmarks"]["bench"]["settings"] == alone["settings"]
    debiased = debias(str(tmp_path / "in" / "tiny"), pairs, tmp_path / "centred", method="centring", progress=False)
    assert debiased["method"]["name"] == "centring"
    alone = evaluate(load_model(str(tmp_path / "centred")), bench, measures=["nDCG@10"]).summary
    for setting, scores in cells["centring"]["benchmarks"]["bench"]["settings"].items():
        assert scores["nDCG@10"] == pytest.approx(alone["settings"][setting]["nDCG@10"], abs=1e-6)

    run(systems=systems, strategy=[])
    assert InProcess.ran == []
    write_pairs(Path(pairs), first=4, n=20)
    run(systems=systems, strategy=[])
    assert {name.split(".")[2] for name in InProcess.ran} == {"standardised", "centring"}, (
        "known by what is in the file"
    )


def test_nothing_comes_after_a_way_to_rank(tmp_path: Path) -> None:
    def spec(**systems: Any) -> Any:
        return parse_spec(small_spec(tmp_path / "in", systems=systems), "spec").all_systems()

    mixed = {"rank": {"fusion": "round-robin"}}
    with pytest.raises(InputError, match=r"systems\.two: 'rank' makes no model, so nothing can come after it"):
        spec(one=[mixed], two=["one", LSAR])
    with pytest.raises(InputError, match="has no model of its own: it ends with 'rank'"):
        spec(one=[MONO, mixed], two=[MONO, {"average": {"share": 0.5, "others": ["one"]}}])
    with pytest.raises(InputError, match="the fusion 'raw' is how every system is ranked"):
        spec(one=[{"rank": {}}])
    with pytest.raises(InputError, match="the fusion 'standardised' needs background pairs"):
        spec(one=[{"rank": "standardised"}])


def test_a_benchmark_may_be_measured_otherwise_than_the_others(
    run: Callable[..., StudyOutcome], tmp_path: Path
) -> None:
    more: dict[str, Any] = {"strategy": "mono", "tuning": "full"}
    run(**more)
    asked = {"measures": ["nDCG@10"], "per_benchmark": {"bench": {"settings": ["cross"]}}}
    outcome = run(evaluate=asked, **more)
    assert not outcome.failed
    assert len(InProcess.ran) == 2, "measured again"
    assert {tuple(cell["benchmarks"]["bench"]["settings"]) for cell in outcome.results["cells"]} == {("cross",)}
    spec = parse_spec(small_spec(tmp_path / "in", evaluate=asked, **more), "spec")
    assert parse_spec(spec.to_flat(), "again").digest == spec.digest
    for per, problem in (
        ({"bensh": {}}, r"evaluate\.per_benchmark: unknown benchmark 'bensh' \(did you mean 'bench'"),
        ({"bench": {"settings": ["mixed"]}}, r"evaluate\.per_benchmark\.bench: .*unknown setting 'mixed'"),
        ({"bench": {"setings": ["mono"]}}, r"evaluate\.per_benchmark\.bench: .*'setings'"),
    ):
        with pytest.raises(InputError, match=problem):
            parse_spec(small_spec(tmp_path / "in", evaluate={"per_benchmark": per}), "spec")


def test_systems_are_averaged_with_others_of_their_seed(run: Callable[..., StudyOutcome], tmp_path: Path) -> None:
    """Of a monolingual and a cross-lingual run, say; also where the other one is named later and the study is gone on with."""
    cross = {"train": {"strategy": "cross", "tuning": "full", "steps": 3}}
    systems = {
        "soup": ["mono", {"average": {"share": 0.25, "others": ["cross", "half"]}}],
        "mono": [MONO],
        "half": ["cross", {"average": 0.5}],
        "cross": [cross],
    }
    more: dict[str, Any] = {"strategy": [], "seeds": [0, 1], "keep_models": True}
    outcome = run(systems=systems, **more)
    assert outcome.complete
    assert not outcome.failed
    weights = {
        cell["id"].split(".", 2)[2]: load_file(tmp_path / "out" / "cells" / cell["id"] / "run/model/model.safetensors")
        for cell in outcome.results["cells"]
        if cell["system"] != "base"
    }
    for seed in ("s0", "s1"):
        mono, half, cross_, soup = (weights[f"{name}.{seed}"] for name in ("mono", "half", "cross", "soup"))
        for name, tensor in soup.items():
            np.testing.assert_allclose(tensor, 0.25 * mono[name] + 0.375 * (half[name] + cross_[name]), atol=1e-6)
    assert any((tensor != weights["soup.s1"][name]).any() for name, tensor in weights["soup.s0"].items())
    run(systems=systems, **more)
    assert InProcess.ran == []
    run(systems={**systems, "cross": [{"train": {**cross["train"], "steps": 4}}]}, **more)
    assert {name.split(".", 2)[2] for name in InProcess.ran} == {
        f"{name}.{seed}" for name in ("cross", "half", "soup") for seed in ("s0", "s1")
    }, "what others made of it is made again"


def test_words_are_injected_before_a_model_is_trained(run: Callable[..., StudyOutcome], tmp_path: Path) -> None:
    """With every seed anew, and again where the lexicon is another by its content."""
    lexicon = write_tsv(tmp_path / "en-de.tsv", {f"en{number}": f"de{number}" for number in range(60)})
    words = {"lexicon": [str(lexicon)], "layer": 1, "pairs": 20, "control_pairs": 20, "epochs": 1, "lora": {"rank": 2}}
    more: dict[str, Any] = {"strategy": [], "seeds": [0, 1], "keep_models": True}
    systems = {"injected": [{"inject": words}], "both": ["injected", MONO]}
    outcome = run(systems=systems, **more)
    assert outcome.complete
    assert not outcome.failed
    cells = {cell["id"].split(".", 2)[2]: cell for cell in outcome.results["cells"] if cell["system"] != "base"}
    assert cells.keys() == {"injected.s0", "injected.s1", "both.s0", "both.s1"}
    assert [list(stage) for stage in cells["both.s0"]["stages"]] == [["inject"], ["train"]]
    assert len(InProcess.ran) == 1 + 4, "what was injected is gone on from"
    figures = {name: json.dumps(cell["benchmarks"]["bench"]["settings"]) for name, cell in cells.items()}
    assert figures["both.s0"] != figures["injected.s0"]
    folders = [tmp_path / "out" / "cells" / cells[f"injected.{seed}"]["id"] / "run" for seed in ("s0", "s1")]
    assert [json.loads((folder / "run.json").read_text())["asked"]["seed"] for folder in folders] == [0, 1]
    weights = [load_file(folder / "model" / "model.safetensors") for folder in folders]
    assert any((tensor != weights[1][name]).any() for name, tensor in weights[0].items())
    run(systems=systems, **more)
    assert InProcess.ran == []
    write_tsv(lexicon, {f"en{number}": f"zh{number}" for number in range(60)})
    run(systems=systems, **more)
    assert len(InProcess.ran) == 4
    with pytest.raises(InputError, match=r"systems\.injected: inject: layer: expected the number of a layer from 1"):
        run(systems={"injected": [{"inject": {**words, "layer": 0}}]}, **more)


def test_a_repaired_model_is_measured_like_any_other(run: Callable[..., StudyOutcome], tmp_path: Path) -> None:
    from isoglot.evaluation.evaluate import evaluate
    from isoglot.models.load import load_model

    outcome = run(systems={"lsar": [LSAR]}, strategy=[], keep_models=True)
    (cell,) = [cell for cell in outcome.results["cells"] if cell["system"] == "lsar"]
    model = load_model(str(tmp_path / "out" / "cells" / cell["id"] / "run" / "model"))
    again = evaluate(model, str(tmp_path / "in" / "bench"), measures=["nDCG@10"], progress=False)
    assert again.summary["settings"] == cell["benchmarks"]["bench"]["settings"]


def test_everything_wrong_is_found_before_training(run: Callable[..., StudyOutcome], tmp_path: Path) -> None:
    for more, message in (
        ({"benchmarks": [str(tmp_path / "nothing")]}, "no such folder"),
        ({"base": ["no-such-model"]}, "no model 'no-such-model'"),
        ({"train": {"steps": 6, "batch_size": 400}}, r"cell made\..*batch size 400"),
        (
            {"data": [{"name": "made", "pairs": [str(tmp_path / "in/pairs.jsonl")], "languages": ["fr"]}]},
            "no pairs in fr",
        ),
    ):
        with pytest.raises(InputError, match=message):
            run(**more)
        assert not (tmp_path / "out").exists()
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "diary.txt").write_text("dear diary")
    with pytest.raises(InputError, match="not empty and not a study"):
        run(tmp_path / "used")


def test_two_runs_cannot_work_on_one_directory(run: Callable[..., StudyOutcome], tmp_path: Path) -> None:
    with (
        locked(tmp_path / "out"),
        pytest.raises(InputError, match=rf"out: is being written by process {os.getpid()} on host \S+ since "),
    ):
        run()
    assert not (tmp_path / "out").exists()


def test_a_worker_says_who_else_works_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "error.txt").write_text("of an earlier attempt\n")
    with locked(tmp_path):
        assert worker.main([str(tmp_path), "1"]) == 1
    assert "is being written by process" in (tmp_path / "error.txt").read_text()


def test_damaged_files_of_a_cell_are_made_again_and_those_of_the_study_are_one_line(
    run: Callable[..., StudyOutcome], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more: dict[str, Any] = {"strategy": ["mono"], "tuning": ["full"]}
    out = tmp_path / "out"
    name = run(**more).results["cells"][1]["id"]
    whole, cell = (out / "results.json").read_bytes(), out / "cells" / name
    for file, content in (
        ("cell.json", b""),
        ("outcome.json", b'{"a": 1}'),
        ("../../audit.json", b"[1]"),
        ("train.json", b'{"cut'),
        ("state.json", b"[]"),
        ("results/bench/summary.json", b'{"a": 1}'),
    ):
        (cell / file).write_bytes(content)
        if file != "outcome.json":
            (cell / "cell.json").unlink()
        run(**more)
        assert (out / "results.json").read_bytes() == whole
    # killed after its training, before that was noted, and then the disk lost a block
    for file in ("cell.json", "outcome.json", "train.json"):
        (cell / file).unlink()
    shutil.copytree(tmp_path / "in" / "tiny", cell / "run" / "model")
    run(**more)
    assert "model/" in capsys.readouterr().err
    assert (out / "results.json").read_bytes() == whole
    for content in (b"", b"[]", b"{}"):
        (out / "study.json").write_bytes(content)
        with pytest.raises(InputError, match=r"study\.json"):
            run(**more)


def test_a_replaced_base_is_another_base(run: Callable[..., StudyOutcome], tmp_path: Path) -> None:
    more: dict[str, Any] = {"strategy": ["mono"], "tuning": ["full"]}
    run(**more)
    assert len(InProcess.ran) == 2
    config = tmp_path / "in" / "tiny" / "config.json"
    config.write_text(config.read_text().replace('"hidden_dropout_prob": 0.1', '"hidden_dropout_prob": 0.2'))
    run(**more)
    assert len(InProcess.ran) == 2, "both are done again"


def test_an_evaluation_notes_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(worker, "_SAY", 0.0)
    model = torch.nn.Identity()
    handle = worker._note_texts(model, JobFolder(tmp_path), "bench", 8)
    for rows, noted in ((3, "37%"), (4, "87%"), (1, "99%")):
        model({"input_ids": torch.zeros(rows, 5)})
        assert (tmp_path / "phase").read_text() == f"evaluating bench, {noted}\n"
    handle.remove()
    (tmp_path / "phase").unlink()
    model({"input_ids": torch.zeros(1, 5)})
    assert not (tmp_path / "phase").exists()


@pytest.mark.parametrize(
    ("device", "own", "seen"),
    [("cpu", "2,3", ""), ("cuda", "", "0"), ("cuda:1", "", "1"), ("cuda", "2,3", "2"), ("cuda:1", "2, 3", "3")],
)
def test_devices_are_those_that_the_study_itself_sees(
    device: str, own: str, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", own)
    assert visible_device(device) == seen


def test_a_process_imports_nothing_from_the_working_directory(tmp_path: Path) -> None:
    for name in ("filelock", "numpy", "pydantic"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)")
    (tmp_path / "job").mkdir()
    command = [sys.executable, "-c", launch.LAUNCH, str(tmp_path / "job"), str(os.getpid())]
    usual = [sys.executable, "-c", "import filelock"]
    assert subprocess.run(usual, cwd=tmp_path, check=False).returncode == 7
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 1
    assert (tmp_path / "job" / "error.txt").read_text().endswith("job.json: no such file\n")


_SCRIPT = """
import json, sys
from pathlib import Path
import isoglot.data.audit.run, isoglot.study.report
isoglot.data.audit.run.run_audit = lambda datasets, *, documents, progress: {"leaks": False, "summary": ["no text in common"]}
isoglot.study.report.write_report = lambda directory: []
from isoglot.study.grid import RunOptions, run_study
from isoglot.study.read_spec import parse_spec
outcome = run_study(parse_spec(json.loads(Path(sys.argv[1]).read_text()), "spec"), Path(sys.argv[2]),
                    RunOptions(threads=1, workers=2))
sys.exit(0 if outcome.complete else 130)
"""


def _start(spec: Path, out: Path) -> subprocess.Popen[bytes]:
    with (out.parent / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, str(spec), str(out)], stdout=log, stderr=log, start_new_session=True
        )


def _wait_for(process: subprocess.Popen[bytes], there: Callable[[], bool], limit: float = 300.0) -> None:
    until = time.monotonic() + limit
    while process.poll() is None and not there() and time.monotonic() < until:
        time.sleep(0.02)


def _something_new(out: Path, pattern: str, seen: frozenset[Path]) -> bool:
    return bool(set(out.glob(pattern)) - seen)


@pytest.mark.slow
def test_killed_at_any_moment_a_study_ends_with_the_same_results(
    run: Callable[..., StudyOutcome], tmp_path: Path
) -> None:
    """Real processes: one stop by SIGINT and kills of the whole group at random moments after something new is on disk."""
    train = {"steps": 30, "batch_size": 4, "save_steps": 3}
    run(tmp_path / "whole", train=train)
    spec, out = tmp_path / "spec.json", tmp_path / "broken"
    spec.write_text(json.dumps(small_spec(tmp_path / "in", train=train)))
    chance = random.Random(7)
    seen: set[Path] = set()
    kills = 0
    for number, pattern in enumerate(
        ("cells/*/run/checkpoints/checkpoint-*", "cells/*/train.json", "cells/*/run/run.json", "cells/*/results/*/*")
    ):
        process = _start(spec, out)
        _wait_for(process, partial(_something_new, out, pattern, frozenset(seen)))
        time.sleep(chance.random() * 0.5)
        seen |= set(out.glob(pattern))
        if process.poll() is None:
            kills += 1
            if number == 0:
                process.send_signal(signal.SIGINT)
                assert process.wait(120) == 130
                assert list(out.glob("cells/*/run/checkpoints/checkpoint-*")), "a stopped cell has a checkpoint"
            else:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    assert kills >= 3, "the study was over before it could be interrupted"
    assert _start(spec, out).wait(600) == 0, (tmp_path / "log").read_text()
    assert (out / "results.json").read_bytes() == (tmp_path / "whole" / "results.json").read_bytes()
