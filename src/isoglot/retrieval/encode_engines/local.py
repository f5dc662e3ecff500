"""One process: this one, or each of those that a launcher started with its share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from isoglot.retrieval.encode_engines import ENCODE_ENGINES, EncodeEngine, Workers
from isoglot.retrieval.shard_encoder import ShardEncoder, ShardWork
from isoglot.retrieval.text_shards import TextShard


class Local(EncodeEngine):
    """This process; under torchrun each process takes its slice of the shards."""

    name = "local"
    is_default = True
    has_workers = False

    def run(
        self,
        work: ShardWork,
        shards: Sequence[TextShard],
        workers: Workers,
        done: Callable[[int], Any],
        model: Any = None,
    ) -> None:
        """One shard after the other."""
        encoder = ShardEncoder(work, workers.device, model)
        for shard in shards:
            encoder.encode(shard, done)


ENCODE_ENGINES.register(Local)
