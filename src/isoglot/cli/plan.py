"""`isoglot plan`: see the batches before training, without loading a model."""

from __future__ import annotations

import argparse
from typing import Any

from isoglot.cli.common import add_columns, add_data_dir, add_whole, pairs_help, pairs_of, print_json


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
    add_columns(plan)
    plan.add_argument("--languages", nargs="+", metavar="L", default=None, help="training languages (default: all)")
    add_settings(plan, PlanSettings)
    add_whole(plan, "--steps", "steps to count over", 200, 1, 10**7)
    add_whole(plan, "--show", "batches to print", 3, 0, 10**5)
    plan.add_argument("--json", action="store_true", help="print JSON instead of tables")
    add_data_dir(plan)
    plan.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.batching.describe import composition, format_batch, format_composition, format_strata, named_languages
    from isoglot.batching.plan import BatchPlan, PlanSettings
    from isoglot.cli.options import given_settings
    from isoglot.data.pairs.loading import load_pairs
    from isoglot.errors import say
    from isoglot.settings import build

    options.pairs = pairs_of(options, options.pairs)
    settings = build(PlanSettings, [("option", given_settings(options, PlanSettings))])
    table = load_pairs(options.pairs, languages=options.languages, data_dir=options.data_dir)
    plan = BatchPlan(table.index, settings)
    counts = composition(plan, table, options.steps)
    for note in plan.notes(table):
        say(f"{settings.strategy.name}: {note}")
    if options.json:
        batches = [
            {
                "step": batch.step,
                "kind": batch.kind,
                "source": batch.source,
                "ids": table.column("id", batch.query_rows),
                "query_languages": named_languages(batch, batch.queries, table),
                "passage_languages": named_languages(batch, batch.passages, table),
            }
            for batch in plan[: options.show]
        ]
        print_json({"strata": [vars(info) for info in plan.strata], "composition": counts, "batches": batches})
        return 0
    print(format_strata(plan), format_composition(counts), sep="\n\n")
    for batch in plan[: options.show]:
        print("", format_batch(batch, table), sep="\n")
    return 0
