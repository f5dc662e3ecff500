"""One model, one embedding: in training, without padding, compiled, saved; what would be another model is refused or an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer

from isoglot.batching.sampler import TextBatch
from isoglot.errors import InputError
from isoglot.models import precision
from isoglot.models.load import load_model
from isoglot.models.tunings.lora import Lora
from isoglot.training import agreement
from isoglot.training import loss as module_loss
from isoglot.training.agreement import OtherModelError
from isoglot.training.collate import Collator, columns_of
from isoglot.training.train import train
from tests.training.test_train import losses, settings
from tests.training.tiny import pair_table


def refused(base: Path, run: Path, message: str, **more: Any) -> None:
    with pytest.raises(InputError, match=message) as caught:
        train(settings(base, run, **more), table=pair_table(), show=False)
    assert "\n" not in str(caught.value)
    assert not run.exists(), "refused before anything is written"


def test_a_dense_module_behind_the_encoder_is_left_alone_by_lora(zoo: Callable[[str], Path], tmp_path: Path) -> None:
    train(settings(zoo("labse"), tmp_path / "run", steps=3), table=pair_table(), show=False)
    before, after = (
        load_file(path / "2_Dense" / "model.safetensors") for path in (zoo("labse"), tmp_path / "run/model")
    )
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_what_is_trained_and_not_saved_is_an_error(
    zoo: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = Lora.prepare

    def prepare_more(self: Lora, model: Any) -> None:
        prepare(self, model)
        model[2].requires_grad_(True)

    monkeypatch.setattr(Lora, "prepare", prepare_more)
    with pytest.raises(OtherModelError, match="not the one that was trained"):
        train(settings(zoo("labse"), tmp_path / "run", steps=3), table=pair_table(), show=False)
    assert not (tmp_path / "run" / "model").exists()
    assert list((tmp_path / "run" / "checkpoints").glob("checkpoint-3"))


def test_queries_take_the_query_route(zoo: Callable[[str], Path], tmp_path: Path) -> None:
    columns = columns_of(
        Collator(load_model(str(zoo("router")), device="cpu"))([TextBatch(0, ["en1"], ["en2"], ["en3"])])
    )
    assert [column["task"] for column in columns] == ["query", "document", "document"]
    train(settings(zoo("router"), tmp_path / "run", tuning="full", steps=3), table=pair_table(), show=False)
    for route in ("query_0_Transformer", "document_0_Transformer"):
        name = f"{route}/model.safetensors"
        before, after = (next(path.rglob(name)) for path in (zoo("router"), tmp_path / "run" / "model"))
        layer = "encoder.layer.0.output.dense.weight"
        assert np.abs(load_file(before)[layer] - load_file(after)[layer]).max() > 0


def test_a_base_in_half_precision_is_trained_as_the_same_one_in_float32(
    zoo: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    half, whole = zoo("bfloat16"), tmp_path / "float32"
    SentenceTransformer(str(half), device="cpu", model_kwargs={"dtype": torch.float32}).save_pretrained(str(whole))
    for base, name in ((half, "a"), (whole, "b")):
        asked = settings(base, tmp_path / name, tuning="full", steps=20, learning_rate=1e-4, precision="fp32")
        train(asked, table=pair_table(), show=False)
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    trained, other, base_weights = (
        load_file(path / "model.safetensors") for path in (tmp_path / "a" / "model", tmp_path / "b" / "model", whole)
    )
    assert all(np.array_equal(trained[name], other[name]) for name in other)
    layers = [
        name for name in trained if ".layer." in name and "key.bias" not in name
    ]  # softmax does not see a key's bias
    moved = np.concatenate([(trained[name] != base_weights[name]).ravel() for name in layers])
    assert moved.mean() > 0.999
    assert {array.dtype for array in trained.values()} == {np.dtype(np.float32)}
    assert "float32" in capfd.readouterr().err


def test_the_trained_model_says_what_it_was_trained_for(
    zoo: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(settings(zoo("dot"), tmp_path / "run", steps=2), table=pair_table(), show=False)
    assert SentenceTransformer(str(tmp_path / "run" / "model"), device="cpu").similarity_fn_name == "cosine"
    assert len([line for line in capfd.readouterr().err.splitlines() if "'dot'" in line and "cosine" in line]) == 1


@pytest.mark.parametrize(
    ("kind", "more", "message"),
    [
        ("router", {}, "2 encoders"),
        ("static", {}, "no encoders"),
        ("static", {"tuning": "full", "freeze_embeddings": True}, "nothing of this model is trained"),
        ("modernbert", {"unpadded": True}, "without padding it gives other embeddings"),
        ("t5", {"unpadded": True}, "cannot be chosen"),
        ("labse", {"max_length": 2}, "told apart"),
    ],
)
def test_what_cannot_be_trained_writes_nothing(
    zoo: Callable[[str], Path], tmp_path: Path, kind: str, more: dict[str, Any], message: str
) -> None:
    refused(zoo(kind), tmp_path / "run", message, **more)


def test_bf16_is_refused_where_nothing_computes_in_it(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "computes_in_bf16", lambda device: False)
    refused(base, tmp_path / "run", "precision=fp32", precision="bf16")
    with pytest.raises(InputError, match="precision=fp32"), precision.computing_in("bf16", "cpu"):
        pass


def no_compiler(output: Any) -> None:
    raise RuntimeError("no compiler\nto be found")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda output: output.last_hidden_state.mul_(1.001), "compiled it gives other embeddings"),
        (no_compiler, r"cannot be compiled \(no compiler\)"),
    ],
)
def test_a_compiled_encoder_that_computes_something_else_is_refused(
    base: Path, tmp_path: Path, spoil: Callable[[Any], Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_wrongly(model: Any, *, blocks: bool) -> None:
        encoder, forward = model.transformers_model, model.transformers_model.forward

        def other(*given: Any, **more: Any) -> Any:
            output = forward(*given, **more)
            spoil(output)
            return output

        encoder.forward = other

    monkeypatch.setattr(agreement, "compile_encoder", compile_wrongly)
    refused(base, tmp_path / "run", message, compile=True, dropout=0.0)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_mixed_precision_leaves_the_model_as_it_is_saved(
    base: Path, tmp_path: Path, tuning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forward passes are in bfloat16 while it trains, and the model computes in float32 afterwards."""
    in_half = []

    def note(self: Any, columns: list[dict[str, Any]]) -> list[torch.Tensor]:
        in_half.append(hasattr(self.model, "_original_forward"))  # accelerate puts autocast around the forward pass
        return embed(self, columns)

    embed = module_loss.BatchLoss.embed
    monkeypatch.setattr(precision, "computes_in_bf16", lambda device: True)  # emulated where it has no instructions
    monkeypatch.setattr(module_loss.BatchLoss, "embed", note)
    asked = settings(base, tmp_path / "run", tuning=tuning, steps=3, precision="bf16")
    assert train(asked, table=pair_table(), show=False).complete
    assert in_half == [False, True, True, True]
