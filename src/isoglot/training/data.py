"""Which pairs a run trains and validates on, and this process's slices of their batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.batching.sampler import PlanDataset
from isoglot.batching.strategies import STRATEGIES
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError, at
from isoglot.processes import processes
from isoglot.training.settings import TrainSettings

if TYPE_CHECKING:
    from isoglot.training.collate import Collator

_MOST_VALIDATION_STEPS = 50


class TrainingData(NamedTuple):
    """Pairs to train on, pairs to validate on (or none), and the plan of the training pairs."""

    table: PairTable
    validation: PairTable | None
    plan: BatchPlan


def load_data(settings: TrainSettings, table: PairTable | None, data_dir: Path | None) -> TrainingData:
    """The data of a run; `table`: the pairs, where they are loaded already."""
    table = table or load_pairs(settings.pairs, languages=settings.languages or None, data_dir=data_dir)
    validation = None
    if settings.validation:
        validation = load_pairs(settings.validation, data_dir=data_dir)
    elif settings.validation_share:
        table, validation = table.split(settings.validation_share, settings.plan.seed)
    for name, pairs in (("pairs", table), ("validation", validation)):
        if pairs is not None:
            with at(name):
                settings.negatives.check_table(pairs)
    return TrainingData(table, validation, BatchPlan(table.index, settings.plan))


def datasets(
    settings: TrainSettings, data: TrainingData, steps: int, collator: Collator, show: bool
) -> tuple[PlanDataset, PlanDataset | None]:
    """This process's slices of the training steps, and of the validation steps where there are any; tokenised."""
    me = processes()
    training = PlanDataset(data.table, data.plan, steps, negatives=settings.negatives, rank=me.rank, world=me.world)
    validation = None if data.validation is None else _validation_steps(settings, data.validation)
    for dataset in filter(None, (training, validation)):
        collator.prepare(dataset, show=show)
    return training, validation


def _validation_steps(settings: TrainSettings, table: PairTable) -> PlanDataset:
    """Fixed batches of the validation pairs: of the run's strategy, smaller or monolingual where the pairs allow no other."""
    groups = table.index.n_groups
    strategy = settings.plan.strategy
    needs_parallel = any(share and not kind.by_language for kind, share in strategy.parts())
    me = processes()
    if needs_parallel and not table.index.counts[:, -1].any():
        # pairs that no language shares with another are validated in one language per batch
        strategy = next(kind() for kind in STRATEGIES if kind.by_language and kind.is_usual)
    size = min(settings.plan.batch_size, groups)
    while True:
        size -= size % me.world
        if not size:
            raise InputError(f"validation: {groups} pairs are too few for {me.world} processes")
        try:
            plan = BatchPlan(table.index, PlanSettings(strategy=strategy, batch_size=size, seed=settings.plan.seed))
            break
        except InputError:
            if size <= 4:
                raise
            size //= 2
    steps = settings.validation_steps or min(plan.steps_per_epoch, _MOST_VALIDATION_STEPS)
    return PlanDataset(table, plan, steps, negatives=settings.negatives, rank=me.rank, world=me.world)
