"""What stands beside a run while it trains: its progress bar, its JSONL log, and a clean stop on Ctrl-C."""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from isoglot.bars import tqdm
from isoglot.errors import InputError
from isoglot.files import read_json
from isoglot.processes import OnSignal, peak_memory, processes
from isoglot.training import checkpoints
from isoglot.training.collate import Collator
from isoglot.training.distributed import any_process, sum_processes
from isoglot.training.finite import NotFiniteError


def allocated() -> dict[str, int]:
    """The most bytes that PyTorch had allocated for tensors on this process's GPU since training began; {} on a CPU.

    There nothing counts them at a bearable price: glibc's `mallinfo2` goes through all free pieces while it holds the lock (45 ms
    where there were 160,000), which doubled the time of a step when it was asked a hundred times a second, and it misses
    what is gone between two calls; PyTorch's profiler costs more. So a CPU has the resident size alone.
    """
    return {"peak_allocated_bytes": int(torch.cuda.max_memory_allocated())} if torch.cuda.is_available() else {}


class Progress(TrainerCallback):
    """A bar on stderr with loss and throughput, and one JSON line per logged step in `log.jsonl`.

    Lines hold step, loss, learning_rate, gradient_norm, pairs_per_second, tokens_per_second, seconds and cpu_seconds (of all
    threads of the process; both since it began to train) and peak_memory_bytes (of the process so far; see `allocated` for what a
    GPU adds); validations hold step and validation_loss. A resumed run begins with the lines and tokens of its checkpoint: so
    each step stands there once.

    Nothing here reads from the device: the numbers come as floats from the trainer, which waits for the device once per logged
    step (loss and gradient norm), so a larger `log_steps` is what saves that wait. The bar is drawn at most ten times a second.
    """

    def __init__(self, path: Path, collator: Collator, batch_size: int, *, show: bool) -> None:
        self._path, self._collator, self._batch_size, self._show = path, collator, batch_size, show
        self._bar: tqdm[Any] | None = None
        self._sink: IO[str] | None = None
        self._began = self._last_time = self._began_cpu = 0.0
        self._last_step = self._last_tokens = 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        step = state.global_step
        if state.is_world_process_zero:
            # by lines: each is in the file before the next step
            self._sink = self._path.open("a", encoding="utf-8", newline="\n", buffering=1)
            shown: dict[str, Any] = {"desc": "train", "unit": "step", "disable": not self._show, "dynamic_ncols": True}
            self._bar = tqdm(total=state.max_steps, initial=step, **shown)
            if step:
                with suppress(InputError, TypeError, ValueError):  # a checkpoint that does not say counts none
                    self._collator.tokens += int(read_json(checkpoint_of(args, state) / checkpoints.TOKENS))
        self._began = self._last_time = time.perf_counter()
        self._began_cpu = time.process_time()
        self._last_step, self._last_tokens = step, sum_processes(self._collator.tokens)

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
        if not math.isfinite(line.get("validation_loss", 0.0)):
            where = f"at step {state.global_step}"
            raise NotFiniteError(f"the validation loss is not finite {where}: lower the learning rate")
        if self._sink is not None:
            self._sink.write(json.dumps(line) + "\n")
        if self._bar is not None:
            shown = {"loss": "loss", "validation_loss": "val", "pairs_per_second": "pairs/s"}
            values = {name: f"{line[key]:.3g}" for key, name in shown.items() if key in line}
            self._bar.set_postfix(values, refresh=False)

    def close(self) -> None:
        """End the bar and the log."""
        if self._bar is not None:
            self._bar.close()
        if self._sink is not None:
            self._sink.close()
        self._bar = self._sink = None

    def _train_line(self, logs: dict[str, Any], step: int) -> dict[str, Any]:
        now = time.perf_counter()
        seconds = max(now - self._last_time, 1e-9)
        pairs = (step - self._last_step) * self._batch_size
        tokens = sum_processes(self._collator.tokens)
        line = {
            "loss": float(logs["loss"]),
            "learning_rate": float(logs.get("learning_rate", 0.0)),
            "gradient_norm": float(logs["grad_norm"]) if "grad_norm" in logs else None,
            "pairs_per_second": round(pairs / seconds, 3),
            "tokens_per_second": round((tokens - self._last_tokens) / seconds, 1),
            "seconds": round(now - self._began, 3),
            "cpu_seconds": round(time.process_time() - self._began_cpu, 3),
            "peak_memory_bytes": peak_memory(),
            **allocated(),
        }
        self._last_time, self._last_step, self._last_tokens = now, step, tokens
        return line


def checkpoint_of(args: TrainingArguments, state: TrainerState) -> Path:
    """The directory of the checkpoint at this step."""
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"


class StopOnSignal(OnSignal, TrainerCallback):
    """The first Ctrl-C or SIGTERM ends the run after the current step, with a checkpoint; the second one kills it.

    Of several processes all stop at the same step, also if only one was told to. There the second signal does nothing: a
    launcher passes on what the terminal has sent to all already, and kills by itself what does not end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stopped = False

    def _note(self, number: int, frame: Any) -> None:
        if self.stopped and processes().world == 1:
            raise KeyboardInterrupt
        self.stopped = True

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if any_process(self.stopped):  # never set back: a signal may come while the processes are being asked
            self.stopped = control.should_save = control.should_training_stop = True
