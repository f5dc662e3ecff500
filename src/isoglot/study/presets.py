"""Studies that come with isoglot, as YAML files in `isoglot/studies`."""

from __future__ import annotations

from pathlib import Path

from isoglot.errors import InputError, unknown
from isoglot.yaml_input import read_yaml

STUDIES = Path(__file__).parent.parent / "studies"


def preset_names() -> list[str]:
    """Names of all presets."""
    return sorted(path.stem for path in STUDIES.glob("*.yaml"))


def preset_path(name: str) -> Path:
    """The file of a preset. InputError where there is none of that name."""
    if name not in preset_names():
        raise unknown("preset", name, preset_names())
    return STUDIES / f"{name}.yaml"


def find_spec(name: str) -> Path:
    """A spec by the name of a preset or by path; a file that exists goes before a preset.

    Raises:
        InputError: neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    if "/" in name or name.endswith((".yaml", ".yml")):
        raise InputError(f"{name}: no such file (presets: {', '.join(preset_names())})")
    return preset_path(name)


def describe(name: str) -> str:
    """The question of a preset, in one line."""
    return " ".join(str(read_yaml(preset_path(name)).get("question", "")).split())
