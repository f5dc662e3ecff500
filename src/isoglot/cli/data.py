"""`isoglot data`: look at pairs before anything is trained on them, and at benchmarks before anything is measured."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli import audit, check, from_docs, mine, switch, translate
from isoglot.cli.common import add_columns, add_data_dir, add_overwrite, check_free, pairs_help, pairs_of, print_json


def add(commands: Any) -> None:
    """Add the command to the parser."""
    top = commands.add_parser(
        "data",
        help="check, clean, translate, switch and pack parallel pairs, mine negatives, audit them, list benchmarks",
        description="Look at parallel pairs and benchmarks.",
    )
    inner = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check.add(inner)
    inner.add_parser(
        "pack",
        help="pairs as a folder that opens without being read (for millions of pairs)",
        description="Write parallel pairs, their index and the order of their batches into a folder that `isoglot train`, "
        "`isoglot plan` and load_pairs open by memory-mapping. The batches are those of the same pairs in memory.",
        fill=_fill_pack,
    )
    inner.add_parser(
        "benchmark",
        help="make a benchmark from pairs, and hold those out of training",
        description="Write a benchmark folder from parallel pairs: a query is answered by the passages of its pair, which are in "
        "all of its languages or in one. With --holdout, a share of the pairs, whole groups of those that share a text.",
        fill=_fill_benchmark,
    )
    audit.add(inner)
    mine.add(inner)
    switch.add(inner)
    translate.add(inner)
    from_docs.add(inner)
    inner.add_parser(
        "list",
        help="benchmarks: languages, sizes, licence, where they come from",
        description="Show the benchmarks that have a name, and own benchmark folders directly in --data-dir and "
        "$ISOGLOT_DATA: languages, sizes, licence, settings, and what lies on this machine.",
        fill=_fill_list,
    )
    inner.add_parser(
        "texts",
        help="write a benchmark's texts, to embed them elsewhere",
        description='Write the texts of a benchmark as queries/<lang>.jsonl and corpus/<lang>.jsonl, {"_id", "text"} per line. '
        "Embed them with any model or API, put the vectors beside them as <lang>.npy (rows in the same order) or .parquet (id, "
        "embedding), and measure them by isoglot evaluate NAME BENCHMARK --embeddings DIR.",
        fill=_fill_texts,
    )


def _fill_pack(pack: argparse.ArgumentParser) -> None:
    pack.add_argument("pairs", nargs="+", metavar="PAIRS", help=pairs_help())
    add_columns(pack)
    pack.add_argument("--output", required=True, metavar="DIR", help="the folder to write")
    pack.add_argument("--languages", nargs="+", metavar="L", help="keep these languages only (default: all)")
    pack.add_argument("--overwrite", action="store_true", help="replace packed pairs that are at --output")
    pack.add_argument("--json", action="store_true", help="print a summary as JSON")
    add_data_dir(pack)
    pack.set_defaults(run=_pack)


def _fill_benchmark(made: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.data.pair_benchmark import PairBenchmarkSettings

    made.add_argument("pairs", nargs="+", metavar="PAIRS", help=pairs_help())
    add_columns(made)
    made.add_argument("--output", required=True, metavar="DIR", help="the benchmark folder to write")
    made.add_argument("--languages", nargs="+", metavar="L", help="keep these languages only (default: all)")
    add_settings(made, PairBenchmarkSettings)
    made.add_argument("--rest", metavar="FILE", help="where all other pairs go (.jsonl or .jsonl.gz), to train on them")
    made.add_argument("--json", action="store_true", help="print a summary as JSON")
    add_data_dir(made)
    made.set_defaults(run=_benchmark)


def _fill_list(shown: argparse.ArgumentParser) -> None:
    shown.add_argument("--json", action="store_true", help="print the list as JSON")
    add_data_dir(shown)
    shown.set_defaults(run=_list)


def _fill_texts(texts: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.evaluation.settings import EvaluateSettings

    texts.add_argument("benchmark", metavar="BENCHMARK", help="a name (isoglot data list) or a folder")
    texts.add_argument("output", type=Path, metavar="DIR", help="where to")
    add_overwrite(texts, "files that are in DIR")
    add_settings(texts, EvaluateSettings, ("languages", "context"))
    add_data_dir(texts)
    texts.set_defaults(run=_texts)


def _texts(options: argparse.Namespace) -> int:
    from isoglot.cli.options import given_settings
    from isoglot.disk import check_writable
    from isoglot.evaluation.external import export_texts
    from isoglot.evaluation.settings import EvaluateSettings
    from isoglot.settings import build

    asked = build(EvaluateSettings, [("option", given_settings(options, EvaluateSettings))])
    check_writable(options.output, directory=True)
    for side in ("queries", "corpus"):
        check_free(options.output / side, overwrite=options.overwrite)
    benchmark = asked.load(options.benchmark, options.data_dir)
    files = export_texts(benchmark, options.output)
    print(
        f"wrote {benchmark.n_queries} queries and {benchmark.n_documents} documents in {len(files)} files to {options.output}"
    )
    return 0


def _pack(options: argparse.Namespace) -> int:
    from isoglot.data.pairs.packing import pack_pairs

    facts = pack_pairs(
        pairs_of(options, options.pairs),
        options.output,
        languages=options.languages,
        data_dir=options.data_dir,
        overwrite=options.overwrite,
    )
    if options.json:
        print_json({"path": options.output, **{key: value for key, value in facts.items() if key != "strata"}})
    else:
        print(
            f"{options.output}: {facts['pairs']:,} pairs, {facts['rows']:,} rows, {facts['groups']:,} groups that may share a "
            f"batch, {len(facts['languages'])} languages, {len(facts['sources'])} sources"
        )
    return 0


def _benchmark(options: argparse.Namespace) -> int:
    from isoglot.cli.options import given_settings
    from isoglot.data.pair_benchmark import PairBenchmarkSettings, write_pair_benchmark
    from isoglot.settings import build

    settings = build(PairBenchmarkSettings, [("option", given_settings(options, PairBenchmarkSettings))])
    facts = write_pair_benchmark(
        pairs_of(options, options.pairs),
        options.output,
        settings,
        rest=options.rest,
        languages=options.languages,
        data_dir=options.data_dir,
    )
    if options.json:
        print_json({"path": options.output, "rest_path": options.rest, **facts})
        return 0
    pairs, rows = facts["pairs"], facts["rows"]
    print(f"read {pairs['read']:,} pairs, {rows['read']:,} rows in {len(facts['languages'])} languages")
    print(
        f"{options.output}: {pairs['benchmark']:,} pairs ({facts['groups']:,} groups), {rows['benchmark']:,} rows: "
        f"{facts['queries']:,} queries, {facts['documents']:,} passages"
    )
    if options.rest:
        print(f"{options.rest}: {pairs['rest']:,} pairs, {rows['rest']:,} rows")
    return 0


def _list(options: argparse.Namespace) -> int:
    from isoglot.data.benchmarks.catalog import as_rows, format_catalog
    from isoglot.errors import InputError

    if options.data_dir is not None and not options.data_dir.is_dir():
        raise InputError(f"{options.data_dir}: no such folder")
    rows = as_rows(options.data_dir)
    if options.json:
        print_json(rows)
    else:
        print(format_catalog(rows))
    return 0
