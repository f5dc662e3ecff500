"""`isoglot data switch`: code-switched pairs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_columns, add_data_dir, pairs_help, pairs_of, print_json


def add(commands: Any) -> None:
    """Add the command to the parser of `isoglot data`."""
    commands.add_parser(
        "switch",
        help="write pairs with words replaced by translations from lexicons (code-switching)",
        description="Write the pairs, and behind them rows in the languages of the lexicons: those of one language (English) "
        "with words replaced by translations. Words without an entry stay as they are. Reports how many words had one.",
        epilog="example: isoglot data switch pairs.jsonl --lexicon en-de.tsv en-fr=muse:words.txt --output switched.jsonl",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.data.transform.members.code_switch import CodeSwitch

    command.add_argument("pairs", nargs="+", metavar="PAIRS", help=pairs_help())
    add_columns(command)
    command.add_argument("--output", type=Path, required=True, metavar="FILE", help="the pairs, as a .jsonl file")
    add_settings(command, CodeSwitch)
    command.add_argument("--languages", nargs="+", metavar="L", help="read these languages only (default: all)")
    command.add_argument("--overwrite", action="store_true", help="replace a file that is at --output")
    command.add_argument("--json", action="store_true", help="print the counts as JSON")
    add_data_dir(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.common import check_output
    from isoglot.cli.options import given_settings
    from isoglot.data.pairs.loading import load_pairs
    from isoglot.data.pairs.writing import write_pairs
    from isoglot.data.transform.members.code_switch import CodeSwitch
    from isoglot.one_writer import locked
    from isoglot.settings import build

    options.pairs = pairs_of(options, options.pairs)
    asked = build(CodeSwitch, [("option", given_settings(options, CodeSwitch))])
    with locked(options.output.with_name(f"{options.output.name}.switch"), beside=True):
        check_output(options.output, overwrite=options.overwrite)
        table = load_pairs(options.pairs, languages=options.languages, data_dir=options.data_dir)
        switched, report = asked.switch(table, progress=True)
        write_pairs(switched, options.output)
    facts = {"path": str(options.output), **report.to_dict()}
    if options.json:
        print_json(facts)
    else:
        _print(facts)
    return 0


def _print(facts: dict[str, Any]) -> None:
    from isoglot.tables import text_table

    added, there = facts["rows_added"], facts["rows_there"]
    without = facts["pairs_without_source"]
    print(
        f"{facts['path']}: {facts['rows_written']:,} rows: {facts['rows_read']:,} that were there and "
        f"{sum(added.values()):,} switched ({sum(facts['unchanged'].values()):,} of them with nothing to switch)"
        + (f"; {without:,} pairs without a row to switch" if without else "")
    )
    for lang, number in there.items():
        print(f"{lang}: {number:,} pairs had a row, which stays")
    table = [["words", "way", "seen", "with an entry", "switched", "share"]]
    for lang, about in facts["words"].items():
        numbers = [f"{about.get(key, 0):,}" for key in ("words", "known", "switched")]
        table.append([lang, about["way"], *numbers, f"{about.get('share', 0):.1%}"])
    print("\n".join(text_table(table, text_columns=2)))
