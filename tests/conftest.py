"""What tests of several rooms share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of a kind of model (see `tests.models.zoo`), written when it is asked for first; not to be changed."""
    from tests.models.zoo import KINDS, REFUSED

    root = tmp_path_factory.mktemp("zoo")

    def get(kind: str) -> Path:
        return root / kind if (root / kind).exists() else {**KINDS, **REFUSED}[kind](root / kind)

    return get
