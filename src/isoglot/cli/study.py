"""`isoglot study`: settle a question by a grid of runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_data_dir, add_overwrite, add_whole, print_json, quiet, share_of_gpu
from isoglot.errors import warn

_EXPORTED = "an older export that is at TARGET"


def add(commands: Any) -> None:
    """Add the command and its parts to the parser."""
    study = commands.add_parser(
        "study",
        help="settle a question by a grid of runs: train, measure, report",
        description="A study is a question and a grid of runs that answers it. See docs/study.md.",
    )
    parts = study.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def part(name: str, run: Any, words: str, description: str, *arguments: str, **more: Any) -> None:
        command = parts.add_parser(name, help=words, description=description, **more)
        for argument in arguments:
            command.add_argument(argument.lower(), metavar=argument)
        command.set_defaults(run=run)

    about = (
        "Run every cell of a study: train on the cross product of bases, strategies, tunings, data and seeds that SPEC names, "
        "measure each on its benchmarks, and write results and report. The same command goes on after an interruption, repeats "
        "nothing that is done, and redoes only what a changed spec changes."
    )
    example = "example: isoglot study run demo --output runs/demo --set train.steps=20 seeds=[0,1]"
    part("run", _run, "run a study, or go on with one", about, epilog=example, fill=_fill_run)
    part("list", _list, "presets", "Presets, each with its question.")
    part("show", _show, "print the YAML of a preset", "Print the YAML of a preset.", "PRESET")
    about = "Write report.html and report.md from the results of a study."
    part("report", _report, "write the report of a study again", about, "DIR", fill=_fill_report)
    about = (
        "Copy results, records, costs and the report of a study to TARGET, without weights, checkpoints, training pairs and "
        "excerpts of texts. A copy of TARGET can be gone on with by isoglot study run."
    )
    example = "example: isoglot study export runs/lareqa results/lareqa"
    words = "copy what of a study can be published"
    part(
        "export", _export, words, about, "DIR", "TARGET", epilog=example, fill=lambda one: add_overwrite(one, _EXPORTED)
    )


def _fill_report(report: argparse.ArgumentParser) -> None:
    words = "no figures/*.svg, and no pictures in report.md; report.html has its own"
    report.add_argument("--no-figures", dest="figures", action="store_false", help=words)


def _fill_run(run: argparse.ArgumentParser) -> None:
    from isoglot.registry import one_line_help
    from isoglot.study.engines import STUDY_ENGINES

    def option(flag: str, words: str, group: Any = run, **more: Any) -> None:
        group.add_argument(flag, help=words, **more)

    option("spec", "a YAML file, or a preset (isoglot study list)", metavar="SPEC")
    option("--output", "the study's directory", type=Path, required=True, metavar="DIR")
    changes = "change keys of the spec, e.g. train.steps=300 seeds=[0,1,2] data.0.amount=0.5"
    option("--set", changes, nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    words = "cells at a time; auto: as many as there is memory for on the GPUs and the host, by what cells were seen to take"
    add_whole(run, "--workers", f"{words} (default: auto on GPUs, else 1)", None, 1, 1024, word="auto")
    shared = "share these out among the cells, e.g. cuda:0,cuda:1 (default: torch's choice)"
    option("--devices", shared, default="", metavar="D,D")
    add_whole(run, "--threads", "CPU threads per cell; 0: cores / workers, 1 with auto", 0, 0, 4096)
    engines = "; ".join(f"{engine.name}: {one_line_help(engine)}" for engine in STUDY_ENGINES)
    option("--engine", f"{engines} (default {STUDY_ENGINES.default()})", choices=STUDY_ENGINES.names())
    share = "share of a GPU that a cell takes on Ray, such as 0.25 (default: 1 where the cluster has GPUs)"
    option("--gpus", share, type=share_of_gpu, metavar="X")
    leaks = "go on although training pairs and benchmarks share texts; the report says so"
    option("--allow-leaks", leaks, action="store_true")
    retry = run.add_mutually_exclusive_group()
    again = "try failed cells again (default)"
    option("--retry-failed", again, retry, dest="retry", action="store_true", default=True)
    option("--no-retry", "leave failed cells as they are", retry, dest="retry", action="store_false")
    add_overwrite(run, "a study of another name that is at --output: what it has trained stays, its results go")
    option("--json", "print results.json instead of the summary", action="store_true")
    add_data_dir(run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.study.grid import RunOptions, run_study
    from isoglot.study.presets import find_spec
    from isoglot.study.read_spec import load_spec

    devices = tuple(device.strip() for device in options.devices.split(",") if device.strip())
    spec = load_spec(find_spec(options.spec), options.set)
    quiet()
    own = ("data_dir", "workers", "threads", "allow_leaks", "retry", "engine", "gpus", "overwrite")
    asked = RunOptions(devices=devices, **{name: getattr(options, name) for name in own})
    outcome = run_study(spec, options.output, asked)
    if not outcome.complete:
        done = sum(cell["status"] == "done" for cell in outcome.results["cells"])
        warn(f"interrupted with {done} cells done; the same command goes on")
        return 130
    if options.json:
        print_json(outcome.results)
    else:
        print(outcome)
    return 1 if outcome.failed else 0


def _list(_: argparse.Namespace) -> int:
    from isoglot.study.presets import PRESETS

    width = max(map(len, PRESETS.names()))
    print(*(f"{preset.name:<{width}}  {preset.help}" for preset in PRESETS), sep="\n")
    return 0


def _show(options: argparse.Namespace) -> int:
    from isoglot.study.presets import PRESETS

    print(PRESETS[options.preset].path.read_text(encoding="utf-8"), end="")
    return 0


def _report(options: argparse.Namespace) -> int:
    from isoglot.study.analysis.reading import as_written
    from isoglot.study.report import write_report

    with as_written(options.dir):
        print(*write_report(Path(options.dir), figures=options.figures), sep="\n")
    return 0


def _export(options: argparse.Namespace) -> int:
    from isoglot.study.analysis.reading import as_written
    from isoglot.study.export import export_study

    with as_written(options.dir):
        written = export_study(Path(options.dir), Path(options.target), overwrite=options.overwrite)
    size = sum(path.stat().st_size for path in written)
    print(f"{options.target}: {len(written)} files, {size / 1e6:.1f} MB")
    return 0
