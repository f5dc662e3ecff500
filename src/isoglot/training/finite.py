"""Numbers that are infinite or not a number stop a run before any of them is written."""

from __future__ import annotations

from pathlib import Path

import torch

from isoglot.batching.sampler import PlanDataset
from isoglot.errors import IsoglotError
from isoglot.training.checkpoints import checkpoints_in
from isoglot.training.distributed import any_process

_NAMED_PAIRS = 5


class NotFiniteError(IsoglotError):
    """A loss, gradient, weight or embedding became infinite or not a number; what is on disk is finite."""


class Watch:
    """Looks at every step's numbers; all processes do it together.

    Whether they are finite is noted on the device, and the note is read where the device is waited for anyway. The step that is
    named is the right one all the same, and what was computed after it is thrown away.

    Args:
        model: in training.
        steps: of training.
        checkpoints: their directory.
        every_step: read every note: on a CPU that costs nothing.
    """

    def __init__(self, model: torch.nn.Module, steps: PlanDataset, checkpoints: Path, *, every_step: bool) -> None:
        self._model, self._steps, self._checkpoints, self.every_step = model, steps, checkpoints, every_step
        self._bad_step = torch.zeros((), dtype=torch.int64)  # the first step that was not finite, from 1

    def look(self, step: int, loss: torch.Tensor, gradient_norm: torch.Tensor, *, read: bool) -> None:
        """Note whether a step's numbers are finite.

        Args:
            step: from 1.
            loss: sum of the losses since the last read step, a scalar.
            gradient_norm: before clipping, a scalar.
            read: also read the notes so far.

        Raises:
            NotFiniteError: a step was not finite.
        """
        bad = ~(loss + gradient_norm.to(loss.device)).isfinite() & (self._bad_step == 0)
        self._bad_step = torch.where(bad, step, self._bad_step.to(loss.device))
        if self.every_step or read:
            bad_step = int(self._bad_step)
            if any_process(bad_step > 0):
                raise self._error("the loss or its gradient is", bad_step or step)

    def check_weights(self, step: int) -> None:
        """NotFiniteError where a trained weight is infinite or not a number after a step."""
        trained = trained_weights(self._model)
        bad = [name for name, weights in trained.items() if not bool(weights.isfinite().all())]
        if any_process(bool(bad)):
            which = f"{len(bad)} of {len(trained)} trained tensors ({', '.join(bad[:1])}) are"
            raise self._error(which, step)

    def _error(self, what: str, step: int) -> NotFiniteError:
        pairs = self._steps.pair_ids(step - 1)
        more = f" and {len(pairs) - _NAMED_PAIRS} more" if len(pairs) > _NAMED_PAIRS else ""
        named = ", ".join(pairs[:_NAMED_PAIRS]) + more
        kept = next(iter(checkpoints_in(self._checkpoints)), None)
        last = f"the last good checkpoint is {kept}" if kept else "there is no checkpoint yet"
        return NotFiniteError(
            f"{what} not finite at step {step} (pairs {named}): lower the learning rate or the scale; {last}"
        )


def trained_weights(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """What is trained of a model, by name."""
    return {name: weights for name, weights in model.named_parameters() if weights.requires_grad}
