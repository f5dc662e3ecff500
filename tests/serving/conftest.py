"""An index of a tiny model and of an adapter of it, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.servers import Running, make_index, make_models, running


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model, and an adapter of it."""
    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def tiny_index(tmp_path_factory: pytest.TempPathFactory, models: tuple[Path, Path]) -> Path:
    """Two models, 72 documents in three languages; not to be changed."""
    return make_index(tmp_path_factory.mktemp("index"), *models)


@pytest.fixture(scope="module")
def server(tiny_index: Path) -> Iterator[Running]:
    """A server with the limits that it has by default."""
    with running(tiny_index) as own:
        yield own
