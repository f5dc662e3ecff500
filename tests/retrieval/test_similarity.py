"""Similarity of texts in two languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from isoglot.records import Float32Array
from isoglot.retrieval.similarity import similarity_by


def test_a_model_without_unit_vectors_is_compared_by_cosines(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = {"one": [3.0, 4.0], "eins": [30.0, 40.0], "zwei": [-8.0, 6.0]}

    def encode(model: Any, texts: Sequence[str], kind: str, *, progress: bool) -> Float32Array:
        return np.array([vectors[text] for text in texts], dtype=np.float32)

    monkeypatch.setattr("isoglot.retrieval.similarity.encode_texts", encode)
    monkeypatch.setattr("isoglot.models.load.load_model", lambda name, device: name)
    similar = similarity_by("any", "cpu")
    assert similar(["one"], ["eins", "zwei"]) == pytest.approx(np.array([[1.0, 0.0]]), abs=1e-6)
