"""`isoglot evaluate`: mono-, cross- and multilingual retrieval and language bias of a model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.cli.common import add_data_dir, in_all, print_json

if TYPE_CHECKING:
    from isoglot.evaluation.results import Result
    from isoglot.records import Benchmark

BM25 = "bm25"
_MTEB_MAIN = "nDCG@10"
_TABLE_MEASURES = {
    "languages": ("AP", "R@1", "R@10"),
    "summary": ("AP", "R@1", "R@10"),
    "miracl": ("nDCG@10", "R@100"),
}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "evaluate",
        help="measure a model on a benchmark",
        description="Encode every text of a benchmark once and measure retrieval in one language (mono), from one language to "
        "another (cross) and over the pooled corpora of all languages (multi), with exact ranks; and language bias as rank "
        "distance: how many ranks lie between the best and the worst of the parallel answers to a question. "
        "Figures are macro-averages over languages or language pairs.",
        epilog="example: isoglot evaluate offline:multilingual-e5-small xquad-r --json",
    )
    command.add_argument(
        "model",
        metavar="MODEL",
        help="hub id, directory, run, offline:multilingual-e5-small, or bm25 (a lexical reference)",
    )
    command.add_argument(
        "benchmark",
        metavar="BENCHMARK",
        help="xquad-r, mlqa-r, faq, miracl, mr-tydi, belebele, or a folder (isoglot data list shows them)",
    )
    _add_measuring(command)
    _add_benchmark(command)
    _add_model(command)
    _add_output(command)
    command.set_defaults(run=_run)


def _add_measuring(command: argparse.ArgumentParser) -> None:
    command.add_argument("--languages", nargs="+", metavar="L", help="restrict queries and corpora (default: all)")
    command.add_argument(
        "--settings",
        nargs="+",
        default=["mono", "cross", "multi"],
        metavar="S",
        help="of mono, cross, multi (default: all)",
    )
    command.add_argument(
        "--measures",
        nargs="+",
        default=["AP", "nDCG@10", "R@1", "R@10", "R@100"],
        metavar="M",
        help="AP, nDCG@k, R@k, RR, Success@k, P@k (default: AP nDCG@10 R@1 R@10 R@100)",
    )


def _add_benchmark(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("the benchmark")
    group.add_argument(
        "--context",
        choices=["sentence", "paragraph"],
        default="sentence",
        help="xquad-r and mlqa-r: encode a candidate alone (default) or with its paragraph (LAReQA's variant)",
    )
    group.add_argument(
        "--passage",
        choices=["title+text", "text"],
        default="title+text",
        help="what is encoded of passages with titles (default title+text)",
    )
    group.add_argument(
        "--corpus-sample", type=int, metavar="N", help="only judged passages and N others per language (not comparable)"
    )
    group.add_argument("--sample-seed", type=int, default=0, metavar="N", help="of that sample (default 0)")
    group.add_argument(
        "--allow-missing", action="store_true", help="miracl, mr-tydi: leave out judged passages that the corpus lacks"
    )
    add_data_dir(group)


def _add_model(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("the model")
    group.add_argument("--query-prompt", metavar="TEXT", help="instead of the model's own")
    group.add_argument("--passage-prompt", metavar="TEXT", help="instead of the model's own")
    group.add_argument("--batch-size", type=int, default=64, metavar="N", help="texts per forward pass (default 64)")
    group.add_argument(
        "--device",
        metavar="D",
        help="cpu, cuda, ...: encode and rank there (default: the model on the best, ranks on the CPU)",
    )
    group.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        help="keep embeddings there; the same model and texts are then read, not encoded",
    )
    group.add_argument(
        "--embeddings",
        type=Path,
        metavar="DIR",
        help="measure vectors made elsewhere (queries/<lang>.npy or .parquet, corpus/ likewise; isoglot data texts writes "
        "the texts to embed); MODEL is then only a name",
    )


def _add_output(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("output")
    group.add_argument("--output", type=Path, metavar="DIR", help="write summary.json and per_query.parquet there")
    group.add_argument(
        "--table",
        choices=["languages", "summary", "miracl"],
        help="print a table as in the papers instead of the overview",
    )
    group.add_argument("--plot", type=Path, metavar="DIR", help="write a heat map and bars of rank distance there")
    group.add_argument(
        "--plot-format", nargs="+", choices=["svg", "png"], default=["svg"], help="svg, png (default: svg)"
    )
    group.add_argument(
        "--export-trec",
        type=Path,
        metavar="DIR",
        help="write run and judgments of every cell for ir_measures, trec_eval",
    )
    group.add_argument(
        "--trec-depth", type=int, default=1000, metavar="N", help="documents per query in those runs (default 1000)"
    )
    group.add_argument(
        "--export-mteb", type=Path, metavar="DIR", help="write results in MTEB's schema, a file per setting"
    )
    group.add_argument("--json", action="store_true", help="print the summary as JSON")


def _run(options: argparse.Namespace) -> int:
    return in_all(lambda first: _evaluate(options, first=first))


def _evaluate(options: argparse.Namespace, *, first: bool) -> int:
    from isoglot.evaluation.evaluate import evaluate
    from isoglot.processes import start
    from isoglot.retrieval.store import EmbeddingStore

    settings, measures = _check(options)
    start()
    benchmark = _benchmark(options)
    result = evaluate(
        _model(options, benchmark),
        benchmark,
        settings=settings,
        measures=measures,
        batch_size=options.batch_size,
        output=options.output,
        model_name=None if options.model == BM25 and not options.embeddings else options.model,
        store=EmbeddingStore(options.store) if options.store else None,
        device=options.device,
        export_trec=options.export_trec,
        trec_depth=options.trec_depth,
    )
    if first:
        _report(options, result, measures)
    return 0


def _check(options: argparse.Namespace) -> tuple[Sequence[str], list[str]]:
    """(settings, measures); everything that can be wrong is found before a model is loaded."""
    from isoglot.errors import InputError
    from isoglot.evaluation.cells import parse_settings
    from isoglot.evaluation.measures import parse_measure
    from isoglot.evaluation.pictures import check_formats

    for name in ("batch_size", "trec_depth"):
        if (value := getattr(options, name)) < 1:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1, got {value}")
    if options.plot:
        check_formats(options.plot_format)
    needed = [*options.measures, *_TABLE_MEASURES.get(options.table, ())]
    if options.export_mteb:
        needed.append(_MTEB_MAIN)
    return parse_settings(options.settings), list(dict.fromkeys(str(parse_measure(measure)) for measure in needed))


def _benchmark(options: argparse.Namespace) -> Benchmark:
    from isoglot.data.benchmarks.load import load_benchmark

    return load_benchmark(
        options.benchmark,
        languages=options.languages,
        context=options.context,
        data_dir=options.data_dir,
        passage=options.passage,
        corpus_sample=options.corpus_sample,
        sample_seed=options.sample_seed,
        allow_missing=options.allow_missing,
    )


def _model(options: argparse.Namespace, benchmark: Benchmark) -> Any:
    if options.embeddings:
        from isoglot.evaluation.external import load_embeddings

        return load_embeddings(options.embeddings, benchmark)
    if options.model == BM25:
        from isoglot.retrieval.bm25 import BM25 as Lexical

        return Lexical()
    from isoglot.cli.common import quiet
    from isoglot.models.load import load_model

    quiet()
    return load_model(
        options.model,
        query_prompt=options.query_prompt,
        passage_prompt=options.passage_prompt,
        device=options.device,
    )


def _report(options: argparse.Namespace, result: Result, measures: Sequence[str]) -> None:
    """Write what was asked for beside the result, and print."""
    from isoglot.evaluation.mteb_results import write_mteb_results
    from isoglot.evaluation.pictures import write_plots
    from isoglot.evaluation.report import format_table
    from isoglot.evaluation.tables import paper_table

    if options.export_mteb:
        write_mteb_results(result, options.export_mteb)
    if options.plot:
        write_plots(result, options.plot, options.plot_format, measure=measures[0])
    if options.json:
        print_json(result.summary)
    elif options.table:
        print(paper_table(result, options.table))
    else:
        print(format_table(result))
