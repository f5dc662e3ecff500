"""`isoglot study`: settle a question by a grid of runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_data_dir, print_json

_RUN = (
    "Run every cell of a study: train on the cross product of bases, strategies, tunings, data and seeds that SPEC names, "
    "measure each on its benchmarks, and write results and report. The same command goes on after an interruption, repeats "
    "nothing that is done, and redoes only what a changed spec changes."
)


def add(commands: Any) -> None:
    """Add the command and its parts to the parser."""
    study = commands.add_parser(
        "study",
        help="settle a question by a grid of runs: train, measure, report",
        description="A study is a question and a grid of runs that answers it. See docs/study.md.",
    )
    parts = study.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(parts)
    listed = parts.add_parser("list", help="presets", description="Presets, each with its question.")
    listed.set_defaults(run=_list)
    show = parts.add_parser("show", help="print the YAML of a preset", description="Print the YAML of a preset.")
    show.add_argument("preset", metavar="PRESET")
    show.set_defaults(run=_show)
    report = parts.add_parser(
        "report",
        help="write the report of a study again",
        description="Write report.html and report.md from the results of a study.",
    )
    report.add_argument("directory", metavar="DIR", type=Path)
    report.add_argument(
        "--no-figures",
        dest="figures",
        action="store_false",
        help="no figures/*.svg, and no pictures in report.md; report.html has its own",
    )
    report.set_defaults(run=_report)
    export = parts.add_parser(
        "export",
        help="copy what of a study can be published",
        description="Copy results, records, costs and the report of a study to TARGET, without weights, checkpoints, training "
        "pairs and excerpts of texts. A copy of TARGET can be gone on with by isoglot study run.",
        epilog="example: isoglot study export runs/lareqa results/lareqa",
    )
    export.add_argument("directory", metavar="DIR", type=Path)
    export.add_argument("target", metavar="TARGET", type=Path)
    export.set_defaults(run=_export)


def _add_run(parts: Any) -> None:
    run = parts.add_parser(
        "run",
        help="run a study, or go on with one",
        description=_RUN,
        epilog="example: isoglot study run demo --output runs/demo --set train.steps=20 seeds=[0,1]",
    )
    run.add_argument("spec", metavar="SPEC", help="a YAML file, or a preset (isoglot study list)")
    run.add_argument("--output", type=Path, required=True, metavar="DIR", help="the study's directory")
    run.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="change keys of the spec, e.g. train.steps=300 seeds=[0,1,2] data.0.amount=0.5",
    )
    run.add_argument("--workers", type=int, default=1, metavar="N", help="cells at a time (default 1)")
    run.add_argument(
        "--devices", metavar="D,D", help="share these out among the cells, e.g. cuda:0,cuda:1 (default: torch's choice)"
    )
    run.add_argument(
        "--threads", type=int, default=0, metavar="N", help="CPU threads per cell (default: cores / workers)"
    )
    run.add_argument(
        "--allow-leaks",
        action="store_true",
        help="go on although training pairs and benchmarks share texts; the report says so",
    )
    retry = run.add_mutually_exclusive_group()
    retry.add_argument(
        "--retry-failed", dest="retry", action="store_true", default=True, help="try failed cells again (default)"
    )
    retry.add_argument("--no-retry", dest="retry", action="store_false", help="leave failed cells as they are")
    run.add_argument("--json", action="store_true", help="print results.json instead of the summary")
    add_data_dir(run)
    run.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.errors import InputError
    from isoglot.study.presets import find_spec
    from isoglot.study.read_spec import load_spec

    if options.workers < 1 or options.threads < 0:
        raise InputError("--workers must be at least 1 and --threads at least 0")
    devices = _devices(options.devices)
    spec = load_spec(find_spec(options.spec), options.set)

    from isoglot.cli.common import quiet
    from isoglot.study.grid import RunOptions, run_study
    from isoglot.study.summary import summary_lines

    quiet()
    asked = RunOptions(options.data_dir, options.workers, devices, options.threads, options.allow_leaks, options.retry)
    outcome = run_study(spec, options.output, asked)
    if not outcome.complete:
        done = sum(cell["status"] == "done" for cell in outcome.results["cells"])
        print(f"isoglot: interrupted with {done} cells done; the same command goes on", file=sys.stderr)
        return 130
    if options.json:
        print_json(outcome.results)
    else:
        print("\n".join(summary_lines(options.output)))
    return 1 if outcome.failed else 0


def _devices(text: str | None) -> tuple[str, ...]:
    from isoglot.errors import InputError

    devices = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    for device in devices:
        kind, colon, number = device.partition(":")
        if kind not in ("cpu", "cuda") or (colon and not number.isdecimal()):
            raise InputError(f"--devices: '{device}' is not a device; expected cpu or cuda:0, cuda:1, ...")
    return devices


def _list(options: argparse.Namespace) -> int:
    from isoglot.study.presets import PRESETS

    width = max(map(len, PRESETS.names()))
    for preset in PRESETS:
        print(f"{preset.name:<{width}}  {preset.help}")
    return 0


def _show(options: argparse.Namespace) -> int:
    from isoglot.study.presets import PRESETS

    print(PRESETS[options.preset].path.read_text(encoding="utf-8"), end="")
    return 0


def _report(options: argparse.Namespace) -> int:
    from isoglot.study.report import write_report

    for path in write_report(options.directory, figures=options.figures):
        print(path)
    return 0


def _export(options: argparse.Namespace) -> int:
    from isoglot.study.export import export_study

    written = export_study(options.directory, options.target)
    size = sum(path.stat().st_size for path in written)
    print(f"{options.target}: {len(written)} files, {size / 1e6:.1f} MB")
    return 0
