"""`isoglot data mine`: hard negatives from a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_data_dir, pairs_help, print_json


def add(commands: Any) -> None:
    """Add the command to the parser of `isoglot data`."""
    commands.add_parser(
        "mine",
        help="write pairs with hard negatives that a model finds",
        description="Embed all queries and passages of pairs and write the pairs with new negatives: passages of the table that "
        "the model ranks high for the query. Passages of pairs that share a passage or query with the query's own pair are left "
        "out, in all languages; ranks are counted without them. Negatives that the pairs had are replaced.",
        epilog="example: isoglot data mine lareqa:mlqa-r --model offline:multilingual-e5-small --output mined.jsonl",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.retrieval.mine import Mine

    command.add_argument("pairs", nargs="+", metavar="PAIRS", help=pairs_help())
    command.add_argument("--output", type=Path, required=True, metavar="FILE", help="the pairs, as a .jsonl file")
    add_settings(command, Mine)
    command.add_argument("--languages", nargs="+", metavar="L", help="keep these languages only (default: all)")
    command.add_argument("--overwrite", action="store_true", help="replace a file that is at --output")
    command.add_argument("--json", action="store_true", help="print the counts as JSON")
    add_data_dir(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.common import check_output, quiet
    from isoglot.cli.options import given_settings
    from isoglot.data.pairs.loading import load_pairs
    from isoglot.data.pairs.writing import write_pairs
    from isoglot.disk import locked
    from isoglot.processes import check_device
    from isoglot.retrieval.mine import Mine
    from isoglot.settings import build

    asked = build(Mine, [("option", given_settings(options, Mine))])
    check_device(asked.device)
    check_output(options.output, overwrite=options.overwrite)
    with locked(options.output.with_name(f"{options.output.name}.mine"), beside=True):
        table = load_pairs(options.pairs, languages=options.languages, data_dir=options.data_dir)
        quiet()
        mined = asked.apply(table)
        write_pairs(mined, options.output)
    counts = [len(texts or ()) for texts in mined.table.column("negatives").to_pylist()]
    without, mean = counts.count(0), sum(counts) / len(counts)
    if options.json:
        print_json({"path": str(options.output), "rows": len(counts), "without": without, "mean": round(mean, 4)})
    else:
        print(f"{options.output}: {len(counts):,} rows, {without:,} of them without any negative, {mean:.2f} per row")
    return 0
