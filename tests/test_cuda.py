"""What must hold on a GPU: the same losses, gradients, steps, ranks and figures as on the CPU. Skipped without one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isoglot.evaluation.evaluate import evaluate
from isoglot.models.load import load_model
from isoglot.models.tunings.lora import Lora
from isoglot.retrieval import split_products
from isoglot.retrieval.ranks import exact_ranks
from isoglot.retrieval.scoring import lengths, margins, pair_scores
from isoglot.retrieval.topk import top_k
from isoglot.retrieval.torch_engine import TorchEngine
from isoglot.training.fused_lora import fuse
from isoglot.training.train import train
from tests.retrieval.test_ranks import defined_scores, near_ties
from tests.study.small import small_spec, write_benchmark
from tests.training import test_optimizer as rows
from tests.training.crash import train_until
from tests.training.test_gradcache import columns, farthest, run
from tests.training.test_train import losses, settings
from tests.training.tiny import info_nce, load_tuned, pair_table, tiny_base

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors"),
]
DEVICE = "cuda"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base") / "tiny-bert")


@pytest.fixture(params=["parts", "float32"])
def products(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How queries and documents are multiplied here: as on a device with and without tensor cores for bfloat16."""
    here = split_products.can_split(torch.ones(1, 1, device=DEVICE))
    if request.param == "parts" and not here:
        pytest.skip("no product of bfloat16 matrices with float32 sums here")
    monkeypatch.setattr(split_products, "can_split", lambda queries: request.param == "parts")
    return str(request.param)


def test_parts_are_multiplied_where_that_is_possible() -> None:
    queries = torch.ones(2, 8, device=DEVICE)
    capable = torch.cuda.get_device_capability() >= (8, 0) and "dtype" in torch.ops.aten.mm.overloads()
    assert split_products.can_split(queries) == (capable and torch.version.hip is None)
    assert not split_products.can_split(queries * 3.4e38)


@pytest.mark.parametrize("seed", range(6))
def test_ranks_are_those_of_the_cpu(seed: int, products: str) -> None:
    queries, documents, indptr, relevant, ties, offsets = near_ties(seed)
    expected = exact_ranks(queries, documents, indptr, relevant, ties, offsets)
    found = exact_ranks(queries, documents, indptr, relevant, ties, offsets, device=DEVICE, document_chunk=50)
    np.testing.assert_array_equal(found.pooled, expected.pooled)
    np.testing.assert_array_equal(found.own, expected.own)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_ranks_and_top_k_of_many_vectors(dtype: str, products: str) -> None:
    draw = np.random.default_rng(0)
    documents = draw.normal(size=(40_000, 384)).astype(dtype)
    documents[20_000:21_000] = documents[:1_000]
    queries = draw.normal(size=(300, 384)).astype(np.float32)
    relevant = np.sort(draw.choice(40_000, size=(300, 3)), axis=1).ravel()
    case = (queries, documents, np.arange(0, 901, 3), relevant, draw.permutation(40_000), np.array([0, 15_000, 40_000]))
    expected, found = exact_ranks(*case), exact_ranks(*case, device=DEVICE)
    np.testing.assert_array_equal(found.pooled, expected.pooled)
    np.testing.assert_array_equal(found.own, expected.own)
    numbers, scores = top_k(queries, documents, 100, case[4])
    on_device = top_k(queries, documents, 100, case[4], device=DEVICE)
    np.testing.assert_array_equal(on_device[0], numbers)
    np.testing.assert_array_equal(on_device[1], scores)


