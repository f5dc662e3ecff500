"""One pass over rows laid end to end gives the loss and gradients of padded passes."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from isoglot.batching.sampler import TextBatch
from isoglot.errors import InputError
from isoglot.models.tunings.lora import Lora
from isoglot.training.collate import Collator
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train
from isoglot.training.unpadded import ATTENTION
from tests.training.tiny import info_nce, load_tuned, pair_rows, tiny_base

pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.mark.parametrize("lora", [None, Lora(rank=4)])
@pytest.mark.parametrize("include_prompt", [True, False])
def test_loss_and_gradients_are_those_of_padded_passes(base: Path, lora: Lora | None, include_prompt: bool) -> None:
    model = load_tuned(str(base), lora, dropout=0.0, device="cpu", query_prompt="ask: ", passage_prompt="a passage: ")
    model = model.double()
    model[1].include_prompt = include_prompt
    rows = [row for row in pair_rows(24, negatives=True) if row.lang == "en"]
    batch = TextBatch(0, [row.query for row in rows], [row.passage for row in rows], [row.negatives[0] for row in rows])
    features = Collator(model)([batch])
    assert len({*features["query_lengths"], *features["passage_lengths"]}) > 1

    def run(unpadded: bool) -> tuple[float, list[torch.Tensor]]:
        columns = [
            {key.removeprefix(name): value for key, value in features.items() if key.startswith(name)}
            for name in ("query_", "passage_", "negative_")
        ]
        model.zero_grad()
        loss = info_nce(model, scale=20.0, unpadded=unpadded)(columns, None)
        loss.backward()
        return float(loss.detach()), [p.grad.clone() for p in model.parameters() if p.grad is not None]

    before = model.encode_query(["as before"])
    padded, padded_gradients = run(unpadded=False)
    ours, gradients = run(unpadded=True)
    assert ours == pytest.approx(padded, abs=1e-12)
    assert len(gradients) == len(padded_gradients) > 10
    assert max(float((a - b).abs().max()) for a, b in zip(gradients, padded_gradients)) < 1e-12
    # elsewhere the model computes as it did
    assert model.transformers_model.config._attn_implementation != ATTENTION
    assert float(abs(model.encode_query(["as before"]) - before).max()) == 0.0


def test_a_run_has_the_same_losses(base: Path, tmp_path: Path) -> None:
    from isoglot.data.pairs.table import PairTable

    table = PairTable.from_rows(pair_rows(24))

    def losses(name: str, *, unpadded: bool) -> list[float]:
        settings = TrainSettings(
            pairs=("made",),
            output=str(tmp_path / name),
            base=str(base),
            steps=4,
            batch_size=6,
            dropout=0.0,
            unpadded=unpadded,
        )
        train(settings, table=table, show=False)
        import json

        lines = (tmp_path / name / "log.jsonl").read_text().splitlines()
        return [row["loss"] for row in map(json.loads, lines) if "loss" in row]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert losses("one", unpadded=True) == pytest.approx(losses("two", unpadded=False), abs=2e-5)


def test_what_excludes_it(tmp_path: Path) -> None:
    for more in ({"chunks": 2}, {"grad_cache": 100}):
        with pytest.raises(InputError, match="unpadded, chunks or grad_cache"):
            TrainSettings(pairs=("x",), output=str(tmp_path), unpadded=True, **more)  # type: ignore[arg-type]
