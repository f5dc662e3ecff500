"""`isoglot data mine`: hard negatives from a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_columns, add_data_dir, pairs_help, pairs_of, print_json


def add(commands: Any) -> None:
    """Add the command to the parser of `isoglot data`."""
    commands.add_parser(
        "mine",
        help="write pairs with hard negatives that a model finds",
        description="Embed all queries and passages of pairs and write the pairs with new negatives: passages of the table that "
        "the model ranks high for the query. Passages of pairs that share a passage or query with the query's own pair are left "
        "out, in all languages; ranks are counted without them. Negatives that the pairs had are replaced. Memory is bounded: "
        "beside the output lies NAME.unfinished meanwhile, from which the same command goes on after an interruption.",
        epilog="example: isoglot data mine lareqa:mlqa-r --model offline:multilingual-e5-small --output mined.jsonl",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.retrieval.mine import Mine

    command.add_argument("pairs", nargs="+", metavar="PAIRS", help=pairs_help())
    add_columns(command)
    command.add_argument("--output", type=Path, required=True, metavar="FILE", help="the pairs, as a .jsonl file")
    add_settings(command, Mine)
    stored = "keep embeddings there; the same model and texts are then read, not encoded"
    command.add_argument("--store", type=Path, metavar="DIR", help=stored)
    command.add_argument("--languages", nargs="+", metavar="L", help="keep these languages only (default: all)")
    command.add_argument("--overwrite", action="store_true", help="replace a file that is at --output")
    command.add_argument("--json", action="store_true", help="print the counts as JSON")
    add_data_dir(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.common import check_output, quiet
    from isoglot.cli.options import given_settings
    from isoglot.disk import check_writable
    from isoglot.processes import check_device
    from isoglot.retrieval.mine import Mine
    from isoglot.retrieval.mine_file import mine_file
    from isoglot.settings import build

    options.pairs = pairs_of(options, options.pairs)
    asked = build(Mine, [("option", given_settings(options, Mine))])
    check_device(asked.device)
    check_output(options.output, overwrite=True)  # whether it is there is looked at under its lock
    if options.store is not None:
        check_writable(options.store, directory=True)
    quiet()
    given = {name: getattr(options, name) for name in ("languages", "data_dir", "store", "overwrite")}
    facts = mine_file(options.pairs, options.output, asked, **given)
    if options.json:
        print_json(facts)
    else:
        rows, without, mean = (facts[name] for name in ("rows", "without", "mean"))
        print(f"{options.output}: {rows:,} rows, {without:,} of them without any negative, {mean:.2f} per row")
    return 0
