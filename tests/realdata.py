"""Where tests that need the LAReQA files find them, and what happens when they are not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def lareqa_dir(name: str) -> Path:
    """The folder with `<lang>.json` of xquad-r or mlqa-r.

    Without it the test is skipped; with ISOGLOT_REQUIRE_DATA=1 it fails, so that CI cannot lose these tests unseen.
    """
    root = os.environ.get("ISOGLOT_DATA")
    folder = Path(root or "") / "lareqa" / name
    if root and folder.is_dir():
        return folder
    reason = f"{name} is not there: ISOGLOT_DATA is {'set to ' + root if root else 'not set'}"
    if os.environ.get("ISOGLOT_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
