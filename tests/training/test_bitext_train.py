"""Plain bitext in training: it aligns languages in batches of several of them, and is refused in those of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.cli.main import main
from tests.training.tiny import LANGUAGES


def write_corpus(folder: Path, n: int = 24) -> str:
    """n lines of words in each language, and the pattern that reads them."""
    for lang in LANGUAGES:
        lines = (" ".join(f"{lang}{(number * 7 + step) % 60}" for step in range(2 + number % 5)) for number in range(n))
        (folder / f"c.{lang}").write_text("".join(f"{line}\n" for line in lines))
    return f"moses:{folder}/c.{{lang}}"


def run(base: Path, output: Path, spec: str, *words: str) -> int:
    shared = ("--base", str(base), "--output", str(output), "--batch-size", "8", "--steps", "30", "--tuning", "full")
    return main(["train", "--pairs", spec, *shared, "recipe=paper", "learning_rate=5e-3", "scale=20", *words])


def parallel_first(model: Any, spec: str) -> float:
    """Share of the texts in German whose nearest text in English is their translation."""
    from isoglot import load_pairs

    table = load_pairs(spec)
    rows = {lang: table.index.rows[:, table.languages.index(lang)] for lang in ("de", "en")}
    german, english = (
        model.encode(table.column("query", rows[lang]), normalize_embeddings=True) for lang in ("de", "en")
    )
    return float(np.mean((german @ english.T).argmax(axis=1) == np.arange(len(german))))


@pytest.mark.parametrize(
    ("strategy", "loss"),
    [("cross", "infonce=1"), ("multiway", "queries=1"), ("multiway", "infonce=1 passages=1 queries=1")],
)
def test_bitext_aligns_languages(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], strategy: str, loss: str
) -> None:
    from sentence_transformers import SentenceTransformer

    spec = write_corpus(tmp_path)
    assert run(base, tmp_path / "run", spec, "--strategy", strategy, "--loss", *loss.split()) == 0
    err = capsys.readouterr().err
    assert err.count("c: plain bitext, no questions and answers") == 1
    assert err.count("72 rows of 72 texts") == 1
    losses = [
        json.loads(line)["loss"] for line in (tmp_path / "run/log.jsonl").read_text().splitlines() if "loss" in line
    ]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    before, after = (SentenceTransformer(str(path), device="cpu") for path in (base, tmp_path / "run/model"))
    assert parallel_first(after, spec) > max(0.5, 2 * parallel_first(before, spec))


@pytest.mark.parametrize("words", [(), ("--strategy", "mono")])
def test_bitext_alone_is_refused_where_nothing_would_be_asked(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert run(base, tmp_path / "run", write_corpus(tmp_path), *words) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "draws batches of one language, and c is plain bitext" in error
    assert "(cross, multiway)" in error
    assert not (tmp_path / "run").exists()
