"""Every kind of model: what is trained is saved, memory and file are one model, ways to compute agree or are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from isoglot.batching.sampler import TextBatch
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.models.load import load_model
from isoglot.training import agreement
from isoglot.training.agreement import check_base, sample_texts
from isoglot.training.collate import Collator, columns_of
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train
from tests.models.zoo import KINDS
from tests.training.conftest import one_thread  # noqa: F401  # an autouse fixture
from tests.training.crash import train_until
from tests.training.tiny import info_nce, pair_table, small_lora

pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")

NO_LORA = {"router": "2 encoders", "static": "no encoders"}
NOT_UNPADDED = {
    **dict.fromkeys(("modernbert-plain", "modernbert"), "other embeddings"),
    **dict.fromkeys(("mpnet-plain", "t5", "router", "static"), "cannot be chosen"),
    **dict.fromkeys(("qwen3-plain", "causal-lm", "last-token-left", "prompts-not-pooled-left"), "pads on the left"),
    "last-token-right": "cannot be trained without padding",
    "weighted-mean": "other embeddings",
}
"""Why: windows; attention that is no function of its own; padding on the left; grouped queries; causal attention."""
DIFFERENT = [
    kind
    for kind in KINDS
    if kind not in ("euclidean", "manhattan", "prompts-default", "prompts-empty", "prompts-query-passage")
]
"""The others are trained as one of these is."""
RESUMED = {
    "lora": ("labse", "bfloat16", "matryoshka", "t5", "adapter-inside", "weighted-mean"),
    "full": ("labse", "router", "static"),
}


def settings(base: Path, output: Path, **more: Any) -> TrainSettings:
    given = {
        "steps": 8,
        "strategy": "mono",
        "batch_size": 8,
        "learning_rate": 2e-3,
        "warmup": 0,
        "scale": 20.0,
        **small_lora(more),
    }
    return TrainSettings(pairs=("made",), base=str(base), output=str(output), **{**given, **more})


def english_pairs() -> PairTable:
    return pair_table(languages=("en",))


def english() -> TextBatch:
    table = english_pairs()
    rows = np.arange(len(table))
    return TextBatch(0, table.column("query", rows), table.column("passage", rows), [])


def vectors(model: Any) -> list[np.ndarray]:
    texts = english()
    return [model.encode_query(texts.queries), model.encode_document(texts.passages)]


def loss_of(model: Any) -> float:
    """InfoNCE over all English pairs, from what the model gives its users."""
    queries, passages = (column / np.linalg.norm(column, axis=1, keepdims=True) for column in vectors(model))
    scores = 20.0 * queries @ passages.T
    return float((np.log(np.exp(scores).sum(axis=1)) - np.diag(scores)).mean())


@pytest.mark.parametrize("kind", DIFFERENT)
@pytest.mark.parametrize("tuning", ["lora", "full", "frozen"])
def test_the_saved_model_is_the_trained_one_and_better(
    kind: str, tuning: str, zoo: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, run = zoo(kind), tmp_path / "run"
    in_memory = []
    monkeypatch.setattr(agreement, "check_saved", lambda model, *_: in_memory.append(model))
    asked = settings(base, run, tuning="lora" if tuning == "lora" else "full", freeze_embeddings=tuning == "frozen")
    refused = NO_LORA.get(kind) if tuning == "lora" else "nothing" if (kind, tuning) == ("static", "frozen") else None
    if refused:
        with pytest.raises(InputError, match=refused):
            train(asked, table=english_pairs(), show=False)
        assert not run.exists()
        return
    before = loss_of(prepared(base))
    train(asked, table=english_pairs(), show=False)
    saved = SentenceTransformer(str(run / "model"), device="cpu")
    assert loss_of(saved) < before
    assert saved.similarity_fn_name == "cosine"
    assert {weights.dtype for weights in saved.parameters()} == {torch.float32}
    for one, other in zip(vectors(in_memory[0]), vectors(saved)):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(one).max())


def prepared(base: Path) -> Any:
    return load_model(str(base), device="cpu").float()


@pytest.mark.parametrize(("tuning", "kind"), [(tuning, kind) for tuning, kinds in RESUMED.items() for kind in kinds])
def test_resumed_equals_unbroken(tuning: str, kind: str, zoo: Callable[[str], Path], tmp_path: Path) -> None:
    asked = settings(zoo(kind), tmp_path / "whole", tuning=tuning, steps=6, save_steps=2)
    train(asked, table=english_pairs(), show=False)
    broken = asked.replace(output=str(tmp_path / "broken"))
    train_until(5, broken, english_pairs())
    train(broken, table=english_pairs(), resume=True, show=False)
    files = sorted(
        path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole" / "model").rglob("*.safetensors")
    )
    for file in files:
        one, two = (load_file(tmp_path / run / file) for run in ("whole", "broken"))
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one), file


def gradients(loss: Any, columns: list[dict[str, Any]]) -> tuple[float, list[torch.Tensor]]:
    loss.model.zero_grad()
    value = loss([dict(column) for column in columns])
    value.backward()
    return value.item(), [weights.grad.to_dense() for weights in loss.model.parameters() if weights.grad is not None]


@pytest.mark.parametrize("kind", KINDS)
def test_ways_to_compute_agree_or_are_refused(kind: str, zoo: Callable[[str], Path], tmp_path: Path) -> None:
    base, texts = zoo(kind), english()
    model = load_model(str(base), dropout=0.0, device="cpu").double()
    columns = columns_of(Collator(model)([texts]))
    value, expected = gradients(info_nce(model, scale=20.0, chunks=1), columns)
    ways = {"chunks": {"chunks": 4}, "cached": {"tokens": 60}, "unpadded": {"unpadded": True}}
    for way, given in ways.items():
        if way == "unpadded" and kind in NOT_UNPADDED:
            asked = settings(base, tmp_path / "run", unpadded=True)
            with pytest.raises(InputError, match=NOT_UNPADDED[kind]):
                check_base(model, info_nce(model, scale=20.0, unpadded=True), asked, sample_texts(english_pairs()))
            continue
        ours, found = gradients(info_nce(model, scale=20.0, **given), columns)
        # T5 and its like compute norms in float32
        assert ours == pytest.approx(value, abs=1e-5), way
        assert len(found) == len(expected) > 0
        largest = max(float(gradient.abs().max()) for gradient in expected)
        assert max(float((one - two).abs().max()) for one, two in zip(found, expected)) < 1e-4 * largest, way
