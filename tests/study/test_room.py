"""How many jobs at a time: with invented figures, and with invented processes on an invented device."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from isoglot.errors import InputError, NoRoomError
from isoglot.study import launch, machine, pool, room, worker
from isoglot.study.display import Display
from isoglot.study.engines import Places
from isoglot.study.jobs import Job
from isoglot.study.layout import OUT_OF_MEMORY, JobFolder
from isoglot.study.machine import Free
from isoglot.study.room import Memory, Room, Running, choose, room_for

GB = 1 << 30
NONE = Memory(0, 0)


def running(kind: str, device: str = "a", taken: Memory = NONE, settled: bool = False) -> Running:
    return Running(kind, device, taken, settled)


def chosen(
    waiting: Sequence[str],
    jobs: Sequence[Running],
    free: Mapping[str, float],
    known: Mapping[str, Memory] | None = None,
    host: float = 500,
    most: int = 100,
) -> tuple[tuple[int, str] | None, str]:
    figures = Free({device: int(size * GB) for device, size in free.items()}, int(host * GB))
    return choose(waiting, jobs, lambda: figures, known or {}, most)


def test_something_always_runs_and_the_next_waits_for_the_first() -> None:
    assert chosen(["x"], [], {"a": 0}, {"x": Memory(90 * GB, GB)})[0] == (0, "a"), "also where nothing is free"
    place, why = chosen(["x", "y"], [running("x")], {"a": 79})
    assert place is None
    assert "being measured" in why
    loaded = running("x", taken=Memory(GB, GB))
    assert chosen(["y"], [loaded], {"a": 79})[0] is None, "it has only loaded its model"
    settled = running("x", taken=Memory(20 * GB, GB), settled=True)
    assert chosen(["x", "y"], [settled], {"a": 59})[0] == (1, "a"), "of its own kind none was measured yet"
    assert chosen(["y"], [settled], {"a": 26})[0] is None, "a quarter more than any took"
    assert chosen([], [settled], {"a": 59}) == (None, "no other can begin before one of these has ended")


def test_what_was_started_keeps_what_it_will_take() -> None:
    known = {"x": Memory(10 * GB, GB)}
    need = 11 + 1  # a tenth more, and the context
    just = [running("x")] * 3
    left = 3 * need + 1  # with the reserve
    assert chosen(["x"], just, {"a": left + need + 0.1}, known)[0] == (0, "a")
    place, why = chosen(["x"], just, {"a": left + need - 0.1}, known)
    assert place is None
    assert why == "the next takes about 12.9 GB of a, 12.8 GB are left"
    grown = [running("x", taken=Memory(int(11 * GB), GB))] * 3
    assert chosen(["x"], grown, {"a": need + 1.1}, known)[0] == (0, "a"), "what they have is no longer free"
    assert chosen(["x", "y"], grown, {"a": 5}, {**known, "y": Memory(GB, GB)})[0] == (1, "a"), "a smaller one fits"


def test_cores_and_the_host_are_limits_too() -> None:
    known = {"x": Memory(GB, 10 * GB)}
    jobs = [running("x", taken=Memory(2 * GB, 11 * GB))]
    assert chosen(["x"], jobs, {"a": 70}, known, most=1) == (None, "as many as there are cores for (1)")
    place, why = chosen(["x"], jobs, {"a": 70}, known, host=11)
    assert place is None
    assert "of the host's memory" in why
    assert chosen(["x"], jobs, {"a": 70}, known, host=12.1)[0] == (0, "a")
    assert chosen(["y"], [running("x", device="b")], {"a": 70, "b": 70}, host=8)[0] is None, (
        "a guess as long as none was seen"
    )


def test_each_device_takes_one_and_the_emptier_one_is_filled_first() -> None:
    free = {"a": 79.0, "b": 79.0}
    assert chosen(["x", "x"], [running("x", "a")], free)[0] == (0, "b")
    assert chosen(["x"], [running("x", "a"), running("x", "b")], free)[0] is None
    known = {"x": Memory(10 * GB, GB)}
    jobs = [running("x", "a"), running("x", "a"), running("x", "b")]
    assert chosen(["x"], jobs, free, known)[0] == (0, "b")
    assert chosen(["x"], jobs, {"a": 79, "b": 20}, known)[0] == (0, "a")
    assert chosen(["x"], [running("x", "a")], {"a": 79, "b": 5}, known)[0] == (0, "a"), "another program is on b"


@pytest.mark.parametrize(("size", "most"), [(79, 6), (30, 2), (12, 1)])
def test_a_chip_is_filled_and_never_more_than_full(size: float, most: int) -> None:
    """Jobs of two kinds, each of which takes its memory in four steps and ends after eight."""
    sizes, waiting, measured = {"x": 10.0, "y": 12.0}, ["x", "y"] * 15, {}
    jobs: list[list[Any]] = []  # kind and age
    highest = 0
    while waiting or jobs:
        taken = [min(age, 4) / 4 * sizes[kind] for kind, age in jobs]
        used = sum(taken) + sum(0.5 for _, age in jobs if age)
        assert used <= size + 0.5
        seen = [running(kind, taken=Memory(int(one * GB), GB)) for (kind, _), one in zip(jobs, taken)]
        place, _ = chosen(waiting, seen, {"a": size - used}, measured)
        if place:
            jobs.append([waiting.pop(place[0]), 0])
            highest = max(highest, len(jobs))
            continue
        for job in jobs:
            job[1] += 1
        measured |= {kind: Memory(int(sizes[kind] * GB), GB) for kind, age in jobs if age == 8}
        jobs = [job for job in jobs if job[1] < 8]
    assert highest == most


class Process:
    """A job's process that was started on a device: it ends when it is told to."""

    started: ClassVar[list[Process]] = []

    def __init__(self, command: list[str], env: dict[str, str], **_: Any) -> None:
        self.folder, self.device = JobFolder(Path(command[3])), env["CUDA_VISIBLE_DEVICES"]
        self.code: int | None = None
        self.started.append(self)

    def poll(self) -> int | None:
        return self.code

    def takes(self, device: float, host: float = 3) -> None:
        self.folder.memory.write_text(json.dumps({"device": int(device * GB), "host": int(host * GB)}))

    def kill(self) -> None:
        self.code = -9

    def wait(self) -> None:
        pass

    def ends(self, code: int = 0, gigabytes: float = 10) -> None:
        asked = json.loads(self.folder.request.read_text())
        process = {"gpu_reserved_bytes": int(gigabytes * GB), "peak_memory_bytes": 3 * GB}
        cost = {"process": process, "machine": {"cells_at_a_time": asked["workers"]}}
        outcome = {"train": None, "benchmarks": {}, "cost": cost, "kind": asked["kind"]}
        if code == 0:
            self.folder.outcome.write_text(json.dumps(outcome))
        else:
            self.folder.error.write_text("OutOfMemoryError: CUDA out of memory\n")
        self.code = code


