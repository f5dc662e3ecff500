"""The part `memory` of endurance.py: commands that are given less address space than they need, and then enough.

Each runs in a fork of a process that has imported everything, first without a limit, to see what it takes beyond that process.
Then it is limited (RLIMIT_AS) to what the process has and a share of that: it has to end well or with one line and exit code 2,
and the same command without a limit has to come to the end that it has when nothing ever lacked.
"""

from __future__ import annotations

import hashlib
import resource
import threading
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

import _small_inputs
import psutil
from _commands import Case, Command, Place, difference, is_chosen, is_litter, tree
from _moments import Child, start

_CODES = (1, 2)
"""Of a command that says what it lacks, and of a study of which some jobs have failed."""


class Peak:
    """The most address space that a process and those that it starts have had, looked at until `stop`."""

    def __init__(self, child: Child) -> None:
        self.bytes, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._look, args=(child.pid,), daemon=True)
        self._thread.start()

    def _look(self, pid: int) -> None:
        while not self._over.wait(0.005):
            try:
                own = psutil.Process(pid)
                every = [own, *own.children(recursive=True)]
            except psutil.Error:
                continue
            self.bytes = max(self.bytes, *(address_space(process.pid, "VmPeak") for process in every))

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self.bytes


def address_space(pid: int | str = "self", of: str = "VmSize") -> int:
    """Bytes; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{of}:")), 0)


def base(path: Path) -> Path:
    """A random model of width 512 with six layers, 76 MB: something that does not always fit."""
    import torch
    from tests.training.tiny import tiny_base
    from transformers import BertConfig, BertModel

    tiny_base(path, _small_inputs.WORDS)
    config = BertConfig.from_pretrained(path)
    config.update({"hidden_size": 512, "num_hidden_layers": 6, "num_attention_heads": 8, "intermediate_size": 2048})
    torch.manual_seed(0)
    BertModel(config).save_pretrained(path)
    return path


def cases(place: Place) -> dict[str, Case]:
    """Those of `reliability.py` that hold models or all pairs; making an index, and encoding texts."""
    known = place.cases()
    names = ("train (LoRA)", "train (full)", "evaluate --store, over an older result", "data pack")
    words = [str(place.inputs / "model"), str(place.inputs / "documents.jsonl"), "--device", "cpu", "--output"]
    return {
        **{name: known[name] for name in (*names, "data mine", "study run")},
        "index": Case(Command("index", *words, str(place.area / "index"))),
        "encode": Case(Command("encode", *words, str(place.area / "encoded"))),
    }


def content(area: Path) -> dict[str, str]:
    """What there is, as `tree` has it; of an index what it holds, as SQLite's files tell of how it was written, too."""
    from isoglot.retrieval.collection import Collection

    folder = area / "index"
    if not (folder / "documents.sqlite").is_file():
        return tree(area)
    with Collection.open(folder) as collection:
        found = [vars(row) for row in collection.get(sorted(collection.documents.ids()))]
        rows = {name: collection.vectors(name)[1].tobytes() for name in collection.models}
    litter = {path.relative_to(area).as_posix(): "" for path in folder.rglob("*") if is_litter(path.name)}
    return {"documents": repr(found), "vectors": hashlib.sha256(repr(rows).encode()).hexdigest(), **litter}


def scarce(home: Path, options: Namespace) -> dict[str, Any]:
    """What became of every command at every share of what it takes."""
    from _import_all import import_all

    import_all()
    place = Place(home, home / "area")
    place.area.mkdir()
    making = start(lambda: not _inputs(place), place.log, place.area)
    if making.end():
        raise SystemExit(making.said)
    counts, problems, said = {}, [], Counter[str]()
    for name, case in cases(place).items():
        if not is_chosen(name, options.only):
            continue
        before = place.prepare(case)
        wanted, need = _reference(place, case, before)
        outcomes = Counter[str]({"done": 0, "one_line": 0, "aborted": 0, "broken": 0})
        for share in options.shares:
            outcome, why = _limited(place, case, before, wanted, int(share * need))
            outcomes[outcome] += 1
            said[why if outcome == "one_line" else outcome] += 1
            if outcome in ("broken", "aborted"):
                problems.append(f"{name}, {share:.0%}: {outcome}: {why}")
                print(f"  {problems[-1]}", flush=True)
        counts[name] = {"takes_mb": round(need / 2**20), **outcomes}
        print(f"{name}: {counts[name]}", flush=True)
    keys = ("done", "one_line", "aborted", "broken")
    return {
        "shares": options.shares,
        "cases": counts,
        "total": {"starts": sum(sum(own[key] for key in keys) for own in counts.values())}
        | {key: sum(own[key] for own in counts.values()) for key in keys},
        "lines": dict(said.most_common(12)),
        "problems": problems,
    }


def _inputs(place: Place) -> Path:
    from _sharing import corpus

    _small_inputs.make(place.inputs)
    corpus(place.inputs, 0, range(60)).rename(place.inputs / "documents.jsonl")
    for name in ("model", "other"):
        base(place.inputs / name)
    return place.inputs


def _reference(place: Place, case: Case, before: Path) -> tuple[dict[str, str], int]:
    """What the command leaves where nothing lacks, and how much it takes beyond what this process has."""
    place.reset(before)
    child = start(case.work, place.log, place.area)
    peak = Peak(child)
    if child.end():
        raise SystemExit(f"fails by itself: {child.said}")
    return content(place.area), peak.stop() - address_space()


def _limited(place: Place, case: Case, before: Path, wanted: dict[str, str], more: int) -> tuple[str, str]:
    """(done, one_line, aborted or broken; why or what was said)."""
    place.reset(before)

    def work() -> int:
        most = address_space() + more
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        return case.work()

    child = start(work, place.log, place.area)
    code, said = child.end(), child.said
    kept = case.kept
    if kept is not None and start(lambda: not kept(), place.log, place.area).end():
        return "broken", "neither the older nor the new content opens"
    lines = [line for line in said.splitlines() if line.startswith("isoglot: ")]
    outcome = "done" if code == 0 else "aborted" if code < 0 else "one_line"
    if "Traceback" in said or (outcome == "one_line" and (code not in _CODES or not lines)):
        return "broken", f"exit code {code}: {said[-700:]}"
    if code:
        again = start(case.again or case.work, place.log, place.area)
        if (second := again.end()) and not (case.done and case.done in again.said):
            return "broken", f"with enough memory, after '{said[-300:]}', exit code {second}: {again.said[-400:]}"
    there = content(place.area)
    litter = [name for name in there if name not in wanted and is_litter(name)]
    if changed := difference(wanted, {name: digest for name, digest in there.items() if name not in litter}):
        return "broken", f"other content with enough memory, after '{said[-300:]}': {changed}"
    if litter:
        return "broken", f"left: {', '.join(litter)}"
    return outcome, lines[-1] if lines else said[-200:]
