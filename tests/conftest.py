"""What tests of several rooms share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests first, then large ones: what begins last should not be what takes longest."""
    sizes = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, -sizes[item.path], item.path))


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of a kind of model (see `tests.models.zoo`), written when it is asked for first; not to be changed."""
    from tests.models.zoo import KINDS, REFUSED

    root = tmp_path_factory.mktemp("zoo")

    def get(kind: str) -> Path:
        return root / kind if (root / kind).exists() else {**KINDS, **REFUSED}[kind](root / kind)

    return get
