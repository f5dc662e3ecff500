"""`isoglot push`, against a hub on the loopback: what arrives, what the card says, what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants

from isoglot.cli.main import main
from isoglot.models.load import load_model
from tests.cli import hub_server
from tests.cli.hub_server import TOKEN, Hub
from tests.training.tiny import pair_rows, tiny_base

LICENSE = ["--license", "mit"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on pairs of a file, whose path is a machine's own, and results of its model and of its base."""
    folder = tmp_path_factory.mktemp("push")
    base = tiny_base(folder / "base")
    pairs = folder / "my-pairs.jsonl"
    fields = ("id", "lang", "query", "passage")
    pairs.write_text("".join(json.dumps({key: getattr(row, key) for key in fields}) + "\n" for row in pair_rows()))
    run = folder / "run"
    asked = ["--base", str(base), "--pairs", str(pairs), "--strategy", "hybrid", "--steps", "2", "--batch-size", "6"]
    assert main(["train", *asked, "--output", str(run)]) == 0
    for name, model in (("result", run), ("result-of-base", base)):
        measured = ["faq", "--languages", "de", "en", "--measures", "AP", "nDCG@10", "--device", "cpu"]
        assert main(["evaluate", str(model), *measured, "--output", str(folder / name)]) == 0
    return run


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_server.running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its storage has a protocol of its own
        yield hub


def push(model: Path, repo: str, *more: str) -> int:
    return main(["push", str(model), repo, *LICENSE, "--base-model", "intfloat/multilingual-e5-small", *more])


def test_what_is_pushed_is_the_model(run: Path, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = str(run.parent / "result")
    assert push(run, "me/repaired", "--results", results, "--private", "--message", "First") == 0
    assert f"{hub.url}/me/repaired" in capsys.readouterr().out
    assert hub.repos == {"me/repaired": True}
    assert hub.messages == ["First"]
    for name, content in hub.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    there, here = load_model(str(tmp_path), device="cpu"), load_model(str(run), device="cpu")
    texts = [row.query for row in pair_rows()[:5]]
    assert (there.encode_query(texts) == here.encode_query(texts)).all()
    assert there.prompts == here.prompts
    own = {str(path.relative_to(run / "model")) for path in (run / "model").rglob("*") if path.is_file()}
    assert set(hub.files) == {name for name in own if not name.startswith(".")}


def test_the_card_carries_the_evaluation(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "look"
    assert push(run, "me/repaired", "--results", str(run.parent / "result"), "--dry-run", str(folder)) == 0
    said = capsys.readouterr().err
    card = (folder / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(card.split("---")[1])
    assert header["language"] == ["de", "en", "zh"]
    assert header["license"] == "mit"
    assert header["base_model"] == "intfloat/multilingual-e5-small"
    summary = json.loads((run.parent / "result" / "summary.json").read_text())
    metrics = [metric for result in header["model-index"][0]["results"] for metric in result["metrics"]]
    told = {metric["name"]: metric["value"] for metric in metrics}
    assert told["nDCG@10, multi"] == round(summary["settings"]["multi"]["nDCG@10"], 4)
    assert told["rank distance"] == pytest.approx(summary["bias"]["rank_distance"], abs=1e-4)
    for setting in ("mono", "cross", "multi"):
        value = summary["settings"][setting]["AP"]
        row = next(line for line in card.splitlines() if line.startswith(f"| {setting} "))
        low, high = (float(end) for end in row.split("|")[2].split("[")[1].split("]")[0].split(","))
        assert f" {value:.3f} [" in row
        assert low <= round(value, 3) <= high
    assert 'SentenceTransformer("me/repaired")' in card
    assert "hybrid" in card
    assert "24 parallel pairs in de, en, zh from `my-pairs.jsonl`" in card
    assert str(run.parent) not in card
    assert str(run.parent / "my-pairs.jsonl") in said
    for path in folder.rglob("*.json"):
        assert str(run.parent) not in path.read_text(encoding="utf-8")


def test_results_of_another_model_are_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = ["--results", str(run.parent / "result-of-base"), "--dry-run", str(tmp_path / "look")]
    assert push(run, "me/repaired", *results) == 2
    assert "of another model" in capsys.readouterr().err
    assert not (tmp_path / "look").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("pytorch_model.bin", b"\x80\x04.", "pickle"),
        ("optimizer.pt", b"\x80\x04.", "pickle"),
        ("run.json", b"{}", "not a file of a model"),
        ("checkpoints/step-2/config.json", b"{}", "not a file of a model"),
        ("modeling_own.py", b"print(1)", "not a file of a model"),
        ("model-00001-of-00002.safetensors", b"cut", "cut or damaged"),
        ("README.md", b"# Caf\xe9", "not UTF-8"),
    ],
)
def test_other_files_are_refused(
    name: str, content: bytes, said: str, run: Path, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(run / "model", model)
    (model / name).parent.mkdir(parents=True, exist_ok=True)
    (model / name).write_bytes(content)
    assert push(model, "me/repaired", "--languages", "de") == 2
    error = capsys.readouterr().err
    assert said in error
    assert name in error
    assert not hub.files


def test_links_out_of_the_folder_are_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(run / "model", tmp_path / "model")
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "model" / "LICENSE").symlink_to(tmp_path / "secret")
    assert push(tmp_path / "model", "me/repaired", "--languages", "de", "--dry-run", str(tmp_path / "look")) == 2
    assert "not a file of this folder" in capsys.readouterr().err


def test_what_is_not_known_is_asked_for(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    look = ["--dry-run", str(tmp_path / "look")]
    assert main(["push", str(run), "me/repaired", *LICENSE, *look]) == 2
    assert "say --base-model" in capsys.readouterr().err
    shutil.copytree(run / "model", tmp_path / "alone")
    assert push(tmp_path / "alone", "me/repaired", *look) == 2
    assert "say --languages" in capsys.readouterr().err
    assert push(tmp_path / "alone", "me/repaired", "--languages", "deu", *look) == 0
    assert yaml.safe_load((tmp_path / "look" / "README.md").read_text().split("---")[1])["language"] == ["de"]


def test_what_the_hub_refuses_is_one_line(
    run: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(run, "others/repaired") == 2
    assert "may not write there" in capsys.readouterr().err
    hub.repos["me/public"] = False
    assert push(run, "me/public", "--private") == 2
    assert "and public" in capsys.readouterr().err
    assert push(run, "a name with spaces") == 2
    assert "not the name of a repository" in capsys.readouterr().err
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert push(run, "me/repaired") == 2
    error = capsys.readouterr().err
    assert "hf auth login" in error
    assert "Traceback" not in error
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert push(run, "me/repaired") == 2
    assert "cannot be reached" in capsys.readouterr().err
    assert not hub.files