def jobs_in(folder: Path, names: Sequence[str]) -> list[Job]:
    made = [Job(name, JobFolder(folder / name), name[0], name) for name in names]
    for job in made:
        job.folder.path.mkdir()
    return made


def play(
    monkeypatch: pytest.MonkeyPatch, jobs: Sequence[Job], room: Room | None, acts: Iterator[None], workers: int = 1
) -> tuple[list[tuple[str, int]], str]:
    """Run jobs while `acts` is gone on with between two looks of the pool: (ends with their codes, what was shown)."""
    ended: list[tuple[str, int]] = []
    stream = io.StringIO()
    monkeypatch.setattr(Process, "started", [])
    monkeypatch.setattr(launch.subprocess, "Popen", Process)
    monkeypatch.setattr(pool.time, "sleep", lambda _: next(acts))
    monkeypatch.setattr("isoglot.study.room._AGAIN", 0.0)
    monkeypatch.setattr("isoglot.study.display._PLAIN", 0.0)
    shown = Display(len(jobs), stream=stream)
    devices = () if room else ("cuda:0",)
    places = Places(launch.launch, workers, 1, devices, room)
    assert pool.Pool(places, shown, pool.Stop()).run(jobs, lambda job, code: ended.append((job.id, code)))
    return ended, stream.getvalue()


