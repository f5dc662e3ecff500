"""`isoglot demo`: the main job end to end in minutes: measure a model, repair it, measure it again."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

STEPS = 60
BATCH_SIZE = 32

_USE = """\
The repaired model is an ordinary sentence-transformers directory:

    from sentence_transformers import SentenceTransformer
    model = SentenceTransformer("{path}")
    print(model.similarity(model.encode_query(["..."]), model.encode_document(["..."])))"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    demo = commands.add_parser(
        "demo",
        help="measure a multilingual model, repair it, measure again (minutes, no downloads)",
        description="Measure a base model on the built-in benchmark faq, train it with hybrid batches and LoRA on the built-in "
        "facts: (11 languages; the benchmark shares no text with them), measure it again, and print both side by side.",
    )
    demo.add_argument("--base", default="offline:multilingual-e5-small", metavar="NAME", help="default: %(default)s")
    demo.add_argument("--output", type=Path, default=Path("demo-run"), metavar="DIR", help="default: %(default)s")
    demo.add_argument("--steps", type=int, default=STEPS, metavar="N", help="default: %(default)s")
    demo.add_argument("--batch-size", type=int, default=BATCH_SIZE, metavar="N", help="default: %(default)s")
    demo.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    demo.add_argument("--json", action="store_true", help="print both summaries as JSON instead")
    demo.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.common import print_json, quiet
    from isoglot.data.benchmarks.load import load_benchmark
    from isoglot.evaluation.evaluate import evaluate
    from isoglot.evaluation.report import format_comparison
    from isoglot.models.load import load_model
    from isoglot.training.train import train

    began = time.perf_counter()
    settings = _settings(options)
    settings.check()
    benchmark = load_benchmark("faq")
    quiet()
    _say(
        f"1/3 measuring {options.base} on faq ({benchmark.n_queries} questions, {benchmark.n_documents} passages, 11 languages)"
    )
    before = evaluate(load_model(options.base), benchmark, model_name=options.base, output=options.output / "before")
    _say(f"2/3 repairing it: {options.steps} hybrid batches of {options.batch_size} parallel pairs from facts:, LoRA")
    run = train(settings, overwrite=True)
    if not run.complete:
        _say("interrupted")
        return 130
    _say("3/3 measuring the repaired model")
    after = evaluate(load_model(str(run.model)), benchmark, model_name=str(run.model), output=options.output / "after")
    if options.json:
        print_json({"before": before.summary, "after": after.summary, "model": str(run.model)})
        return 0
    print(format_comparison(before, after, ("before", "after")))
    print()
    print(_USE.format(path=run.model))
    _say(f"done in {(time.perf_counter() - began) / 60:.1f} minutes; results are in {options.output}")
    return 0


def _settings(options: argparse.Namespace) -> Any:
    from isoglot.training.settings import TrainSettings

    return TrainSettings(
        pairs=("facts:",),
        output=str(options.output / "run"),
        base=options.base,
        strategy="hybrid",
        mono_share=0.5,
        batch_size=options.batch_size,
        steps=options.steps,
        seed=options.seed,
        dropout=0.0,
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
