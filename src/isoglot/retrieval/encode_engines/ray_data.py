"""Workers on the machines of a Ray cluster: every shard is a block of Ray Data, every worker an actor with a model."""

from __future__ import annotations

import logging
import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from isoglot.cluster import connected, gpus_each, last_line, room_for
from isoglot.errors import IsoglotError
from isoglot.optional import needed
from isoglot.retrieval.encode_engines import ENCODE_ENGINES, EncodeEngine, Workers
from isoglot.retrieval.shard_encoder import Answer, ShardEncoder, ShardWork, attempt
from isoglot.retrieval.text_shards import TextShard, place_of

_TRIES = 3
"""Of a shard whose worker dies, as in `worker_processes`; Ray Data alone would try again without end."""


class RayData(EncodeEngine):
    """Workers on a Ray cluster (Ray Data); the inputs, the model and the output lie on a disk that all machines share."""

    name = "ray"

    def check(self) -> None:
        """InputError where Ray is not installed."""
        needed("ray.data", "the engine ray needs Ray Data", "ray")

    def run(
        self,
        work: ShardWork,
        shards: Sequence[TextShard],
        workers: Workers,
        done: Callable[[int], Any],
        model: Any = None,
    ) -> None:
        """Let the cluster encode the shards."""
        with connected() as ray:
            data = needed("ray.data", "the engine ray needs Ray Data", "ray")
            logging.getLogger("ray.data").setLevel(logging.ERROR)
            context = data.DataContext.get_current()
            context.enable_progress_bars = context.print_on_execution_start = False
            cpus, gpus = workers.cpus or 1, gpus_each(ray, workers.gpus)
            number = room_for(ray, min(workers.number, len(shards)), cpus, gpus, "workers")
            tries = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Tries).remote()
            told = (replace(work, tokenizer_threads=cpus), workers.device, tries)
            # of two shards in one block, or on their way to one worker, the second would wait for the first
            blocks = data.from_items(
                [{"shard": pickle.dumps(shard)} for shard in shards], override_num_blocks=len(shards)
            )
            pool = data.ActorPoolStrategy(size=number, max_tasks_in_flight_per_actor=1)
            answers = blocks.map_batches(
                _Worker, batch_size=1, fn_constructor_args=told, compute=pool, num_cpus=cpus, num_gpus=gpus
            )
            try:
                for row in answers.iter_rows():
                    done(Answer(**row).check())
            except IsoglotError:
                raise
            except Exception as error:  # Ray's own, which share no base with those of actors that died
                raise IsoglotError(f"the Ray cluster gave up: {last_line(error)}") from error


class _Tries:
    """An actor that outlives the workers: how often a shard was begun."""

    def __init__(self) -> None:
        self._tries = Counter[int]()

    def begin(self, start: int) -> int:
        """Count once more; the number so far."""
        self._tries[start] += 1
        return self._tries[start]


class _Worker:
    """An actor: one model, one shard at a time."""

    def __init__(self, work: ShardWork, device: str | None, tries: Any) -> None:
        self._encoder, self._tries = ShardEncoder(work, device), tries

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        import ray

        shard: TextShard = pickle.loads(batch["shard"][0])
        if ray.get(self._tries.begin.remote(shard.start)) > _TRIES:
            why = f"{place_of(shard)}: {_TRIES} workers died of them (out of memory?); give fewer --workers, or smaller shards"
            answer = Answer(0, why)
        else:
            answer = attempt(self._encoder, shard)
        return {"texts": [answer.texts], "problem": [answer.problem], "is_input": [answer.is_input]}


ENCODE_ENGINES.register(RayData)
