"""Engines that encode shards of texts, by name: one file per member. Each makes the same files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from isoglot.registry import Registry
from isoglot.retrieval.shard_encoder import ShardWork
from isoglot.retrieval.text_shards import TextShard
from isoglot.settings import Member


@dataclass(frozen=True)
class Workers:
    """Who encodes; nothing of it decides a vector.

    Attributes:
        number: of workers.
        device: of each; None: the best there is, GPUs shared out among them.
        gpus: share of a GPU that each takes (`ray`); None: one where there are GPUs.
        cpus: cores of each, for its tokenizer (passes on a CPU have one thread); None: this machine's shared out among them, of
            a cluster one each.
    """

    number: int = 1
    device: str | None = None
    gpus: float | None = None
    cpus: int | None = None


class EncodeEngine(Member):
    """Where shards are encoded; a subclass is a member of `ENCODE_ENGINES`.

    Attributes:
        has_workers: whether it starts others; else this process does the work.
    """

    name: ClassVar[str]
    has_workers: ClassVar[bool] = True

    def run(
        self,
        work: ShardWork,
        shards: Sequence[TextShard],
        workers: Workers,
        done: Callable[[int], Any],
        model: Any = None,
    ) -> None:
        """Encode all shards, in any order; each is in its files when this returns.

        Args:
            work: what every worker is told.
            shards: none of which is done.
            done: called with the number of texts that were encoded, again and again.
            model: loaded, for an engine without workers.

        Raises:
            InputError: see `ShardEncoder.encode`; workers cannot be had.
            IsoglotError: a worker failed, or one died again and again.
        """
        raise NotImplementedError


ENCODE_ENGINES: Registry[type[EncodeEngine]] = Registry("engine", __name__)
