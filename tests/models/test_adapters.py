"""Adapters: every tensor lands in the base it was made for, or the adapter is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.models.content import base_digest
from isoglot.models.facts import in_one_line
from isoglot.models.load import encoder_of, load_model
from isoglot.models.tunings.lora import Lora, save_adapter
from tests.models.test_contract import change_json, change_tensors, cut, pickled, pointer, refusal
from tests.models.zoo import KINDS, plain

TEXTS = ["en1 en2", "zh3 zh4 zh5", "de6"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, an adapter of it (for a model with a head, too) and what they give together."""
    root = tmp_path_factory.mktemp("adapters")
    base = plain("bert")(root / "base")
    model = load_model(str(base), device="cpu", query_prompt="", passage_prompt="P ")
    vectors = adapt(model, root / "adapter", str(base))
    np.save(root / "vectors.npy", vectors)
    KINDS["adapter-inside"](root / "inside")
    return root


def adapt(model: Any, path: Path, base: str, seed: int = 0) -> np.ndarray:
    """Write an adapter with random weights; returns the vectors of the model with it."""
    import torch

    torch.manual_seed(seed)
    Lora(rank=4).prepare(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:  # zero at first: the adapter would do nothing
                weights.normal_(std=0.3, generator=generator)
    path.mkdir()
    save_adapter(model, base, path)
    return np.asarray(model.encode_query(TEXTS))


@pytest.fixture
def adapter(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "adapter", tmp_path / "adapter"))


def as_before(path: Path, made: Path) -> str:
    """The line about a loaded model, which must give the vectors of the adapted one."""
    model = load_model(str(path), device="cpu")
    np.testing.assert_allclose(model.encode_query(TEXTS), np.load(made / "vectors.npy"), atol=1e-5)
    return in_one_line(model)


def test_an_adapter_is_loaded_merged_with_its_prompts(made: Path, adapter: Path) -> None:
    line = as_before(adapter, made)
    assert f"an adapter of {made / 'base'}" in line
    assert "prompts '' and 'P ' (saved with the model)" in line


