"""sentence-transformers' trainer, fed by a batch plan."""

from __future__ import annotations

from typing import Any

import torch
from sentence_transformers import SentenceTransformerTrainer
from torch.optim import AdamW
from torch.utils.data import DataLoader

from isoglot.batching.sampler import PlanDataset, StepSampler
from isoglot.processes import wait
from isoglot.training.collate import Collator
from isoglot.training.optimizer import RowAdamW, clip_gradients, use_sparse_gradients


class PlanTrainer(SentenceTransformerTrainer):
    """Trains on the steps of a plan, in order; validates on the steps of another.

    The loaders yield whole steps and are not handed to accelerate: each process's dataset already is its slice of the
    global batch, and resuming skips step numbers, not data.
    """

    def __init__(self, *, train_steps: PlanDataset, eval_steps: PlanDataset | None, collator: Collator, **kwargs: Any):
        self._train_steps, self._collator = train_steps, collator
        super().__init__(eval_dataset=eval_steps, data_collator=collator, **kwargs)

    def train(self, *given: Any, **more: Any) -> Any:
        # without cuDNN's attention: it plans anew, in some 0.1 s, for every (rows, width) that it has not had yet. Texts have
        # many lengths, so nearly every step would wait for plans; torch's other kernels need none
        before = torch.backends.cuda.cudnn_sdp_enabled()
        torch.backends.cuda.enable_cudnn_sdp(False)
        try:
            return super().train(*given, **more)
        finally:
            torch.backends.cuda.enable_cudnn_sdp(before)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Not wanted: it inspects datasets of another kind, and isoglot writes its own card."""

    def _prepare_input(self, data: Any) -> Any:
        # the collator's tensors are pinned: the copy need not hold up the steps behind it
        if isinstance(data, torch.Tensor) and self.args.device.type == "cuda":
            return data.to(self.args.device, non_blocking=True)
        return super()._prepare_input(data)

    def create_optimizer(self, model: Any = None) -> Any:
        # not under several processes: NCCL reduces no sparse gradients. RowAdamW takes dense ones as well
        if self.optimizer is None and self.args.world_size == 1 and self.args.n_gpu <= 1:
            use_sparse_gradients(self.model)
        return super().create_optimizer(model)

    def get_optimizer_cls_and_kwargs(self, args: Any, model: Any = None) -> tuple[Any, Any]:
        kind, settings = super().get_optimizer_cls_and_kwargs(args, model)
        return (RowAdamW if kind is AdamW else kind), settings

    def _clip_grad_norm(self, model: Any) -> Any:
        return clip_gradients(model.parameters(), self.args.max_grad_norm)

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        return clip_gradients(model.parameters(), float("inf")) if grad_norm is None else grad_norm

    def get_train_dataloader(self) -> DataLoader[Any]:
        return self._loader(self._train_steps)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        return self._loader(self.eval_dataset if eval_dataset is None else eval_dataset)

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        wait()  # the state file comes last and makes the checkpoint complete: all processes' files must be there by then

    def _loader(self, steps: PlanDataset) -> DataLoader[Any]:
        return DataLoader(steps, batch_sampler=StepSampler(len(steps)), collate_fn=self._collator)
