"""Every engine makes the files of one process, also where a worker or the whole command is killed on the way."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from isoglot.errors import IsoglotError
from isoglot.retrieval.encode_engines import Workers, worker_processes
from isoglot.retrieval.shard_encoder import EncodeSettings
from isoglot.retrieval.sharded_encoding import encode_shards
from isoglot.retrieval.text_shards import HeldShard, ShardTexts, cut_files
from tests.training.tiny import WORDS, tiny_base

TEXTS, SHARD = 4000, 200
RAY = pytest.param(
    "ray", marks=pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
)
pytestmark = pytest.mark.slow


class Made:
    """A model, texts, and the files that one process makes of them."""

    def __init__(self, folder: Path) -> None:
        self.base, self.texts = str(tiny_base(folder / "tiny")), folder / "t.jsonl"
        chance = random.Random(0)
        rows = [
            {"id": f"d{number}", "lang": "de", "text": " ".join(chance.choices(WORDS, k=chance.randrange(2, 50)))}
            for number in range(TEXTS)
        ]
        self.texts.write_text("".join(json.dumps(row) + "\n" for row in rows))
        settings = EncodeSettings(shard_size=SHARD)
        encode_shards(self.base, cut_files([self.texts], SHARD), folder / "alone", settings, progress=False)
        self.files = files_of(folder / "alone")

    def command(self, output: Path, *more: str) -> list[str]:
        words = [self.base, str(self.texts), "--output", str(output), "--shard-size", str(SHARD)]
        return ["-m", "isoglot", "encode", *words, *more]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def begin(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as sink:
        return subprocess.Popen([sys.executable, *command], stdout=sink, stderr=sink, start_new_session=True)


def wait_for(what: Callable[[], object], process: subprocess.Popen[bytes], log: Path) -> None:
    """Until something is so; the process must still be at work then."""
    until = time.monotonic() + 240
    while not what():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.02)


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Its workers, of multiprocessing or of Ray."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            words = " ".join(child.cmdline())
        except psutil.Error:
            continue
        if "spawn_main" in words or "MapWorker(MapBatches(_Worker))" in words:
            found.append(child)
    return found


@pytest.mark.parametrize("engine", ["processes", RAY])
def test_two_workers_of_which_one_is_killed_make_the_files_of_one_process(
    engine: str, made: Made, tmp_path: Path
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    process = begin(made.command(out, "--engine", engine, "--workers", "2"), log)
    try:
        wait_for(lambda: out.is_dir() and list(out.glob("ids-*")), process, log)
        killed = workers_of(process)[0]
        killed.kill()
        assert process.wait(240) == 0, log.read_text()
        assert not killed.is_running()
    finally:
        process.kill()
    assert files_of(out) == made.files, log.read_text()
    if engine == "processes":
        assert "a worker died (killed by signal 9 (out of memory?)); texts" in log.read_text()


@pytest.mark.parametrize("engine", ["processes", RAY])
def test_a_killed_command_leaves_no_worker_and_the_next_encodes_what_is_missing(
    engine: str, made: Made, tmp_path: Path
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    command = made.command(out, "--engine", engine, "--workers", "2")
    process = begin(command, log)
    wait_for(lambda: out.is_dir() and len(list(out.glob("ids-*"))) > 3, process, log)
    workers = workers_of(process)
    process.kill()
    process.wait()
    assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive, "workers end with the process that started them"
    done = {path: path.stat().st_mtime_ns for path in out.glob("ids-*")}
    assert 3 < len(done) < TEXTS // SHARD

    again = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=240, check=False)
    assert again.returncode == 0, again.stderr
    assert f"{TEXTS // SHARD - len(done)} of {TEXTS // SHARD} shards to encode, by {engine}" in again.stderr
    assert files_of(out) == made.files
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert {path.name for path in out.iterdir()} == set(made.files), "nothing half-written is left"


def test_two_processes_of_a_launcher_share_the_shards(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "out"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ran = subprocess.run([*launcher, *made.command(out)], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("4,000 vectors of 32 numbers") == 1
    assert files_of(out) == made.files
    (out / "meta.json").write_text("[]")
    ran = subprocess.run([*launcher, *made.command(out)], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode != 0
    assert ran.stderr.count("not of isoglot encode") == 1


class Deadly(HeldShard):
    """A shard that kills whoever reads it."""

    def read(self) -> ShardTexts:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class Broken(HeldShard):
    """A shard that cannot be read."""

    def read(self) -> ShardTexts:
        raise ZeroDivisionError("of the test")


@pytest.mark.parametrize("engine", ["processes", RAY])
@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (Deadly, "texts 1 to 1: 3 workers died of them"),
        (Broken, "a worker failed with ZeroDivisionError: of the test"),
    ],
)
def test_a_shard_that_no_worker_survives_ends_the_run(
    engine: str, kind: type[HeldShard], problem: str, made: Made, tmp_path: Path
) -> None:
    shard = kind(0, ShardTexts(["a"], ["de"], ["de1"]))
    with pytest.raises(IsoglotError, match=problem):
        encode_shards(made.base, [shard], tmp_path / "out", engine=engine, progress=False)


def test_gpus_are_shared_out_among_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(worker_processes, "best_device", lambda: "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert worker_processes._devices(None, 3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert worker_processes._devices("cpu", 2) == ["cpu", "cpu"]
    assert Workers().number == 1