@pytest.mark.parametrize("width", [1, 7, 64, 383, 384, 1024, 4096])
def test_products_are_within_their_margin(width: int, products: str) -> None:
    """Of numbers of one size, of many sizes, of one common direction, and of terms that sums may cut off."""
    draw = np.random.default_rng(width)
    plain = draw.normal(size=(200, width))
    cut_off = np.full((200, width), 1.40625 * 2.0**-12)
    cut_off[:, 0] = 1
    cases = {
        "plain": plain,
        "sizes": plain * 10.0 ** draw.integers(-20, 15, size=(200, width)),
        "long": plain * 1e15,
        "tiny": plain * 1e-38,
        "common": 1 + plain * 1e-4,
        "positive": np.abs(plain),
        "cut off": cut_off,
    }
    for name, wide in cases.items():
        vectors = wide.astype(np.float32)
        engine = TorchEngine(vectors[:70], DEVICE)
        margin = margins(lengths(vectors[:70]), engine.load(vectors), width, engine.error)[:, None]
        found = engine.scores(slice(0, 70))._products.cpu().numpy().astype(np.float64)
        assert (np.abs(found - defined_scores(vectors[:70], vectors)) <= margin).all(), name


@pytest.mark.parametrize("seed", range(4))
def test_scores_that_the_device_knows_are_the_defined_ones(seed: int) -> None:
    queries, documents, *_ = near_ties(seed)
    engine = TorchEngine(queries, DEVICE)
    engine.load(documents)
    rows, columns = (grid.ravel() for grid in np.indices((len(queries), len(documents))))
    of = engine.scores(slice(0, len(queries)))
    known = of._known(torch.from_numpy(rows).to(DEVICE), torch.from_numpy(columns).to(DEVICE))
    assert known is not None
    sure = ~np.isnan(known)
    assert sure.mean() > 0.99
    np.testing.assert_array_equal(known[sure], pair_scores(queries, rows, documents, columns)[sure])


@pytest.mark.parametrize("lora", [None, Lora(rank=4)])
def test_every_way_to_the_loss_is_the_cpus(base: Path, lora: Lora | None) -> None:
    """One pass, chunks, without padding, cached; in float64 on the CPU, float32 and bfloat16 here."""
    torch.manual_seed(0)
    reference = load_tuned(str(base), lora, dropout=0.0, device="cpu").double()
    state = reference.state_dict()
    features = columns(reference)
    given: dict[str, Any] = {"scale": 20.0, "symmetric": True}
    value, gradients = run(info_nce(reference, **given), features)
    model = load_tuned(str(base), lora, dropout=0.0, device=DEVICE)
    model.load_state_dict({key: part.to(torch.float32) for key, part in state.items()})
    here = [{key: _put(part) for key, part in column.items()} for column in features]
    ways = {
        "one": info_nce(model, chunks=1, **given),
        "chunks": info_nce(model, chunks=3, **given),
        "unpadded": info_nce(model, unpadded=True, **given),
        "cached": info_nce(model, tokens=40, **given),
        "cached, unpadded": info_nce(model, tokens=90, unpadded=True, **given),
    }
    largest = max(float(part.abs().max()) for part in gradients)

    def hold(name: str, loss: Any) -> None:
        found, its = run(loss, here)
        assert found == pytest.approx(value, rel=1e-5), name
        assert farthest(gradients, [part.double().cpu() for part in its]) < 2e-5 * largest, name
        with torch.autocast(DEVICE, dtype=torch.bfloat16):
            found, its = run(loss, here)
        assert found == pytest.approx(value, rel=2e-2), name
        assert farthest(gradients, [part.double().cpu() for part in its]) < 0.1 * largest, name

    for fused in (False, True) if lora else (False,):
        if fused:
            assert fuse(model) > 0
        for name, loss in ways.items():
            hold(name, loss)
            if loss.unpadded is not None:
                model.train()
                with loss.unpadded.graphs.recording():
                    for time in range(3):
                        hold(f"{name}, recorded, time {time}, fused {fused}", loss)
                    assert all(loss.unpadded.graphs._recorded.values()), "recorded"
                model.eval()


