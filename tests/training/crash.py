"""A run that ends in the middle, as if it had crashed."""

from __future__ import annotations

from typing import Any

import pytest

from isoglot.training.trainer import Progress


class Interrupt(Exception):
    pass


def crash_after(step: int, patch: pytest.MonkeyPatch) -> None:
    """Raise `Interrupt` at the end of a step."""
    original = Progress.on_step_end

    def crash(self: Progress, args: Any, state: Any, control: Any, **more: Any) -> None:
        original(self, args, state, control, **more)
        if state.global_step == step:
            raise Interrupt

    patch.setattr(Progress, "on_step_end", crash)
