"""`isoglot data audit`: does anything of a benchmark occur among training pairs?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_columns, add_data_dir, add_overwrite, check_free, pairs_help, pairs_of, print_json


def add(commands: Any) -> None:
    """Add the command to the parser of `isoglot data`."""
    commands.add_parser(
        "audit",
        help="exact and near duplicates between training pairs and benchmarks",
        description="Compare training pairs with benchmarks, before anything is trained on them: exact and near duplicates "
        "(MinHash) of questions and passages, evaluation passages inside longer training passages, and shared ids, per "
        "language. Exit code 1 if an evaluation question or answer passage was found: results would not be zero-shot. "
        "Needs the extra study (datasketch).",
        epilog="example: isoglot data audit lareqa:mlqa-r --against xquad-r faq",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.evaluation.settings import EvaluateSettings

    command.add_argument("pairs", nargs="+", metavar="PAIRS", help=pairs_help())
    add_columns(command)
    command.add_argument(
        "--against", nargs="+", required=True, metavar="BENCHMARK", help="names (isoglot data list) or folders"
    )
    command.add_argument("--languages", nargs="+", metavar="L", help="of the pairs only (default: all)")
    documents = "compare further passages of the pairs' documents too: for training with negatives from documents"
    command.add_argument("--documents", action="store_true", help=documents)
    add_settings(command, EvaluateSettings, ("context",))
    command.add_argument("--json", action="store_true", help="print the whole audit as JSON")
    command.add_argument("--output", type=Path, metavar="FILE", help="write it there as JSON")
    add_overwrite(command)
    add_data_dir(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.data.audit.report import format_audit
    from isoglot.data.audit.run import run_audit
    from isoglot.data.benchmarks.load import load_benchmark, reader
    from isoglot.data.pairs.loading import load_pairs
    from isoglot.disk import check_writable
    from isoglot.files import write_json

    options.pairs = pairs_of(options, options.pairs)
    if options.output:
        check_writable(options.output)
        check_free(options.output, overwrite=options.overwrite)
    benchmarks = []
    for name in options.against:
        has_paragraphs, _ = reader(name, options.data_dir)
        more = {"context": options.context} if has_paragraphs and "context" in options else {}
        benchmarks.append(load_benchmark(name, data_dir=options.data_dir, **more))
    pairs = load_pairs(options.pairs, languages=options.languages, data_dir=options.data_dir)
    name = ", ".join(options.pairs)
    documents = (name,) if options.documents else ()
    audit = run_audit([(name, pairs, benchmarks)], documents=documents)
    if options.output:
        write_json(options.output, audit)
    if options.json:
        print_json(audit)
    else:
        print(format_audit(audit))
    return 1 if audit["leaks"] else 0
