"""`isoglot plan`: see the batches before training, without loading a model."""

from __future__ import annotations

import argparse
from typing import Any

from isoglot.cli.common import add_data_dir, pairs_help, print_json, whole


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "plan",
        help="show the batches that a run would train on",
        description="Print what each kind of batch is drawn from, the composition of the first steps, and the first batches. "
        "No model is loaded. Training with the same pairs and settings uses exactly these batches.",
        fill=_fill,
    )


def _fill(plan: argparse.ArgumentParser) -> None:
    from isoglot.batching.plan import PlanSettings
    from isoglot.cli.options import add_settings

    plan.add_argument("--pairs", nargs="+", required=True, metavar="P", help=pairs_help())
    plan.add_argument("--languages", nargs="+", metavar="L", default=None, help="training languages (default: all)")
    add_settings(plan, PlanSettings)
    plan.add_argument(
        "--steps", type=whole("--steps", 1, 10**7), default=200, metavar="N", help="steps to count over (default 200)"
    )
    plan.add_argument(
        "--show", type=whole("--show", 0, 10**5), default=3, metavar="N", help="batches to print (default 3)"
    )
    plan.add_argument("--json", action="store_true", help="print JSON instead of tables")
    add_data_dir(plan)
    plan.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.batching.describe import composition, format_batch, format_composition, format_strata
    from isoglot.batching.plan import BatchPlan, PlanSettings
    from isoglot.cli.options import given_settings
    from isoglot.data.pairs.loading import load_pairs
    from isoglot.settings import build

    settings = build(PlanSettings, [("option", given_settings(options, PlanSettings))])
    table = load_pairs(options.pairs, languages=options.languages, data_dir=options.data_dir)
    plan = BatchPlan(table.index, settings)
    counts = composition(plan, table, options.steps)
    if options.json:
        batches = [
            {
                "step": batch.step,
                "kind": batch.kind,
                "source": batch.source,
                "ids": table.column("id", batch.query_rows),
                "query_languages": table.column("lang", batch.query_rows),
                "passage_languages": table.column("lang", batch.passage_rows),
            }
            for batch in plan[: options.show]
        ]
        print_json({"strata": [vars(info) for info in plan.strata], "composition": counts, "batches": batches})
        return 0
    print(format_strata(plan), format_composition(counts), sep="\n\n")
    for batch in plan[: options.show]:
        print("", format_batch(batch, table), sep="\n")
    return 0
