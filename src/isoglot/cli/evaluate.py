"""`isoglot evaluate`: mono-, cross- and multilingual retrieval and language bias of a model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.cli.common import add_data_dir, add_overwrite, add_whole, check_free, check_model_first, in_all, print_json

if TYPE_CHECKING:
    from isoglot.evaluation.settings import EvaluateSettings
    from isoglot.records import Benchmark
    from isoglot.retrieval.fair import FairSettings

BM25 = "bm25"


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "evaluate",
        help="measure a model on a benchmark",
        description="Encode every text of a benchmark once and measure retrieval in one language (mono), from one language to "
        "another (cross) and over the pooled corpora of all languages (multi), with exact ranks; and language bias as rank "
        "distance: how many ranks lie between the best and the worst of the parallel answers to a question. "
        "Figures are macro-averages over languages or language pairs.",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.data.benchmarks.catalog import catalog
    from isoglot.evaluation.measures import usual_spellings
    from isoglot.evaluation.pictures import FORMATS
    from isoglot.evaluation.settings import EvaluateSettings
    from isoglot.evaluation.tables import TABLES
    from isoglot.evaluation.trec import DEFAULT_DEPTH
    from isoglot.models.facts import SIMILARITIES
    from isoglot.retrieval.fair import FairSettings

    command.epilog = f"example: isoglot evaluate offline:multilingual-e5-small {catalog()[0].name} --json"
    models = f"hub id, directory, run, offline:NAME, or {BM25} (a lexical reference)"
    command.add_argument("model", metavar="MODEL", help=models)
    command.add_argument("benchmark", metavar="BENCHMARK", help="a name that isoglot data list shows, or a folder")
    folder: dict[str, Any] = {"type": Path, "metavar": "DIR"}
    group = command.add_argument_group("what is measured", f"measures: {usual_spellings()}")
    add_settings(group, EvaluateSettings)
    add_data_dir(group)
    group = command.add_argument_group("the model")
    group.add_argument("--query-prompt", metavar="TEXT", help="instead of the model's own")
    group.add_argument("--passage-prompt", metavar="TEXT", help="instead of the model's own")
    compared = "compare vectors by it, instead of as the model was saved for"
    group.add_argument("--similarity", choices=SIMILARITIES, help=compared)
    where = "cpu, cuda, ...: encode and rank there (default: on the best there is)"
    group.add_argument("--device", metavar="D", help=where)
    stored = "keep embeddings there; the same model and texts are then read, not encoded"
    group.add_argument("--store", **folder, help=stored)
    given = (
        "measure vectors made elsewhere (queries/<lang>.npy or .parquet, corpus/ likewise; isoglot data texts writes the "
        "texts to embed); MODEL is then only a name"
    )
    group.add_argument("--embeddings", **folder, help=given)
    mixed = "how the pooled corpora's languages are mixed; means and calibrations are fitted on --background"
    group = command.add_argument_group("languages in one list", mixed)
    add_settings(group, FairSettings)
    group = command.add_argument_group("output")
    group.add_argument("--output", **folder, help="write summary.json and per_query.parquet there")
    add_overwrite(group, "a result, pictures or exports that are there")
    shown = group.add_mutually_exclusive_group()
    shown.add_argument("--table", choices=list(TABLES), help="print a table as in the papers instead of the overview")
    shown.add_argument("--json", action="store_true", help="print the summary as JSON")
    group.add_argument("--plot", **folder, help="write a heat map and bars of rank distance there")
    pictures = f"{', '.join(FORMATS)} (default: {FORMATS[0]})"
    group.add_argument("--plot-format", nargs="+", choices=FORMATS, default=FORMATS[:1], help=pictures)
    group.add_argument(
        "--export-trec", **folder, help="write run and judgments of every cell for ir_measures, trec_eval"
    )
    add_whole(group, "--trec-depth", "documents per query in those runs", DEFAULT_DEPTH, 1, 10**9)
    group.add_argument("--export-mteb", **folder, help="write results in MTEB's schema, a file per setting")
    command.set_defaults(run=lambda options: in_all(lambda first: _run(options, first=first)))


def _run(options: argparse.Namespace, *, first: bool) -> int:
    from isoglot.errors import warn
    from isoglot.evaluation.evaluate import evaluate
    from isoglot.evaluation.leak import leak_notes
    from isoglot.evaluation.mteb_results import write_mteb_results
    from isoglot.evaluation.pictures import replace_plots
    from isoglot.evaluation.tables import paper_table
    from isoglot.processes import start
    from isoglot.retrieval.store import EmbeddingStore

    if not options.embeddings:
        check_model_first(options.model, options.benchmark, "isoglot evaluate")
    asked, mixed = _asked(options), _mixed(options)
    _check_outputs(options)
    start()
    benchmark = asked.load(options.benchmark, options.data_dir)
    if first:
        _check_free(options, benchmark, asked.settings)
    model = _model(options, benchmark)
    result = evaluate(
        model,
        benchmark,
        asked,
        output=options.output,
        overwrite=options.overwrite,
        model_name=None if options.model == BM25 and not options.embeddings else options.model,
        store=EmbeddingStore(options.store) if options.store else None,
        device=options.device,
        export_trec=options.export_trec,
        trec_depth=options.trec_depth,
        fair=mixed.fit(model, options.data_dir, {*benchmark.queries, *benchmark.corpus}),
    )
    if not first:
        return 0
    if options.export_mteb:
        write_mteb_results(result, options.export_mteb)
    if options.plot:
        replace_plots(result, options.plot, options.plot_format, measure=asked.measures[0])
    if options.json or options.table:  # the overview has them below its tables
        for note in leak_notes(result.summary.get("leak")):
            warn(note)
    if options.json:
        print_json(result.summary)
    elif options.table:
        print(paper_table(result, options.table))
    else:
        print(result)
    return 0


def _asked(options: argparse.Namespace) -> EvaluateSettings:
    """What to measure, with what tables and exports need; all that can be wrong is found before a model is loaded."""
    from isoglot.cli.options import given_settings
    from isoglot.errors import InputError
    from isoglot.evaluation.measures import parse_measures
    from isoglot.evaluation.mteb_results import MAIN_MEASURE
    from isoglot.evaluation.pictures import check_formats
    from isoglot.evaluation.settings import EvaluateSettings
    from isoglot.evaluation.tables import TABLES
    from isoglot.processes import check_device
    from isoglot.settings import build

    check_device(options.device)
    if options.plot:
        check_formats(options.plot_format)
    asked = build(EvaluateSettings, [("option", given_settings(options, EvaluateSettings))])
    if options.plot and not {"cross", "multi"} & {*asked.settings}:
        raise InputError("--plot: nothing to draw without the setting 'cross' or 'multi'")
    needed = [*asked.measures, *(TABLES[options.table].measures if options.table else ())]
    needed += [MAIN_MEASURE] if options.export_mteb else []
    return asked.replace(measures=tuple(map(str, parse_measures(needed))))


def _mixed(options: argparse.Namespace) -> FairSettings:
    """How the languages are mixed."""
    from isoglot.cli.options import given_settings
    from isoglot.errors import InputError
    from isoglot.retrieval.fair import FairSettings
    from isoglot.settings import build

    mixed = build(FairSettings, [("option", given_settings(options, FairSettings))])
    if not mixed.fusion.is_default and (options.model == BM25 or (options.embeddings and mixed.background)):
        raise InputError(
            f"--fusion {mixed.fusion}: only for a model that is loaded here, not for {BM25} or --embeddings"
        )
    return mixed


def _check_outputs(options: argparse.Namespace) -> None:
    """InputError for a folder that cannot be written: better before the encoding than after it."""
    from isoglot.disk import check_writable

    for folder in (options.output, options.store, options.plot, options.export_trec, options.export_mteb):
        if folder is not None:
            check_writable(folder, directory=True)


def _check_free(options: argparse.Namespace, benchmark: Benchmark, settings: Sequence[str]) -> None:
    """InputError where something would be replaced without being asked for."""
    from isoglot.evaluation.mteb_results import files_of
    from isoglot.evaluation.pictures import pictures_in
    from isoglot.evaluation.results import check_no_result
    from isoglot.evaluation.trec import exported_in

    if options.output and not options.overwrite:
        check_no_result(options.output)
    there = [
        *(pictures_in(options.plot) if options.plot else ()),
        *(exported_in(options.export_trec) if options.export_trec else ()),
        *(files_of(benchmark, settings, options.export_mteb) if options.export_mteb else ()),
    ]
    for path in there:
        check_free(path, overwrite=options.overwrite)


def _model(options: argparse.Namespace, benchmark: Benchmark) -> Any:
    own = {
        "query_prompt": options.query_prompt,
        "passage_prompt": options.passage_prompt,
        "similarity": options.similarity,
    }
    if options.embeddings or options.model == BM25:
        _check_unused(own)
    if options.embeddings:
        from isoglot.evaluation.external import load_embeddings

        return load_embeddings(options.embeddings, benchmark)
    if options.model == BM25:
        from isoglot.retrieval.bm25 import BM25 as Lexical

        return Lexical()
    from isoglot.cli.common import quiet
    from isoglot.models.load import load_model

    quiet()
    return load_model(options.model, **own, device=options.device)


def _check_unused(options: dict[str, Any]) -> None:
    from isoglot.errors import InputError

    if given := [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]:
        raise InputError(f"{', '.join(given)}: only for a model that is loaded here, not for {BM25} or --embeddings")
