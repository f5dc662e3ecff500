"""One cell in a process of its own: train, measure, write what came out. Started by `isoglot.study.pool`.

    python -m isoglot.study.worker FOLDER PARENT

FOLDER holds `job.json` (see `isoglot.study.jobs`). Whatever is done already there is not done again. Exit code 0: `outcome.json`
is there; 130: stopped by a signal, with a checkpoint; 1: `error.txt` says why, in its last line.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from isoglot.config import build
from isoglot.errors import InputError, IsoglotError
from isoglot.files import read_json, write_json, write_text
from isoglot.processes import peak_memory
from isoglot.study.cost import bytes_under, evaluation_cost, train_cost
from isoglot.study.results import RESULT_KEYS, losses_of
from isoglot.study.spec import EvaluateSpec
from isoglot.training.settings import TrainSettings

_LOOK = 0.25  # seconds between looks at the parent process and the checkpoints

_LARGE = 1_000_000  # passages
_SAY = 2.0  # seconds between notes of how far an evaluation is


def main(arguments: list[str]) -> int:
    """Do the job of a folder; see the module."""
    folder, parent = Path(arguments[0]), int(arguments[1])
    threading.Thread(target=_watch, args=(folder, parent), daemon=True).start()
    (folder / "error.txt").unlink(missing_ok=True)
    try:
        return 0 if _work(folder, read_json(folder / "job.json")) else 130
    except (IsoglotError, MemoryError) as error:
        text = str(error) or "out of memory"
        write_text(folder / "error.txt", " ".join(text.split()) + "\n")
    except Exception as error:  # whatever it is: the other cells go on, and this one says what happened
        last = f"{type(error).__name__}: {' '.join(str(error).split())}"
        write_text(folder / "error.txt", f"{traceback.format_exc()}\n{last}\n")
    return 1


def _work(folder: Path, job: dict[str, Any]) -> bool:
    from isoglot.models.load import load_model

    _quiet()
    _set_threads(job["threads"])
    trained = None
    if job["settings"]:
        trained = _train(folder, job)
        if trained is None:
            return False
    benchmarks: dict[str, Any] = {}
    model = None
    for name, spec in job["benchmarks"].items():
        _phase(folder, f"evaluating {name}")
        place = folder / "results" / name
        if not (place / "summary.json").is_file():
            model = model or load_model(_model_of(folder, job))
            _evaluate(model, spec, place, job)
        benchmarks[name] = read_json(place / "summary.json")
    cost = {
        **(trained["cost"] if trained else train_cost(None, {}, workers=job["workers"]) | sizes(folder / "run")),
        **evaluation_cost(benchmarks),
    }
    if not trained:
        cost["peak_memory_bytes"] = peak_memory()
    kept = {name: {key: summary[key] for key in RESULT_KEYS} for name, summary in benchmarks.items()}
    write_json(folder / "outcome.json", {"train": trained and trained["train"], "benchmarks": kept, "cost": cost})
    return True


def _train(folder: Path, job: dict[str, Any]) -> dict[str, Any] | None:
    """What came out of training, from an earlier attempt if there was one; None: stopped by a signal."""
    from isoglot.study.inputs import read_table
    from isoglot.training.train import train

    done = folder / "train.json"
    if done.is_file():
        found: dict[str, Any] = read_json(done)
        return found
    _phase(folder, "training")
    run = folder / "run"
    _tidy(run)
    earlier = (run / "run.json").is_file()
    finished = earlier and "outcome" in read_json(run / "run.json")
    settings = build(TrainSettings, [("job", {**job["settings"], "output": str(run), "threads": job["threads"]})])
    result = train(settings, table=read_table(Path(job["table"])), resume=earlier, show=False)
    if not result.complete:
        return None
    record = read_json(run / "run.json")
    losses = losses_of(run / "log.jsonl")
    facts = {
        "train": {
            "steps": result.outcome["steps"],
            "first_loss": result.outcome["first_loss"],
            "last_loss": result.outcome["last_loss"],
            "mean_loss_of_last_tenth": result.outcome["mean_loss_of_last_tenth"],
            "validation_loss": result.outcome.get("best_validation_loss"),
            "losses": losses,
            "trainable_parameters": record["base"]["trainable_parameters"],
            "parameters": record["base"]["parameters"],
            "pairs": record["data"]["pairs"],
        },
        "cost": train_cost(run / "log.jsonl", record, settings.batch_size, job["workers"]) | sizes(run),
    }
    if finished:  # by an attempt that was killed right after: this process did not train
        facts["cost"]["peak_memory_bytes"] = result.outcome["peak_memory_bytes"]
    write_json(done, facts)
    return facts


def _tidy(run: Path) -> None:
    """Remove what a killed attempt left half-written, so that the run can go on or begin again."""
    if not run.is_dir():
        return
    if not (run / "run.json").is_file():
        shutil.rmtree(run)
        return
    for part in run.glob(".*"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
    for checkpoint in run.glob("checkpoints/checkpoint-*"):
        try:
            read_json(checkpoint / "trainer_state.json")
        except InputError:
            shutil.rmtree(checkpoint, ignore_errors=True)


def _model_of(folder: Path, job: dict[str, Any]) -> str:
    for part in ("model", "adapter"):
        if job["settings"] and (folder / "run" / part).is_dir():
            return str(folder / "run" / part)
    return str(job["base"])


def _evaluate(model: Any, benchmark: str, place: Path, job: dict[str, Any]) -> None:
    from isoglot.evaluation.evaluate import evaluate
    from isoglot.retrieval.store import EmbeddingStore
    from isoglot.study.inputs import load_for

    asked = build(EvaluateSpec, [("job", job["evaluate"])])
    loaded = load_for(benchmark, asked, Path(job["data_dir"]) if job["data_dir"] else None)
    # vectors of a trained model are of no use to any other cell, but large corpora must not lie in memory
    own = place.parent.parent / "vectors"
    large = loaded.n_documents > _LARGE
    store = EmbeddingStore(Path(job["store"])) if not job["settings"] else EmbeddingStore(own) if large else None
    watched = _note_texts(model, place.parent.parent, place.name, loaded.n_queries + loaded.n_documents)
    evaluate(
        model,
        loaded,
        settings=asked.settings,
        measures=asked.measures,
        batch_size=asked.batch_size,
        output=place,
        progress=False,
        model_name=job["id"],
        store=store,
    )
    watched.remove()
    shutil.rmtree(own, ignore_errors=True)


def _note_texts(model: Any, folder: Path, name: str, total: int) -> Any:
    """Count the texts that go through a model, and note their share of `total` in `phase`; returns the hook's handle."""
    seen, last = 0, time.monotonic()

    def count(module: Any, inputs: tuple[Any, ...]) -> None:
        nonlocal seen, last
        seen += len(inputs[0]["input_ids"])
        if time.monotonic() - last >= _SAY:
            last = time.monotonic()
            _phase(folder, f"evaluating {name}, {min(99, 100 * seen // total)}%")

    return model.register_forward_pre_hook(count)


def sizes(run: Path) -> dict[str, int | None]:
    """Bytes of the parts of a run directory; None for those that are not there."""
    seen = run.parent / "checkpoint_bytes"
    return {
        "adapter_bytes": bytes_under(run / "adapter"),
        "model_bytes": bytes_under(run / "model"),
        "checkpoint_bytes": int(seen.read_text()) if seen.is_file() else None,
    }


def _phase(folder: Path, text: str) -> None:
    write_text(folder / "phase", text + "\n")


def _watch(folder: Path, parent: int) -> None:
    """End with the process that started this one, whatever ended it; note the size of the largest checkpoint."""
    largest = 0
    while os.getppid() == parent:
        for state in folder.glob("run/checkpoints/checkpoint-*/trainer_state.json"):
            size = bytes_under(state.parent) or 0
            if size > largest:
                largest = size
                write_text(folder / "checkpoint_bytes", str(size))
        time.sleep(_LOOK)
    os._exit(1)


def _set_threads(number: int) -> None:
    import torch

    if number:
        torch.set_num_threads(number)


def _quiet() -> None:
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
