"""Weight averaging."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isoglot.errors import InputError
from isoglot.models.load import load_model
from isoglot.training.average import average_weights
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train
from tests.training.test_train import settings
from tests.training.tiny import pair_table, tiny_base


def _moved(path: Path, base: Path) -> Path:
    """The base with all weights 1 larger."""
    model = load_model(str(base), device="cpu")
    with torch.no_grad():
        for weight in model.parameters():
            weight += 1.0
    model.save_pretrained(str(path), create_model_card=False)
    return path


@pytest.mark.parametrize("share", [0.0, 0.75, 1.0])
def test_a_share_of_the_way_from_the_base(share: float, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "tiny")
    trained = _moved(tmp_path / "trained", base)
    average_weights([str(trained), str(base)], [share, 1 - share], tmp_path / "average")
    start, averaged = (load_model(str(path), device="cpu") for path in (base, tmp_path / "average"))
    before, after = start.state_dict(), averaged.state_dict()
    for name, weight in start.named_parameters():
        assert torch.allclose(after[name], weight + share, atol=1e-6), name
    assert before.keys() == after.keys()
    assert averaged.prompts == start.prompts


def test_models_of_other_shapes_are_refused(tmp_path: Path) -> None:
    from isoglot.models.debias import EVERY, Correction
    from isoglot.models.language_maps import LanguageMaps
    from isoglot.models.mapped import append_maps

    base = tiny_base(tmp_path / "tiny")
    nothing = {EVERY: Correction(np.empty((32, 0)), np.zeros(32))}
    model = append_maps(load_model(str(base), device="cpu"), LanguageMaps({"query": nothing, "passage": nothing}, 1.0))
    model.save_pretrained(str(tmp_path / "mapped"), create_model_card=False)
    with pytest.raises(
        InputError, match=r"cannot average .*mapped and .*tiny: tensor '.*' is .* in the other"
    ) as caught:
        average_weights([str(tmp_path / "mapped"), str(base)], [0.5, 0.5], tmp_path / "average", alike=False)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "average").exists()


def _numbers(path: Path) -> dict[str, Any]:
    model = load_model(str(path), device="cpu")
    return {name: tensor.double().numpy() for name, tensor in model.state_dict().items() if tensor.is_floating_point()}


def test_the_mean_of_three_models_is_that_of_their_numbers(tmp_path: Path) -> None:
    paths, weights = [tiny_base(tmp_path / str(seed), seed=seed) for seed in range(3)], [0.5, 0.2, 0.3]
    average_weights([str(path) for path in paths], weights, tmp_path / "mean")
    numbers, mean = [_numbers(path) for path in paths], _numbers(tmp_path / "mean")
    for name, tensor in mean.items():
        expected = sum(weight * each[name] for weight, each in zip(weights, numbers))
        np.testing.assert_allclose(tensor, expected, atol=1e-7, err_msg=name)


@pytest.mark.parametrize(
    ("names", "weights", "problem"),
    [
        ("a", [1.0], "needs two models"),
        ("ab", [0.5], "1 weights for 2 models"),
        ("ab", [0.5, 0.6], r"weights 0.5 0.6: .* sum 1, got 1.1"),
        ("ab", [1.5, -0.5], "not negative"),
        ("ab", [float("nan"), 0.5], "not negative"),
    ],
)
def test_weights_that_are_none_are_refused_before_a_model_is_loaded(
    names: str, weights: list[float], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=problem):
        average_weights(list(names), weights, tmp_path / "average")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("prompt", "the prompt of a query is 'Query: ' in one and 'en1 ' in the other"),
        ("similarity", "similarity cosine in one and dot in the other"),
        ("tokenizer", "other tokenizers"),
        ("pooling", "pooling mean in one and cls in the other"),
    ],
)
def test_models_that_embed_in_another_way_are_refused(change: str, problem: str, tmp_path: Path) -> None:
    base, other = tiny_base(tmp_path / "tiny"), tmp_path / "other"
    given = {"prompt": {"query_prompt": "en1 "}, "similarity": {"similarity": "dot"}}.get(change, {})
    load_model(str(base), device="cpu", **given).save_pretrained(str(other), create_model_card=False)
    if change == "tokenizer":
        path = other / "tokenizer.json"
        path.write_text(path.read_text().replace('"en1"', '"en 1"'))
    if change == "pooling":
        path = other / "1_Pooling" / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "pooling_mode": "cls"}))
    with pytest.raises(InputError, match=problem):
        average_weights([str(base), str(other)], [0.5, 0.5], tmp_path / "average")
    assert not (tmp_path / "average").exists()


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_a_run_ends_with_a_share_of_its_training(tuning: str, base: Path, tmp_path: Path) -> None:
    for share, name in ((1.0, "whole"), (0.25, "part")):
        asked = settings(base, tmp_path / name, tuning=tuning, steps=3, average=share)
        train(asked, table=pair_table(), show=False)
    start, whole, part = (_numbers(path) for path in (base, tmp_path / "whole", tmp_path / "part"))
    for name in start:
        expected = 0.25 * whole[name] + 0.75 * start[name]
        np.testing.assert_allclose(part[name], expected, atol=2e-7, err_msg=name)
    assert any(np.abs(whole[name] - start[name]).max() > 1e-3 for name in start)
    for name, applied in (_numbers(tmp_path / "part" / "adapter") if tuning == "lora" else {}).items():
        np.testing.assert_array_equal(applied, part[name], err_msg=name)
    assert json.loads((tmp_path / "part" / "run.json").read_text())["asked"]["average"] == 0.25
    assert "0.25 times the trained ones and 0.75" in (tmp_path / "part" / "model" / "README.md").read_text()


def test_a_wrong_scale_of_the_adapter_is_not_kept(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isoglot.models.tunings.lora import Lora
    from isoglot.training.agreement import OtherModelError

    def forgets(self: Lora, model: Any, share: float, load: Any) -> None:
        for config in model.transformers_model.peft_config.values():
            config.lora_alpha *= share

    monkeypatch.setattr(Lora, "average", forgets)
    with pytest.raises(OtherModelError):
        train(settings(base, tmp_path / "run", tuning="lora", steps=3, average=0.1), table=pair_table(), show=False)
    assert not (tmp_path / "run" / "model").exists()


def test_a_tuning_that_adds_weights_says_that_it_cannot_be_averaged(base: Path, tmp_path: Path) -> None:
    from isoglot.models.tunings import Tuning
    from isoglot.models.tunings.lora import Lora

    class Other(Lora):
        average = Tuning.average

    asked = settings(base, tmp_path / "run", average=0.5).model_copy(update={"tuning": Other()})
    with pytest.raises(InputError, match="adds weights"):
        train(asked, table=pair_table(), show=False)
    assert not (tmp_path / "run" / "run.json").exists()


def test_the_default_changes_no_digest() -> None:
    asked = TrainSettings(pairs=["facts:"], output="run")
    assert "average" not in asked.deciding()
    assert TrainSettings(pairs=["facts:"], output="run", average=0.5).deciding()["average"] == 0.5
