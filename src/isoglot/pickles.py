"""Pickles are not opened: not by isoglot, and not by the libraries that it has load a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from isoglot.errors import InputError


@contextmanager
def no_pickles() -> Iterator[None]:
    """Whatever would unpickle weights inside, of whichever library, is an InputError. Imports torch.

    Local folders are looked through before (`isoglot.models.weights.check_files`); this holds for what no list of files tells.
    """
    import torch

    def refuse(*_: Any, **__: Any) -> Any:
        raise InputError(
            "weights in a pickle are not opened: convert them to safetensors (load it where you trust it, and save_pretrained)"
        )

    before, torch.load = torch.load, refuse
    try:
        yield
    finally:
        torch.load = before
