"""`isoglot train`: repair a retriever with multilingual batches."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.cli.common import add_columns, add_data_dir, in_all, pairs_help, pairs_of, print_json

if TYPE_CHECKING:
    from isoglot.training.settings import TrainSettings


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "train",
        help="train a retriever with multilingual batches",
        description="Train a retriever on parallel pairs with in-batch negatives. Settings come from "
        "--recipe, then from --config, then from key=value words (any setting, e.g. lora.rank=8 scale=20), then from options.",
        epilog="example: isoglot train --pairs lareqa:mlqa-r --base offline:multilingual-e5-small --steps 100 --batch-size 32 "
        "--output runs/hybrid. On several devices: torchrun --nproc-per-node N -m isoglot train ...; --batch-size counts the "
        "pairs of all processes together, and the result is that of one process.",
        fill=_fill,
    )


def _fill(train: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.training.recipes import RECIPES
    from isoglot.training.settings import TrainSettings

    absent = argparse.SUPPRESS
    train.add_argument("words", nargs="*", metavar="key=value", help="any setting by name")
    train.add_argument("--recipe", choices=RECIPES.names(), default=absent, help=_recipes())
    train.add_argument("--config", type=Path, metavar="FILE", help="YAML file of settings")
    train.add_argument("--pairs", nargs="+", metavar="P", default=absent, help=pairs_help())
    add_columns(train)
    length = train.add_mutually_exclusive_group()
    add_settings(length, TrainSettings, ("steps", "epochs"))
    add_settings(train, TrainSettings, leave_out=("pairs", "steps", "epochs"))
    fit = "take the largest batch (a multiple of 8) that fits on the GPU without gradient caching, instead of --batch-size"
    where = "cpu, cuda, cuda:1, ...: train there (default: on the best there is)"
    train.add_argument("--device", metavar="D", help=where)
    train.add_argument("--fit", action="store_true", help=f"{fit}; refused on a CPU, where memory is not predicted")
    again = train.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --output")
    again.add_argument("--overwrite", action="store_true", help="replace a run that is in --output")
    train.add_argument("--json", action="store_true", help="print the outcome as JSON")
    add_data_dir(train)
    train.set_defaults(run=_run)


def _recipes() -> str:
    from isoglot.training.recipes import DEFAULT, RECIPES

    known = "; ".join(f"{recipe.name}: {recipe.help}" for recipe in RECIPES)
    return f"settings to begin with, under those of --config, words and options; {known} (default {DEFAULT})"


def _run(options: argparse.Namespace) -> int:
    from isoglot.processes import train_on

    train_on(options.device)
    return in_all(lambda first: _train(options, _settings(options), first=first))


def _settings(options: argparse.Namespace) -> TrainSettings:
    from isoglot.cli.options import given_settings
    from isoglot.errors import InputError
    from isoglot.processes import processes
    from isoglot.settings import build
    from isoglot.training.recipes import DEFAULT, under_tuning
    from isoglot.training.settings import TrainSettings
    from isoglot.yaml_input import read_words, read_yaml

    for word in options.words:
        if "=" not in word and os.path.exists(word):
            raise InputError(f"'{word}': pairs are given by --pairs {word}, a base by --base {word}")
    layers: list[tuple[str, dict[str, Any]]] = [("--recipe", {"recipe": getattr(options, "recipe", DEFAULT)})]
    words, chosen = read_words(options.words, TrainSettings.reads), given_settings(options, TrainSettings)
    if options.config:
        layers.append((str(options.config), under_tuning(read_yaml(options.config), {**words, **chosen})))
    layers += [("key=value", words), ("option", chosen)]
    for name in ("pairs", "output"):
        if not any(name in values for _, values in layers):
            raise InputError(f"--{name} is missing (or '{name}' in --config)")
    settings = build(TrainSettings, layers)
    if options.columns:
        settings = settings.replace(pairs=tuple(pairs_of(options, settings.pairs)))
    processes().check(settings.plan.batch_size)
    return settings


def _train(options: argparse.Namespace, settings: TrainSettings, *, first: bool) -> int:
    from isoglot.cli.common import quiet
    from isoglot.errors import warn
    from isoglot.training.train import train

    quiet()
    how = {"resume": options.resume, "overwrite": options.overwrite, "fit": options.fit}
    result = train(settings, **how, data_dir=options.data_dir, show=first)
    if not result.complete:
        if first:
            warn(f"interrupted after step {result.steps}; go on with the same command and --resume")
        return 130
    if not first:
        return 0
    if options.json:
        print_json({"path": str(result.path), "model": str(result.model), **result.outcome})
    else:
        print(result)
    return 0
