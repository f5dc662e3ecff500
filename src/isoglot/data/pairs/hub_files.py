"""Which files of a dataset repository on the hub hold a split of a configuration; no loading script is run.

They are, in this order:

- those that the dataset's card names under `configs` (hub documentation, "Manual Configuration");
- where it names none: those that the hub itself made of the dataset, in the branch `refs/convert/parquet`, as
  `<config>/<split>/*.parquet` (documentation of the dataset viewer, "List Parquet files").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from isoglot.data.readers import FORMATS
from isoglot.errors import InputError, unknown
from isoglot.hub import HubRepo, hub_repo

CONVERTED = "refs/convert/parquet"
Configs = dict[str, dict[str, list[str]]]
"""Paths by configuration and split."""


def split_files(
    repo: str, config: str | None, split: str, way_out: str, revision: str | None
) -> tuple[HubRepo, list[str]]:
    """The repository at the commit that is read, and the paths of the split's files, sorted.

    Args:
        config: None: the only one, or the one that is the default.
        revision: a branch or commit; None: main, or the converted branch where the card names no files.

    Raises:
        InputError: no such repository, configuration or split; files of a kind that is not read.
    """
    known = hub_repo(repo, way_out, revision)
    configs = card_configs(known) or _converted(known)
    if not configs and revision is None:
        known = hub_repo(repo, way_out, CONVERTED)
        configs = _converted(known)
    if not configs:
        raise InputError(f"{repo} on the hub: neither its card nor {CONVERTED} names files; give ?files=PATTERN")
    name = config or _default(known, configs)
    if name is None or name not in configs:
        raise InputError(f"{repo} on the hub: {unknown('config', config or '(none given)', configs)}")
    if not configs[name].get(split):
        raise InputError(f"{repo} on the hub, config {name}: {unknown('split', split, configs[name])}")
    return known, readable(repo, configs[name][split])


def readable(repo: str, paths: Iterable[str]) -> list[str]:
    """The paths, sorted. InputError where one is of a kind that is not read."""
    paths = sorted(paths)
    if wrong := next((path for path in paths if not path.lower().endswith(FORMATS)), None):
        raise InputError(f"{repo} on the hub: {wrong} is of a kind that is not read (these are: {', '.join(FORMATS)})")
    return paths


def card_configs(known: HubRepo) -> Configs:
    """What the card says under `configs`; {} where it says nothing."""
    configs: Configs = {}
    given = known.card.get("configs")
    for entry in given if isinstance(given, list) else ():
        if isinstance(entry, dict) and entry.get("data_files"):
            splits = configs.setdefault(str(entry.get("config_name", "default")), {})
            for split, pattern in _patterns(entry["data_files"]):
                found = [path for path in known.sizes if matches(path, pattern)]
                splits[split] = sorted({*splits.get(split, ()), *found})
    return configs


def _patterns(files: Any) -> Iterator[tuple[str, str]]:
    """(split, pattern) of `data_files`: a pattern, a list of them, or a list of {split, path}."""
    for entry in files if isinstance(files, list) else [files]:
        split, paths = (
            (str(entry.get("split", "train")), entry.get("path")) if isinstance(entry, dict) else ("train", entry)
        )
        for pattern in paths if isinstance(paths, list) else [paths]:
            if isinstance(pattern, str):
                yield split, pattern


def matches(path: str, pattern: str) -> bool:
    """Whether a path fits a pattern of the card: `*` within a folder, `**` through any."""
    if "**" in pattern:
        return fnmatchcase(path, pattern.replace("**/", "*")) or fnmatchcase(path, pattern.replace("**", "*"))
    parts, wanted = PurePosixPath(path).parts, PurePosixPath(pattern).parts
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _converted(known: HubRepo) -> Configs:
    """Of files `<config>/<split>/*.parquet` only."""
    configs: Configs = {}
    for path in known.sizes:
        parts = path.split("/")
        if len(parts) == 3 and path.endswith(".parquet"):
            # a split of which a part was converted only
            split = parts[1].removeprefix("partial-")
            configs.setdefault(parts[0], {}).setdefault(split, []).append(path)
    return configs


def _default(known: HubRepo, configs: Configs) -> str | None:
    """The configuration that is taken where none is given; None where none stands out."""
    given = known.card.get("configs")
    marked = [
        entry["config_name"]
        for entry in (given if isinstance(given, list) else ())
        if isinstance(entry, dict) and entry.get("default") is True and entry.get("config_name") in configs
    ]
    named = [*marked, *(name for name in configs if name == "default" or len(configs) == 1)]
    return named[0] if named else None
