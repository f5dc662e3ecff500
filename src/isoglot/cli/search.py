"""`isoglot search`: questions in any language, documents in every language."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from isoglot.cli.common import add_whole, print_json

FAIRNESS = ("raw", "standardised", "round-robin", "quota")
"""How languages can be mixed; that of `isoglot.retrieval.collection`, which is not loaded to say so."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "search",
        help="search an index",
        description="Print the best documents for a question, or for every line of a file of questions. The sentence that is "
        "nearest to the question stands between » and «.",
        epilog='example: isoglot search my-index "Wie melde ich mich ab?" -k 5 --fairness standardised',
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    command.add_argument("index", type=Path, metavar="INDEX", help="a directory that isoglot index wrote")
    command.add_argument(
        "queries", nargs="*", metavar="QUESTION", help="in quotes; several are answered one after the other"
    )
    command.add_argument("--queries", dest="file", type=Path, metavar="FILE", help="questions, one in a line")
    add_whole(command, "-k", "documents for a question", 10, 1, 1000)
    command.add_argument("--lang", nargs="+", metavar="L", help="documents in these languages only")
    command.add_argument(
        "--where",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="documents with these metadata only; a key again: any of its values",
    )
    command.add_argument("--model", metavar="NAME", help="of the index's models (default: the first)")
    command.add_argument(
        "--fairness",
        choices=FAIRNESS,
        default="raw",
        help="how languages are mixed (default raw: by the model's scores). standardised: scores of each language less what "
        "unrelated texts in it score; round-robin: the best of every language in turn; quota: in proportion to the documents",
    )
    command.add_argument("--strength", type=float, metavar="X", help="of standardised: 0 (as raw) to 1 (default)")
    command.add_argument(
        "--query-lang", metavar="L", help="the questions' language (default: guessed where it is sure)"
    )
    command.add_argument("--hybrid", action="store_true", help="mix in a ranking by words (BM25), by reciprocal ranks")
    command.add_argument("--no-sentences", action="store_true", help="do not look for the nearest sentence")
    command.add_argument("--device", metavar="NAME", help="cpu, cuda, ... (default: the best)")
    command.add_argument("--json", action="store_true", help="print answers as JSON")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.common import quiet
    from isoglot.data.readers import lines
    from isoglot.errors import InputError
    from isoglot.processes import check_device
    from isoglot.retrieval.collection import Collection, Searcher

    queries = [*options.queries, *((text for _, text in lines(options.file)) if options.file else ())]
    if not queries:
        raise InputError('give a question: isoglot search INDEX "QUESTION", or --queries FILE')
    where = _filters(options.where)
    check_device(options.device)
    quiet()
    with Collection.open(options.index) as collection:
        where = {key: _typed(values, collection.fields().get(key, ())) for key, values in where.items()}
        with Searcher(collection, options.model, device=options.device) as searcher:
            answers = searcher.search(
                queries,
                options.k,
                languages=options.lang,
                where=where,
                fairness=options.fairness,
                strength=options.strength,
                query_language=options.query_lang,
                hybrid=options.hybrid,
                sentences=not options.no_sentences,
            )
    if options.json:
        print_json([asdict(answer) for answer in answers])
        return 0
    for answer in answers:
        if len(answers) > 1:
            print(f"# {answer.query}")
        _print(answer)
    return 0


def _filters(words: list[str]) -> dict[str, list[str]]:
    from isoglot.errors import InputError

    where: dict[str, list[str]] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not (key and sign):
            raise InputError(f"--where {word}: expected KEY=VALUE")
        where.setdefault(key, []).append(value)
    return where


def _typed(values: list[str], known: Any) -> list[Any]:
    """Values as the index has them: a number or a truth value where its own are such."""
    by_text = {json.dumps(value) if not isinstance(value, str) else value: value for value in known}
    return [by_text.get(value, value) for value in values]


def _print(answer: Any) -> None:
    if answer.why:
        print(answer.why)
    for rank, hit in enumerate(answer.hits, 1):
        where = f"  {hit.url}" if hit.url else ""
        # a line break in a title, id or address would look like another answer
        print(" ".join(f"{rank:>3}. {hit.lang:<3} {hit.score:.3f}  {hit.title or hit.id}{where}".splitlines()))
        text = hit.text
        if hit.sentence:
            first, last = hit.sentence
            before, after = text[max(0, first - 60) : first], text[last : last + 60]
            text = f"{'…' if first > 60 else ''}{before}»{text[first:last]}«{after}"
        shown = " ".join(text.split())
        print(f"     {shown[:300]}{'…' if len(shown) > 300 else ''}")
