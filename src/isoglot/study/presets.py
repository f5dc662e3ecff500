"""Studies that come with isoglot, as YAML files in `isoglot/studies`."""

from __future__ import annotations

import os
from pathlib import Path

from isoglot.errors import InputError
from isoglot.places import did_you_mean
from isoglot.registry import Registry
from isoglot.yaml_input import NamedFile


class Preset(NamedFile):
    """A study that is run by its name."""

    @property
    def help(self) -> str:
        """Its question, in one line."""
        return " ".join(str(self.values.get("question", "")).split())


PRESETS: Registry[Preset] = Registry("preset", "isoglot.studies")
for _path in Path(__file__).parents[1].joinpath("studies").glob("*.yaml"):
    PRESETS.register(Preset(_path))


def find_spec(name: str) -> Path:
    """A spec by the name of a preset or by path; a file that exists goes before a preset.

    Raises:
        InputError: neither.
    """
    path = Path(name)
    if os.path.exists(path) and not os.path.isdir(path):
        return path  # a pipe, too: whoever reads it says why not
    if "/" in name or name.endswith((".yaml", ".yml")):
        raise InputError(f"{name}: no such file{did_you_mean(name)} (presets: {', '.join(PRESETS.names())})")
    return PRESETS[name].path
