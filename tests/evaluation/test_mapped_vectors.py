"""Debiased models by way of a store: what is kept are the vectors before the correction, and figures are those of encoding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.evaluation.debias import debias
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.mapped_vectors import mapped
from isoglot.models.debias import DEBIAS_METHODS
from isoglot.models.language_maps import SIDES
from isoglot.models.load import load_model
from isoglot.retrieval import store as stores
from isoglot.retrieval.encode import encode_texts, pooled_languages, pooled_texts
from isoglot.retrieval.store import EmbeddingStore
from tests.study.small import write_benchmark, write_pairs
from tests.training.tiny import tiny_base


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tiny_base(tmp_path / "tiny")
    write_pairs(tmp_path / "pairs.jsonl")
    write_benchmark(tmp_path / "bench")
    return tmp_path


@pytest.mark.parametrize("name", DEBIAS_METHODS.names())
def test_corrected_vectors_are_those_of_the_whole_model(name: str, home: Path) -> None:
    benchmark = load_benchmark(str(home / "bench"))
    base = str(home / "tiny")
    debias(base, str(home / "pairs.jsonl"), home / name, method=name, progress=False)
    model = load_model(str(home / name))
    assert mapped(load_model(base), benchmark) is None
    parts = mapped(model, benchmark)
    assert parts is not None
    for side in SIDES:
        texts, languages = pooled_texts(benchmark, side), pooled_languages(benchmark, side)
        before = encode_texts(parts.inner, texts, side, progress=False)
        whole = encode_texts(model, texts, side, progress=False, languages=languages)
        assert np.abs(before - whole).max() > 0.01
        np.testing.assert_allclose(parts.correct(benchmark, side, before), whole, atol=2e-6)


def test_a_model_and_its_corrections_are_encoded_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    plain = stores.encode_texts

    def counting(model: Any, texts: Sequence[str], *rest: Any, **more: Any) -> Any:
        encoded.append(len(texts))
        return plain(model, texts, *rest, **more)

    monkeypatch.setattr(stores, "encode_texts", counting)
    base, bench, store = str(home / "tiny"), str(home / "bench"), EmbeddingStore(home / "store")
    evaluate(load_model(base), bench, store=store)
    assert len(encoded) == 2
    for name in ("lsar", "shift"):
        debias(base, str(home / "pairs.jsonl"), home / name, method=name, progress=False)
        model = load_model(str(home / name))
        stored, alone = (evaluate(model, bench, store=kept).summary for kept in (store, None))
        assert stored["digests"] == alone["digests"]
        for setting, scores in alone["settings"].items():
            assert stored["settings"][setting] == pytest.approx(scores, abs=1e-9)
    assert len(encoded) == 2
