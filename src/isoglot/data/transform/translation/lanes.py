"""Batches through a translator: in this process, or in one process for each of its lanes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from typing import Any

from isoglot.data.transform.translators import TRANSLATORS, Direction, Outcome, Session, Translator
from isoglot.errors import IsoglotError, first_line

_AHEAD = 2  # batches per lane that are handed out, so that none waits


@dataclass(frozen=True)
class Task:
    """A batch: texts without line breaks, and from which language into which."""

    texts: Sequence[str]
    direction: Direction


def run(
    translator: Translator, tasks: Iterable[Task], opened: Callable[[], Session]
) -> Iterator[tuple[Task, list[Outcome]]]:
    """The tasks with their outcomes, in the order in which they are done.

    Args:
        opened: gives the session of this process, where that is the only one.

    Raises:
        InputError: the translator cannot be opened, or does nothing.
        IsoglotError: a process died.
    """
    lanes = translator.lanes()
    if len(lanes) == 1:
        for task in tasks:
            yield task, _checked(opened(), task)
    else:
        yield from _in_processes(translator, lanes, iter(tasks))


def _checked(session: Session, task: Task) -> list[Outcome]:
    outcomes = session(task.texts, *task.direction)
    if len(outcomes) != len(task.texts):
        raise IsoglotError(f"the translator gave {len(outcomes)} translations for {len(task.texts)} texts")
    return outcomes


def _in_processes(
    translator: Translator, lanes: Sequence[str | None], tasks: Iterator[Task]
) -> Iterator[tuple[Task, list[Outcome]]]:
    # not forked: torch's threads and CUDA do not outlive that
    context = multiprocessing.get_context("spawn")
    devices = context.SimpleQueue()
    for lane in lanes:
        devices.put(lane)
    before = set(multiprocessing.active_children())
    settings = translator.to_flat()
    with ProcessPoolExecutor(len(lanes), context, _begin, (settings, devices)) as pool:
        try:
            pending: dict[Future[list[Outcome]], Task] = {}
            while True:
                for task in islice(tasks, _AHEAD * len(lanes) - len(pending)):
                    pending[pool.submit(_work, task)] = task
                if not pending:
                    return
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    yield pending.pop(future), future.result()
        except BrokenProcessPool:
            raise IsoglotError("a process that translates died (killed, or out of memory)") from None
        finally:
            # at the end they have nothing to do; after an error or Ctrl-C nobody waits for what they still do
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()


_session: Session | None = None
_problem: IsoglotError | None = None


def _begin(settings: dict[str, Any], devices: Any) -> None:
    """In a new process: open the translator; what is wrong is said with the first batch."""
    global _session, _problem
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process gets it, too, and ends this one
    signal.signal(signal.SIGTERM, _stop)
    # no bars and no advice from each of them; read when these libraries are imported
    os.environ |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error"}
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _session = TRANSLATORS[settings.pop("name")](**settings).open(devices.get())
    except IsoglotError as error:
        _problem = error
    except Exception as error:  # an exception here would only be printed
        _problem = IsoglotError(f"{type(error).__name__}: {first_line(error)}")


def _stop(number: int, frame: Any) -> None:
    raise SystemExit  # passes through the session, which ends its program


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _work(task: Task) -> list[Outcome]:
    if _problem is not None:
        raise _problem
    assert _session is not None
    try:
        return _checked(_session, task)
    except SystemExit:
        os._exit(0)  # the pool would take it for the outcome of this batch, and begin the next
