"""Pickles are not opened: not by isoglot, and not by the libraries that it has load a model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from isoglot.errors import InputError

_lock = threading.RLock()


@contextmanager
def no_pickles() -> Iterator[None]:
    """Whatever would unpickle weights inside, of whichever library, is an InputError. Imports torch.

    One thread at a time is inside: what is changed here, and what else loading a model changes in libraries, is the whole
    process's.

    Local folders are looked through before (`isoglot.models.weights.check_files`); this holds for what no list of files tells.
    """
    import torch

    def refuse(*_: Any, **__: Any) -> Any:
        raise InputError(
            "weights in a pickle are not opened: convert them to safetensors (load it where you trust it, and save_pretrained)"
        )

    with _lock:
        before, torch.load = torch.load, refuse
        try:
            yield
        finally:
            torch.load = before
