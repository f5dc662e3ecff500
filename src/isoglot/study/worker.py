"""One job in a process of its own: make a model, measure it, write what came out. Started by `isoglot.study.pool`.

FOLDER holds `job.json` (see `isoglot.study.jobs`). Whatever is done already there is not done again. Exit code 0: `outcome.json`
is there; 130: stopped by a signal, with a checkpoint; 1: `error.txt` says why, in its last line; 3: that there was too little
memory.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from isoglot.errors import IsoglotError, NoRoomError, lack_of_memory
from isoglot.files import read_json, write_json, write_text
from isoglot.one_writer import locked
from isoglot.processes import peak_memory
from isoglot.study.cost import bytes_under, cost_of, process_memory
from isoglot.study.jobs import KEPT
from isoglot.study.layout import OUT_OF_MEMORY, JobFolder
from isoglot.study.stages import STAGES, Stage, Work

_PATIENCE = 5.0  # seconds that an earlier process of this job, whose parent is gone, may take to end
_OF_THE_DISK = (errno.ENOSPC, errno.EROFS, errno.EIO)  # libraries report them without the name of a file
_LOOK = 0.25  # seconds between looks at the parent process and the checkpoints
_LARGE = 1_000_000  # passages
_SAY = 2.0  # seconds between notes of how far an evaluation is


def main(arguments: list[str]) -> int:
    """Do the job of a folder: FOLDER, and the number of the process that started this one."""
    folder, parent = JobFolder(Path(arguments[0])), int(arguments[1])
    folder.error.unlink(missing_ok=True)
    try:
        with locked(folder.path, patience=_PATIENCE):
            threading.Thread(target=_watch, args=(folder, parent), daemon=True).start()
            return 0 if _work(folder, read_json(folder.request)) else 130
    except (IsoglotError, MemoryError) as error:
        text = str(error) or "out of memory"
        write_text(folder.error, " ".join(text.split()) + "\n")
        return OUT_OF_MEMORY if isinstance(error, NoRoomError) or lack_of_memory(error) else 1
    except Exception as error:  # whatever it is: the other jobs go on, and this one says what happened
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            write_text(folder.error, f"{error.filename or folder.path}: {error.strerror}\n")
            return 1
        last = f"{type(error).__name__}: {' '.join(str(error).split())}"
        write_text(folder.error, f"{traceback.format_exc()}\n{last}\n")
        return OUT_OF_MEMORY if lack_of_memory(error) else 1


def _work(folder: JobFolder, job: dict[str, Any]) -> bool:
    import torch
    import transformers

    from isoglot.models.load import load_model

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if job["threads"]:
        torch.set_num_threads(job["threads"])
    facts = _make_model(folder, job) if job["stage"] else {"train": None, "cost": {}}
    if facts is None:
        return False
    model, scores, seconds = None, {}, {}
    for name, benchmark in job["benchmarks"].items():
        _note(folder, f"evaluating {name}")
        path = folder.results / name / "summary.json"
        if not path.is_file():
            model = model or load_model(str(folder.weights() or job["start"]))
            _evaluate(model, benchmark, folder, name, job)
        summary = read_json(path)
        scores[name] = {key: summary[key] for key in KEPT}
        seconds[name] = summary["seconds"]["total"]
    shutil.rmtree(folder.vectors, ignore_errors=True)
    cost = (facts["cost"] or cost_of(folder, job["workers"], None, {})) | {"evaluate_seconds": seconds}
    cost["process"] = process_memory()
    outcome = {"train": facts["train"], "benchmarks": scores, "cost": cost, "kind": job["kind"]}
    write_json(folder.outcome, outcome)
    return True


def _make_model(folder: JobFolder, job: dict[str, Any]) -> dict[str, Any] | None:
    """What came out of the stage, from an earlier attempt if there was one; None: stopped by a signal."""
    if folder.facts.is_file():
        earlier: dict[str, Any] = read_json(folder.facts)
        return earlier
    stage = _stage(job)
    _note(folder, stage.doing)
    own = {key: job[key] for key in ("start", "base", "threads", "workers", "before")}
    data_dir = Path(job["data_dir"]) if job["data_dir"] else None
    facts = stage.run(Work(folder, table=Path(job["table"]), beside=tuple(job["beside"]), data_dir=data_dir, **own))
    if facts is not None:
        write_json(folder.facts, facts)
    return facts


def _stage(job: dict[str, Any]) -> Stage:
    settings = dict(job["stage"])
    return STAGES[settings.pop("name")](**settings)


def _evaluate(model: Any, benchmark: str, folder: JobFolder, name: str, job: dict[str, Any]) -> None:
    from isoglot.evaluation.evaluate import evaluate
    from isoglot.evaluation.settings import EvaluateSettings
    from isoglot.retrieval.store import EmbeddingStore
    from isoglot.study.inputs import load_for

    asked = EvaluateSettings(**job["evaluate"][name])
    loaded = load_for(benchmark, asked, Path(job["data_dir"]) if job["data_dir"] else None)
    # what is of no use to another job is kept for this one: large corpora must not lie in memory, benchmarks may share texts
    is_kept = loaded.n_documents > _LARGE or len(job["benchmarks"]) > 1
    kept = Path(job["store"]) if job["store"] else folder.vectors if is_kept else None
    store = EmbeddingStore(kept) if kept else None
    fair = _stage(job).ranking(folder) if job["stage"] else None
    watched = _note_texts(model, folder, name, loaded.n_queries + loaded.n_documents)
    output = folder.results / name
    evaluate(
        model,
        loaded,
        asked,
        output=output,
        overwrite=True,
        progress=False,
        model_name=job["id"],
        store=store,
        fair=fair,
    )
    watched.remove()


def _note_texts(model: Any, folder: JobFolder, name: str, total: int) -> Any:
    """Count the texts that go through a model, and note their share of `total` in `phase`; returns the hook's handle."""
    seen, last = 0, time.monotonic()

    def count(module: Any, inputs: tuple[Any, ...]) -> None:
        nonlocal seen, last
        seen += len(inputs[0]["input_ids"])
        if time.monotonic() - last >= _SAY:
            last = time.monotonic()
            _note(folder, f"evaluating {name}, {min(99, 100 * seen // total)}%")

    return model.register_forward_pre_hook(count)


