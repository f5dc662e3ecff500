"""What tests of indexes share: a Milvus server."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.milvus_server import HINT, is_installed, serving


@pytest.fixture(scope="module")
def milvus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one's own server, or of one that is started for the module: a machine takes one at a time."""
    if own := os.environ.get("ISOGLOT_MILVUS_URI"):
        yield own
        return
    if not is_installed():
        pytest.skip(HINT)
    with serving(tmp_path_factory.mktemp("milvus")) as uri:
        yield uri
