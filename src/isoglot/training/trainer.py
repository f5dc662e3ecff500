"""sentence-transformers' trainer, fed by a batch plan."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformerTrainer
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import AdamW
from torch.utils.data import DataLoader

from isoglot.ahead import Ahead
from isoglot.batching.sampler import PlanDataset, StepSampler
from isoglot.disk import writing
from isoglot.errors import InputError, IsoglotError
from isoglot.files import write_json
from isoglot.models.unpadded import on_device
from isoglot.processes import in_first, wait
from isoglot.training import checkpoints
from isoglot.training.collate import Collator
from isoglot.training.distributed import sum_processes
from isoglot.training.finite import Watch, trained_weights
from isoglot.training.optimizer import RowAdamW, clip_gradients, use_sparse_gradients
from isoglot.training.progress import Progress, checkpoint_of

_TRAINED = "trained.safetensors"  # in a checkpoint of a model with adapters: all that is trained


class PlanTrainer(SentenceTransformerTrainer):
    """Trains on the steps of a plan, in order; validates on the steps of another.

    The loaders yield whole steps and are not handed to accelerate: each process's dataset already is its slice of the
    global batch, and resuming skips step numbers, not data.
    """

    def __init__(
        self, *, train_steps: PlanDataset, eval_steps: PlanDataset | None, collator: Collator, log: Path, **kwargs: Any
    ) -> None:
        self._train_steps, self._collator, self._log_file = train_steps, collator, log
        self._ahead: Ahead[Any] | None = None
        super().__init__(eval_dataset=eval_steps, data_collator=collator, **kwargs)
        self._trained = list(trained_weights(self.model).values())
        on_cpu = self.args.device.type == "cpu"
        self.watch = Watch(self.model, train_steps, Path(self.args.output_dir), every_step=on_cpu)

    def train(self, *given: Any, **more: Any) -> Any:
        try:
            with (
                _attention(self.args.device.type, bf16=self.args.bf16),
                self._graphs(),
                _at_hand(self.model, self._trained),
            ):
                return super().train(*given, **more)
        finally:
            for callback in self.callback_handler.callbacks:
                if isinstance(callback, Progress):
                    callback.close()  # what is said of an error begins a line of its own

    def _graphs(self) -> AbstractContextManager[None]:
        unpadded = getattr(self.loss, "unpadded", None)
        return unpadded.graphs.recording() if unpadded is not None else nullcontext()

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Not wanted: it inspects datasets of another kind, and isoglot writes its own card."""

    def get_batch_samples(self, epoch_iterator: Any, *given: Any) -> Any:
        # while the device computes a step, another thread prepares the next one
        if self.args.device.type == "cuda" and self.args.world_size == 1:
            if self._ahead is None or self._ahead.source is not epoch_iterator:
                self._ahead = Ahead(epoch_iterator)
            epoch_iterator = self._ahead
        return super().get_batch_samples(epoch_iterator, *given)

    def _prepare_inputs(self, inputs: Any) -> Any:
        self._collator.count(inputs)
        return super()._prepare_inputs(inputs)

    def _prepare_input(self, data: Any) -> Any:
        # from page-locked memory, so that the copy need not hold up the steps behind it
        if isinstance(data, torch.Tensor) and self.args.device.type == "cuda":
            return on_device(data, self.args.device)
        return super()._prepare_input(data)

    def create_optimizer(self, model: Any = None) -> Any:
        # on a CPU: a GPU goes through a dense table as fast as it finds the rows of a sparse gradient, and need not wait for
        # their number. Not under several processes, which reduce no sparse ones. RowAdamW takes dense ones as well
        if self.optimizer is None and self.args.world_size == 1 and self.args.device.type == "cpu":
            use_sparse_gradients(self.model)
        return super().create_optimizer(model)

    def get_optimizer_cls_and_kwargs(self, args: Any, model: Any = None) -> tuple[Any, Any]:
        kind, settings = super().get_optimizer_cls_and_kwargs(args, model)
        return (RowAdamW if kind is AdamW else kind), settings

    def _maybe_log_save_evaluate(self, tr_loss: torch.Tensor, grad_norm: Any, *given: Any, **more: Any) -> None:
        # nothing is logged, validated or saved before it is known to be finite
        control, step = self.control, self.state.global_step
        # a run that a validation stops has its loss in the log, however many steps lie between two lines
        control.should_log |= control.should_evaluate
        keeps = control.should_save or control.should_evaluate
        if grad_norm is not None:
            self.watch.look(step, tr_loss, torch.as_tensor(grad_norm), read=keeps or control.should_log)
        if keeps:
            self.watch.check_weights(step)
        super()._maybe_log_save_evaluate(tr_loss, grad_norm, *given, **more)

    def _clip_grad_norm(self, model: Any) -> Any:
        return clip_gradients(self._trained, self.args.max_grad_norm)

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        return clip_gradients(self._trained, float("inf")) if grad_norm is None else grad_norm

    def get_train_dataloader(self) -> DataLoader[Any]:
        return self._loader(self._train_steps)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        return self._loader(self.eval_dataset if eval_dataset is None else eval_dataset)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save one that is whole or counts as not there; older ones are deleted when it is on the disk."""
        checkpoint = checkpoint_of(self.args, self.state)
        in_first(lambda: checkpoints.begin(checkpoint))
        try:
            with writing(checkpoint):
                super()._save_checkpoint(model, trial)
                wait()  # all processes' files must be there
                tokens = sum_processes(self._collator.tokens)
                in_first(lambda: self._finish_checkpoint(checkpoint, tokens))
        except IsoglotError:
            if self.args.should_save:  # on a full disk: what cannot be finished makes room
                shutil.rmtree(checkpoint, ignore_errors=True)
            raise

    def _finish_checkpoint(self, checkpoint: Path, tokens: int) -> None:
        write_json(checkpoint / checkpoints.TOKENS, tokens)
        shutil.copyfile(self._log_file, checkpoint / checkpoints.LOG)
        checkpoints.finish(checkpoint)
        checkpoints.rotate(checkpoint, self.state.best_global_step if self.args.load_best_model_at_end else None)

    def _load_best_model(self) -> None:
        # by its step, so that a run may be moved; the library's own method goes on with the last weights where these are missing
        self._load_from_checkpoint(str(Path(self.args.output_dir) / f"checkpoint-{self.state.best_global_step}"))

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        if _has_adapters(self.model):
            # the library would restore an adapter onto a base that it loads anew, as it finds it and in the precision of its file
            trained = {name: weights.contiguous() for name, weights in trained_weights(self.model).items()}
            save_file(trained, Path(output_dir or self.args.output_dir) / _TRAINED)

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:
        if not (Path(checkpoint_path) / _TRAINED).is_file():
            super()._load_from_checkpoint(checkpoint_path)
            return
        saved, trained = load_file(Path(checkpoint_path) / _TRAINED), trained_weights(self.model)
        if saved.keys() != trained.keys():
            raise InputError(f"{checkpoint_path}/{_TRAINED}: holds other tensors than this run trains")
        with torch.no_grad():
            for name, weights in trained.items():
                weights.copy_(saved[name])

    def _loader(self, steps: PlanDataset) -> DataLoader[Any]:
        return DataLoader(steps, batch_sampler=StepSampler(len(steps)), collate_fn=self._collator)


@contextmanager
def _at_hand(model: Any, trained: Sequence[torch.nn.Parameter]) -> Iterator[None]:
    """A model whose `train` and `zero_grad` do not go through its modules, a thousand with adapters, at every step."""
    whole = model.train
    whole()

    def train(mode: bool = True) -> Any:
        return model if mode == model.training else whole(mode)

    def zero_grad(set_to_none: bool = True) -> None:
        for weights in trained:
            weights.grad = None

    model.train, model.zero_grad = train, zero_grad
    try:
        yield
    finally:
        del model.train, model.zero_grad


def _attention(device: str, *, bf16: bool) -> Any:
    """A context with the kernels of attention that suit batches of short texts of many lengths.

    cuDNN's plan anew, in some 0.1 s, for every (rows, width) that they have not had yet: nearly every step would wait for them.
    In bfloat16 the fused kernel for CPUs takes a third of a step in its backward pass; plain products take a twentieth.
    """
    unwanted = {SDPBackend.CUDNN_ATTENTION} | ({SDPBackend.FLASH_ATTENTION} if device == "cpu" and bf16 else set())
    return sdpa_kernel([kind for kind in SDPBackend.__members__.values() if kind not in (SDPBackend.ERROR, *unwanted)])


def _has_adapters(model: torch.nn.Module) -> bool:
    return any(getattr(module, "peft_config", None) for module in model.modules())
