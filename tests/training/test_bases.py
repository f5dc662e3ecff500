"""Names -> models: the resolver, layouts, prompts, errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.models.load import load_model
from isoglot.models.resolve import resolve_base
from isoglot.models.tunings.lora import Lora
from tests.training.tiny import load_tuned


@pytest.mark.parametrize(
    ("name", "location"),
    [
        ("FacebookAI/xlm-roberta-base", "FacebookAI/xlm-roberta-base"),
        ("xlm-r", "FacebookAI/xlm-roberta-base"),
        ("LaBSE", "sentence-transformers/LaBSE"),
        ("sentence-transformers/LaBSE", "sentence-transformers/LaBSE"),
        ("multilingual-e5-base", "intfloat/multilingual-e5-base"),
    ],
)
def test_hub_names(name: str, location: str) -> None:
    base = resolve_base(name)
    assert (base.location, base.layout, base.stable_name) == (location, "hub", location)


@pytest.mark.parametrize("name", ["no-such-model", "offline:bert", "a/b/c", "./missing/dir"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(InputError, match=r"offline:multilingual-e5-small"):
        resolve_base(name)


def test_a_directory_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a model directory"):
        resolve_base(str(tmp_path))
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match=r"no model/ yet"):
        resolve_base(str(tmp_path))


def test_a_damaged_model_is_one_line(base: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match=r"cannot be loaded as a model") as caught:
        load_model(str(broken))
    assert "\n" not in str(caught.value)


def test_lora_freezes_everything_else_and_skips_the_pooler(base: Path) -> None:
    model = load_tuned(str(base), Lora(rank=4, layers=(1,)))
    trained = [name for name, part in model.named_parameters() if part.requires_grad]
    assert trained
    assert all("lora_" in name and "layer.1." in name and "pooler" not in name for name in trained)
    # query, key, value, attention.output.dense, intermediate.dense, output.dense, each with A and B
    assert len(trained) == 12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Lora(targets=("nothing",)), r"lora.targets nothing.*query"),
        (Lora(layers=(2,)), r"layers 0 to 1"),
    ],
)
def test_lora_that_does_not_fit(base: Path, settings: Lora, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_tuned(str(base), settings)


def test_dropout_can_be_switched_off(base: Path) -> None:
    import torch

    model = load_model(str(base), dropout=0.0, device="cpu").train()
    features = model.preprocess(["en1 en2 en3"])
    with torch.no_grad():
        one, two = (model(dict(features))["sentence_embedding"] for _ in range(2))
    assert torch.equal(one, two)


def test_an_adapter_directory_loads_merged(base: Path, tmp_path: Path) -> None:
    import torch

    from isoglot.models.tunings.lora import save_adapter

    model = load_tuned(str(base), Lora(rank=4), device="cpu")
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.3)
    save_adapter(model, str(base), tmp_path / "adapter")
    assert json.loads((tmp_path / "adapter" / "isoglot.json").read_text())["base"] == str(base)
    texts = ["en1 en2", "zh3 zh4 zh5"]
    wanted = model.encode_query(texts)
    plain = load_model(str(base), device="cpu").encode_query(texts)
    merged = load_model(str(tmp_path / "adapter"), device="cpu")
    assert np.abs(wanted - plain).max() > 1e-2
    assert np.abs(merged.encode_query(texts) - wanted).max() < 1e-5
