"""Write docs/api.md and docs/methods.md from docstrings and registries: `python docs/make_api.py`."""

from __future__ import annotations

import contextlib
import inspect
import io
from pathlib import Path
from typing import Any

import isoglot
from isoglot.cli.main import main
from isoglot.settings import Settings

DOCS = Path(__file__).parent

API = """\
# Python

Everything here is imported from `isoglot`: `from isoglot import train`. `import isoglot` is cheap: torch and the like are
loaded by the first name that needs them. This page is made of the docstrings (`make docs`).
"""
METHODS = """\
# What can be chosen by name

Each row is one class in a file of its own; `isoglot list` shows the same, with what a plugin adds ([how to write
one](training.md#your-own-strategy-loss-term-or-tuning)). This page is made by `make docs`.
"""


def api() -> str:
    """The page of the public names, in the order of the package."""
    return "\n".join([API, *(_entry(name, getattr(isoglot, name)) for name in isoglot._MODULES)])


def methods() -> str:
    """The page of the registries."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main(["list", "--markdown"])
    return f"{METHODS}\n{printed.getvalue()}"


def _entry(name: str, item: Any) -> str:
    text = inspect.cleandoc(item.__doc__ or "")
    if isinstance(item, type) and issubclass(item, Settings):
        rows = [f"- `{key}`: {field.description or ''}" for key, field in item.options().items()]
        return f"## `{name}`\n\n{text}\n\n" + "\n".join(rows) + "\n"
    signature = str(inspect.signature(item)).replace("'", "")
    return f"## `{name}`\n\n```text\n{name}{signature}\n```\n\n```text\n{text}\n```\n"


PAGES = {"api.md": api, "methods.md": methods}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (DOCS / page).write_text(write(), encoding="utf-8")
