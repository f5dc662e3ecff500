"""Loss of power: commands work on a disk image that is copied without being synced; the copy is what a disk would hold."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _commands import Case, Place, difference, is_chosen, is_litter, tree
from _moments import start

_SIZE = 160 << 20  # bytes
_REPORTED = (
    *("train (LoRA)", "train (full)", "train (validation)", "evaluate --store, over an older result"),
    *("data pack", "data pack --overwrite", "study run", "study export, over an older one"),
)
"""Power fails when the command has just ended with exit code 0."""
_WITHIN = (("train (LoRA)", 0.7), ("study run", 0.6))
"""Power fails before this share of a command's changes to files; then it is started again."""


def power(place: Place, chosen: list[str]) -> dict[str, Any]:
    """Copies of the image at ten moments: what was reported done must be in them, what was not must recover."""

    moments, problems = [], []
    plan: list[tuple[str, float | None]] = [(name, None) for name in _REPORTED]
    for name, share in [*plan, *_WITHIN]:
        if not is_chosen(name, chosen):
            continue
        case = place.cases()[name]
        before = place.prepare(case)
        if share is None:
            lost, control = _after_exit(place, case, before)
        else:
            wanted, events = place.reference(case, before)
            lost, control = _within(place, case, before, wanted, int(share * events))
        lost = {path: digest for path, digest in lost.items() if not is_litter(path)}
        problem = difference({}, lost)
        moment = "after exit code 0" if share is None else f"at {share:.0%} of its changes to files, then started again"
        moments.append({"case": name, "moment": moment, "whole": not problem, "unsynced_control_lost": control})
        if problem:
            problems.append({"case": name, "moment": moment, "why": problem})
        print(
            f"{name} {moment}: {problem or 'whole'}; a file that was not synced is {'lost' if control else 'there'}",
            flush=True,
        )
    total = {"moments": len(moments), "whole": sum(moment["whole"] for moment in moments)}
    return {"moments": moments, "total": total, "problems": problems}


def _after_exit(place: Place, case: Case, before: Path) -> tuple[dict[str, str], bool]:
    """(what of the tree after exit code 0 is missing or other in the copy, whether the control was lost)."""
    image, copy = place.home / "disk.img", place.home / "copy.img"
    with _mounted(image, place.area, make=True):
        place.reset(before)
        os.sync()
        child = start(case.work, place.log, place.area)
        if child.end():
            raise SystemExit(f"fails by itself: {child.said}")
        (place.area / "control").write_text("not synced")
        shutil.copyfile(image, copy)
        (place.area / "control").unlink()
        wanted = tree(place.area)
    with _mounted(copy, place.area):
        control = place.area / "control"
        is_lost = not control.is_file() or not control.read_bytes()
        control.unlink(missing_ok=True)
        there = tree(place.area)
    # what was being deleted may still be there
    return {name: digest for name, digest in wanted.items() if there.get(name) != digest}, is_lost


def _within(place: Place, case: Case, before: Path, wanted: dict[str, str], at: int) -> tuple[dict[str, str], bool]:
    """(what differs from an unbroken run after the command was started again on the copy, whether the control was lost)."""
    image, copy = place.home / "disk.img", place.home / "copy.img"
    with _mounted(image, place.area, make=True):
        place.reset(before)
        os.sync()
        child = start(case.work, place.log, place.area, at, signal.SIGSTOP)
        if not child.stopped():
            raise SystemExit(f"did not stop: {child.said}")
        (place.area / "control").write_text("not synced")
        shutil.copyfile(image, copy)
        os.killpg(child.pid, signal.SIGKILL)
        child.end()
    with _mounted(copy, place.area):
        control = place.area / "control"
        is_lost = not control.is_file() or not control.read_bytes()
        control.unlink(missing_ok=True)
        child = start(case.again or case.work, place.log, place.area)
        if code := child.end():
            return {f"exit code {code}: {child.said[-400:]}": ""}, is_lost
        there = tree(place.area)
    return {
        name: wanted.get(name, "more") for name in {*wanted, *there} if wanted.get(name) != there.get(name)
    }, is_lost


@contextmanager
def _mounted(image: Path, where: Path, *, make: bool = False) -> Iterator[None]:
    """An ext4 image, mounted; its journal is written when somebody syncs, not by a clock."""
    if sys.platform != "linux" or os.geteuid():
        raise SystemExit("power: needs Linux, and root to mount disk images")
    if make:
        with image.open("wb") as file:
            file.truncate(_SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    subprocess.run(["mount", "-o", "loop,commit=300", image, where], check=True)
    try:
        yield
    finally:
        for _ in range(100):  # processes that were killed may still be dying
            if subprocess.run(["umount", where], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
