"""One pass over rows laid end to end gives the loss and gradients of padded passes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft.tuners.lora import LoraLayer
from transformers import AttentionInterface, AttentionMaskInterface

from isoglot.batching.sampler import TextBatch
from isoglot.errors import InputError
from isoglot.models import graphs
from isoglot.models.graphs import Graphs, _Encoding
from isoglot.models.tunings.lora import Lora
from isoglot.models.unpadded import ATTENTION, bucket, filled_up
from isoglot.training.collate import Collator
from isoglot.training.fused_lora import fuse
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train
from tests.training.test_gradcache import columns, farthest, run
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
    with pytest.raises(InputError, match="unpadded or chunks, not both"):
        TrainSettings(pairs=("x",), output=str(tmp_path), unpadded=True, chunks=2)


@given(st.lists(st.integers(1, 512), min_size=1, max_size=300), st.sampled_from([None, 512, 8192]))
def test_buckets_hold_their_texts(lengths: list[int], most: int | None) -> None:
    shape = bucket(lengths, most)
    filled = filled_up(lengths, shape)
    assert filled[: len(lengths)] == lengths
    assert (sum(filled), len(filled)) == (shape.tokens, shape.texts)
    assert max(filled) <= shape.longest <= (most or 512)
    # at most one step of 4 sqrt(tokens), rounded up to a power of two
    assert shape.tokens - sum(lengths) < max(16, 8 * sum(lengths) ** 0.5)


def test_steps_of_a_run_have_a_few_shapes() -> None:
    draw = np.random.default_rng(0)
    for batch, mean, spread in ((200, 34, 18), (2048, 150, 120)):
        steps = [np.clip(draw.normal(mean, spread, batch), 4, 500).astype(int).tolist() for _ in range(100)]
        assert len({bucket(lengths, 512) for lengths in steps}) <= 8


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[torch.nn.Module]:
    """Graphs without a GPU: a function of fixed places is computed again where a graph would be started."""
    found: list[torch.nn.Module] = []

    def record(function: Any, samples: Any, **options: Any) -> Any:
        found.append(function)
        places = [sample.detach().clone() for sample in samples]

        def start(*tensors: torch.Tensor) -> torch.Tensor:
            assert [part.shape for part in tensors] == [part.shape for part in places]
            for place, tensor in zip(places, tensors):
                place.copy_(tensor.detach())
            given = [tensor if tensor.requires_grad else place for tensor, place in zip(tensors, places)]
            result: torch.Tensor = function(*given)
            return result

        return start

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    monkeypatch.setattr(graphs, "_memory", lambda: 1 << 40)
    monkeypatch.setattr(torch.cuda, "get_rng_state", torch.get_rng_state)
    monkeypatch.setattr(torch.cuda, "set_rng_state", torch.set_rng_state)
    monkeypatch.setattr(
        Graphs, "usable", lambda self, model, device: self._open and model.training and not self._waits()
    )
    return found


@pytest.mark.parametrize("lora", [None, Lora(rank=4)])
@pytest.mark.parametrize("tokens", [0, 90])
def test_graphs_of_filled_up_streams_give_the_loss_and_gradients(
    base: Path, lora: Lora | None, tokens: int, recorded: list[torch.nn.Module]
) -> None:
    model = load_tuned(str(base), lora, dropout=0.0, device="cpu").double()
    features = columns(model)
    value, gradients = run(info_nce(model, scale=20.0), features)
    model.train()
    loss = info_nce(model, scale=20.0, tokens=tokens, unpadded=True)
    with loss.unpadded.graphs.recording():
        for _ in range(2):
            found, its = run(loss, features)
            assert found == pytest.approx(value, abs=1e-12)
            assert farthest(gradients, its) < 1e-12
        n_shapes = len(recorded)
        assert n_shapes >= (1 if tokens == 0 else 2)
        model.eval()
        assert run(loss, features)[0] == pytest.approx(value, abs=1e-12)
    model.train()
    run(loss, features)
    assert len(recorded) == n_shapes, "in training, and within `recording` alone"


def test_no_graph_runs_between_a_pass_and_its_backward_pass(base: Path, recorded: list[torch.nn.Module]) -> None:
    model = load_tuned(str(base), None, dropout=0.0, device="cpu").train()
    loss = info_nce(model, scale=20.0, unpadded=True)
    features = columns(model)

    def starts() -> bool:
        return bool(loss.unpadded.graphs.usable(model, torch.device("cpu")))

    with loss.unpadded.graphs.recording():
        value = loss([dict(column) for column in features], None)
        assert not starts()
        value.backward()
        assert starts()
        value = loss([dict(column) for column in features], None)
        del value  # nothing can ask for its gradient any more
        assert starts()


def test_without_room_passes_are_not_recorded(
    base: Path, recorded: list[torch.nn.Module], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_tuned(str(base), None, dropout=0.0, device="cpu").double()
    features = columns(model)
    value, gradients = run(info_nce(model, scale=20.0), features)
    loss = info_nce(model, scale=20.0, unpadded=True)
    model.train()

    def hold() -> None:
        found, its = run(loss, features)
        assert found == pytest.approx(value, abs=1e-12)
        assert farthest(gradients, its) < 1e-12

    def no_room(*given: Any, **more: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with loss.unpadded.graphs.recording(), monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "make_graphed_callables", no_room)
        hold()
        assert "cannot be recorded as CUDA graphs (CUDA out of memory)" in capsys.readouterr().err
    with loss.unpadded.graphs.recording():
        hold()
        assert len(recorded) == 1
        forward, calls = type(model).forward, []

        def full_at_first(self: Any, *given: Any, **more: Any) -> Any:
            calls.append(1)
            return no_room() if len(calls) == 1 else forward(self, *given, **more)

        monkeypatch.setattr(graphs, "_MOST", 1)
        monkeypatch.setattr(type(model), "forward", full_at_first)
        found = loss([{**column, "lengths": column["lengths"][:5]} for column in _first(features, 5)], None)
        assert torch.isfinite(found)
        assert len(calls) == 2
        assert "no room on the GPU for recorded passes" in capsys.readouterr().err
        assert not loss.unpadded.graphs._recorded


def _first(features: list[dict[str, Any]], rows: int) -> list[dict[str, Any]]:
    return [
        {key: value[:rows] if torch.is_tensor(value) else value for key, value in column.items()} for column in features
    ]


def test_gradients_of_recorded_passes_take_a_share_of_the_memory(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_tuned(str(base), None, dropout=0.0, device="cpu")
    kept = info_nce(model, scale=20.0, unpadded=True).unpadded.graphs
    words = model.transformers_model.get_input_embeddings().weight
    each = sum(weights.nbytes for weights in model.parameters()) - words.nbytes
    for memory, most in ((25 * each, 2), (1e15, 24), (each, 1)):
        monkeypatch.setattr(graphs, "_memory", lambda memory=memory: memory)
        assert kept._most(model) == most


def test_nothing_of_a_pass_waits_for_the_device(base: Path) -> None:
    """What reads a number off a tensor fails on tensors without numbers; a graph could not be recorded."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    model = load_tuned(str(base), Lora(rank=4), dropout=0.0, device="cpu").train()
    loss = info_nce(model, scale=20.0, unpadded=True)
    features = columns(model)
    lengths = [length for column in features for length in column["lengths"]]
    tensors, other = loss.unpadded._lay_out(features, lengths, bucket(lengths, 64), torch.device("cpu"))

    def attend(module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, **__: Any) -> Any:
        return (query + key + value).transpose(1, 2), None

    AttentionInterface.register("made_up", attend)
    AttentionMaskInterface.register("made_up", lambda *_, **__: None)
    model.transformers_model.config._attn_implementation = "made_up"
    encoding = _Encoding(model, tuple(tensors), other)
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode:
        embeddings = encoding(*(mode.from_tensor(part) for part in tensors.values()))
    assert len(embeddings) == bucket(lengths, 64).texts


