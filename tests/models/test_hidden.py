"""Layers of encoders: the last one is what the model pools, and blocks above a layer do not touch it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from isoglot.errors import InputError
from isoglot.models.hidden import count_blocks, layer_vectors, layered_module, only_first, pooling_note
from isoglot.models.load import load_model
from tests.models.zoo import KINDS

ENCODERS = ("mean", "modernbert", "distilbert-plain", "mpnet-plain", "t5", "prompts-not-pooled", "not-normalized")
DECODERS = ("qwen3-plain", "last-token-left", "weighted-mean", "prompts-not-pooled-left")
WORDS = ["en1", "zh3 de2"]


@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_a_layer_is_the_same_without_the_blocks_above_it(kind: str, tmp_path: Path) -> None:
    model = load_model(str(KINDS[kind](tmp_path / "model")), device="cpu").eval()
    encoder = layered_module(model).model
    features = model.preprocess(WORDS, prompt=model.prompts["query"] or None, task="query")
    with torch.no_grad():
        layers, output = layer_vectors(model, dict(features), "query")
        with only_first(encoder, 2):
            lower, _ = layer_vectors(model, dict(features), "query")
        again = model(dict(features), task="query")["sentence_embedding"]
    assert len(layers) == count_blocks(encoder) + 1
    torch.testing.assert_close(lower[1], layers[1])
    torch.testing.assert_close(again, output)
    assert "all_layer_embeddings" not in model(dict(features), task="query"), "the model is as it was"
    if pooling_note(model) == "":
        last, own = (torch.nn.functional.normalize(vectors, dim=1) for vectors in (layers[-1], output))
        torch.testing.assert_close(last, own)  # not all of these models set lengths to 1


def test_another_pooling_is_said(tmp_path: Path) -> None:
    model = load_model(str(KINDS["cls"](tmp_path / "model")), device="cpu")
    assert "the model itself has cls" in pooling_note(model)


@pytest.mark.parametrize(("kind", "message"), [("router", "several encoders"), ("static", "no encoder")])
def test_models_without_one_encoder_are_refused(kind: str, message: str, tmp_path: Path) -> None:
    model = load_model(str(KINDS[kind](tmp_path / "model")), device="cpu")
    with pytest.raises(InputError, match=message):
        layered_module(model)
