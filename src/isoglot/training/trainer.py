"""sentence-transformers' trainer, fed by a batch plan."""

from __future__ import annotations

from typing import Any

from sentence_transformers import SentenceTransformerTrainer
from torch.utils.data import DataLoader

from isoglot.batching.sampler import PlanDataset, StepSampler
from isoglot.training.collate import Collator


class PlanTrainer(SentenceTransformerTrainer):
    """Trains on the steps of a plan, in order; validates on the steps of another.

    The loaders yield whole steps and are not handed to accelerate: each process's dataset already is its slice of the
    global batch, and resuming skips step numbers, not data.
    """

    def __init__(self, *, train_steps: PlanDataset, eval_steps: PlanDataset | None, collator: Collator, **kwargs: Any):
        self._train_steps = train_steps
        self._collator = collator
        super().__init__(eval_dataset=eval_steps, data_collator=collator, **kwargs)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Not wanted: it inspects datasets of another kind, and isoglot writes its own card."""

    def get_train_dataloader(self) -> DataLoader[Any]:
        return self._loader(self._train_steps)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        return self._loader(self.eval_dataset if eval_dataset is None else eval_dataset)

    def _loader(self, steps: PlanDataset) -> DataLoader[Any]:
        return DataLoader(steps, batch_sampler=StepSampler(len(steps)), collate_fn=self._collator)
