"""Two processes train what one process trains: the same losses and weights, whatever the settings, also after a break."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from isoglot.errors import InputError, IsoglotError
from isoglot.processes import Processes, in_each, in_first, processes, start, together
from isoglot.training.distributed import sum_processes
from tests.training.several import run_case

TERMS = {"infonce": 1, **dict.fromkeys(("distill", "passages", "pivot", "queries", "rankings", "reverse"), 0.5)}
CASES: dict[str, dict[str, Any]] = {
    "full": {"settings": {"tuning": "full"}},
    "lora-negatives": {"negatives": True, "settings": {"negatives": 2}},
    "several-texts-per-pair": {
        "negatives": True,
        "settings": {"strategy": "everything", "symmetric": True, "tuning": "full", "negatives": 1},
    },
    "several-texts-cached": {"settings": {"strategy": "everything", "symmetric": True, "grad_cache": 60}},
    "terms": {
        "negatives": True,
        "settings": {
            "strategy": "everything",
            "loss": TERMS,
            "tuning": "full",
            "validation_share": 0.4,
            "eval_steps": 2,
            "steps": 4,
        },
    },
    "terms-cached": {"settings": {"strategy": "everything", "loss": TERMS, "grad_cache": 60, "steps": 3}},
    "terms-aligned": {"settings": {"loss": TERMS, "teacher": {"language": "zh"}, "steps": 4}},
    # texts are cut after one word, which pairs of both processes may share
    "same-tokens": {"settings": {"max_length": 5, "tuning": "full", "strategy": "mono"}},
    # one negative per batch: one of the processes has none
    "lone-negative": {"negatives": ["en59 de59"], "settings": {"tuning": "full", "steps": 3}},
    "everything": {
        "negatives": True,
        "settings": {"symmetric": True, "tuning": "full", "validation_share": 0.4, "eval_steps": 2, "steps": 4},
    },
    "cached": {"settings": {"grad_cache": 30, "tuning": "full", "symmetric": True}},
    "cached-negatives": {"negatives": True, "settings": {"negatives": 2, "grad_cache": 30}},
    # 24 pairs in batches of 8: steps 7 and 8 lie in the third pass
    "crash": {"settings": {"save_steps": 7, "steps": 10}, "at": {"step": 8, "crash": True}},
    "signal": {"settings": {"save_steps": 100, "steps": 4}, "at": {"step": 3, "signal": 1}},
    "dropout": {"settings": {"save_steps": 2, "dropout": 0.2, "steps": 4}, "at": {"step": 3, "crash": True}},
    "dropout-whole": {"settings": {"save_steps": 2, "dropout": 0.2, "steps": 4}},
}
EQUAL = [name for name in CASES if not name.startswith("dropout")]


def launch(*words: str) -> subprocess.CompletedProcess[str]:
    """Two processes on this machine, one thread each."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "src"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", *words]
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, timeout=300, check=False)


@pytest.fixture(scope="module")
def runs(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(directory of the runs of one process, of two)."""
    import torch

    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    (two / "cases.json").write_text(json.dumps(CASES))
    done = launch("tests.training.several", str(base), str(two), str(two / "cases.json"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "", "results go to stdout, and these runs have none"
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOGLOT_CACHE", str(one / "cache"))
        for name in EQUAL:
            run_case(str(base), one / name, {**CASES[name], "at": None})
    return one, two


def log_of(run: Path, key: str = "loss") -> list[float]:
    lines = [json.loads(text) for text in (run / "log.jsonl").read_text().splitlines()]
    return [line[key] for line in lines if key in line]


def weights(run: Path) -> dict[str, np.ndarray]:
    return load_file(run / "model" / "model.safetensors")


@pytest.mark.parametrize("name", EQUAL)
def test_two_processes_equal_one(runs: tuple[Path, Path], name: str) -> None:
    one, two = (directory / name for directory in runs)
    assert log_of(two) == pytest.approx(log_of(one), abs=1e-5)
    assert log_of(two, "validation_loss") == pytest.approx(log_of(one, "validation_loss"), abs=1e-5)
    assert log_of(two, "gradient_norm") == pytest.approx(log_of(one, "gradient_norm"), rel=1e-4)
    expected, found = weights(one), weights(two)
    assert expected.keys() == found.keys()
    for key in expected:
        assert np.abs(expected[key] - found[key]).max() < 1e-5, key


def test_one_writer_and_the_counts_of_all(runs: tuple[Path, Path]) -> None:
    one, two = (json.loads((directory / "full" / "run.json").read_text()) for directory in runs)
    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["outcome"]["tokens"] == two["outcome"]["tokens"]
    assert len(log_of(runs[1] / "full")) == 6
    assert len(list((runs[1] / "full" / "tensorboard").glob("events*"))) == 1


def attempts(directory: Path, name: str) -> list[Any]:
    first, second = (json.loads((directory / f"{name}.{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    return list(first)


def test_a_signal_to_one_process_stops_all_at_the_same_step(runs: tuple[Path, Path]) -> None:
    assert attempts(runs[1], "signal") == [[False, 3], [True, 4]]


def test_resume_with_dropout_draws_each_process_its_own_masks_again(runs: tuple[Path, Path]) -> None:
    two = runs[1]
    assert attempts(two, "dropout") == [[False, 3], [True, 4]]
    assert log_of(two / "dropout") == log_of(two / "dropout-whole")
    broken, whole = weights(two / "dropout"), weights(two / "dropout-whole")
    assert all(broken[key].tobytes() == whole[key].tobytes() for key in whole)


def test_a_batch_that_cannot_be_shared_out_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = "import os, time\nif os.environ.get('RANK') == '0':\n    time.sleep(3)\n"  # the others do not end before it has spoken
    (tmp_path / "sitecustomize.py").write_text(late)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    words = ["train", "--pairs", "facts:", "--output", str(tmp_path / "run"), "--batch-size", "7", "--steps", "1"]
    done = launch("isoglot", *words)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("isoglot:")]
    assert said == ["isoglot: batch_size 7 is that of all processes together and must be a multiple of their number, 2"]
    assert done.stdout == ""
    assert not (tmp_path / "run").exists()


def test_without_a_launcher_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    assert processes() == Processes(0, 1)
    monkeypatch.setenv("WORLD_SIZE", "4")  # some job schedulers set this alone
    assert processes() == Processes(0, 1)
    assert start() == Processes()
    assert sum_processes(7) == 7
    assert together(lambda: "value") == in_first(lambda: "value") == "value"
    assert in_each(lambda: "value") == ["value"]

    def fail() -> None:
        raise IsoglotError("no")

    for way in (together, in_first, in_each):
        with pytest.raises(IsoglotError, match="no"):
            way(fail)


def test_batches_are_checked() -> None:
    Processes(1, 4).check(12)
    with pytest.raises(InputError, match="multiple of their number, 4"):
        Processes(1, 4).check(10)
