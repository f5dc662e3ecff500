"""The arithmetic of docs/scale.md: by hand, from invented rates, and that the page says what it gives."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from scale_plan import (  # noqa: E402
    CORPORA,
    LARGE,
    MEASURED_PARAMETERS,
    Assumptions,
    Corpus,
    Rates,
    cost_of,
    filled,
    hnsw_bytes,
    load_rates,
    parts,
    plan,
    prices_of,
)

pytestmark = pytest.mark.skipif(
    not (Path(__file__).parents[1] / "results" / "speed" / "encode_engines.json").is_file(),
    reason="the plan's rates are not measured yet: benchmarks/encode_engines.py",
)

RATES = Rates(
    gpu_tokens=1000.0,
    gpu_tokens_alone=4000.0,
    core_tokens=10.0,
    rows=100.0,
    scores=1e6,
    pairs=50.0,
    inserts=None,
    places=dict.fromkeys(("gpu", "cores", "search"), "here"),
)
ASKED = Assumptions(tokens=100, gpus=2, cores=4, shard_size=1000, links=16, node_memory=10e9, node_share=0.5)


def amounts(corpus: Corpus) -> list[float]:
    return [step.amount for step in plan(corpus, RATES, ASKED)]


def test_amounts_of_a_corpus_worked_out_by_hand() -> None:
    n = 3.6e6
    reading, whole, alone, cores, disk, exact, single, half = amounts(Corpus("c", n, 384, MEASURED_PARAMETERS))
    assert reading == pytest.approx(10)  # 36,000 s
    assert whole == pytest.approx(100)  # 3.6e8 tokens at 1,000 a second
    assert alone == pytest.approx(25)
    assert cores == pytest.approx(10_000)
    assert disk == exact == pytest.approx(3.6e6 * 768 / 1e9)
    links = 8 + 4 * 33 + 4 * 17 / 15
    assert single == pytest.approx(n * (4 * 384 + links) / 1e9)
    assert half == pytest.approx(n * (2 * 384 + links) / 1e9)
    machines = [step.machines for step in plan(Corpus("c", n, 384, MEASURED_PARAMETERS), RATES, ASKED)]
    assert machines[1] == "2 GPUs: 2.1 days"
    assert machines[3] == "4 cores: 104.2 days"
    assert machines[4].startswith("7,200 files; read once at 1 GB/s: 2.8 s")
    assert machines[5] == "2 cores: 1.0 h for 1,000 queries at once"
    assert machines[6] == "2 query nodes of 10 GB", "6 GB in nodes that hold 5"


def test_what_milvus_took_in_counts_where_it_was_measured(tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "results" / "speed", tmp_path / "speed")
    server = {"insert_per_second": 1000.0, "build_seconds": 100.0}
    conditions = json.loads((folder / "speed_cuda.json").read_text())["encode"]["conditions"]
    sizes = {"20000": {"milvus-server": {}}, "200000": {"exact": {}, "milvus-server": server}, "400000": {"exact": {}}}
    (folder / "indexes.json").write_text(json.dumps({"sizes": sizes, "conditions": conditions}))
    rates = load_rates(folder)
    assert rates.inserts == pytest.approx(200_000 / 300)
    assert plan(CORPORA[0], rates, ASKED)[-1].amount == pytest.approx(106e6 * 300 / 200_000 / 3600)
    (folder / "indexes.json").write_text(json.dumps({"sizes": {"400000": {"exact": {}}}, "conditions": conditions}))
    assert load_rates(folder).inserts is None


def test_a_larger_model_is_bound_by_its_passes() -> None:
    assert LARGE["parameters"] / MEASURED_PARAMETERS == pytest.approx(14.2, abs=0.05)
    small, large = (
        amounts(Corpus("c", 3.6e6, width, weights)) for width, weights in ((384, MEASURED_PARAMETERS), LARGE.values())
    )
    assert large[1] == pytest.approx(25 * 14.22, rel=0.01), "not four times that: tokens are made meanwhile"
    assert large[0] == small[0]
    assert large[4] == pytest.approx(small[4] * 1024 / 384)


def test_bytes_of_hnsw() -> None:
    assert hnsw_bytes(384, 4, 16) == pytest.approx(1536 + 8 + 132 + 4.533, abs=0.01)


def test_prices() -> None:
    (step, *_) = plan(CORPORA[0], RATES, ASKED)
    assert cost_of(step, {}) == f"{step.amount:,.1f} x C"
    assert cost_of(step, prices_of(["core_hour=0.5"])) == f"{step.amount * 0.5:,.2f}"
    for word in ("core=1", "core_hour=x", "core_hour"):
        with pytest.raises(SystemExit, match="expected NAME=NUMBER"):
            prices_of([word])


def test_the_page_says_what_the_results_give() -> None:
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    assert page == filled(page, parts(Assumptions())), "run python benchmarks/scale_plan.py --write docs/scale.md"
    with pytest.raises(ValueError, match="no <!-- nothing -->"):
        filled(page, {"nothing": ""})


def test_every_rate_is_from_a_committed_file() -> None:
    rates = vars(load_rates())
    assert all(rates[name] > 0 for name in rates if name not in ("places", "inserts"))


def test_the_command_takes_a_corpus_of_ones_own() -> None:
    words: list[Any] = [
        "--passages",
        "40e6",
        "--width",
        "768",
        "--encoder-parameters",
        "86e6",
        "--prices",
        "gpu_hour=2.5",
    ]
    command = [sys.executable, str(ROOT / "benchmarks" / "scale_plan.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[0] == "| step | yours |"
    assert "61.4 GB of disk; 61.4 x D a month" in done.stdout
