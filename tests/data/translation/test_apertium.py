"""A real program: Apertium, as Debian has it (apt-get install apertium apertium-eng-spa)."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from isoglot.cli.main import main
from isoglot.data.pairs.loading import load_pairs


@pytest.fixture
def _apertium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "cache"))
    if shutil.which("apertium") is None:
        pytest.skip("no program apertium here (apt-get install apertium apertium-eng-spa)")
    modes = subprocess.run(["apertium", "-l"], capture_output=True, text=True, check=True).stdout.split()
    if not {"eng-spa", "spa-eng"} <= set(modes):
        pytest.skip("apertium has no pair eng-spa here (apt-get install apertium-eng-spa)")


@pytest.mark.usefixtures("_apertium")
def test_english_into_spanish_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        ("Where is the house?", "The house is near the river.\nThe river has water."),
        ("When did the war begin?", "The war began in 1939 and ended in 1945."),
        ("How many people live in the city?", "Two million people live in the city."),
        ("What is your {name}?", "My {name} is on the door."),
    ]
    lines = [
        json.dumps({"id": number, "lang": "en", "query": query, "passage": passage})
        for number, (query, passage) in enumerate(rows)
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    words = ["data", "translate", str(tmp_path / "in.jsonl"), "--to", "es", "--output", str(tmp_path / "out.jsonl")]
    words += [
        "--backend",
        "command:apertium -f line -u {from}-{to}",
        "--codes",
        "en=eng",
        "es=spa",
        "--round-trip",
        "30",
    ]
    assert main([*words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["languages"]["es"]
    assert facts == {"rows": 4, "there": 0, "written": 3, "dropped": {"placeholders": 1}, "negatives_dropped": 0}
    made = load_pairs(tmp_path / "out.jsonl", languages=["es"]).table.to_pylist()
    assert made[0]["query"].lower().startswith("dónde")
    assert made[0]["passage"].count("\n") == 1
    assert "1939" in made[1]["passage"]
    assert main([*words, "--overwrite", "--codes", "en=eng", "es=xyz"]) == 2
    assert "fails on the text '1', too: it ended with exit code 1" in capsys.readouterr().err