@pytest.mark.parametrize("tokens", [0, 90])
def test_dropout_goes_on_from_run_to_run_of_a_graph(base: Path, tokens: int) -> None:
    model = load_tuned(str(base), None, dropout=0.3, device=DEVICE).train()
    here = [{key: _put(part) for key, part in column.items()} for column in columns(model)]
    loss = info_nce(model, scale=20.0, unpadded=True, tokens=tokens)

    def values() -> list[float]:
        torch.manual_seed(3)
        return [run(loss, here)[0] for _ in range(3)]

    with loss.unpadded.graphs.recording():
        first = values()
        assert len(set(first)) == 3
        assert values() == pytest.approx(first, rel=1e-5), "recording draws no numbers"
        # with gradient caching both passes over a chunk draw the same: the gradient is that of the loss
        torch.manual_seed(3)
        gradients = run(loss, here)[1]
        step = 0.01 / sum(float((part**2).sum()) for part in gradients)
        with torch.no_grad():
            for weights in model.parameters():
                if weights.grad is not None:
                    weights -= step * weights.grad
        assert first[0] - values()[0] == pytest.approx(0.01, rel=0.2)


def test_encoding_without_padding_gives_the_models_vectors(base: Path) -> None:
    from isoglot.retrieval.encode import encode_texts
    from isoglot.retrieval.streams import stream_of

    model = load_model(str(base), device=DEVICE)
    texts = [" ".join(["en1", "de2", "zh3", "en4"][: 1 + n % 4] * (1 + n % 7)) for n in range(500)]
    expected = encode_texts(load_model(str(base), device="cpu"), texts, "query", progress=False)
    assert stream_of(model, texts, "", "query") is not None
    np.testing.assert_allclose(encode_texts(model, texts, "query", progress=False), expected, atol=1e-5)


def _put(part: Any) -> Any:
    return part.to(DEVICE) if isinstance(part, torch.Tensor) else part


