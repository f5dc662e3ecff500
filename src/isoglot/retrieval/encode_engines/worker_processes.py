"""Several processes of this machine, each with a model; a shard is handed to whichever is free."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Any

from isoglot.errors import IsoglotError, say
from isoglot.processes import KILL, best_device, cores
from isoglot.retrieval.encode_engines import ENCODE_ENGINES, EncodeEngine, Workers
from isoglot.retrieval.shard_encoder import ShardEncoder, ShardWork, attempt
from isoglot.retrieval.text_shards import TextShard, place_of

_TRIES = 3
"""Of a shard whose worker dies: one more may be chance, a third is the shard's doing, or the machine's."""
_PATIENCE = 10.0  # seconds that a worker without work may take to end


class WorkerProcesses(EncodeEngine):
    """Processes of this machine, one thread each; one that dies is replaced, and its shard encoded again."""

    name = "processes"

    def run(
        self,
        work: ShardWork,
        shards: Sequence[TextShard],
        workers: Workers,
        done: Callable[[int], Any],
        model: Any = None,
    ) -> None:
        """Hand out the shards; all workers are gone when this returns or raises."""
        number = min(workers.number, len(shards))
        told = replace(work, tokenizer_threads=workers.cpus or max(1, cores() // number))
        waiting = deque((shard, 1) for shard in shards)
        idle = [_Worker(told, device) for device in _devices(workers.device, number)]
        busy: dict[Connection, _Worker] = {}
        try:
            while waiting or busy:
                while waiting and idle:
                    worker = idle.pop()
                    busy[worker.start(*waiting.popleft())] = worker
                ready = wait(list(busy))
                for connection in [connection for connection in busy if connection in ready]:
                    worker = busy.pop(connection)
                    idle.append(worker)
                    if (answer := worker.answer()) is None:
                        waiting.appendleft(worker.again())
                    else:
                        done(answer)
        finally:
            for worker in busy.values():
                worker.end(busy=True)
            for worker in idle:
                worker.end()


def _devices(device: str | None, number: int) -> list[str | None]:
    """Of every worker: the one that is given, or GPUs by turns."""
    if device is not None or best_device() != "cuda":
        return [device] * number
    import torch

    return [f"cuda:{worker % torch.cuda.device_count()}" for worker in range(number)]


class _Worker:
    """A process as its parent sees it; it is started with its first shard, and again after it has died."""

    def __init__(self, work: ShardWork, device: str | None) -> None:
        self._work, self._device = work, device
        self._process: Any = None
        self._connection: Any = None
        self._shard: tuple[TextShard, int] | None = None

    def start(self, shard: TextShard, attempt_number: int) -> Connection:
        """Give it a shard; returns what its answer will come from."""
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            arguments = (theirs, self._work, self._device)
            self._process = context.Process(target=_serve, args=arguments, daemon=True)
            self._process.start()
            theirs.close()  # so that its death is seen as the end of the pipe
        self._shard = shard, attempt_number
        with suppress(OSError):  # it has died; the pipe says so when the answer is asked for
            self._connection.send(shard)
        connection: Connection = self._connection
        return connection

    def answer(self) -> int | None:
        """How many texts it has encoded; None where it has died. IsoglotError where it failed."""
        try:
            answer = self._connection.recv()
        except (EOFError, OSError):
            return None
        texts: int = answer.check()
        return texts

    def again(self) -> tuple[TextShard, int]:
        """The shard that it died of, for another try. IsoglotError after the last."""
        assert self._shard is not None
        self._process.join()
        code, (shard, tried) = self._process.exitcode, self._shard
        why = f"exit code {code}" if code >= 0 else f"killed by signal {-code}" + " (out of memory?)" * (code == -KILL)
        place = place_of(shard)
        if tried >= _TRIES:
            raise IsoglotError(
                f"{place}: {tried} workers died of them ({why}); give fewer --workers, or smaller shards"
            )
        say(f"a worker died ({why}); {place} are encoded by another")
        self.end()
        return shard, tried + 1

    def end(self, *, busy: bool = False) -> None:
        """Let it end; kill it where it is busy, or takes too long. What it was writing has no name yet."""
        if self._process is not None:
            self._connection.close()
            if not busy:
                self._process.join(_PATIENCE)
            self._process.kill()
            self._process.join()
            self._process = None


def _serve(connection: Any, work: ShardWork, device: str | None) -> None:
    """The process: an answer for every shard, until the parent hangs up or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C comes to all; the parent ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    encoder = ShardEncoder(work, device)
    while True:
        try:
            connection.send(attempt(encoder, connection.recv()))
        except (EOFError, OSError):
            return


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


ENCODE_ENGINES.register(WorkerProcesses)