def test_the_base_is_found_from_any_directory(
    made: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another model of the same relative name is not taken for the base."""
    monkeypatch.chdir(made)
    model = load_model("base", device="cpu", query_prompt="", passage_prompt="P ")
    adapt(model, tmp_path / "relative", "base")
    plain("bert", seed=7)(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    as_before(tmp_path / "relative", made)
    change_json(tmp_path / "relative" / "isoglot.json", base="base")
    assert "made for another base than base is now" in refusal(tmp_path / "relative")
    monkeypatch.chdir(made)
    assert "its base is a relative path, read from the working directory" in as_before(tmp_path / "relative", made)
    shutil.copytree(made / "base", tmp_path / "relative" / "base")
    monkeypatch.chdir(tmp_path)
    as_before(tmp_path / "relative", made)


def test_a_base_that_was_replaced_is_refused(made: Path, adapter: Path, tmp_path: Path) -> None:
    other = plain("bert", seed=3)(tmp_path / "other")
    change_json(adapter / "isoglot.json", base=str(other))
    assert "its weights differ (base_digest)" in refusal(adapter)


def test_tensors_of_a_model_with_a_head_are_mapped_and_said(made: Path, adapter: Path) -> None:
    def with_head(tensors: Any) -> Any:
        renamed = {
            name.replace("base_model.model.", "base_model.model.bert."): value for name, value in tensors.items()
        }
        return renamed | {"base_model.model.cls.decoder.lora_A.weight": next(iter(tensors.values())).clone()}

    change_tensors(adapter / "adapter_model.safetensors", with_head)
    assert "read as those of 'bert', 1 tensors of its head are not used" in as_before(adapter, made)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda path: change_tensors(path, lambda t: {f"x.{name}": v for name, v in t.items()}), "do not fit the base"),
        (lambda path: change_tensors(path, lambda t: dict(list(t.items())[1:])), "1 of 24 tensors do not fit"),
        (lambda path: change_tensors(path, lambda t: {n: v[:2].clone() for n, v in t.items()}), "do not fit the base"),
        # safetensors 0.4.3 itself reads no file without tensors
        (lambda path: change_tensors(path, lambda t: {}), "do not fit the base|cut or damaged"),
        (lambda path: change_tensors(path, lambda t: {n: v * float("nan") for n, v in t.items()}), "(?i)nan"),
        (cut, "cut or damaged"),
        (pointer, "git lfs pull"),
        (pickled, "pickle"),
        (Path.unlink, "no such file"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused(harm: Callable[[Path], Any], message: str, adapter: Path) -> None:
    harm(adapter / "adapter_model.safetensors")
    with pytest.raises(InputError, match=message) as caught:
        load_model(str(adapter), device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "PROMPT_TUNING, which cannot be merged"),
        ({"peft_type": None}, "None, which cannot be merged"),
        ({"target_modules": ["nothing"]}, "does not fit its base"),
        ({"r": 0}, "does not fit its base"),
        ({"r": 8}, "do not fit the base"),
        ({"megatron_config": {"a": 1}, "megatron_core": "antigravity"}, "megatron_config has code imported"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str, adapter: Path) -> None:
    change_json(adapter / "adapter_config.json", **changes)
    assert message in refusal(adapter)


def test_prompts_that_are_no_texts_are_refused_by_file(adapter: Path) -> None:
    change_json(adapter / "isoglot.json", prompts=["query: "])
    assert "isoglot.json: prompts ['query: ']; expected texts by name" in refusal(adapter)


def test_an_adapter_needs_a_base_that_is_not_itself(adapter: Path, tmp_path: Path) -> None:
    change_json(adapter / "isoglot.json", base=str(adapter))
    assert "an adapter whose base is itself" in refusal(adapter)
    second = Path(shutil.copytree(adapter, tmp_path / "second"))
    change_json(adapter / "isoglot.json", base=str(second))
    assert "an adapter whose base is itself" in refusal(second)
    change_json(adapter / "isoglot.json", base=str(tmp_path / "gone"))
    assert "is not there" in refusal(adapter)
    change_json(adapter / "isoglot.json", base=None)
    change_json(adapter / "adapter_config.json", base_model_name_or_path=None)
    assert "base_model_name_or_path is missing" in refusal(adapter)
    (adapter / "adapter_config.json").write_text("[]")
    refusal(adapter)


def test_an_adapter_of_an_adapter(made: Path, adapter: Path, tmp_path: Path) -> None:
    model = load_model(str(adapter), device="cpu")
    wanted = adapt(model, tmp_path / "second", str(adapter), seed=1)
    assert np.abs(wanted - np.load(made / "vectors.npy")).max() > 1e-2
    np.testing.assert_allclose(
        load_model(str(tmp_path / "second"), device="cpu").encode_query(TEXTS), wanted, atol=1e-5
    )


def test_an_adapter_inside_a_model_is_merged(made: Path, tmp_path: Path) -> None:
    """Such a base can be adapted again; read from elsewhere, its base is found or refused."""
    inside = Path(shutil.copytree(made / "inside", tmp_path / "inside"))
    model = load_model(str(inside), device="cpu")
    assert not any("lora" in name for name, _ in encoder_of(model).named_parameters())
    before = model.encode_query(TEXTS)
    after = adapt(model, tmp_path / "second", str(inside))
    assert np.abs(after - before).max() > 1e-2
    base = Path(shutil.copytree(made / "inside-base", tmp_path / "base"))
    change_json(inside / "adapter_config.json", base_model_name_or_path=str(base))
    digest = base_digest(str(inside))
    change_json(base / "config.json", layer_norm_eps=1e-6)
    assert base_digest(str(inside)) != digest
    change_json(inside / "adapter_config.json", base_model_name_or_path="inside-base")
    shutil.copytree(made / "inside-base", inside / "inside-base")
    np.testing.assert_array_equal(load_model(str(inside), device="cpu").encode_query(TEXTS), before)
    shutil.copy(made / "inside-base" / "model.safetensors", inside)
    assert "holds whole weights and an adapter" in refusal(inside)


def test_the_files_of_an_adapter_are_the_same_in_every_process(made: Path, tmp_path: Path) -> None:
    """PEFT keeps module names as a set, whose order depends on the process's hash seed."""
    written = []
    for order in (1, -1):
        model = load_model(str(made / "base"), device="cpu")
        Lora(rank=4).prepare(model)
        for config in encoder_of(model).peft_config.values():
            config.target_modules = sorted(config.target_modules)[::order]
        path = tmp_path / str(order)
        path.mkdir()
        save_adapter(model, str(made / "base"), path)
        written.append((path / "adapter_config.json").read_bytes())
    assert written[0] == written[1]
    config = json.loads(written[0])
    assert config["target_modules"] == sorted(config["target_modules"])
