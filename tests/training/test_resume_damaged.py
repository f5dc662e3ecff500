"""Run directories that were killed, damaged, swapped or shared: the newest whole checkpoint or one line, never another model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from isoglot.errors import InputError
from isoglot.one_writer import LOCK, locked
from isoglot.training import checkpoints
from isoglot.training.rundir import RunDirectory
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train
from tests.training.crash import train_until
from tests.training.tiny import pair_table, small_lora, tiny_base


def settings(base: Path, output: Path, **more: Any) -> TrainSettings:
    given = {"steps": 8, "save_steps": 3, "batch_size": 8, "learning_rate": 5e-3, "dropout": 0.1}
    return TrainSettings(
        **{"pairs": ("made",), "base": str(base), "output": str(output), **given, **small_lora(more), **more}
    )


def go(asked: TrainSettings, **more: Any) -> Any:
    return train(asked, table=pair_table(), show=False, **more)


def weights(run: Path) -> dict[str, np.ndarray]:
    return load_file(run / "model" / "model.safetensors")


def log_without_times(run: Path) -> list[Any]:
    lines = [json.loads(text) for text in (run / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines]


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    go(settings(base, run))
    return run


@pytest.fixture(scope="module")
def left(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that crashed after step 7, with checkpoints of steps 3 and 6."""
    run = tmp_path_factory.mktemp("left") / "run"
    train_until(7, settings(base, run), pair_table())
    return run


