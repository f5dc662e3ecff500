"""`isoglot data from-docs`: parallel pairs, and a benchmark, from translated documents."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import print_json


def add(commands: Any) -> None:
    """Add the command to the parser of `isoglot data`."""
    commands.add_parser(
        "from-docs",
        help="parallel pairs from translated documents, and a benchmark of pages held out",
        description="Read documents that are there in several languages (Markdown, HTML, reStructuredText, text, Word, DocBook, "
        "Mallard, LibreOffice's help, tables) and write a pair for every section: its heading, with the page's title where "
        "several sections are called the same, and its text. Sections are aligned by path, anchor and order. Every section that "
        "was read is a row or counted by the reason why it is none. Needs the extra docs.",
        epilog="example: isoglot data from-docs 'docs/{lang}/**/*.md' --output pairs.jsonl --holdout 10%%",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.data.documents.settings import DocumentSettings

    patterns = (
        "paths in quotes, {lang} for the language, * ** ? as in a shell: 'docs/{lang}/**/*.md', 'docs/*.{lang}.md'"
    )
    command.add_argument("patterns", nargs="+", metavar="PATTERN", help=patterns)
    command.add_argument("--output", type=Path, required=True, metavar="FILE", help="the pairs (.jsonl or .jsonl.gz)")
    where = "folder for the pages held out (default: beside the pairs)"
    command.add_argument("--benchmark", type=Path, metavar="DIR", help=where)
    model = "check sections that only their order aligns by this model: hub id, directory, run, or offline:NAME"
    command.add_argument("--model", metavar="MODEL", help=model)
    command.add_argument("--device", metavar="TEXT", help="of the model: cpu, cuda, ... (default: the best)")
    add_settings(command, DocumentSettings, leave_out=("whole_documents",))
    command.add_argument("--json", action="store_true", help="print the counts as JSON")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.options import given_settings
    from isoglot.data.documents.settings import DocumentSettings
    from isoglot.data.documents.write import format_facts, held_out_folder, pairs_from_documents
    from isoglot.one_writer import locked
    from isoglot.settings import build

    asked = build(DocumentSettings, [("option", given_settings(options, DocumentSettings))])
    similar = None
    if options.model:
        from isoglot.cli.common import quiet
        from isoglot.retrieval.similarity import similarity_by

        quiet()
        similar = similarity_by(options.model, options.device)
    with locked(options.output.with_name(f"{options.output.name}.from-docs"), beside=True):
        facts = pairs_from_documents(
            options.patterns,
            options.output,
            asked,
            benchmark=options.benchmark,
            similar=similar,
        )
    if options.json:
        print_json({"path": str(options.output), **facts})
        return 0
    print(format_facts(facts))
    print(f"\n{options.output}: {sum(facts['rows'].values()):,} rows")
    if asked.holdout is not None:
        print(
            f"{options.benchmark or held_out_folder(options.output)}: {sum(facts['held_out'].values()):,} rows as a benchmark"
        )
    return 0
