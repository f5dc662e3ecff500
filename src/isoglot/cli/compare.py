"""`isoglot compare`: are the differences between results more than chance?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_overwrite, add_whole, check_free, print_json


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "compare",
        help="test the differences between results",
        description="Compare results on one benchmark with the first of them: differences of macro-averages with 95% intervals "
        "(bootstrap over paragraphs, over query ids where there are none, and over training seeds where there are several), "
        "paired sign-flip permutation tests over query ids, Holm's correction over settings and systems, Benjamini and "
        "Hochberg's over languages or pairs of them, effect sizes, wins, and the smallest difference that could be found.",
        epilog="example: isoglot compare before=runs/b0,runs/b1 after=runs/a0,runs/a1 --measure nDCG@10 --setting cross",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.evaluation.compare import COMPARED_SETTINGS
    from isoglot.evaluation.contrasts import RESAMPLES, SEED
    from isoglot.evaluation.pictures import FORMATS

    results = (
        "DIR or NAME=DIR, a folder that `isoglot evaluate --output` wrote; NAME=DIR,DIR,... for several training seeds of one "
        "system; the first one is the reference"
    )
    settings = f"of {', '.join(COMPARED_SETTINGS)} (default: all that the results have)"
    command.add_argument("results", nargs="+", metavar="RESULT", help=results)
    command.add_argument("--measure", default="nDCG@10", metavar="M", help="a measure in all results (default nDCG@10)")
    command.add_argument("--setting", nargs="+", metavar="S", help=settings)
    add_whole(command, "--resamples", "of bootstrap and test", RESAMPLES, 99, 10**6)
    add_whole(command, "--seed", "of the resamples", SEED, 0, 2**63 - 1)
    command.add_argument("--output", type=Path, metavar="FILE", help="write the comparison there as JSON")
    plotted = "write heat maps on one colour scale there, and bars of rank distance of two (of several seeds the first)"
    command.add_argument("--plot", type=Path, metavar="DIR", help=plotted)
    pictures = f"{', '.join(FORMATS)} (default: {FORMATS[0]})"
    command.add_argument("--plot-format", nargs="+", choices=FORMATS, default=FORMATS[:1], help=pictures)
    add_overwrite(command, "what is at --output, and pictures that are in --plot")
    command.add_argument("--json", action="store_true", help="print the comparison as JSON")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.disk import check_writable
    from isoglot.evaluation.compare import compare
    from isoglot.evaluation.matching import load_systems
    from isoglot.evaluation.pictures import check_formats, pictures_in, replace_plots
    from isoglot.files import write_json

    if options.output:
        check_writable(options.output)
        check_free(options.output, overwrite=options.overwrite)
    if options.plot:
        check_writable(options.plot, directory=True)
        check_formats(options.plot_format)
        for path in pictures_in(options.plot):
            check_free(path, overwrite=options.overwrite)
    asked = {key: getattr(options, key) for key in ("measure", "resamples", "seed")}
    systems = load_systems(options.results)
    comparison = compare(systems, settings=options.setting, **asked)
    if options.plot:
        first, names = [system.results[0] for system in systems], [system.name for system in systems]
        plotted = {"measure": comparison.measure, "names": names}
        replace_plots(first, options.plot, options.plot_format, **plotted)
    if options.output:
        write_json(options.output, comparison.to_json())
    print_json(comparison.to_json()) if options.json else print(comparison)
    return 0
