"""`isoglot inject`: word translations trained into an early layer of a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import check_new_folder, print_json


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "inject",
        help="train word translations into an early layer of a model (targeted lexical injection)",
        description="Train LoRA adapters below one layer so that translations of words come together there (arXiv 2506.15415). "
        "Say what changed at that layer and in the model's output, on the words that were trained and on others that were not. "
        "The directory gets model/, adapter/ and run.json. It takes seconds to minutes and is not resumed: nothing is written "
        "before the end.",
        epilog="example: isoglot inject offline:multilingual-e5-small --lexicon en-de.tsv --layer 2 --output runs/injected",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.training.injection.settings import InjectSettings

    command.add_argument("model", metavar="MODEL", help="hub id, directory, run, or offline:NAME")
    add_settings(command, InjectSettings)
    command.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="directory, which must be empty or new"
    )
    command.add_argument("--device", metavar="D", help="cpu, cuda, ... (default: the best)")
    command.add_argument("--json", action="store_true", help="print the outcome as JSON")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.common import quiet
    from isoglot.cli.options import given_settings
    from isoglot.models.content import check_apart
    from isoglot.processes import train_on
    from isoglot.settings import build
    from isoglot.training.injection.inject import inject
    from isoglot.training.injection.settings import InjectSettings

    train_on(options.device)
    asked = build(InjectSettings, [("option", given_settings(options, InjectSettings))])
    check_apart(options.model, options.output)
    check_new_folder(options.output)
    quiet()
    outcome = inject(options.model, asked, options.output)
    if options.json:
        print_json({"path": str(options.output), "model": str(options.output / "model"), **outcome})
        return 0
    print("\n".join(_table(outcome["effects"])))
    print(
        f"\n{options.output / 'model'}: layer {outcome['layer']}, {outcome['steps']} steps in {outcome['seconds']:.0f} s, "
        f"loss {outcome['first_loss']:.4f} -> {outcome['last_loss']:.4f}"
    )
    return 0


def _table(effects: list[dict[str, Any]]) -> list[str]:
    from isoglot.tables import text_table

    rows = [["words", "at", "measure", "before", "after", "difference", "95% interval", "p", "d_z"]]
    for row in effects:
        interval = "-" if row["interval"] is None else "[{:+.4f}, {:+.4f}]".format(*row["interval"])
        figures = [f"{row['before']:.4f}", f"{row['after']:.4f}", f"{row['difference']:+.4f}", interval]
        last = ["-" if row[key] is None else f"{row[key]:{form}}" for key, form in (("p", ".1e"), ("d_z", "+.2f"))]
        rows.append([f"{row['pair']} {row['words']} ({row['n']:,})", row["at"], row["measure"], *figures, *last])
    return text_table(rows, text_columns=3)
