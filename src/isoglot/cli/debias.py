"""`isoglot debias`: take out of a model's embeddings what tells their language, without training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_data_dir, check_new_folder, pairs_help, print_json


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "debias",
        help="repair a model, or vectors, without training: take out what tells the language",
        description="Write a model with the same weights and a linear correction after them, fitted on texts of several "
        "languages, so that texts are found whatever language they are in. The result is a sentence-transformers directory. "
        "With --embeddings, existing vectors are corrected instead, and nothing is encoded: by the correction of a folder that "
        "this command wrote, or by one that is fitted on a folder of vectors (--fit DIR). With --embeddings INDEX the model "
        "joins an index of isoglot index that has its base.",
        epilog="example: isoglot debias offline:multilingual-e5-small --fit facts: --strength auto --output models/e5-debiased",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.evaluation.debias import DebiasSettings

    given = "hub id, directory, run, or offline:NAME; with --embeddings a folder that isoglot debias wrote (none: fit on vectors)"
    command.add_argument("model", nargs="?", metavar="MODEL", help=given)
    texts = (
        f"what the correction is fitted on, none of it a text that is measured later: {pairs_help()}; a file of texts with the "
        "columns lang and text; an index of isoglot index, or a benchmark, whose figures are marked then; with --embeddings a "
        "folder of vectors"
    )
    command.add_argument("--fit", nargs="+", metavar="TEXTS", help=texts)
    where = "the model's, or the vectors', directory (not with --embeddings INDEX)"
    command.add_argument("--output", type=Path, metavar="DIR", help=where)
    add_settings(command, DebiasSettings)
    command.add_argument("--languages", nargs="+", metavar="L", help="fit on texts in these only (default: all)")
    stored = "keep embeddings of the texts there; the same model and texts are then read, not encoded"
    command.add_argument("--store", type=Path, metavar="DIR", help=stored)
    command.add_argument("--device", metavar="NAME", help="cpu, cuda, ... (default: the best)")
    group = command.add_argument_group("vectors instead of a model")
    vectors = (
        "correct these: .npy or .parquet (a column embedding or vector; all others stay), or folders of them; their "
        "side and language come from the columns kind and lang, or from their place (queries/de.npy, corpus/de.npy), or from "
        "--side and --lang; or an index of isoglot index, which MODEL joins"
    )
    group.add_argument("--embeddings", nargs="+", type=Path, metavar="FILE", help=vectors)
    group.add_argument("--name", metavar="NAME", help="of MODEL in the index (default: its base's there and -debiased)")
    group.add_argument("--side", choices=("query", "passage"), help="of all of them")
    group.add_argument("--lang", metavar="L", help="of all of them")
    command.add_argument("--json", action="store_true", help="print how it was fitted as JSON")
    add_data_dir(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.options import given_settings
    from isoglot.errors import InputError
    from isoglot.evaluation.debias import DebiasSettings
    from isoglot.settings import build

    asked = build(DebiasSettings, [("option", given_settings(options, DebiasSettings))])
    if options.embeddings and any((path / "documents.sqlite").is_file() for path in options.embeddings):
        return _index(options)
    if options.name:
        raise InputError("--name is that of a model in an index: only for --embeddings INDEX")
    if options.output is None:
        raise InputError("--output is missing: the directory that is written")
    check_new_folder(options.output)
    if options.embeddings:
        return _vectors(options, asked)
    if options.side or options.lang:
        raise InputError("--side, --lang: only for --embeddings")
    if not options.model or not options.fit:
        raise InputError("give a MODEL and --fit TEXTS, or --embeddings FILE")
    from isoglot.cli.common import quiet
    from isoglot.evaluation.debias import debias
    from isoglot.processes import check_device
    from isoglot.retrieval.store import EmbeddingStore

    check_device(options.device)
    quiet()
    record = debias(
        options.model,
        options.fit,
        options.output,
        asked,
        languages=options.languages,
        data_dir=options.data_dir,
        store=EmbeddingStore(options.store) if options.store else None,
        device=options.device,
    )
    _show(options, record)
    return 0


def _index(options: argparse.Namespace) -> int:
    from isoglot.cli.common import quiet
    from isoglot.cli.options import given_settings
    from isoglot.errors import InputError
    from isoglot.evaluation.debias import DebiasSettings
    from isoglot.evaluation.debias_collection import debias_collection
    from isoglot.processes import check_device

    names = ("fit", "output", "languages", "store", "side", "lang", "data_dir")
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]
    given += [f"--{name.replace('_', '-').replace('.', '-')}" for name in given_settings(options, DebiasSettings)]
    if given:
        raise InputError(
            f"{', '.join(given)}: not for --embeddings INDEX, whose vectors are corrected as MODEL was fitted"
        )
    if len(options.embeddings) > 1 or not options.model:
        raise InputError("--embeddings INDEX: one index, and a MODEL that isoglot debias wrote")
    check_device(options.device)
    quiet()
    (path,) = options.embeddings
    record = debias_collection(path, options.model, options.name, device=options.device)
    if options.json:
        print_json(record)
        return 0
    done = record["index"]
    print(f"{path}: {done['corrected']:,} vectors of '{done['base']}' corrected; '{done['name']}' is a model of it now")
    print(f'next: isoglot search {path} "a question in any language" --model {done["name"]}')
    return 0


def _vectors(options: argparse.Namespace, asked: Any) -> int:
    from isoglot.errors import InputError
    from isoglot.evaluation.debias_vectors import debias_vectors

    unused = {"--store": options.store, "--device": options.device, "--data-dir": options.data_dir}
    if given := [name for name, value in unused.items() if value]:
        raise InputError(f"{', '.join(given)}: not for --embeddings, where nothing is encoded")
    if bool(options.model) == bool(options.fit):
        raise InputError(
            "--embeddings needs a MODEL that isoglot debias wrote, or --fit DIR with vectors, and not both"
        )
    record = debias_vectors(
        options.embeddings,
        options.output,
        by=options.model,
        fit=options.fit,
        asked=asked,
        side=options.side,
        lang=options.lang,
        languages=options.languages,
    )
    _show(options, record)
    return 0


def _show(options: argparse.Namespace, record: dict[str, Any]) -> None:
    from isoglot.evaluation.debias_strength import format_strengths
    from isoglot.tables import text_table

    if options.json:
        print_json({"path": str(options.output), **record})
        return
    if rows := record.get("strengths"):
        pairs = record["pairs"]
        print(f"{pairs['held_out']:,} pairs held out, {pairs['fitted']:,} to fit on")
        print("\n".join(text_table(format_strengths(rows))))
    told = ", ".join(f"{side} {share:.2%}" for side, share in record.get("told", {}).items())
    print(
        f"{options.output}: {record['method']['name']}, strength {record['strength']:g}, sides {record['sides']}, fitted on "
        f"{record['texts']:,} texts in {len(record['languages'])} languages"
        + (f"; language told from the embedding: {told} of texts that this was not fitted on" if told else "")
    )
    if count := record.get("corrected"):
        print(f"corrected {count['vectors']:,} vectors in {count['files']:,} files")
    for name in record.get("transductive", ()):
        print(f"transductive: fitted on texts of {name}")