def _note(folder: JobFolder, text: str) -> None:
    folder.phase.write_text(
        text + "\n", encoding="utf-8", newline="\n"
    )  # for the eye only: it need not outlive anything


def _note_memory(folder: JobFolder, before: tuple[int, int]) -> tuple[int, int]:
    """Write what this process has taken, for the one that looks whether there is room for others; returns it."""
    torch = sys.modules.get("torch")  # what has not been loaded has taken nothing
    cuda = getattr(torch, "cuda", None)
    opened = getattr(cuda, "is_initialized", None)  # in the middle of its import PyTorch has not everything yet
    taken = (int(cuda.memory_reserved()) if cuda and opened and opened() else 0, peak_memory())
    if taken != before:
        temporary = folder.memory.with_suffix(".tmp")
        temporary.write_text(json.dumps({"device": taken[0], "host": taken[1]}), encoding="utf-8", newline="\n")
        temporary.replace(folder.memory)
    return taken


def _watch(folder: JobFolder, parent: int) -> None:
    """End with the process that started this one, whatever ended it; note the largest checkpoint and the memory that is taken."""
    largest, taken = 0, (0, 0)
    while os.getppid() == parent and psutil.pid_exists(parent):  # Windows gives an orphan no other parent
        with suppress(OSError):
            taken = _note_memory(folder, taken)
        with suppress(OSError):  # a checkpoint may be deleted while it is looked at; a full disk is met elsewhere
            states = folder.run.glob("checkpoints/*/trainer_state.json")
            size = max((bytes_under(state.parent) or 0 for state in states), default=0)
            if size > largest:
                largest = size
                write_text(folder.checkpoint_bytes, str(size))
        time.sleep(_LOOK)
    os._exit(1)
