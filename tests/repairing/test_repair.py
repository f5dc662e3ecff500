"""The whole job with a tiny model, interrupted once."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from isoglot.cli.main import main
from isoglot.disk import UnwritableError
from isoglot.errors import InputError
from isoglot.evaluation.results import load_result
from isoglot.files import read_json, write_json
from isoglot.models.load import load_model
from isoglot.repairing.folder import RepairFolder
from isoglot.repairing.page import write_report
from isoglot.repairing.repair import RepairResult, repair
from tests.repairing.test_parts import made, write
from tests.training.tiny import tiny_base

pytestmark = pytest.mark.slow

ASKED: dict[str, Any] = {
    "steps": 2,
    "holdout": 0.25,
    "max_loss": 1.0,
    "clean": False,
    "texts": 20,
    "train": {"batch_size": 4},
    "compare": ("paper",),
}
WORDS = [
    word
    for key, value in {**ASKED, "train": "batch_size=4", "compare": "paper", "clean": ""}.items()
    for word in (["--no-clean"] if key == "clean" else [f"--{key.replace('_', '-')}", str(value)])
]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repair")
    tiny_base(folder / "tiny")
    write(folder / "pairs.jsonl", made(40))
    return folder


@pytest.fixture(scope="module")
def repaired(workshop: Path) -> RepairResult:
    """Stopped by Ctrl-C after the training, and gone on with."""
    given = (str(workshop / "tiny"), workshop / "pairs.jsonl", workshop / "out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("isoglot.training.average.average_weights", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            repair(*given, **ASKED, show=False)
    trained = workshop / "out" / "work" / "runs" / "trained" / "run.json"
    record, run = read_json(workshop / "out" / "repair.json"), trained.read_bytes()
    stages = record["stages"]
    assert record["spent"].keys() == {"averaged"}
    assert list(stages)[-1] == "measure trained"
    result = repair(*given, **ASKED, show=False)
    assert trained.read_bytes() == run
    after = read_json(workshop / "out" / "repair.json")["stages"]
    assert {name: after[name] for name in stages} == stages
    return result


def _interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_model_with_a_card_a_report_and_results_are_left(repaired: RepairResult, workshop: Path) -> None:
    from sentence_transformers import SentenceTransformer

    summary = repaired.summary
    assert [system["key"] for system in summary["systems"]][:4] == ["base", "debiased", "trained", "averaged"]
    assert summary["systems"][-1]["key"] == "paper"
    for system in summary["systems"]:
        result = load_result(repaired.path / "results" / system["key"] / "held-out").summary
        assert system["scores"]["held-out"]["multi"] == result["settings"]["multi"]["nDCG@10"]
        assert system["scores"]["held-out"]["rank_distance"] == result["bias"]["rank_distance"]
    candidates = [s for s in summary["systems"][1:] if s["is_candidate"]]
    best = max(candidates, key=lambda s: s["scores"]["held-out"]["multi"])
    base = summary["systems"][0]["scores"]["held-out"]["multi"]
    assert summary["kept"] == (best["key"] if best["scores"]["held-out"]["multi"] > base else "base")
    assert len(SentenceTransformer(str(repaired.model), device="cpu").encode_query(["de1 de2"])[0]) == 32
    card = (repaired.model / "README.md").read_text(encoding="utf-8")
    assert "## Evaluation" in card
    assert f"{base:.4f}" in card
    assert str(workshop) not in card.partition("## Evaluation")[2]
    report = (repaired.path / "report.html").read_text(encoding="utf-8")
    assert summary["why"][1:40] in report
    assert report.count("<svg") == len(list((repaired.path / "figures").glob("*.svg"))) > 3
    assert (repaired.path / "picture.png").read_bytes().startswith(b"\x89PNG")
    questions = summary["questions"].get("held-out", {}).get("questions")
    assert questions is None or questions["all"] == questions["rose"] + questions["fell"] + questions["same"]


def test_benchmarks_that_are_spelled_alike_in_ascii_have_pictures_of_their_own(
    repaired: RepairResult, tmp_path: Path
) -> None:
    shutil.copytree(repaired.path / "results", tmp_path / "results")
    summary = read_json(repaired.path / "summary.json")
    kept = [system["scores"] for system in summary["systems"]]
    for name in ("日本", "中文"):
        for by_benchmark in (summary["benchmarks"], summary["notes"], summary["changes"], summary["questions"], *kept):
            if "held-out" in by_benchmark:
                by_benchmark[name] = by_benchmark["held-out"]
        for system in summary["systems"]:
            results = tmp_path / "results" / system["key"]
            shutil.copytree(results / "held-out", results / name)
    write_report(RepairFolder(tmp_path), summary)
    shown = (tmp_path / "report.html").read_text(encoding="utf-8").count("<svg")
    assert len(list((tmp_path / "figures").iterdir())) == 3 * shown > 9


def test_what_is_large_and_of_no_use_is_deleted(repaired: RepairResult) -> None:
    work = repaired.path / "work"
    assert not (work / "models").exists()
    assert not (work / "vectors").exists()
    assert not list(work.glob("runs/*/model"))
    assert (work / "runs" / "trained" / "log.jsonl").is_file()


def test_the_same_command_shows_it_again_and_its_commands_work(
    repaired: RepairResult, workshop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["repair", str(workshop / "tiny"), str(workshop / "pairs.jsonl"), "--output", str(workshop / "out"), *WORDS]
    before = {path: path.stat().st_mtime_ns for path in repaired.path.rglob("*") if path.is_file()}
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert repaired.summary["why"] in printed
    assert {path: path.stat().st_mtime_ns for path in repaired.path.rglob("*") if path.is_file()} == before
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["systems"] == repaired.summary["systems"]
    for command in repaired.summary["commands"]:
        assert f"\n  {command}\n" in printed
        if " serve " not in command:
            arguments = shlex.split(command)
            assert main(arguments[3 if arguments[1] == "-m" else 1 :]) == 0, command
    assert "de" in capsys.readouterr().out
    shutil.rmtree(repaired.path / "index")


def test_the_model_can_be_published_with_its_results(repaired: RepairResult, workshop: Path, tmp_path: Path) -> None:
    results = repaired.path / "results" / repaired.summary["kept"] / "held-out"
    words = ["--license", "mit", "--base-model", "intfloat/multilingual-e5-small", "--results", str(results)]
    assert main(["push", str(repaired.model), "me/repaired", *words, "--dry-run", str(tmp_path / "card")]) == 0
    card = (tmp_path / "card" / "README.md").read_text(encoding="utf-8")
    pairs = repaired.summary["data"]["pairs"]["rest"]
    assert f"{pairs} parallel pairs in de, en, zh" in card
    assert str(workshop) not in card


def test_other_settings_and_other_pairs_are_refused(repaired: RepairResult, workshop: Path, tmp_path: Path) -> None:
    given = (str(workshop / "tiny"), workshop / "pairs.jsonl", repaired.path)
    with pytest.raises(InputError, match=r"asked for otherwise \(seed was 0, is 1\).*--overwrite"):
        repair(*given, **ASKED, seed=1)
    text = (workshop / "pairs.jsonl").read_text()
    (workshop / "pairs.jsonl").write_text(text.replace('"id": "1"', '"id": "one"'))
    with pytest.raises(InputError, match=r"pairs\.jsonl changed since this repair began"):
        repair(*given, **ASKED)
    (workshop / "pairs.jsonl").write_text(text)
    (repaired.model / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"did not write model/notes\.txt"):
        repair(*given, **ASKED, overwrite=True)
    (repaired.model / "notes.txt").unlink()
    weights = repaired.model / "config_sentence_transformers.json"
    saved = weights.read_bytes()
    weights.write_bytes(saved + b" ")
    with pytest.raises(InputError, match=r"has ended, but model/config_sentence_transformers\.json is damaged"):
        repair(*given, **ASKED)
    weights.write_bytes(saved)
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty and not a repair"):
        repair(*given[:2], other, **ASKED)


def test_a_disk_that_takes_no_correction_is_no_correction_that_is_not_worth_it(
    workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise UnwritableError(tmp_path / "out" / "debiased", "No space left on device")

    monkeypatch.setattr("isoglot.evaluation.debias.debias", full)
    with pytest.raises(UnwritableError):
        repair(str(workshop / "tiny"), workshop / "pairs.jsonl", tmp_path / "out", **ASKED, show=False)
    assert "no correction" not in capsys.readouterr().err


def test_bad_input_leaves_nothing(workshop: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"id": "1"}\n')
    for source, more, said in [
        (tmp_path / "bad.jsonl", {}, r"bad\.jsonl:1: "),
        (tmp_path / "none.jsonl", {}, "no such file"),
        (workshop / "pairs.jsonl", {"benchmark": "fqa"}, "did you mean 'faq'"),
        (workshop / "pairs.jsonl", {"benchmark": ["faq", "faq"]}, "another one is called 'faq', too"),
    ]:
        with pytest.raises(InputError, match=said):
            repair(str(workshop / "tiny"), source, tmp_path / "out", **{**ASKED, **more}, show=False)
        assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="no pairs"):
        repair(str(workshop / "tiny"), [], tmp_path / "out")
    shutil.copytree(workshop / "tiny", tmp_path / "debiased")
    write_json(tmp_path / "debiased" / "debias.json", {"base": "tiny", "method": {"name": "lsar"}})
    with pytest.raises(InputError, match=r"is debiased.*repair tiny"):
        repair(str(tmp_path / "debiased"), workshop / "pairs.jsonl", tmp_path / "out", **ASKED)


def test_the_base_is_kept_with_clear_words(
    repaired: RepairResult, workshop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As if every repair had lost: the last stage is done again with a bound that nothing keeps."""
    out = tmp_path / "out"
    shutil.copytree(repaired.path, out)
    shutil.rmtree(out / "model")
    record = read_json(out / "repair.json")
    del record["files"], record["stages"]["outcome"]
    write_json(out / "repair.json", {**record, "asked": {**record["asked"], "max_loss": 0.0}})
    for system in ("debiased", "trained", "averaged", "corrected"):
        path = out / "results" / system / "held-out" / "summary.json"
        if path.is_file():
            summary = read_json(path)
            summary["settings"]["mono"]["nDCG@10"] = 0.0
            write_json(path, summary)
    words = ["repair", str(workshop / "tiny"), str(workshop / "pairs.jsonl"), "--output", str(out), *WORDS]
    assert main([*words, "--max-loss", "0"]) == 0
    printed = capsys.readouterr().out
    assert "the base is kept as it is" in printed
    assert "repaired" not in printed.partition("next:")[2]
    model = load_model(str(out / "model"), device="cpu")
    base = load_model(str(workshop / "tiny"), device="cpu")
    assert (model.encode_query(["de1"]) == base.encode_query(["de1"])).all()
    assert "the base is kept" in (out / "report.md").read_text(encoding="utf-8")
