"""Write docs/api.md and docs/methods.md from docstrings and registries: `python docs/make_api.py`."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from pathlib import Path
from typing import Any

import isoglot
from isoglot.cli.main import main
from isoglot.settings import Settings

DOCS = Path(__file__).parent
WIDE = 100
SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields):$")

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
    text = _prose(inspect.cleandoc(item.__doc__ or ""))
    if isinstance(item, type) and issubclass(item, Settings):
        rows = [f"- `{key}`: {field.description or ''}" for key, field in item.options().items()]
        return f"## `{name}`\n\n{text}\n\n" + "\n".join(rows) + "\n"
    return f"## `{name}`\n\n```text\n{_signature(name, item)}\n```\n\n{text}\n"


def _signature(name: str, item: Any) -> str:
    """On one line, or a line per parameter where it is long."""
    signature = inspect.signature(item)
    line = f"{name}{signature}".replace("'", "")
    if len(line) <= WIDE:
        return line
    words, shown = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not shown:
            words.append("*")
        shown = shown or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        words.append(str(parameter))
    returned = line[line.rindex(")") + 1 :] if signature.return_annotation is not signature.empty else ""
    rows = "".join(f"    {word},\n" for word in words).replace("'", "")
    return f"{name}(\n{rows}){returned}"


def _prose(text: str) -> str:
    """A docstring as Markdown: sections become bold words, and what is named in them a list."""
    lines, in_section = [], False
    for line in text.splitlines():
        if SECTION.match(line):
            lines += [f"**{line[:-1]}**", ""]
            in_section = True
        elif in_section and line.startswith("    ") and not line.startswith("     "):
            names, colon, rest = line.strip().partition(": ")
            is_named = colon and re.fullmatch(r"[\w*, .]+", names)
            lines.append(
                f"- `{names}`: {rest}" if is_named else f"- {line.strip()}" if not lines[-1] else f"  {line.strip()}"
            )
        elif in_section and line.startswith("     "):
            lines.append(f"  {line.strip()}")
        else:
            in_section = in_section and not line.strip()
            lines.append(line)
    return "\n".join(lines)


PAGES = {"api.md": api, "methods.md": methods}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (DOCS / page).write_text(write(), encoding="utf-8")
