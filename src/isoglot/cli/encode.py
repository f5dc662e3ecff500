"""`isoglot encode`: texts to files of vectors, by one process, several, or a cluster."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_overwrite, add_whole, check_model_first, in_all, print_json, share_of_gpu
from isoglot.errors import InputError


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "encode",
        help="turn files of texts into files of vectors, by many workers",
        description="Encode every text of TEXTS into a directory of shards: vectors as .npy, ids and languages as Parquet. What "
        "is there already is not encoded again, so that the same command goes on after an interruption. Every worker computes on "
        "one thread, and the files are those of one process, byte for byte. Under torchrun each process encodes a slice. "
        "See docs/scale.md.",
        epilog="example: isoglot encode offline:multilingual-e5-small corpus/*.jsonl --output vectors --workers 4",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.models.facts import SIMILARITIES
    from isoglot.registry import one_line_help
    from isoglot.retrieval.encode_engines import ENCODE_ENGINES
    from isoglot.retrieval.shard_encoder import EncodeSettings

    command.add_argument("model", metavar="MODEL", help="hub id, directory, run, or offline:NAME")
    texts = (
        "JSON lines, CSV, TSV or Parquet, a row per text: id (or _id, docid), text and, where they are known, title and lang; "
        "rows without lang are taken to be in the language that their file is named after (de.jsonl)"
    )
    command.add_argument("texts", nargs="+", type=Path, metavar="TEXTS", help=texts)
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="the vectors' directory")
    add_overwrite(command, "vectors of other texts, or of another model, that are at --output")
    add_settings(command, EncodeSettings)
    group = command.add_argument_group("the model")
    group.add_argument("--prompt", metavar="TEXT", help="before each text, instead of the model's own")
    compared = "compare vectors by it, instead of as the model was saved for; vectors are of length 1 unless it is dot"
    group.add_argument("--similarity", choices=SIMILARITIES, help=compared)
    group = command.add_argument_group("who encodes", "nothing of it changes a vector on one kind of device")
    engines = "; ".join(f"{engine.name}: {one_line_help(engine)}" for engine in ENCODE_ENGINES)
    default = "(default: processes for several workers, else local)"
    group.add_argument("--engine", choices=ENCODE_ENGINES.names(), help=f"{engines} {default}")
    add_whole(group, "--workers", "how many, each with the model and one thread", 1, 1, 4096)
    add_whole(
        group,
        "--cpus",
        "cores of a worker, for its tokenizer (default: this machine's shared out; ray: 1)",
        None,
        1,
        1024,
    )
    share = "share of a GPU that a worker of ray takes, such as 0.25 (default: 1 where the cluster has GPUs)"
    group.add_argument("--gpus", type=share_of_gpu, metavar="X", help=share)
    group.add_argument("--device", metavar="D", help="cpu, cuda, ... (default: the best; GPUs are shared out)")
    command.add_argument("--json", action="store_true", help="print what was made as JSON")
    command.set_defaults(run=lambda options: in_all(lambda first: _run(options, first=first)))


def _run(options: argparse.Namespace, *, first: bool) -> int:
    from isoglot.cli.common import quiet
    from isoglot.cli.options import given_settings
    from isoglot.disk import check_writable
    from isoglot.processes import check_device, in_first, start
    from isoglot.retrieval.encode_engines import Workers
    from isoglot.retrieval.shard_encoder import EncodeSettings, ModelSpec
    from isoglot.retrieval.sharded_encoding import PATIENCE, choose_engine, encode_shards
    from isoglot.retrieval.text_shards import cut_files
    from isoglot.settings import build

    settings = build(EncodeSettings, [("option", given_settings(options, EncodeSettings))])
    workers = Workers(options.workers, options.device, options.gpus, options.cpus)
    engine = choose_engine(options.engine, workers)
    if options.gpus is not None and engine.name != "ray":
        raise InputError(f"--gpus: for --engine ray; {engine.name} shares out the GPUs of this machine")
    if engine.name != "ray":
        check_device(options.device)
    for texts in options.texts:
        check_model_first(options.model, str(texts), "isoglot encode")
    check_writable(options.output, directory=True)
    quiet()
    start(PATIENCE)
    shards = in_first(lambda: cut_files(options.texts, settings.shard_size))
    spec = ModelSpec(options.model, options.prompt, options.similarity)
    encoded = encode_shards(
        spec, shards, options.output, settings, engine=engine.name, workers=workers, overwrite=options.overwrite
    )
    if not first:
        return 0
    meta = encoded.meta
    if options.json:
        print_json({"path": str(options.output), **{key: meta[key] for key in _SHOWN}, "shards": len(meta["shards"])})
    else:
        kind = f"vectors of {meta['width']} numbers ({meta['dtype']})"
        print(f"{options.output}: {meta['n']:,} {kind} in {len(meta['shards']):,} shards")
    return 0


_SHOWN = ("name", "kind", "prompt", "dtype", "n", "width", "encoded")