@pytest.fixture
def broken(left: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(left, tmp_path / "run"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(byte ^ 0xFF for byte in data[middle : middle + 64])
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def another_type(path: Path) -> None:
    path.write_text("[1, 2]" if path.suffix == ".json" else "text")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [flip, cut, empty, another_type, folder, Path.unlink]


def test_every_damage_to_every_file_of_a_checkpoint_is_found_and_said(
    broken: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory(broken)
    newest, older = run.checkpoints / "checkpoint-6", run.checkpoints / "checkpoint-3"
    files = [path.relative_to(newest) for path in newest.rglob("*") if path.is_file()]
    assert {"adapter_model.safetensors", "optimizer.pt", "rng_state.pth", "log.jsonl", "digests.json"} <= {
        *map(str, files)
    }
    for name in files:
        original = (newest / name).read_bytes()
        for damage in DAMAGES:
            damage(newest / name)
            if not (damage is Path.unlink and name.name == checkpoints.DIGESTS):  # that is an earlier version's
                assert run.last_checkpoint() == older, (name, damage)
                assert f"{newest}: {name} is " in capfd.readouterr().err
            if (newest / name).is_dir():
                (newest / name).rmdir()
            (newest / name).write_bytes(original)
    shutil.copytree(newest, run.checkpoints / "checkpoint-old")
    (run.checkpoints / "checkpoint-7").mkdir()
    assert run.last_checkpoint() == newest
    flip(older / "optimizer.pt")
    flip(newest / "optimizer.pt")
    with pytest.raises(
        InputError, match=r"no checkpoint is whole \(checkpoint-6: optimizer.pt is damaged; .*--overwrite"
    ):
        run.last_checkpoint()


@pytest.mark.parametrize(("name", "damage"), [("optimizer.pt", flip), ("trainer_state.json", empty), (None, None)])
def test_a_run_whose_newest_checkpoint_is_damaged_ends_as_an_unbroken_one(
    base: Path, broken: Path, whole: Path, name: str | None, damage: Callable[[Path], None]
) -> None:
    if name:
        damage(broken / "checkpoints" / "checkpoint-6" / name)
    flip(broken / "log.jsonl")  # the log comes from the checkpoint
    mine = Path(shutil.copytree(broken / "checkpoints" / "checkpoint-3", broken / "checkpoints" / "checkpoint-old"))
    assert go(settings(base, broken), resume=True).complete
    assert log_without_times(broken) == log_without_times(whole)
    one, two = weights(whole), weights(broken)
    assert all(one[key].tobytes() == two[key].tobytes() for key in one)
    assert list((broken / "checkpoints").iterdir()) == [mine], "ours are gone, and nothing else"


def test_checkpoints_of_an_earlier_version_are_used_and_checked_as_far_as_that_goes(
    base: Path, broken: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory(broken)
    newest, older = checkpoints.checkpoints_in(run.checkpoints)
    for checkpoint in (newest, older):
        for name in (checkpoints.DIGESTS, checkpoints.LOG, "trained.safetensors"):
            (checkpoint / name).unlink(missing_ok=True)
    for name in ("optimizer.pt", "adapter_model.safetensors", "rng_state.pth", "modules.json", "trainer_state.json"):
        original = (newest / name).read_bytes()
        for damage in (cut, empty, folder, Path.unlink):
            damage(newest / name)
            assert run.last_checkpoint() == older, (name, damage)
            assert f"{newest}: " in capfd.readouterr().err
            if (newest / name).is_dir():
                (newest / name).rmdir()
            (newest / name).write_bytes(original)
    assert run.last_checkpoint() == newest
    assert f"{newest}: has no digests" in capfd.readouterr().err
    assert [step for step, _ in log_without_times(broken)] == [1, 2, 3], "what was read above has cut it"
    assert go(settings(base, broken), resume=True).complete


def test_the_best_checkpoint_is_needed_as_well(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Early stopping ends with the best one, which must be whole then, wherever the run was moved meanwhile."""
    more = {"tuning": "full", "learning_rate": 0.3, "validation_share": 0.3, "batch_size": 4, "eval_steps": 2}
    asked = settings(base, tmp_path / "run", **more, patience=3, steps=40)
    train_until(5, asked, pair_table())
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} == {"checkpoint-2", "checkpoint-4"}
    shutil.copytree(tmp_path / "run", tmp_path / "moved")
    go(asked, resume=True)
    shutil.copytree(tmp_path / "moved", tmp_path / "damaged")
    shutil.rmtree(tmp_path / "run" / "checkpoints", ignore_errors=True)
    go(asked.replace(output=str(tmp_path / "moved")), resume=True)
    assert (tmp_path / "moved" / "model" / "model.safetensors").read_bytes() == (
        tmp_path / "run" / "model" / "model.safetensors"
    ).read_bytes()
    flip(tmp_path / "damaged" / "checkpoints" / "checkpoint-2" / "model.safetensors")
    with pytest.raises(
        InputError, match=r"checkpoint-4: needs checkpoint-2, .*; checkpoint-2: model.safetensors is damaged"
    ):
        go(asked.replace(output=str(tmp_path / "damaged")), resume=True)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"\xff", b'{"asked": 3, "versions": {}}', b"[" * 100_000, None]
)
def test_a_damaged_record_is_one_line_and_stays(base: Path, broken: Path, content: bytes | None) -> None:
    record = broken / "run.json"
    record.unlink()
    if content is None:
        record.mkdir()
    else:
        record.write_bytes(content)
    for flags in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(InputError, match=r"run\.json"):
            go(settings(base, broken), **flags)
    assert (broken / "checkpoints" / "checkpoint-6").is_dir()


def test_settings_of_a_record_that_are_none_are_one_line(base: Path, broken: Path) -> None:
    record = json.loads((broken / "run.json").read_text())
    record["asked"]["steps"] = "many"
    (broken / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"run\.json: steps"):
        go(settings(base, broken), resume=True)


def test_a_finished_run_is_checked_before_it_counts(base: Path, whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    assert go(settings(base, run), resume=True).steps == 8
    for name in ("model/modules.json", "adapter/adapter_config.json", "model/model.safetensors"):
        original = (run / name).read_bytes()
        for damage in (flip, empty, Path.unlink):
            damage(run / name)
            with pytest.raises(
                InputError, match=rf"has ended, but {name} is (damaged|missing); begin again with --overwrite"
            ):
                go(settings(base, run), resume=True)
            (run / name).write_bytes(original)
    empty(run / "model" / "modules.json")
    go(settings(base, run), overwrite=True)
    assert go(settings(base, run), resume=True).steps == 8


def test_what_a_kill_leaves_after_the_end_is_dropped(base: Path, whole: Path, left: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    shutil.copytree(left / "checkpoints", run / "checkpoints")
    assert go(settings(base, run), resume=True).steps == 8
    assert not (run / "checkpoints").exists()


@pytest.mark.parametrize(("name", "output"), [("run", "run"), ("run/model", "run"), ("run/model", "run/model/again")])
def test_a_base_is_not_overwritten_by_what_is_made_of_it(whole: Path, tmp_path: Path, name: str, output: str) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    with pytest.raises(InputError, match="lies there, or it lies in the base"):
        go(settings(tmp_path / name, tmp_path / output), overwrite=True)
    np.testing.assert_equal(weights(run), weights(whole))


def test_a_saved_tokenizer_does_not_depend_on_what_was_tokenised_last(base: Path, tmp_path: Path) -> None:
    go(settings(base, tmp_path / "run", tuning="full", steps=1, save_steps=0))
    saved = json.loads((tmp_path / "run" / "model" / "tokenizer.json").read_text())
    assert (saved["truncation"], saved["padding"]) == (None, None)


def test_a_replaced_base_cannot_be_resumed_with(tmp_path: Path, base: Path, left: Path) -> None:
    own = Path(shutil.copytree(base, tmp_path / "base"))
    run = Path(shutil.copytree(left, tmp_path / "run"))
    record = json.loads((run / "run.json").read_text())
    record["asked"]["base"] = record["base"]["name"] = str(own)
    (run / "run.json").write_text(json.dumps(record))
    asked = settings(own, run)
    flip(own / "model.safetensors")
    with pytest.raises(InputError, match=r"cannot resume, the base model changed since this run began \(digest\)"):
        go(asked, resume=True)
    shutil.copyfile(base / "model.safetensors", own / "model.safetensors")
    tokenizer = json.loads((own / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["en1"], tokenizer["model"]["vocab"]["de1"] = (
        tokenizer["model"]["vocab"][word] for word in ("de1", "en1")
    )
    (own / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(InputError, match="the base model changed"):
        go(asked, resume=True)
    shutil.copyfile(base / "tokenizer.json", own / "tokenizer.json")
    assert go(asked, resume=True).complete


def test_other_conditions_are_said(base: Path, broken: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record = json.loads((broken / "run.json").read_text())
    record["versions"]["torch"], record["processes"] = "1.0", 2
    (broken / "run.json").write_text(json.dumps(record))
    go(settings(base, broken), resume=True)
    said = capfd.readouterr().err
    assert "under other conditions (processes: 2, now 1, torch: 1.0, now " in said


def test_overwrite_removes_what_the_run_wrote_and_nothing_else(
    base: Path, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    (run / "notes.txt").write_text("mine")
    (run / "model" / "onnx").mkdir()
    (run / "model" / "onnx" / "model.onnx").write_text("mine too")
    with pytest.raises(InputError, match=r"the run did not write model/onnx/model\.onnx; move that away"):
        go(settings(base, run, seed=1), overwrite=True)
    assert (run / "model" / "model.safetensors").is_file()
    shutil.rmtree(run / "model" / "onnx")
    link = tmp_path / "link"
    link.symlink_to(run)
    go(settings(base, link, seed=1), overwrite=True)
    assert "not of the run, so they stay: notes.txt" in capfd.readouterr().err
    assert link.is_symlink()
    assert (run / "notes.txt").read_text() == "mine"
    assert json.loads((run / "run.json").read_text())["asked"]["seed"] == 1


class Killed(BaseException):
    pass


class Begun(Exception):
    pass


def kill_at(moment: int, run: Path, patch: pytest.MonkeyPatch) -> None:
    """Raise `Killed` instead of a change of a name in or beside `run`: the first, for moment 0."""
    events = 0

    def wrap(real: Any) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            nonlocal events
            events += os.fspath(given[0]).startswith(str(run.parent))
            if events > moment:
                raise Killed
            return real(*given, **more)

        return call

    for owner, name in ((Path, "replace"), (Path, "unlink"), (shutil, "rmtree"), (Path, "mkdir")):
        patch.setattr(owner, name, wrap(getattr(owner, name)))


@pytest.mark.parametrize(("flags", "least"), [({}, 3), ({"overwrite": True}, 6)])
def test_a_start_killed_at_any_moment_can_be_started_again(
    base: Path, broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: dict[str, bool], least: int
) -> None:
    """Moments: each change of a name that the beginning makes; nothing is tidied after it, as nothing is after a kill."""
    import isoglot.training.train as module

    def begun(*_: Any, **__: Any) -> None:
        raise Begun

    monkeypatch.setattr(module, "_trainer", begun)
    for moment in range(100):
        run = tmp_path / str(moment) / "run"
        if flags:
            shutil.copytree(broken, run)
        with monkeypatch.context() as patch:
            kill_at(moment, run, patch)
            with pytest.raises((Killed, Begun)) as ended:
                go(settings(base, run), **flags)
        if ended.type is Begun:
            break
        for again in ({"resume": True}, flags):
            target = tmp_path / str(moment) / "-".join(["again", *again])
            if run.exists():
                shutil.copytree(run, target)
            if not again and (target / "run.json").is_file():
                with pytest.raises(InputError, match="go on with --resume"):
                    go(settings(base, target))
            else:
                with pytest.raises(Begun):
                    go(settings(base, target), **again)
    assert moment >= least


WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from tests.training.test_resume_damaged import settings, go
from isoglot.training.progress import Progress
import time
Progress.on_step_end = lambda *a, **k: (print("training", flush=True), time.sleep(60))
go(settings(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def test_two_writers(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from isoglot.cli.main import main

    run = tmp_path / "run"
    root = str(Path(__file__).parents[2])
    first = subprocess.Popen([sys.executable, "-c", WRITER, str(base), str(run), root], stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert first.stdout.readline() == b"training\n"
    capfd.readouterr()
    words = ["train", "--pairs", "facts:", "--base", str(base), "--output", str(run)]
    for flags in ([], ["--resume"], ["--overwrite"]):
        assert main([*words, *flags]) == 2
        said = capfd.readouterr().err
        assert f"{run}: is being written by process {first.pid} on host {os.uname().nodename} since " in said
        assert said.count("\n") == 1
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert go(settings(base, run), resume=True).complete
    assert not (run / LOCK).exists()
    with locked(run), pytest.raises(InputError, match=f"process {os.getpid()} "):
        go(settings(base, run), resume=True)


def test_an_output_that_cannot_be_written_is_one_line_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for output in (tmp_path / "file" / "run", tmp_path / "file", Path("/proc/run")):
        with pytest.raises(InputError, match=str(output)):
            train(settings(tmp_path / "no base", output), show=False)


def test_a_full_disk_in_the_middle_leaves_the_last_checkpoint(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Path
) -> None:
    import errno

    finish = checkpoints.finish

    def full(checkpoint: Path) -> None:
        if checkpoint.name == "checkpoint-6":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finish(checkpoint)

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "finish", full)
        with pytest.raises(InputError, match=r"checkpoint-6: cannot be written \(No space left on device\)"):
            go(settings(base, run))
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["checkpoint-3"]
    go(settings(base, run), resume=True)
    one, two = weights(whole), weights(run)
    assert all(one[key].tobytes() == two[key].tobytes() for key in one)


def test_a_run_is_on_the_disk_before_it_is_said_to_have_ended(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file of the run was synced after its last change, and the directories' names, before run.json got its outcome."""
    run = tmp_path / "run"
    synced: dict[str, int] = {}
    real = os.fsync

    def note(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        synced[path] = os.stat(path).st_mtime_ns
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    remove, removed = shutil.rmtree, []

    def rmtree(path: Any, *given: Any, **more: Any) -> None:
        if "checkpoint-" in Path(path).name and Path(path).parent.name == "checkpoints":
            removed.append(Path(path).name)
            if len(removed) == 1:
                whole = [path for path in run.rglob("*") if path.is_file() and "checkpoint-6" in path.parts]
                assert whole
            else:
                assert "outcome" in json.loads((run / "run.json").read_text())
        remove(path, *given, **more)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    go(settings(base, run, steps=9))
    assert removed[0] == "checkpoint-3"
    inodes = {os.stat(path).st_ino for path in synced if os.path.exists(path)}
    for path in run.rglob("*"):
        temporaries = [name for name in synced if f".{path.name}." in name]
        is_inside = any(
            f".{parent.name}." in name and name.endswith(path.name) for parent in path.parents for name in synced
        )
        assert path.stat().st_ino in inodes or temporaries or is_inside, path


def test_tiny_base_is_told_by_content(tmp_path: Path) -> None:
    from isoglot.models.content import base_digest

    one = tiny_base(tmp_path / "one")
    two = Path(shutil.copytree(one, tmp_path / "two"))
    assert base_digest(str(one)) == base_digest(str(two))
    for name in ("README.md", "card/loss.PNG", ".git/index", ".gitattributes", "onnx/model.onnx", "blocks.json"):
        (two / name).parent.mkdir(exist_ok=True)
        (two / name).write_text(name)
    assert base_digest(str(one)) == base_digest(str(two)), "files that decide nothing"
    for name in ("vocab.txt", "1_Pooling/config.json"):
        (two / name).parent.mkdir(exist_ok=True)
        (two / name).write_text(name)
        assert base_digest(str(one)) != base_digest(str(two)), name
        (two / name).unlink()
    for name in ("one", "two"):
        adapter = tmp_path / f"adapter-{name}"
        adapter.mkdir()
        (adapter / "adapter_config.json").write_text('{"peft_type": "LORA"}')
        (adapter / "isoglot.json").write_text(json.dumps({"base": str(tmp_path / "one"), "prompts": {}}))
    before = base_digest(str(tmp_path / "adapter-one"))
    assert before == base_digest(str(tmp_path / "adapter-two"))
    flip(one / "model.safetensors")
    assert base_digest(str(one)) != base_digest(str(two))
    assert base_digest(str(tmp_path / "adapter-one")) != before
    (tmp_path / "adapter-one" / "isoglot.json").write_text(json.dumps({"base": str(tmp_path / "adapter-one")}))
    with pytest.raises(InputError, match="belongs to a base that belongs to it"):
        base_digest(str(tmp_path / "adapter-one"))