def names() -> list[str]:
    return [process.folder.path.name for process in Process.started]


def test_a_pool_starts_what_fits_and_learns_from_what_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {"cuda:0": 73 * GB}
    room = Room(8, lambda: Free(dict(free), 500 * GB))
    jobs = jobs_in(tmp_path, ["x0", "x1", "x2", "x3", "y0"])

    def acts() -> Iterator[None]:
        yield
        assert names() == ["x0"]
        Process.started[0].takes(9)
        yield
        assert names() == ["x0"], "not settled yet"
        Process.started[0].ends(gigabytes=20)
        yield
        yield
        assert names() == ["x0", "x1", "x2", "x3"], "no room for 25 GB of a new kind as well"
        for process in Process.started[1:]:
            process.ends(gigabytes=20)
        yield
        yield
        assert names()[4:] == ["y0"]
        Process.started[4].ends()
        yield

    ended, shown = play(monkeypatch, jobs, room, acts())
    assert ended == [(name, 0) for name in ("x0", "x1", "x2", "x3", "y0")]
    assert "study: 1 at a time: what the first takes on cuda:0 is being measured" in shown
    assert "study: 3 at a time: the next takes about 27.9 GB of cuda:0, 3.2 GB are left" in shown
    beside = {job.id: json.loads(job.folder.outcome.read_text())["cost"]["machine"]["cells_at_a_time"] for job in jobs}
    assert beside == {"x0": 1, "x1": 3, "x2": 3, "x3": 3, "y0": 1}
    again = Room(8, lambda: Free(dict(free), 500 * GB))
    for job in jobs:
        again.learn(job)
    assert again.measured == room.measured, "a study that is gone on with knows it"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_job_without_room_is_run_again_alone_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    jobs = jobs_in(tmp_path, ["x0", "x1", "x2", "x3"])
    room = None if workers else Room(2, lambda: Free({"cuda:0": 70 * GB}, 500 * GB))
    if room:
        room.measured = dict.fromkeys({room.kind(job) for job in jobs}, Memory(GB, GB))

    def acts() -> Iterator[None]:
        yield
        assert names() == ["x0", "x1"]
        Process.started[1].takes(30)
        Process.started[1].ends(OUT_OF_MEMORY)
        yield
        yield
        assert names() == ["x0", "x1"], "nothing is started beside it"
        Process.started[0].ends()
        yield
        yield
        assert names() == ["x0", "x1", "x1"]
        Process.started[2].ends(OUT_OF_MEMORY)
        yield
        yield
        assert names()[3:] == ["x2", "x3"] if workers else ["x2"]
        for process in Process.started[3:]:
            process.ends()
        yield
        yield
        for process in Process.started[4:]:
            process.ends()
        yield

    ended, shown = play(monkeypatch, jobs, room, acts(), workers)
    assert ended[:2] == [("x0", 0), ("x1", OUT_OF_MEMORY)]
    assert sorted(ended[2:]) == [("x2", 0), ("x3", 0)]
    assert "x1: it ran beside 1 others and is run again alone (OutOfMemoryError: CUDA out of memory)" in shown
    assert "x1: out of memory after" in shown


def test_a_kind_is_what_decides_memory(tmp_path: Path) -> None:
    from isoglot.study.stages.train import Train

    def job(**values: Any) -> Job:
        stage = Train(strategy="mono", tuning="lora", values={"batch_size": 8, **values})
        request = {"table": "/a/b.parquet", "benchmarks": {"bench": "bench"}, "evaluate": {}, "store": "s"}
        return Job("x", JobFolder(tmp_path), "base", "w", stage=stage, request=request)

    first = job(seed=0, learning_rate=1e-3)
    assert job(seed=1, learning_rate=1e-4).kind == first.kind
    assert job(seed=0, learning_rate=1e-3, max_length=7).kind != first.kind
    assert replace(first, request={**first.request, "table": "/c/b.parquet"}).kind == first.kind
    before = first.kind
    first.folder.facts.write_text("{}")
    assert first.kind != before, "what is only measured"