@pytest.mark.parametrize("half", [False, True])
def test_fused_lora_is_pefts(base: Path, half: bool) -> None:
    model = load_tuned(str(base), Lora(rank=4), dropout=0.0, device="cpu")
    model = model if half else model.double()
    for name, weights in model.named_parameters():
        if "lora_B" in name:  # which begins at zero
            torch.nn.init.normal_(weights, std=0.1)
    features = columns(model)
    loss = info_nce(model, scale=20.0)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        value, gradients = run(loss, features)
        assert fuse(model) == 12
        found, its = run(loss, features)
    assert found == pytest.approx(value, rel=2e-2 if half else 1e-13)
    if half:
        norms = [torch.cat([part.flatten() for part in parts]) for parts in (gradients, its)]
        assert float(torch.nn.functional.cosine_similarity(*norms, dim=0)) > 0.99
    else:
        assert farthest(gradients, its) < 1e-12
    scaling = next(module.scaling for module in model.modules() if isinstance(module, LoraLayer))
    before = model.encode_query(["en1 en2"])
    scaling["default"] *= 3
    assert abs(model.encode_query(["en1 en2"]) - before).max() > 1e-4, "an adapter that is scaled later is seen"


def test_what_is_not_fused(base: Path) -> None:
    for lora in (Lora(rank=4, dropout=0.1), Lora(rank=4, dora=True)):
        assert fuse(load_tuned(str(base), lora, device="cpu")) == 0
