"""Modules of the extras, which may not be installed."""

from __future__ import annotations

import importlib
from typing import Any

from isoglot.errors import InputError


def needed(module: str, what: str, extra: str) -> Any:
    """A module of an extra.

    Args:
        what: begins the message where it is not there: what needs which package.

    Raises:
        InputError: it is not installed; the message says how to install the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(f"{what}: pip install 'isoglot[{extra}]'") from None
