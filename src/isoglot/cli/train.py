"""`isoglot train`: repair a retriever with hybrid batches."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.cli.common import add_data_dir, in_all, pairs_help, print_json
from isoglot.cli.plan import add_plan_options

if TYPE_CHECKING:
    from isoglot.training.settings import TrainSettings

_LORA = {
    "lora_rank": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "lora_targets": "targets",
    "lora_layers": "layers",
}
_OWN = ("config", "words", "resume", "overwrite", "data_dir", "json", "run")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    train = commands.add_parser(
        "train",
        help="train a retriever with mono, cross or hybrid batches",
        description="Train a retriever on parallel pairs with InfoNCE and in-batch negatives. Settings come from --config, then "
        "from key=value words (any setting, e.g. lora.rank=8 scale=20), then from options.",
        epilog="example: isoglot train --pairs lareqa:mlqa-r --base offline:multilingual-e5-small --steps 100 --batch-size 32 "
        "--output runs/hybrid. On several devices: torchrun --nproc-per-node N -m isoglot train ...; --batch-size counts the "
        "pairs of all processes together, and the result is that of one process.",
    )
    absent = argparse.SUPPRESS
    train.add_argument("words", nargs="*", metavar="key=value", help="any setting by name")
    train.add_argument("--config", type=Path, metavar="FILE", help="YAML file of settings")
    train.add_argument("--pairs", nargs="+", metavar="P", default=absent, help=pairs_help())
    train.add_argument(
        "--base", metavar="NAME", default=absent, help="hub id, directory, or offline:multilingual-e5-small (default)"
    )
    train.add_argument("--output", metavar="DIR", default=absent, help="run directory")
    add_plan_options(train)
    _add_schedule(train)
    _add_model(train)
    train.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --output")
    train.add_argument("--overwrite", action="store_true", help="replace a run that is in --output")
    train.add_argument("--json", action="store_true", help="print the outcome as JSON")
    add_data_dir(train)
    train.set_defaults(run=_run)


def _add_schedule(train: argparse.ArgumentParser) -> None:
    absent = argparse.SUPPRESS
    train.add_argument("--tuning", choices=["lora", "full"], default=absent, help="default lora")
    length = train.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", default=absent, help="optimizer steps")
    length.add_argument("--epochs", type=float, metavar="N", default=absent, help="passes over the pairs (default 1)")
    train.add_argument(
        "--learning-rate", type=float, metavar="F", default=absent, help="peak (default: lora 5e-4, full 3e-5)"
    )
    train.add_argument(
        "--warmup", type=float, metavar="F", default=absent, help="steps, or share of steps below 1 (default 0.1)"
    )
    train.add_argument("--scale", type=float, metavar="F", default=absent, help="inverse temperature (default 50)")
    train.add_argument(
        "--symmetric", action="store_const", const=True, default=absent, help="also classify queries given passages"
    )


def _add_model(train: argparse.ArgumentParser) -> None:
    absent = argparse.SUPPRESS
    train.add_argument("--dropout", type=float, metavar="F", default=absent, help="of the encoder (default: its own)")
    train.add_argument("--max-length", type=int, metavar="N", default=absent, help="tokens per text in training")
    train.add_argument("--lora-rank", type=int, metavar="N", default=absent, help="default 16")
    train.add_argument("--lora-alpha", type=float, metavar="F", default=absent, help="default 32")
    train.add_argument("--lora-dropout", type=float, metavar="F", default=absent, help="default 0")
    train.add_argument(
        "--lora-targets", nargs="+", metavar="NAME", default=absent, help="linear modules (default: all)"
    )
    train.add_argument("--lora-layers", nargs="+", type=int, metavar="N", default=absent, help="layers (default: all)")
    train.add_argument("--validation", nargs="+", metavar="P", default=absent, help="validation pairs, as --pairs")
    train.add_argument(
        "--validation-share", type=float, metavar="F", default=absent, help="hold out this share of the pairs instead"
    )
    train.add_argument("--eval-steps", type=int, metavar="N", default=absent, help="steps between validations")
    train.add_argument(
        "--patience", type=int, metavar="N", default=absent, help="stop after N validations without a better loss"
    )
    train.add_argument(
        "--grad-cache",
        type=int,
        metavar="N",
        default=absent,
        help="for batches that do not fit into memory: forward at most N tokens at a time and compute every text twice; "
        "same loss, one more forward pass per step (default 0: off)",
    )
    train.add_argument("--save-steps", type=int, metavar="N", default=absent, help="steps between checkpoints")


def _run(options: argparse.Namespace) -> int:
    return in_all(lambda first: _train(options, _settings(options), first=first))


def _settings(options: argparse.Namespace) -> TrainSettings:
    from isoglot.config import build, read_words, read_yaml
    from isoglot.errors import InputError
    from isoglot.processes import processes
    from isoglot.training.settings import TrainSettings

    layers: list[tuple[str, dict[str, Any]]] = []
    if options.config:
        layers.append((str(options.config), read_yaml(options.config)))
    layers += [("key=value", read_words(options.words)), ("option", _flags(options))]
    for name, option in (("pairs", "--pairs"), ("output", "--output")):
        if not any(name in values for _, values in layers):
            raise InputError(f"{option} is missing (or '{name}' in --config)")
    if options.resume and options.overwrite:
        raise InputError("give --resume or --overwrite, not both")
    settings = build(TrainSettings, layers)
    settings.check()
    processes().check(settings.batch_size)
    return settings


def _train(options: argparse.Namespace, settings: TrainSettings, *, first: bool) -> int:
    from isoglot.cli.common import quiet
    from isoglot.training.train import train

    quiet()
    result = train(settings, resume=options.resume, overwrite=options.overwrite, data_dir=options.data_dir, show=first)
    if not first:
        return 0 if result.complete else 130
    if not result.complete:
        print(
            f"isoglot: interrupted after step {result.steps}; go on with the same command and --resume", file=sys.stderr
        )
        return 130
    if options.json:
        print_json({"path": str(result.path), "model": str(result.model), **result.outcome})
    else:
        outcome = result.outcome
        print(
            f"{result.model}: {outcome['steps']} steps in {outcome['seconds']:.0f} s, "
            f"loss {outcome['first_loss']:.4f} -> {outcome['last_loss']:.4f}"
        )
    return 0


def _flags(options: argparse.Namespace) -> dict[str, Any]:
    flags = {}
    for name, value in vars(options).items():
        if name in _LORA:
            flags[f"lora.{_LORA[name]}"] = value
        elif name not in _OWN:
            flags[name] = value
    return flags