def test_auto_is_for_gpus_whose_driver_says_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoglot.study.room.best_device", lambda: "cuda")
    monkeypatch.setattr("isoglot.study.room.cores", lambda: 16)
    monkeypatch.setattr("isoglot.study.room.gpu_memory", {"cuda:0": (1, 2), "cuda:1": (1, 2)}.get)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert room_for(3, (), 0) is None
    found = [room_for(workers, devices, 4) for workers in (None, "auto") for devices in ((), ("cuda:0", "cuda:1"))]
    assert [room.most for room in found if room] == [4, 4, 4, 4]
    assert room_for(None, ("cpu",), 0) is None
    assert room_for(None, ("cuda:2",), 0) is None
    for devices in (("cpu",), ("cuda:2",), ("cpu", "cuda:0")):
        with pytest.raises(InputError, match="--workers auto is for GPUs"):
            room_for("auto", devices, 0)
    monkeypatch.setattr("isoglot.study.room.best_device", lambda: "cpu")
    assert room_for(None, (), 0) is None, "a PyTorch without CUDA beside a GPU"


def test_the_driver_is_asked_by_its_library_or_its_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpu_memory("cuda:0") is None
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\n[ "$1" = --id=3 ] && echo "70000, 81559"\n')
    program.chmod(0o755)
    assert machine.gpu_memory("cuda:0") is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert machine.gpu_memory("cuda:1") == (70_000 << 20, 81_559 << 20)

    class Nvml:
        NVMLError = ValueError
        nvmlInit = staticmethod(lambda: None)
        nvmlDeviceGetHandleByIndex = staticmethod(int)
        nvmlDeviceGetHandleByUUID = staticmethod(lambda name: {"MIG-1": 7}[name])
        nvmlDeviceGetMemoryInfo = staticmethod(lambda handle: SimpleNamespace(free=handle, total=80))

    monkeypatch.setitem(sys.modules, "pynvml", Nvml)
    assert machine.gpu_memory("cuda:1") == (3, 80)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1")
    assert machine.gpu_memory("cuda") == (7, 80)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.gpu_memory("cuda:0") is None, "none is visible"


def test_memory_of_the_host_is_that_of_the_control_group(tmp_path: Path) -> None:
    everything = machine.host_memory(tmp_path)
    assert everything > 0
    (tmp_path / "memory.stat").write_text("anon 5\nactive_file 100\ninactive_file 50\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.host_memory(tmp_path) > 1 << 20
    (tmp_path / "memory.max").write_text("1000\n")
    assert machine.host_memory(tmp_path) == 250
    (tmp_path / "memory.max").unlink()
    old = tmp_path / "memory"
    old.mkdir()
    (old / "memory.stat").write_text("total_active_file 1\ntotal_inactive_file 2\n")
    (old / "memory.usage_in_bytes").write_text("50")
    (old / "memory.limit_in_bytes").write_text("60")
    assert machine.host_memory(tmp_path) == 13


def test_a_process_says_what_it_has_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = JobFolder(tmp_path)
    assert room.taken_so_far(folder) == (0, 0)
    cuda = SimpleNamespace(is_initialized=lambda: True, memory_reserved=lambda: 5)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    taken = worker._note_memory(folder, (0, 0))
    assert room.taken_so_far(folder) == taken
    assert taken[0] == 5
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    assert worker._note_memory(folder, taken)[0] == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), OUT_OF_MEMORY),
        (NoRoomError("a step takes more"), OUT_OF_MEMORY),
        (RuntimeError("CUDA error: out of memory"), OUT_OF_MEMORY),
        (InputError("base: it cannot embed a text of the pairs (CUDA out of memory)"), OUT_OF_MEMORY),
        (RuntimeError("no luck"), 1),
        (InputError("no such thing"), 1),
    ],
)
def test_a_worker_says_that_memory_was_what_it_lacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(worker, "_watch", lambda *_: None)
    monkeypatch.setattr(worker, "read_json", fail)
    assert worker.main([str(tmp_path), "1"]) == code
    assert (tmp_path / "error.txt").is_file()
