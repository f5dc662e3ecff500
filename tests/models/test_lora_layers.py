"""LoRA where it is asked for: layers by number or half, modules by role, other scalings; and averages of adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isoglot.errors import InputError
from isoglot.files import digest_json
from isoglot.models.load import encoder_of, load_model
from isoglot.models.tunings.lora import Lora, save_adapter
from isoglot.settings import build, to_dict
from isoglot.training.average import average_weights
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train
from tests.models.zoo import KINDS, plain
from tests.training.test_train import settings
from tests.training.tiny import pair_table, tiny_base

TEXTS = ["en1 en2", "zh3 zh4 zh5", "de6"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


def adapted(model: Any) -> set[str]:
    """Names of the modules that have an adapter."""
    from peft.tuners.lora import LoraLayer

    return {name for name, module in encoder_of(model).named_modules() if isinstance(module, LoraLayer)}


def moved(model: Any, seed: int = 0) -> None:
    """Give the adapters' second factor, which is 0 at first, numbers by chance."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.3, generator=generator)


@pytest.mark.parametrize("kind", ["bert-plain", "modernbert", "distilbert-plain", "mpnet-plain", "qwen3-plain", "t5"])
@pytest.mark.parametrize(
    ("layers", "number"), [(("early",), {0}), (("late",), {1}), ((1,), {1}), (("all",), {0, 1}), ((), {0, 1})]
)
def test_layers_by_number_or_half(kind: str, layers: Any, number: set[int], tmp_path: Path) -> None:
    from isoglot.models.hidden import blocks_of

    model = load_model(str(KINDS[kind](tmp_path / "model")), device="cpu")
    Lora(rank=2, layers=layers).prepare(model)
    prefix = f"{blocks_of(encoder_of(model))[0]}."
    names = adapted(model)
    assert all(name.startswith(prefix) for name in names)
    assert {int(name.removeprefix(prefix).partition(".")[0]) for name in names} == number
    if layers == ("all",):
        other = load_model(str(tmp_path / "model"), device="cpu")
        Lora(rank=2).prepare(other)
        assert adapted(other) == names


@pytest.mark.parametrize(
    ("kind", "maps"),
    [
        ("bert-plain", {"query", "value"}),
        ("distilbert-plain", {"q_lin", "v_lin"}),
        ("mpnet-plain", {"q", "v"}),
        ("qwen3-plain", {"q_proj", "v_proj"}),
        ("t5", {"q", "v"}),
        ("modernbert", {"Wqkv"}),
        ("weighted-mean", {"c_attn"}),
    ],
)
def test_queries_and_values_by_role(
    kind: str, maps: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_model(str(KINDS[kind](tmp_path / "model")), device="cpu")
    Lora(rank=2, targets=("query-value",), layers=(0,)).prepare(model)
    assert {name.rpartition(".")[2] for name in adapted(model)} == maps
    assert ("keys get an adapter too" in capsys.readouterr().err) == (len(maps) == 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layers": "erly"}, r"lora\.layers: 'erly': expected numbers of layers from 0, or one of all, early, late"),
        ({"layers": ["early", 1]}, r"'early' stands alone"),
        ({"layers": [1.5]}, r"expected numbers of layers"),
        ({"layers": [True]}, "true or false"),
    ],
)
def test_layers_that_are_none_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(TrainSettings, [("", {"pairs": ["facts:"], "output": "run", "lora": given})])


def test_layers_and_modules_that_are_not_there_are_refused(tmp_path: Path) -> None:
    base = str(plain("bert")(tmp_path / "base"))
    for lora, message in (
        (Lora(layers=(2,)), r"\[2\]: this encoder has layers 0 to 1"),
        (Lora(layers=(-1,)), r"\[-1\]: this encoder has layers 0 to 1"),
        (Lora(layers=(1,), targets=("nothing",)), r"lora\.targets nothing.*query"),
    ):
        with pytest.raises(InputError, match=message):
            lora.prepare(load_model(base, device="cpu"))


