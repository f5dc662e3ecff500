"""`isoglot bias`: how fair an index is, and what repairs it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_overwrite, add_whole, check_free, check_output, print_json
from isoglot.cli.search import FAIRNESS


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "bias",
        help="how fair an index is to its languages, and what repairs it",
        description="Measure an index without judgments: ask the titles of its translated documents, see which languages stand "
        "in the top 10 beside those of the documents, and whether the translation in each other language is found. Where nothing "
        "is translated, built-in questions show the mix of languages alone. Ends with the commands that repair it.",
        epilog="example: isoglot bias my-index --fairness raw standardised --output bias.html",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    command.add_argument("index", type=Path, metavar="INDEX", help="a directory that isoglot index wrote")
    command.add_argument(
        "--model", nargs="+", default=[], metavar="NAME", help="of the index's models (default: all, beside each other)"
    )
    fairness = "how languages are mixed, see isoglot search; several are shown beside each other (default raw)"
    command.add_argument("--fairness", nargs="+", choices=FAIRNESS, default=["raw"], help=fairness)
    command.add_argument("--strength", type=float, metavar="X", help="of standardised: 0 (as raw) to 1 (default)")
    add_whole(command, "--groups", "groups of translations that are asked about, by chance, at most", 300, 1, 1_000_000)
    add_whole(command, "--seed", "of the draw and of the intervals", 0, 0, 2**32 - 1)
    command.add_argument("--device", metavar="NAME", help="cpu, cuda, ... (default: the best)")
    command.add_argument("--json", action="store_true", help="print everything as JSON")
    page = "write a page with pictures as well (.html; needs the extra plots)"
    command.add_argument("--output", type=Path, metavar="FILE", help=page)
    pairs = (
        "measure nothing: write pairs of a title and its text of all translated documents that are not asked about with the "
        "same --groups and --seed, to train on (.jsonl or .jsonl.gz)"
    )
    command.add_argument("--pairs", type=Path, metavar="FILE", help=pairs)
    add_overwrite(command, "what is at --output or --pairs")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.pairs is not None:
        return _pairs(options)
    from isoglot.cli.common import quiet
    from isoglot.evaluation.collection_bias import collection_bias
    from isoglot.evaluation.collection_bias_report import format_bias
    from isoglot.evaluation.collection_repair import repairs
    from isoglot.processes import check_device

    if options.output is not None:
        from isoglot.evaluation.collection_bias_page import check_page

        check_page(options.output)
        check_free(options.output, overwrite=options.overwrite)
    check_device(options.device)
    quiet()
    record = collection_bias(
        options.index,
        options.model,
        options.fairness,
        options.strength,
        groups=options.groups,
        seed=options.seed,
        device=options.device,
    )
    if options.output is not None:
        from isoglot.evaluation.collection_bias_page import write_page

        write_page(record, options.output)
    if options.json:
        print_json({**record, "repairs": repairs(record)})
    else:
        print(format_bias(record))
        if options.output is not None:
            print(f"\n{options.output}: the same with pictures")
    return 0


def _pairs(options: argparse.Namespace) -> int:
    from isoglot.errors import InputError
    from isoglot.evaluation.collection_repair import write_translated_pairs

    given = {"--model": options.model, "--strength": options.strength, "--output": options.output}
    if names := [name for name, value in given.items() if value]:
        raise InputError(f"{', '.join(names)}: not with --pairs, which measures nothing")
    check_output(options.pairs, overwrite=options.overwrite, endings=(".jsonl", ".jsonl.gz"))
    record = write_translated_pairs(options.index, options.pairs, options.groups, options.seed)
    if options.json:
        print_json(record)
        return 0
    languages = ", ".join(f"{lang} {n:,}" for lang, n in record["languages"].items())
    print(f"{record['path']}: {record['pairs']:,} pairs of {record['groups']:,} groups of translations ({languages})")
    if left := record["left_out"]:
        print(f"left out: {', '.join(f'{reason}: {n:,}' for reason, n in left.items())}")
    return 0
