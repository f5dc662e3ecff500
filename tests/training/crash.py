"""A run that ends in the middle, as if it had crashed."""

from __future__ import annotations

from typing import Any

import pytest

from isoglot.data.pairs.table import PairTable
from isoglot.training.progress import Progress
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train


class Interrupt(Exception):
    pass


def train_until(step: int, settings: TrainSettings, table: PairTable) -> None:
    """Begin a run that crashes at the end of a step."""
    original = Progress.on_step_end

    def crash(self: Progress, args: Any, state: Any, control: Any, **more: Any) -> None:
        original(self, args, state, control, **more)
        if state.global_step == step:
            raise Interrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "on_step_end", crash)
        with pytest.raises(Interrupt):
            train(settings, table=table, show=False)