@pytest.mark.parametrize(
    "given", [{"rslora": True}, {"dora": True}, {"dora": True, "rslora": True, "layers": ("late",)}]
)
def test_other_scalings_are_trained_saved_and_merged(given: dict[str, Any], base: Path, tmp_path: Path) -> None:
    """The end of a run holds the saved model to the one in memory."""
    plainly, other = tmp_path / "plain", tmp_path / "other"
    train(settings(base, plainly, lora=Lora(rank=4), steps=3), table=pair_table(), show=False)
    train(settings(base, other, lora=Lora(rank=4, **given), steps=3), table=pair_table(), show=False)
    model, adapter = (load_model(str(path), device="cpu") for path in (other, other / "adapter"))
    vectors = model.encode_query(TEXTS)
    np.testing.assert_allclose(adapter.encode_query(TEXTS), vectors, atol=1e-6)
    assert np.abs(vectors - load_model(str(plainly), device="cpu").encode_query(TEXTS)).max() > 1e-5


def test_rank_stabilised_updates_are_scaled_by_the_root_of_the_rank(tmp_path: Path) -> None:
    from peft.tuners.lora import LoraLayer

    for lora, expected in ((Lora(rank=4, alpha=8), 2.0), (Lora(rank=4, alpha=8, rslora=True), 4.0)):
        model = load_model(str(plain("bert")(tmp_path / str(expected))), device="cpu")
        lora.prepare(model)
        layers = [module for module in encoder_of(model).modules() if isinstance(module, LoraLayer)]
        assert {layer.scaling["default"] for layer in layers} == {expected}


def test_a_dora_run_is_not_averaged_with_its_base(base: Path, tmp_path: Path) -> None:
    asked = settings(base, tmp_path / "run", lora=Lora(rank=4, dora=True), steps=3, average=0.5)
    with pytest.raises(InputError, match="isoglot model average RUN BASE"):
        train(asked, table=pair_table(), show=False)
    assert not (tmp_path / "run" / "run.json").exists()


def test_what_is_off_stands_in_no_digest() -> None:
    written = {"name": "lora", "rank": 16, "alpha": 32.0, "dropout": 0.0, "targets": [], "layers": []}
    assert to_dict(Lora()) == written
    assert digest_json(to_dict(Lora(dora=True))) != digest_json(written)
    assert build(Lora, [("", {"layers": ["0", 1], "dora": "yes"})]) == Lora(layers=(0, 1), dora=True)


def test_the_average_of_adapters_is_that_of_what_they_add_not_of_their_factors(tmp_path: Path) -> None:
    base = str(plain("bert")(tmp_path / "base"))
    start = load_model(base, device="cpu").state_dict()
    factors: list[dict[str, torch.Tensor]] = []
    for seed, rank in ((0, 2), (1, 4)):  # factors of these ranks have no mean at all
        model = load_model(base, device="cpu")
        Lora(rank=rank, targets=("query",)).prepare(model)
        moved(model, seed)
        (tmp_path / str(seed)).mkdir()
        save_adapter(model, base, tmp_path / str(seed))
        factors.append({name: tensor for name, tensor in encoder_of(model).state_dict().items() if "lora_" in name})
    average_weights([str(tmp_path / "0"), str(tmp_path / "1")], [0.5, 0.5], tmp_path / "mean")
    mean = load_model(str(tmp_path / "mean"), device="cpu").state_dict()
    name = "encoder.layer.0.attention.self.query"
    key = next(key for key in start if key.endswith(f"{name}.weight"))
    added = [
        32.0
        / one[f"{name}.lora_A.default.weight"].shape[0]
        * one[f"{name}.lora_B.default.weight"]
        @ one[f"{name}.lora_A.default.weight"]
        for one in factors
    ]
    torch.testing.assert_close(mean[key], start[key] + (added[0] + added[1]) / 2)
    assert "Adapters were merged into their bases first" in (tmp_path / "mean" / "README.md").read_text()
