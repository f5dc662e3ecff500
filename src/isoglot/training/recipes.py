"""Recipes: settings of training that belong together, under a name; YAML files in `isoglot/recipes`.

A file says what it is (`about`), its `settings` and, for each tuning, what goes with that one (`per_tuning`: learning rates).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoglot.batching.strategies import STRATEGIES
from isoglot.models.tunings import TUNINGS
from isoglot.registry import Registry
from isoglot.yaml_input import NamedFile

DEFAULT = "isoglot"
"""What `isoglot train` takes where no recipe is asked for."""
_EITHER = ({"steps", "epochs"}, {"validation", "validation_share"})


class Recipe(NamedFile):
    """Settings that are taken by their name."""

    @property
    def help(self) -> str:
        """What it is, in one line."""
        return str(self.values["about"])

    def under(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe's settings and those that are given, which win; learning rates are those of the tuning that is chosen.

        Settings of a tuning (`lora.rank`) or a strategy (`mono_share`) choose it where it is not given.
        """
        own: dict[str, Any] = self.values["settings"]
        tunings = [name for name in TUNINGS.names() if name in given]
        strategies = [strategy.name for strategy in STRATEGIES if strategy.model_fields.keys() & given.keys()]
        for key, names in (("tuning", tunings), ("strategy", strategies)):
            if key not in given and names:
                given = {key: names[0], **given}
        kind = _kind(given.get("tuning", own["tuning"]))
        values = under_tuning({**own, **self.values.get("per_tuning", {}).get(kind, {})}, given)
        taken = {key for pair in _EITHER if pair & given.keys() for key in pair}
        merged = {key: value for key, value in values.items() if key not in taken}
        for key, value in given.items():
            both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping) and key != "loss"
            merged[key] = {**merged[key], **value} if both else value
        return merged


def _kind(tuning: Any) -> str:
    """The kind of a tuning that is a name, a mapping or a member of the registry."""
    if isinstance(tuning, Mapping):
        tuning = tuning.get("kind", tuning.get("name"))
    return str(getattr(tuning, "name", tuning))


def under_tuning(values: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those of tunings that are not used, where what is `chosen` over them names another (`tuning`)."""
    apart = {name for name in TUNINGS.names() if name != _kind(chosen["tuning"])} if "tuning" in chosen else ()
    return {key: value for key, value in values.items() if key not in apart}


RECIPES: Registry[Recipe] = Registry("recipe", "isoglot.recipes")
for _path in Path(__file__).parents[1].joinpath("recipes").glob("*.yaml"):
    RECIPES.register(Recipe(_path))


def with_recipe(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which `recipe` is replaced by what it stands for. InputError names an unknown one."""
    given = dict(values)
    name = given.pop("recipe", None)
    return given if name is None else RECIPES[str(name)].under(given)
