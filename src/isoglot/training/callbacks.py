"""What a run shows and writes while it goes: a progress bar, the JSONL log, a clean stop on Ctrl-C."""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from isoglot.errors import IsoglotError
from isoglot.training.collate import Collator


class NotFiniteError(IsoglotError):
    """The loss became infinite or not a number; what is on disk is the last good checkpoint."""


class Progress(TrainerCallback):
    """A bar on stderr with loss and throughput, and one JSON line per logged step in `log.jsonl`.

    Lines hold step, loss, learning_rate, gradient_norm, pairs_per_second, tokens_per_second, seconds; validations hold
    step and validation_loss. A resumed run drops the lines after its checkpoint, so that each step stands there once.
    """

    def __init__(self, path: Path, collator: Collator, batch_size: int, *, show: bool) -> None:
        self._path = path
        self._collator = collator
        self._batch_size = batch_size
        self._show = show
        self._bar: tqdm[Any] | None = None
        self._began = self._last_time = 0.0
        self._last_step = self._last_tokens = 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.is_world_process_zero:
            _drop_after(self._path, state.global_step)
            self._bar = tqdm(
                total=state.max_steps,
                initial=state.global_step,
                desc="train",
                unit="step",
                file=sys.stderr,
                disable=not self._show,
                dynamic_ncols=True,
            )
        self._began = self._last_time = time.perf_counter()
        self._last_step = state.global_step

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        logs = logs or {}
        line: dict[str, Any] = {"step": state.global_step}
        if "loss" in logs:
            line |= self._train_line(logs, state.global_step)
        elif "eval_loss" in logs:
            line["validation_loss"] = float(logs["eval_loss"])
        else:
            return
        if not all(math.isfinite(value) for key, value in line.items() if key.endswith("loss")):
            raise NotFiniteError(
                f"the loss is not finite at step {state.global_step}: lower the learning rate or the scale"
            )
        if state.is_world_process_zero:
            with self._path.open("a", encoding="utf-8") as sink:
                sink.write(json.dumps(line) + "\n")
        if self._bar is not None:
            shown = {"loss": "loss", "validation_loss": "val", "pairs_per_second": "pairs/s"}
            self._bar.set_postfix({name: f"{line[key]:.3g}" for key, name in shown.items() if key in line})

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._bar is not None:
            self._bar.close()

    def _train_line(self, logs: dict[str, Any], step: int) -> dict[str, Any]:
        now = time.perf_counter()
        seconds = max(now - self._last_time, 1e-9)
        pairs = (step - self._last_step) * self._batch_size
        line = {
            "loss": float(logs["loss"]),
            "learning_rate": float(logs.get("learning_rate", 0.0)),
            "gradient_norm": float(logs["grad_norm"]) if "grad_norm" in logs else None,
            "pairs_per_second": round(pairs / seconds, 3),
            "tokens_per_second": round((self._collator.tokens - self._last_tokens) / seconds, 1),
            "seconds": round(now - self._began, 3),
        }
        self._last_time, self._last_step, self._last_tokens = now, step, self._collator.tokens
        return line


def _drop_after(path: Path, step: int) -> None:
    """Keep the lines of a log up to and with `step`."""
    if not path.is_file():
        return
    kept = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(text)["step"] <= step:
                kept.append(text + "\n")
        except (ValueError, KeyError):
            continue  # the half-written last line of a run that was killed
    path.write_text("".join(kept), encoding="utf-8")


class StopOnSignal(TrainerCallback):
    """The first Ctrl-C or SIGTERM ends the run after the current step, with a checkpoint; the second one kills it."""

    def __init__(self) -> None:
        self.stopped = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        except ValueError:
            pass  # not the main thread: whoever owns the signals keeps them
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: Any) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        if self.stopped:
            control.should_save = True
            control.should_training_stop = True
        return control