@pytest.mark.parametrize("fused", [False, True])
def test_row_wise_adamw_equals_dense_adamw(fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = rows.batch
    monkeypatch.setattr(rows, "batch", lambda step: [ids.to(DEVICE) for ids in draw(step)])
    with torch.device(DEVICE):
        ours, dense = (rows.prepare(sparse, torch.float64, fused=fused) for sparse in (True, False))
    dense[0].load_state_dict(ours[0].state_dict())
    norms, expected = rows.run(*ours, 0, rows.STEPS), rows.run(*dense, 0, rows.STEPS)
    assert ours[0].words.weight.device.type == DEVICE
    assert np.allclose(norms, expected, rtol=1e-9, atol=0)
    rows.assert_equal(ours[0], dense[0], 1e-9)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_runs_in_bfloat16_follow_the_one_in_float32(base: Path, tmp_path: Path, tuning: str) -> None:
    def trained(name: str, **more: Any) -> list[float]:
        result = train(
            settings(base, tmp_path / name, tuning=tuning, dropout=0.0, log_steps=1, **more),
            table=pair_table(),
            show=False,
        )
        assert result.complete
        assert result.outcome["device"].startswith(DEVICE)
        return losses(tmp_path / name)

    exact = trained("fp32", precision="fp32")
    assert exact[-1] < 0.9 * exact[0]
    assert trained("padded-fp32", precision="fp32", unpadded=False) == pytest.approx(exact, rel=1e-3)
    ways: dict[str, dict[str, Any]] = {
        "bf16": {},
        "padded": {"unpadded": False},
        "cached": {"grad_cache": 60},
        "compiled": {"compile": True},
    }
    for name, more in ways.items():
        assert trained(name, **more) == pytest.approx(exact, rel=0.1), name
    model = load_model(str(tmp_path / "bf16"))
    assert model.device.type == DEVICE
    assert {part.dtype for part in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_a_broken_run_goes_on(base: Path, tmp_path: Path, tuning: str) -> None:
    asked = settings(base, tmp_path / "whole", tuning=tuning, dropout=0.1, save_steps=4, log_steps=1)
    train(asked, table=pair_table(), show=False)
    broken = asked.replace(output=str(tmp_path / "broken"))
    train_until(7, broken, pair_table())
    train(broken, table=pair_table(), resume=True, show=False)
    assert losses(tmp_path / "broken") == pytest.approx(losses(tmp_path / "whole"), rel=1e-2)


def test_figures_are_those_of_the_cpu(base: Path, tmp_path: Path) -> None:
    from isoglot.data.benchmarks.load import load_benchmark

    benchmark = load_benchmark(str(write_benchmark(tmp_path / "bench")))

    def figures(device: str | None) -> dict[str, float]:
        model = load_model(str(base), device=device or "cpu")
        found = evaluate(model, benchmark, device=device, measures=("AP", "nDCG@10"), progress=False).summary[
            "settings"
        ]
        return {f"{setting} {key}": value for setting, part in found.items() for key, value in part.items()}

    assert figures(DEVICE) == pytest.approx(figures(None), abs=5e-3)


def test_memory_of_a_step_is_predicted(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a model that is large enough for its activations to be most of it: 12 layers of width 384, 64 pairs of 64 tokens."""
    from transformers import BertConfig, BertModel

    from isoglot.batching.plan import BatchPlan, PlanSettings
    from isoglot.batching.sampler import PlanDataset
    from isoglot.training.collate import Collator, columns_of
    from isoglot.training.slices import gpu, look, measure_on_gpu

    large = tmp_path / "large"
    shutil.copytree(base, large)
    config = BertConfig.from_pretrained(base)
    config.update({"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 1536})
    BertModel(config).save_pretrained(large)
    table = pair_table(400)
    asked = settings(large, tmp_path / "run", batch_size=256, tuning="full", steps=3)
    model = load_tuned(str(large), None, device=DEVICE)
    loss = info_nce(model, scale=20.0)
    steps = PlanDataset(table, BatchPlan(table.index, PlanSettings(batch_size=256)), 3)
    collator = Collator(model)
    collator.prepare(steps)
    measure = measure_on_gpu(loss, asked)
    found = look(loss, steps, collator, measure, gpu(loss))
    actual = max(measure(columns_of(collator([steps[step]]))) for step in range(3))
    assert found.line.bytes_of(found.load) == pytest.approx(actual, rel=0.25)
    capsys.readouterr()
    outcome = train(asked, table=table, show=False).outcome
    assert "memory of a step: about " in capsys.readouterr().err
    assert outcome["peak_allocated_bytes"] < 1.3 * found.step(found.load)
    fitted = train(asked.replace(output=str(tmp_path / "fit")), table=table, fit=True, show=False)
    assert fitted.complete
    assert "the pairs allow no more than" in capsys.readouterr().err


def test_a_study_fills_the_gpu(tmp_path: Path) -> None:
    from isoglot.study.grid import RunOptions, run_study
    from isoglot.study.read_spec import parse_spec

    spec = parse_spec(small_spec(tmp_path / "spec", seeds=[0, 1, 2]), "spec.yaml")
    assert run_study(spec, tmp_path / "study", RunOptions(allow_leaks=True)).complete
    costs = json.loads((tmp_path / "study" / "cost.json").read_text()).values()
    assert all(cost["process"]["gpu_reserved_bytes"] > 0 for cost in costs)
    assert max(cost["machine"]["cells_at_a_time"] for cost in costs) > 1


def test_a_study_records_the_gpu(tmp_path: Path) -> None:
    from isoglot.study.grid import RunOptions, run_study
    from isoglot.study.read_spec import parse_spec

    spec = parse_spec(small_spec(tmp_path / "spec"), "spec.yaml")
    options = RunOptions(workers=2, devices=(f"{DEVICE}:0",), threads=1, allow_leaks=True)
    outcome = run_study(spec, tmp_path / "study", options)
    assert outcome.complete
    assert not outcome.failed
    costs = json.loads((tmp_path / "study" / "cost.json").read_text())
    assert len(costs) == 5
    for name, cost in costs.items():
        assert cost["machine"]["gpu"] == torch.cuda.get_device_name(0)
        if not name.startswith("base"):
            run = json.loads((tmp_path / "study" / "cells" / name / "run" / "run.json").read_text())
            assert cost["gpu_peak_memory_bytes"] == run["outcome"]["peak_allocated_bytes"] > 0
