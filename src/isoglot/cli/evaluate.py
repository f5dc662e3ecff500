"""`isoglot evaluate`: mono-, cross- and multilingual retrieval and language bias of a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_data_dir, print_json

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
    command.add_argument("model", metavar="MODEL", help="hub id, directory, run, or offline:multilingual-e5-small")
    command.add_argument(
        "benchmark",
        metavar="BENCHMARK",
        help="xquad-r, mlqa-r, faq, miracl, mr-tydi, belebele, or a folder (isoglot data list shows them)",
    )
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
    command.add_argument(
        "--context",
        choices=["sentence", "paragraph"],
        default="sentence",
        help="xquad-r and mlqa-r: encode a candidate alone (default) or with its paragraph (LAReQA's variant)",
    )
    command.add_argument(
        "--passage",
        choices=["title+text", "text"],
        default="title+text",
        help="what is encoded of passages with titles (default title+text)",
    )
    command.add_argument(
        "--corpus-sample", type=int, metavar="N", help="only judged passages and N others per language (not comparable)"
    )
    command.add_argument("--sample-seed", type=int, default=0, metavar="N", help="of that sample (default 0)")
    command.add_argument(
        "--allow-missing", action="store_true", help="miracl, mr-tydi: leave out judged passages that the corpus lacks"
    )
    command.add_argument("--query-prompt", metavar="TEXT", help="instead of the model's own")
    command.add_argument("--passage-prompt", metavar="TEXT", help="instead of the model's own")
    command.add_argument("--batch-size", type=int, default=64, metavar="N", help="texts per forward pass (default 64)")
    command.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        help="keep embeddings there; the same model and texts are then read, not encoded",
    )
    command.add_argument(
        "--embeddings",
        type=Path,
        metavar="DIR",
        help="measure vectors made elsewhere (queries/<lang>.npy or .parquet, corpus/ likewise); MODEL is then only a name",
    )
    command.add_argument("--output", type=Path, metavar="DIR", help="write summary.json and per_query.parquet there")
    command.add_argument(
        "--table",
        choices=["languages", "summary", "miracl"],
        help="print a table as in the papers instead of the overview",
    )
    command.add_argument(
        "--plot", type=Path, metavar="DIR", help="write a heat map and bars of rank distance there (SVG)"
    )
    command.add_argument("--json", action="store_true", help="print the summary as JSON")
    add_data_dir(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.data.benchmarks import load_benchmark
    from isoglot.errors import InputError
    from isoglot.evaluation.measures import parse_measure
    from isoglot.evaluation.settings import parse_settings

    # everything that can be wrong is found before the model is loaded
    if options.batch_size < 1:
        raise InputError(f"--batch-size must be at least 1, got {options.batch_size}")
    needed = [*options.measures, *_TABLE_MEASURES.get(options.table, ())]
    measures = list(dict.fromkeys(str(parse_measure(measure)) for measure in needed))
    settings = parse_settings(options.settings)
    benchmark = load_benchmark(
        options.benchmark,
        languages=options.languages,
        context=options.context,
        data_dir=options.data_dir,
        passage=options.passage,
        corpus_sample=options.corpus_sample,
        sample_seed=options.sample_seed,
        allow_missing=options.allow_missing,
    )

    from isoglot.cli.common import quiet
    from isoglot.evaluation.evaluate import evaluate
    from isoglot.evaluation.external import load_embeddings
    from isoglot.evaluation.plots import write_plots
    from isoglot.evaluation.report import format_table
    from isoglot.evaluation.tables import paper_table
    from isoglot.retrieval.store import EmbeddingStore
    from isoglot.training.bases import load_model

    quiet()
    if options.embeddings:
        model: Any = load_embeddings(options.embeddings, benchmark)
    else:
        model = load_model(options.model, query_prompt=options.query_prompt, passage_prompt=options.passage_prompt)
    result = evaluate(
        model,
        benchmark,
        settings=settings,
        measures=measures,
        batch_size=options.batch_size,
        output=options.output,
        model_name=options.model,
        store=EmbeddingStore(options.store) if options.store else None,
    )
    if options.plot:
        write_plots(result, options.plot, measure=measures[0])
    if options.json:
        print_json(result.summary)
    elif options.table:
        print(paper_table(result, options.table))
    else:
        print(format_table(result))
    return 0
