"""`isoglot data check`: what is in parallel pairs, what is wrong with them, and the pairs without it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_columns, add_data_dir, pairs_help, pairs_of, print_json


def add(commands: Any) -> None:
    """Add the command to the parser of `isoglot data`."""
    commands.add_parser(
        "check",
        help="counts, malformed lines, wrong languages, bad translations, duplicates, markup; --clean writes the rest",
        description="Read pairs to their end and report: counts per language and source, parallelism, lengths, every malformed "
        "line with file and line, and what the checks find (isoglot list checks), by language, with an example. --clean writes "
        "the pairs repaired, without the rows that are to be dropped. Exit code 1 if there is a malformed line.",
        epilog="example: isoglot data check my-pairs.jsonl --clean clean.jsonl",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.data.checks.registry import CHECKS
    from isoglot.retrieval.misalignment import Similarity

    command.add_argument("pairs", nargs="+", metavar="PAIRS", help=pairs_help())
    add_columns(command)
    command.add_argument("--clean", type=Path, metavar="FILE", help="write what stays (.jsonl or .jsonl.gz)")
    command.add_argument("--overwrite", action="store_true", help="replace a file that is at --clean")
    command.add_argument(
        "--skip", nargs="+", default=[], choices=CHECKS.names(), metavar="CHECK", help=f"of {', '.join(CHECKS.names())}"
    )
    for check in (*CHECKS, Similarity):
        add_settings(command, check)
    command.add_argument("--json", action="store_true", help="print the report and every finding as JSON")
    add_data_dir(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from contextlib import nullcontext

    from isoglot.cli.common import check_output
    from isoglot.data.checks.run import format_checked, run_checks
    from isoglot.data.pairs.check import format_report, read_to_the_end, report_pairs
    from isoglot.data.pairs.table import PairTable
    from isoglot.data.pairs.writing import write_pairs
    from isoglot.errors import InputError, warn
    from isoglot.one_writer import locked

    options.pairs = pairs_of(options, options.pairs)
    checks = _checks(options)
    clean: Path | None = options.clean
    with locked(clean.with_name(f"{clean.name}.check"), beside=True) if clean is not None else nullcontext():
        if clean is not None:
            check_output(clean, overwrite=options.overwrite, endings=(".jsonl", ".jsonl.gz"))
        read = read_to_the_end(options.pairs, options.data_dir)
        if not read.rows_read:
            raise InputError(f"{', '.join(options.pairs)}: no rows")
        report, checked = report_pairs(read), run_checks(read, checks, all_needed=clean is not None)
        if clean is not None:
            if not checked.rows:
                raise InputError(f"{', '.join(options.pairs)}: no row is left to be written to {clean}")
            write_pairs(PairTable.from_rows(checked.rows), clean)
    if options.json:
        print_json({**report.to_dict(), **checked.to_dict(), "clean": str(clean) if clean else None})
    else:
        print(format_report(report))
        print(f"\n{format_checked(checked, str(clean or ''))}")
    if report.problems:
        warn(f"{len(report.problems)} malformed line(s), first: {report.problems[0]}")
    return 1 if report.problems else 0


def _checks(options: argparse.Namespace) -> list[Any]:
    """The checks that are not skipped, with their settings."""
    from isoglot.cli.common import quiet
    from isoglot.cli.options import given_settings
    from isoglot.data.checks.registry import CHECKS
    from isoglot.errors import InputError
    from isoglot.processes import check_device
    from isoglot.retrieval.misalignment import Similarity
    from isoglot.settings import build

    kept = [check for check in CHECKS if check.name not in options.skip]
    checks: list[Any] = [build(check, [("option", given_settings(options, check))]) for check in kept]
    if "model" in options:
        by_model = build(Similarity, [("option", given_settings(options, Similarity))])
        check_device(by_model.device)
        quiet()
        checks.append(by_model)
    elif given := [*given_settings(options, Similarity)]:
        raise InputError(f"--{given[0].replace('_', '-')} is of the check by similarity: give --model too")
    return checks
