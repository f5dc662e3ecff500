"""`isoglot repair`: the whole job in one command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_data_dir, pairs_help, print_json


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "repair",
        help="the whole job: hold out, measure, repair, measure again, keep the best",
        description="Repair a model with parallel pairs or translated documents. A part of them is held out; on it the base is "
        "measured, a correction without training (LSAR), the recipe of isoglot train within the minutes asked for, its average "
        "with the base, and the correction of the better one. What is best over the pooled languages is kept, if it loses "
        "little within one language; else the base. The same command goes on after an interruption.",
        epilog="example: isoglot repair offline:multilingual-e5-small my-pairs.jsonl --output repaired --minutes 15",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.repairing.settings import RepairSettings

    command.add_argument("model", metavar="MODEL", help="hub id, directory, run, or offline:NAME")
    source = (
        f"{pairs_help()}; or translated documents as a pattern in quotes, {{lang}} for the language: 'docs/{{lang}}/**/*.md' "
        "(isoglot data from-docs has more settings and writes a file of pairs)"
    )
    command.add_argument("sources", nargs="+", metavar="SOURCE", help=source)
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="the directory of the repair")
    add_settings(command, RepairSettings, leave_out=("train",))
    words = f"{RepairSettings.model_fields['train'].description}"
    command.add_argument("--train", nargs="+", default=[], metavar="key=value", help=words)
    command.add_argument("--overwrite", action="store_true", help="replace a repair that is in --output")
    command.add_argument("--json", action="store_true", help="print summary.json")
    add_data_dir(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.common import quiet
    from isoglot.cli.options import given_settings
    from isoglot.errors import warn
    from isoglot.repairing.settings import RepairSettings
    from isoglot.settings import build
    from isoglot.training.settings import TrainSettings
    from isoglot.yaml_input import read_words

    given = {key: value for key, value in given_settings(options, RepairSettings).items() if key != "train"}
    asked = build(RepairSettings, [("option", given)])
    if words := read_words(options.train, TrainSettings.reads):
        asked = asked.replace(train=words)
    quiet()
    from isoglot.repairing.repair import repair
    from isoglot.repairing.words import format_summary, lacking

    how = {"overwrite": options.overwrite, "data_dir": options.data_dir}
    try:
        result = repair(options.model, options.sources, options.output, asked, **how)
    except KeyboardInterrupt:
        result = None
    if result is None or not result.complete:
        warn("interrupted; the same command goes on")
        return 130
    if options.json:
        print_json({"path": str(result.path), "model_path": str(result.model), **result.summary})
        return 0
    print(format_summary(result.summary))
    print(f"{result.model}: the model; {result.path / 'report.html'}: before and after; {result.path / 'picture.png'}")
    print("next:", *result.summary["commands"], *filter(None, [lacking()]), sep="\n  ")
    return 0
