"""`isoglot index`: a user's documents, cut and encoded, as a directory that is searched and served."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_data_dir, check_model_first, print_json

_CORPUS = (
    "a file of rows (.jsonl, .csv, .parquet, ...) with id, text and, where there are such, lang, title, url, translation; "
    "a folder of pages (HTML, Markdown, text, ...), or a pattern such as 'docs/{lang}/**/*.md'; pairs, whose passages are "
    "documents; a benchmark"
)


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "index",
        help="encode your documents, to be searched and served",
        description="Make an index of documents, or bring one up to date: new and changed documents are added and replaced by "
        "their ids, and what was encoded before is not encoded again. A run that was stopped goes on by the same command. "
        "Without a corpus, MODEL is added to the index beside the models that are there, to compare them. Languages that are not "
        "given are guessed from the texts, and counted.",
        epilog="example: isoglot index offline:multilingual-e5-small my-docs/ --output my-index",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.retrieval.collection.settings import CollectionSettings

    command.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        help="hub id, directory, run, or offline:NAME; without one: those of the index",
    )
    command.add_argument("corpus", metavar="CORPUS", nargs="?", help=_CORPUS)
    command.add_argument("--output", type=Path, required=True, metavar="INDEX", help="the directory of the index")
    command.add_argument(
        "--update", metavar="CORPUS", help="documents for the models that the index has, without naming one"
    )
    command.add_argument("--name", metavar="NAME", help="of the model in the index (default: the last part of MODEL)")
    command.add_argument("--delete", nargs="+", default=[], metavar="ID", help="delete these documents")
    command.add_argument("--mirror", action="store_true", help="delete documents that the corpus does not have")
    add_settings(command, CollectionSettings)
    command.add_argument("--device", metavar="NAME", help="cpu, cuda, ... (default: the best)")
    command.add_argument("--json", action="store_true", help="print what was done as JSON")
    add_data_dir(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.common import quiet
    from isoglot.cli.options import given_settings
    from isoglot.errors import InputError
    from isoglot.processes import check_device
    from isoglot.retrieval.collection.build import index
    from isoglot.retrieval.collection.settings import CollectionSettings
    from isoglot.settings import build

    given = given_settings(options, CollectionSettings)
    asked = build(CollectionSettings, [("option", given)]) if given else None
    if options.update and options.corpus:
        raise InputError("give one corpus: CORPUS after a MODEL, or --update CORPUS")
    if not (options.model or options.update or options.delete):
        raise InputError("nothing to do: give a MODEL and a CORPUS, --update CORPUS, or --delete ID")
    if options.model and options.corpus:
        check_model_first(options.model, options.corpus, "isoglot index")
    check_device(options.device)
    quiet()
    record = index(
        options.model,
        options.corpus or options.update,
        options.output,
        asked,
        name=options.name,
        delete=options.delete,
        mirror=options.mirror,
        device=options.device,
        data_dir=options.data_dir,
    )
    if options.json:
        print_json(record)
    else:
        _print(record)
    return 0


def _print(record: dict[str, Any]) -> None:
    done = [f"{record[key]:,} {key}" for key in ("added", "replaced", "deleted", "unchanged") if record[key]]
    print(f"documents: {', '.join(done) or 'none changed'}")
    if left := record["left_out"]:
        print(f"files left out: {', '.join(f'{n:,} {reason}' for reason, n in left.items())}")
    if guessed := record["guessed"]:
        told = ", ".join(f"{lang} {n:,}" for lang, n in guessed.items())
        print(f"languages guessed from the text (und: not sure): {told}")
    languages = ", ".join(f"{lang} {n:,}" for lang, n in record["languages"].items())
    print(f"{record['path']}: {record['documents']:,} documents in {record['chunks']:,} chunks ({languages})")
    print(f"models: {', '.join(f'{name} ({source})' for name, source in record['models'].items())}")
    print(f'next: isoglot search {record["path"]} "a question in any language"')
    print(f"      isoglot serve {record['path']}")
