"""An index of a tiny model and of an adapter of it, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isoglot.retrieval.collection.build import index
from tests.models.zoo import KINDS
from tests.serving.servers import Running, running, write_corpus


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model, and an adapter of it."""
    adapter = KINDS["adapter-inside"](tmp_path_factory.mktemp("models") / "repaired")
    return adapter.with_name("repaired-base"), adapter


@pytest.fixture(scope="session")
def tiny_index(tmp_path_factory: pytest.TempPathFactory, models: tuple[Path, Path]) -> Path:
    """Two models, 72 documents in three languages; not to be changed."""
    folder = tmp_path_factory.mktemp("index")
    corpus, (base, repaired) = write_corpus(folder / "docs.jsonl"), models
    index(str(base), str(corpus), folder / "index", name="base", progress=False)
    index(str(repaired), None, folder / "index", name="repaired", progress=False)
    return folder / "index"


@pytest.fixture(scope="module")
def server(tiny_index: Path) -> Iterator[Running]:
    """A server with the limits that it has by default."""
    with running(tiny_index) as own:
        yield own
