"""`isoglot data translate`: pairs in more languages."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.cli.common import add_columns, add_data_dir, check_free, pairs_help, pairs_of, print_json

if TYPE_CHECKING:
    from isoglot.data.transform.members.translate import Translated

_SHOWN = 10  # failures that are named on the terminal


def add(commands: Any) -> None:
    """Add the command to the parser of `isoglot data`."""
    commands.add_parser(
        "translate",
        help="write pairs with rows in more languages, by a translation model or a program",
        description="Translate the rows of one language into others and write all rows, old and new. Rows that a pair has in a "
        "target language already stay as they are. Filters drop what is no good, and every row is counted. Translations are kept "
        "in the cache as they are made: the same command goes on after a kill, and translates nothing twice.",
        epilog="example: isoglot data translate pairs.jsonl --from en --to es --output both.jsonl --backend 'command:apertium -u "
        "eng-spa'",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.data.transform.members.translate import Translate
    from isoglot.data.transform.translators import TRANSLATORS
    from isoglot.registry import one_line_help
    from isoglot.retrieval.similarity import Similarity

    shown = [f"{translator.form} ({one_line_help(translator)})" for translator in TRANSLATORS]
    command.add_argument("pairs", nargs="+", metavar="PAIRS", help=pairs_help())
    add_columns(command)
    command.add_argument("--output", type=Path, required=True, metavar="FILE", help="all rows, as a .jsonl file")
    command.add_argument(
        "--from", dest="from_language", default="en", metavar="L", help="translate its rows (default en)"
    )
    command.add_argument("--to", nargs="+", required=True, metavar="L", help="languages to translate into")
    command.add_argument("--backend", required=True, metavar="NAME:...", help="; ".join(shown).replace("%", "%%"))
    add_settings(command, Translate, leave_out=("backend", "from_language", "to"))
    add_settings(command, Similarity)
    command.add_argument(
        "--dropped", type=Path, metavar="FILE", help="write the rows that were not kept there (.jsonl)"
    )
    command.add_argument("--overwrite", action="store_true", help="replace files that are at --output and --dropped")
    command.add_argument("--json", action="store_true", help="print the counts as JSON")
    add_data_dir(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.common import check_output, quiet
    from isoglot.cli.options import given_settings
    from isoglot.data.pairs.loading import load_pairs
    from isoglot.data.pairs.writing import write_pairs
    from isoglot.data.transform.members.translate import Translate, translate
    from isoglot.errors import InputError
    from isoglot.one_writer import locked
    from isoglot.processes import check_device
    from isoglot.retrieval.similarity import Similarity
    from isoglot.settings import build

    options.pairs = pairs_of(options, options.pairs)
    asked = build(Translate, [("option", given_settings(options, Translate))])
    similarity = build(Similarity, [("option", given_settings(options, Similarity))])
    paths = [options.output, *([options.dropped] if options.dropped else [])]
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError(f"{options.dropped}: is --output as well")
    if similarity.similarity_model:
        check_device(similarity.similarity_device)
    with locked(options.output.with_name(f"{options.output.name}.translate"), beside=True):
        for path in paths:
            # the dropped rows are written first: where they are there alone, a start may have ended in between
            may_be_begun = path is options.dropped and not options.output.exists()
            check_output(path, overwrite=options.overwrite or may_be_begun)
        table = load_pairs(options.pairs, data_dir=options.data_dir)
        if asked.backend.name != "command" or similarity.similarity_model:
            quiet()
        made = translate(table, asked, more=similarity.filters())
        if options.dropped:
            _write_dropped(options.dropped, made, overwrite=options.overwrite)
        write_pairs(made.table, options.output)
    _say(made, table.has_negatives and not asked.negatives, options.dropped)
    if options.json:
        print_json(_as_json(made, options.output, len(table)))
    else:
        print(_as_text(made, options.output, len(table)))
    return 0


def _write_dropped(path: Path, made: Translated, *, overwrite: bool) -> None:
    """Write the rows that were not kept. InputError where the file is there and holds anything else."""
    import filecmp

    from isoglot.files import atomic_path, dump_jsonl

    with atomic_path(path) as temporary:
        dump_jsonl(temporary, (row.to_dict() for row in made.dropped))
        if path.exists() and not filecmp.cmp(temporary, path, shallow=False):
            check_free(path, overwrite=overwrite)


def _say(made: Translated, left_negatives: bool, kept: Path | None) -> None:
    """What a reader of the counts should know of single rows."""
    from isoglot.data.transform.translation.rows import FAILED
    from isoglot.errors import say

    failed = [row for row in made.dropped if row.reason == FAILED]
    for row in failed[:_SHOWN]:
        say(f"no translation of id '{row.row.id}' of source '{row.row.source}' into {row.lang}: {row.why}")
    if len(failed) > _SHOWN:
        say(f"and of {len(failed) - _SHOWN} other rows{'' if kept else ' (--dropped FILE names all)'}")
    if left_negatives:
        say("the translated rows have no negatives (--negatives translates those that there are)")


def _as_json(made: Translated, output: Path, read: int) -> dict[str, Any]:
    return {
        "path": str(output),
        "rows_read": read,
        "rows": len(made.table),
        "languages": {target: report.to_dict() for target, report in made.reports.items()},
        "cache": {"-".join(way): {"taken": taken, "texts": of} for way, (taken, of) in made.taken.items()},
    }


def _as_text(made: Translated, output: Path, read: int) -> str:
    """The counts of every language: rows = there + written + what each filter dropped."""
    from isoglot.data.transform.members.translate import dropped_by
    from isoglot.tables import text_table

    reasons = dropped_by(made.reports)
    lines = [["language", "rows", "there", "written", *(f"dropped: {name}" for name in reasons)]]
    for target, report in made.reports.items():
        counts = [report.rows, report.there, report.written, *(report.dropped[name] for name in reasons)]
        lines.append([target, *(f"{count:,}" for count in counts)])
    table = "\n".join(text_table(lines))
    lost = sum(report.negatives_dropped for report in made.reports.values())
    more = f"\n{lost:,} negatives have no translation, or that of the passage, and were left out" if lost else ""
    return f"{output}: {len(made.table):,} rows, {read:,} of them read, {len(made.table) - read:,} translated\n\n{table}{more}"
