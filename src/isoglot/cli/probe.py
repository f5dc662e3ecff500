"""`isoglot probe`: which layer of a model brings translations of words together."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_overwrite, check_free, print_json


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "probe",
        help="which layer of a model brings translations of words together",
        description="Compare words with their translations at every layer of a model (0: the embeddings; each the mean over "
        "tokens) and in its output: the mean cosine of translations, that of words that are none (shuffled), the margin between "
        "the two with its 95%% bootstrap interval, and P@1, how often the nearest of all translations is the right one. A high "
        "cosine alone says nothing: where all vectors point one way, any two words have one.",
        epilog="example: isoglot probe offline:multilingual-e5-small --lexicon en-de.tsv en-ru.tsv --picture layers.svg",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.retrieval.probe import ProbeSettings

    command.add_argument("model", metavar="MODEL", help="hub id, directory, run, or offline:NAME")
    add_settings(command, ProbeSettings)
    picture = "draw the criterion by layer, a line per pair of languages (.svg or .png; needs the extra plots)"
    command.add_argument("--picture", type=Path, metavar="FILE", help=picture)
    add_overwrite(command, "what is at --picture")
    command.add_argument("--device", metavar="DEVICE", help="cpu, cuda, ... (default: the best there is)")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.common import quiet
    from isoglot.cli.options import given_settings
    from isoglot.data.lexicons.word_pairs import read_word_pairs
    from isoglot.evaluation.probe_picture import check_picture, probe_table, write_picture
    from isoglot.models.load import load_model
    from isoglot.processes import check_device
    from isoglot.retrieval.probe import ProbeSettings, probe
    from isoglot.settings import build

    asked = build(ProbeSettings, [("option", given_settings(options, ProbeSettings))])
    check_device(options.device)
    if options.picture is not None:
        check_picture(options.picture)
        check_free(options.picture, overwrite=options.overwrite)
    every = read_word_pairs(asked.lexicon, copies=asked.copies)
    quiet()
    found = probe(load_model(options.model, device=options.device, trainable=True), every, asked)
    if options.picture is not None:
        write_picture(found, options.model, options.picture)
    if options.json:
        print_json({"model": options.model, **found})
    else:
        print("\n".join(probe_table(found)))
    return 0
